//! The habits of operators: a first file, manual pages, completions, signals.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Client, Server};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

/// Runs the program, and returns its exit code, its output and its errors.
fn run(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = world.run(arguments);
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| text(bytes).to_owned());
    (output.status.code(), stdout, stderr)
}

#[test]
fn init_with_a_certificate_writes_a_valid_file_for_its_names() {
    let world = World::new();
    let certificate = ["--certificate", "certs/B.pem", "--key", "certs/B.key"];
    let (exit, stdout, _) = run(&world, &[&["init"], &certificate[..]].concat());
    assert_eq!(
        (exit, stdout.as_str()),
        (Some(0), "wrote site.toml; next: coalesce check site.toml\n")
    );
    let (exit, stdout, stderr) = run(&world, &["check", "site.toml"]);
    assert_eq!(exit, Some(0), "{stderr}");
    assert!(stdout.contains("1 virtual host, 1 group, 2 names"), "{stdout}");

    // In another folder, the paths still lead to the certificate.
    fs::create_dir(world.path("etc")).unwrap();
    let (exit, ..) = run(&world, &[&["init", "etc/site.toml"], &certificate[..]].concat());
    assert_eq!(exit, Some(0));
    let (exit, _, stderr) = run(&world, &["check", "etc/site.toml"]);
    assert_eq!(exit, Some(0), "{stderr}");
}

#[test]
fn init_without_a_certificate_writes_a_file_that_lacks_only_the_certificate() {
    let world = World::new();
    assert_eq!(run(&world, &["init"]).0, Some(0));
    let (exit, _, stderr) = run(&world, &["check", "site.toml"]);
    assert_eq!(exit, Some(3));
    assert!(stderr.contains("certificate.pem") && stderr.contains("key.pem"), "{stderr}");
    for (from, to) in [("certs/A.pem", "certificate.pem"), ("certs/A.key", "key.pem")] {
        fs::copy(world.path(from), world.path(to)).unwrap();
    }
    let (exit, _, stderr) = run(&world, &["check", "site.toml"]);
    assert_eq!(exit, Some(0), "{stderr}");
}

#[test]
fn settings_that_init_comments_out_are_valid_fields() {
    let world = World::new();
    let (exit, template, _) = run(&world, &["init", "-", "--listen", "[::1]:443"]);
    assert_eq!(exit, Some(0));
    // A line that begins with `#` and no space is a setting. `answer` has three alternatives.
    let active = template.lines().filter(|line| !line.starts_with("#answer"));
    let active: Vec<_> = active
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
            _ => line,
        })
        .collect();
    world.write("site.toml", &active.join("\n"));
    for (from, to) in [
        ("certs/A.pem", "certificate.pem"),
        ("certs/A.key", "key.pem"),
        ("certs/client-ca1.pem", "client-ca.pem"),
    ] {
        fs::copy(world.path(from), world.path(to)).unwrap();
    }
    let (exit, stdout, stderr) = run(&world, &["check", "site.toml"]);
    assert_eq!(exit, Some(0), "{stderr}");
    assert!(stdout.starts_with("site.toml is valid: 1 listener"), "{stdout}");
}

#[test]
fn init_keeps_an_existing_file_unless_it_is_forced() {
    let world = World::new();
    world.write("site.toml", "mine");
    let (exit, _, stderr) = run(&world, &["init"]);
    assert_eq!(exit, Some(2));
    assert_eq!(stderr, "site.toml exists; use another name, or --force to replace it\n");
    assert_eq!(fs::read_to_string(world.path("site.toml")).unwrap(), "mine");
    assert_eq!(run(&world, &["init", "--force"]).0, Some(0));
    assert_ne!(fs::read_to_string(world.path("site.toml")).unwrap(), "mine");

    assert_eq!(run(&world, &["init", "--certificate", "certs/A.pem"]).0, Some(2), "no key");
    let (exit, _, stderr) =
        run(&world, &["init", "x", "--certificate", "no.pem", "--key", "certs/A.key"]);
    assert_eq!(exit, Some(2));
    assert!(stderr.contains("cannot read no.pem"), "{stderr}");
    assert_eq!(run(&world, &["init", "no/such/site.toml"]).0, Some(4));
}

