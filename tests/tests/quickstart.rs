//! `docs/quickstart.md`, to the letter, in a folder of its own outside the workspace.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coalesce_tests::World;

/// The code blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let behind = text.split(&opening).skip(1);
    behind.map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

fn shell(folder: &Path, script: &str) -> Output {
    let output = Command::new("bash").args(["-euc", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_newcomer_gets_a_421() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let text = fs::read_to_string(root.join("docs/quickstart.md")).unwrap();
    let [project, certificates, run, ask] = &blocks(&text, "sh")[..] else {
        panic!("four steps expected")
    };
    let [program] = &blocks(&text, "rust")[..] else { panic!("one program expected") };
    let [expected] = &blocks(&text, "text")[..] else { panic!("one output expected") };

    // The crates come by path, as the text says, the rest is resolved as the workspace has it; the
    // port is one that is free.
    let world = World::new(&[], "");
    let add = |line: &str| match line.strip_prefix("cargo add coalesce-") {
        Some(rest) => {
            let packages = rest.split(" --").next().unwrap().split(' ');
            let options =
                rest.split_once(" --").map_or(String::new(), |(_, more)| format!(" --{more}"));
            let added = packages.map(|name| {
                let name = name.trim_start_matches("coalesce-");
                format!("cargo add --path {}/crates/coalesce-{name}{options}\n", root.display())
            });
            added.collect()
        }
        None => format!("{line}\n"),
    };
    let project: String = project.lines().map(add).collect();
    assert_eq!(project.matches("--path").count(), 1);
    shell(&world.path(""), &project);
    let folder = world.path("hosts");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    shell(&folder, certificates);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    fs::write(folder.join("src/main.rs"), program.replace("8443", &port)).unwrap();

    assert_eq!(run, "cargo run\n");
    let target = root.join("target/quickstart");
    let build = format!("cargo build --quiet --target-dir '{}'", target.display());
    shell(&folder, &build);
    let mut command = Command::new(target.join("debug/hosts"));
    command.current_dir(&folder);
    let _server = world.start(command);
    for version in ["", " --http1.1"] {
        // Each answer is a line; a 421 does not end in one.
        let ask = ask
            .replace("8443", &port)
            .replace("ask() { curl", &format!("ask() {{ curl -s{version} -w '\\n'"));
        let output = shell(&folder, &ask);
        let found = String::from_utf8(output.stdout).unwrap().replace("\n\n", "\n");
        assert_eq!(&found, expected);
    }
}
