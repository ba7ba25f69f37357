//! The examples of the documents: each configuration loads, and each command prints the documented
//! output.

use std::fs;
use std::path::Path;

use crate::world::{World, text};

/// A block of a document: its language and its text.
fn blocks(document: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (Some(_), _) => blocks.extend(open.take()),
            (None, Some((_, block))) => block.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

/// Runs `$ coalesce ...` lines in `world`; what follows each is what it says on standard output.
fn run(world: &World, console: &str) -> usize {
    let commands = console.split("$ coalesce ").skip(1);
    let mut count = 0;
    for command in commands {
        let (arguments, expected) = command.split_once('\n').unwrap();
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = world.run(&arguments);
        assert_eq!(text(&output.stdout), expected, "{arguments:?}: {}", text(&output.stderr));
        count += 1;
    }
    count
}

#[test]
fn documented_group_examples_print_the_documented_output() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/groups.md");
    let document = fs::read_to_string(path).unwrap();
    let world = World::new();
    let (mut sites, mut commands) = (0, 0);
    for (language, block) in blocks(&document) {
        match language.as_str() {
            "toml" => {
                world.write("site.toml", &block);
                world.say(&["groups", "--config", "site.toml"], 0);
                sites += 1;
            }
            "console" => commands += run(&world, &block),
            other => panic!("a block of {other:?}"),
        }
    }
    assert_eq!((sites, commands), (4, 6));
    // Every field of a group has a row in the table of fields or a section.
    let help = world.run(&["serve", "--help"]);
    let group = text(&help.stdout).split("[[group]]").nth(1).unwrap();
    let group = group.split("[[virtual_host]]").next().unwrap();
    let fields = group.lines().filter_map(|line| line.trim().split_once(" = "));
    let fields: Vec<&str> = fields.map(|(field, _)| field).collect();
    assert!(fields.len() > 10, "{fields:?}");
    for field in fields {
        let known = [format!("`{field}`"), format!("`{field} = ")];
        let said = known.iter().any(|known| document.contains(known.as_str()));
        assert!(said || ["name", "unknown_authority"].contains(&field), "{field}");
    }
}
