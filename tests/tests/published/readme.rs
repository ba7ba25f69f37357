//! The README of a library: the sections of its crate documentation that a reader of a package
//! page needs, then platforms and licence from the README of the workspace.

/// The sections of the crate documentation that the README repeats, besides the introduction.
const SECTIONS: [&str; 3] = ["Example", "Crate features", "External types"];

/// Returns the README of the library `name`, whose `lib.rs` is `library`.
pub(crate) fn readme(name: &str, library: &str, workspace_readme: &str) -> String {
    let documentation = documentation(library);
    let (introduction, _) = split_section(&documentation);
    let mut text = format!("# {name}\n\n{}\n", as_markdown(introduction));
    for wanted in SECTIONS {
        if let Some(body) = section(&documentation, "# ", wanted) {
            text.extend(["\n## ", wanted, "\n\n", &as_markdown(body), "\n"]);
        }
    }
    text + &footer(workspace_readme)
}

/// Returns the end of every README: platforms and licence.
pub(crate) fn footer(workspace_readme: &str) -> String {
    let platforms = section(workspace_readme, "## ", "Platforms").expect("README.md: Platforms");
    let licence = section(workspace_readme, "## ", "Licence").expect("README.md: Licence");
    format!("\n## Platforms\n\n{platforms}\n\n## Licence\n\n{licence}\n")
}

/// Returns the crate documentation of a `lib.rs`, as all features show it.
pub(crate) fn documentation(library: &str) -> String {
    let line = |line: &str| {
        if let Some(text) = line.strip_prefix("//!") {
            return Some(Some(text.strip_prefix(' ').unwrap_or(text).to_owned()));
        }
        let (condition, text) =
            line.strip_prefix("#![cfg_attr(")?.strip_suffix("\")]")?.split_once(", doc = \"")?;
        Some((!condition.starts_with("not(")).then(|| text.to_owned()))
    };
    let lines: Vec<_> = library.lines().map_while(line).flatten().collect();
    lines.join("\n")
}

/// Returns the body of the section `title`, whose heading begins with `mark`.
pub(crate) fn section<'a>(text: &'a str, mark: &str, title: &str) -> Option<&'a str> {
    let heading = format!("\n{mark}{title}\n");
    let (_, rest) = text.split_once(&heading)?;
    let next = format!("\n{mark}");
    // A hidden line of an example begins as a heading does, so fences are counted.
    let ends = rest.match_indices(&next).map(|(at, _)| at);
    let end = ends.into_iter().find(|at| rest[..*at].matches("```").count() % 2 == 0);
    Some(rest[..end.unwrap_or(rest.len())].trim())
}

fn split_section(documentation: &str) -> (&str, &str) {
    let (introduction, rest) = documentation.split_once("\n# ").expect("a section");
    (introduction.trim(), rest)
}

/// Rewrites documentation for readers outside rustdoc: no hidden lines, no links to items.
fn as_markdown(documentation: &str) -> String {
    let (mut lines, mut in_code) = (Vec::new(), None);
    for line in documentation.lines() {
        match (line.strip_prefix("```"), in_code) {
            (Some(kind), None) => {
                let is_rust = ["", "no_run", "ignore"].contains(&kind);
                in_code = Some(is_rust);
                lines.push(if is_rust { "```rust".to_owned() } else { line.to_owned() });
            }
            (Some(_), Some(_)) => {
                in_code = None;
                lines.push(line.to_owned());
            }
            (None, Some(true)) if line == "#" || line.starts_with("# ") => {}
            (None, Some(_)) => lines.push(line.to_owned()),
            (None, None) => lines.push(without_item_links(line)),
        }
    }
    lines.join("\n")
}

/// Replaces ``[`item`]`` and ``[`item`](path)`` by `` `item` ``; links to pages stay.
fn without_item_links(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, (item, after))) =
        rest.split_once("[`").and_then(|(before, link)| Some((before, link.split_once("`]")?)))
    {
        text.push_str(before);
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = match target {
            Some((target, after)) if target.contains("://") => {
                text.extend(["[`", item, "`](", target, ")"]);
                after
            }
            _ => {
                text.extend(["`", item, "`"]);
                target.map_or(after, |(_, after)| after)
            }
        };
    }
    text + rest
}

#[test]
fn item_links_become_code_and_page_links_stay() {
    let rows = [
        ("a [`Verdict`] here", "a `Verdict` here"),
        ("a [`Target`](crate::Target), [`B`]", "a `Target`, `B`"),
        ("a [`page`](https://example.test/) stays", "a [`page`](https://example.test/) stays"),
        ("an array [u8] stays", "an array [u8] stays"),
    ];
    for (line, expected) in rows {
        assert_eq!(without_item_links(line), expected);
    }
}

#[test]
fn readme_has_the_example_without_hidden_lines() {
    let library = "//! One sentence.\n//!\n//! # Example\n//!\n#![cfg_attr(a, doc = \"```\")]\n\
                   #![cfg_attr(not(a), doc = \"```ignore\")]\n//! # hidden();\n//! shown();\n\
                   //! ```\n//!\n//! # Limits\n//!\n//! None.\n#![no_std]\n";
    let workspace = "# A\n\n## Platforms\n\nLinux\n\n## Licence\n\nMIT\n";
    assert_eq!(
        readme("name", library, workspace),
        "# name\n\nOne sentence.\n\n## Example\n\n```rust\nshown();\n```\n\n\
         ## Platforms\n\nLinux\n\n## Licence\n\nMIT\n"
    );
}
