//! Runs `coalesce demo` as a new user does.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use coalesce_tests::{CONTENT_421, binary};

#[test]
fn rows_all_have_the_expected_result() {
    let output = Command::new(binary()).args(["demo", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rows.iter().all(|row| row["holds"] == true), "{rows:#?}");
    // The kinds of rows that the demo must show.
    let shows = |got: &str, reason: &str, connection: u64| {
        let wanted = |row: &&serde_json::Value| {
            row["got"] == got && row["reason"] == reason && row["connection"] == connection
        };
        assert!(rows.iter().any(|row| wanted(&row)), "{got} {reason} {connection}: {rows:#?}");
    };
    shows("200 img", "served", 1);
    shows("200 shops", "served", 1);
    shows("421", "certificate", 1);
    shows("421", "group", 1);
    shows("421", "unknown_authority", 2);
    shows("200 cdn", "served", 3);
    assert_eq!(rows.last().unwrap()["connection"], 1, "the first connection lives to the end");
}

/// Runs `coalesce demo` with one more variable, and returns its output.
fn demo(variable: &str) -> String {
    let output = Command::new(binary()).arg("demo").env(variable, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tree_has_a_branch_for_each_connection_and_100_columns() {
    let text = demo("NO_COLOR");
    assert_eq!(text.lines().filter(|line| line.starts_with("connection ")).count(), 5, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.trim_end().ends_with(", 0 not"), "{text}");
}

#[test]
fn tree_has_colours_only_where_they_are_wanted() {
    assert!(!demo("NO_COLOR").contains('\x1b'));
    assert!(demo("CLICOLOR_FORCE").contains("\x1b[33m421      \x1b[0m"));
}

#[test]
fn printed_commands_work_while_the_demo_stays_up() {
    let mut demo =
        Command::new(binary()).args(["demo", "--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let commands: Vec<String> = lines
        .by_ref()
        .take_while(|line| line != "# why")
        .filter(|line| line.starts_with("curl "))
        .collect();
    let explain = lines.next().unwrap();
    let run = |command: &str| {
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let answers: Vec<String> = commands.iter().map(|command| run(command)).collect();
    let explained = run(&explain.replacen("coalesce", binary().to_str().unwrap(), 1));
    let folder = explain.split(' ').find(|word| word.ends_with("/site.toml")).unwrap();
    assert!(std::path::Path::new(folder).exists());

    let id = demo.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(demo.wait().unwrap().success());
    assert!(!std::path::Path::new(folder).exists(), "the folder is removed");

    let expected = ["www\n", "img\n", CONTENT_421, "cdn\n", "admin\n"];
    assert_eq!(answers.len(), expected.len());
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.ends_with(expected), "{answer}");
    }
    assert!(explained.contains("certificate"), "{explained}");
}
