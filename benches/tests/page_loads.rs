//! The program `page_loads` in its short mode, which checks every answer. Needs root.

use std::fs;
use std::io::Write as _;
use std::process::Command;

/// Returns the names of the program's namespaces and their files.
fn namespaces() -> Vec<String> {
    let folders =
        ["/run/netns", "/etc/netns"].into_iter().filter_map(|path| fs::read_dir(path).ok());
    let names = folders.flatten().flatten().map(|entry| entry.path().display().to_string());
    names.filter(|name| name.contains("page-loads-")).collect()
}

#[test]
fn short_run_gets_right_answers_and_removes_its_namespaces() {
    let mut run = Command::new(env!("CARGO_BIN_EXE_page_loads"));
    let child = run.args(["--quick", "--json"]).stdout(std::process::Stdio::piped());
    let child = child.spawn().unwrap();
    let id = child.id().to_string();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    if text.contains("SKIPPED") {
        // Past the capture of the tests, so that the reason is always seen.
        writeln!(std::io::stderr().lock(), "{}", text.trim()).unwrap();
        return;
    }
    let connections = |peer: &str| {
        let line = text.lines().find(|line| line.contains(&format!("\"peer\":\"{peer}\",\"round")));
        let record: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
        assert_eq!(record["misdirected"], 0, "{peer}");
        record["accepted"].as_u64().unwrap()
    };
    assert_eq!(connections("hyper-util best"), 14);
    // The page has five certificates, each with an address.
    assert_eq!([connections("ours"), connections("ours ORIGIN")], [5, 5]);
    assert!(connections("reqwest") >= 14);
    let left: Vec<String> = namespaces().into_iter().filter(|name| name.contains(&id)).collect();
    assert!(left.is_empty(), "{left:?}");
}
