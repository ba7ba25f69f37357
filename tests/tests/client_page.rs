//! Runs the commands of `docs/client.md` against the server of `coalesce demo --keep`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use coalesce_tests::binary;

/// The columns of a row before its time.
const BEFORE_TIME: usize = 25;

/// A demo that stays up, and the command that it prints for the client.
struct Demo {
    process: Child,
    command: String,
}

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(binary());
        command.args(["demo", "--keep"]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let command = lines.find(|line| line.starts_with("coalesce get ")).unwrap();
        Self { process, command }
    }

    /// The value of an option in the printed command.
    fn option(&self, name: &str) -> &str {
        let mut words = self.command.split(' ').skip_while(|word| *word != name);
        words.nth(1).unwrap().trim_matches('\'')
    }

    /// Runs a command of the page with the options that the demo prints.
    fn run(&self, block: &str) -> String {
        let options = ["--cacert", "--resolve", "--cert", "--key"];
        let options = options.map(|name| format!("{name} '{}'", self.option(name))).join(" ");
        let script =
            format!("coalesce() {{ '{}' \"$@\" {options}; }}\n{block}", binary().display());
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let address = self.option("--resolve").trim_start_matches("*:443:").to_owned();
        String::from_utf8(output.stdout).unwrap().replace(&address, "127.0.0.1:8443")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.process.wait();
    }
}

/// Replaces the times, which differ from run to run.
fn with_fixed_times(text: &str) -> String {
    let fixed = text.lines().map(|line| match line.split_once(" ms  ") {
        Some((before, url)) => {
            let before: String = before.chars().take(BEFORE_TIME).collect();
            format!("{before}  {:>8}  {url}\n", "12 ms")
        }
        None => format!("{line}\n"),
    });
    fixed.collect()
}

fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let after: Vec<_> = page.split(&opening).skip(1).collect();
    after.into_iter().map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn commands_of_the_page_print_its_reports() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/client.md");
    let page = fs::read_to_string(path).unwrap();
    let (commands, reports) = (blocks(&page, "sh"), blocks(&page, "text"));
    assert_eq!((commands.len(), reports.len()), (2, 2));
    let demo = Demo::start();
    for (command, report) in commands.iter().zip(reports) {
        let found = with_fixed_times(&demo.run(command));
        assert!(found == report, "docs/client.md should have\n{found}");
    }
}
