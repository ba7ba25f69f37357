//! The tests that `SECURITY.md` names exist.

use std::fs;
use std::path::Path;

#[test]
fn tests_of_security_md_all_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let (mut rows, mut wrong) = (0, Vec::new());
    let bugs = document.split("## Bugs of others").nth(1).unwrap();
    let lines = bugs.lines().skip_while(|line| !line.starts_with("| --- |")).skip(1);
    for line in lines.take_while(|line| line.starts_with("| ")) {
        let tests = line.split(" | ").nth(1).unwrap().trim_end_matches(" |");
        for test in tests.split(", ") {
            let named = test.strip_prefix('`').and_then(|test| test.strip_suffix('`'));
            let (file, name) = named.and_then(|test| test.split_once("::")).unwrap();
            let code = fs::read_to_string(root.join(file)).unwrap_or_default();
            let found = code.split("#[test]").chain(code.split("#[tokio::test]")).any(|item| {
                let item = item.trim_start();
                let item = item.strip_prefix("async ").unwrap_or(item);
                item.strip_prefix("fn ").is_some_and(|item| item.starts_with(&format!("{name}(")))
            });
            if !found {
                wrong.push(test);
            }
        }
        rows += 1;
    }
    assert!(rows >= 15, "{rows} rows");
    assert!(wrong.is_empty(), "no such test: {wrong:#?}");
}