#[test]
fn help_command_shows_the_help_of_a_command() {
    let world = World::new();
    let (exit, stdout, _) = run(&world, &["help", "check"]);
    assert_eq!(exit, Some(0));
    assert_eq!(stdout, run(&world, &["check", "--help"]).1);
}

#[test]
fn man_writes_a_page_for_each_command() {
    let world = World::new();
    let (exit, _, stderr) = run(&world, &["man", "share/man1"]);
    assert_eq!(exit, Some(0), "{stderr}");
    let main = fs::read_to_string(world.path("share/man1/coalesce.1")).unwrap();
    for command in ["init", "serve", "check", "explain", "groups", "match", "compile", "inspect"] {
        let name = format!("coalesce-{command}");
        assert!(main.replace('\\', "").contains(&name), "{name} is missing in:\n{main}");
        let page = fs::read_to_string(world.path(&format!("share/man1/{name}.1"))).unwrap();
        assert!(page.contains(".SH DESCRIPTION"), "{page}");
    }
    world.write("file", "");
    assert_eq!(run(&world, &["man", "file"]).0, Some(4));
}

#[test]
fn completions_of_each_shell_know_the_commands() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (exit, script, _) = run(&world, &["completions", shell]);
        assert_eq!(exit, Some(0));
        assert!(script.contains("deny-warnings"), "{shell}: {script}");
    }
    assert_eq!(run(&world, &["completions", "sh"]).0, Some(2));
    // The shell accepts the script, and completes a command.
    let (_, script, _) = run(&world, &["completions", "bash"]);
    world.write("complete.bash", &script);
    let ask = "source complete.bash; COMP_WORDS=(coalesce che); COMP_CWORD=1; \
               _coalesce coalesce che coalesce; echo ${COMPREPLY[@]}";
    let bash = Command::new("bash").args(["-c", ask]).current_dir(world.path("")).output().unwrap();
    assert_eq!(text(&bash.stdout), "check\n", "{bash:?}");
}

#[tokio::test]
async fn user_signals_reopen_the_access_log_or_do_nothing() {
    let world = World::new();
    world.write("site.toml", &format!("{LISTENER}{}", virtual_host("a", "a.example.test", "A")));
    let log = world.path("access.log");
    let arguments = ["--no-watch", "--access-log", log.to_str().unwrap()];
    let server = Server::start_with(&world, 1, &arguments);
    fs::rename(&log, world.path("access.log.1")).unwrap();
    server.signal("-USR2");
    server.signal("-USR1");
    server.logged("SIGUSR1: opening the access log again", 1).await;
    // The file is opened for the next line at the latest.
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let begun = Instant::now();
    while fs::read_to_string(&log).unwrap_or_default().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no line in {}", log.display());
        client.get("a.example.test", "/").await;
    }
    assert!(!server.log().contains("reloaded"), "{}", server.log());
}

#[tokio::test]
async fn quit_lets_the_server_end_gracefully() {
    let world = World::new();
    world.write("site.toml", &format!("{LISTENER}{}", virtual_host("a", "a.example.test", "A")));
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    server.signal("-QUIT");
    server.logged("ending: no new connections", 1).await;
    server.logged("ended", 1).await;
}

#[test]
fn configuration_with_a_byte_order_mark_is_valid_and_an_endless_one_is_refused() {
    let world = World::new();
    let site = format!("{LISTENER}{}", virtual_host("a", "a.example.test", "A"));
    world.write("site.toml", &format!("\u{feff}{site}"));
    let (exit, _, stderr) = run(&world, &["check", "site.toml"]);
    assert_eq!(exit, Some(0), "{stderr}");
    world.write("broken.toml", &format!("\u{feff}{site}nonsense = 1\n"));
    let (_, _, stderr) = run(&world, &["check", "broken.toml"]);
    assert!(stderr.starts_with("broken.toml:10: "), "{stderr}");

    let endless = fs::File::create(world.path("endless.toml")).unwrap();
    endless.set_len(65 << 20).unwrap();
    let (exit, _, stderr) = run(&world, &["check", "endless.toml"]);
    assert_eq!(exit, Some(3));
    assert!(stderr.contains("found more than 67108864 bytes, which is the limit"), "{stderr}");
}
