//! Circles: groups of files of which each uses, directly or through others, every other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::uses::Uses;

/// The files of one circle.
pub(crate) type Circle = BTreeSet<String>;

/// Returns the circles, as large as they are: no file is in two.
pub(crate) fn circles(uses: &Uses) -> BTreeSet<Circle> {
    let mut arrows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in uses.names.keys() {
        arrows.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|file| (*file, reachable(file, &arrows))).collect();
    let returns = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));
    let files = reached.keys().filter(|file| returns(file, file));
    files
        .map(|file| {
            let others = reached[file].iter().filter(|other| returns(other, file));
            others.map(|other| (*other).to_owned()).collect()
        })
        .collect()
}

/// Returns every file that `file` uses, directly or through others.
fn reachable<'a>(file: &str, arrows: &BTreeMap<&str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![file];
    while let Some(file) = open.pop() {
        for next in arrows.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

/// Writes a circle: each file, the file it uses, and the names.
pub(crate) fn describe(circle: &Circle, uses: &Uses) -> String {
    let mut text = format!("circle of {} files:\n", circle.len());
    for ((from, to), names) in &uses.names {
        if circle.contains(from) && circle.contains(to) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            writeln!(text, "  {from} -> {to}: {}", names.join(", ")).unwrap();
        }
    }
    text
}
