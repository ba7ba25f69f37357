//! Batches: JSON lines in, JSON lines out.
//!
//! Every line of input has exactly one line of output, in order, so that you can put the two side
//! by side. A line that cannot be answered gets an object with `error` and `line`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::terminal::exit::Failure;
use crate::terminal::lines::{Found, LINE_LEN_MAX, READ_BYTES, read_line};
use crate::terminal::output::Output;
use crate::terminal::text::without_code;

/// Opens the input of a batch: standard input for `-`, which `--batch` without a file means as
/// well.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

/// Returns the failure to read the input of a batch.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let error = without_code(error);
    if path.as_os_str() == "-" {
        return Failure::runtime(format_args!("cannot read standard input: {error}"));
    }
    Failure::usage(format_args!("--batch: cannot read {}: {error}", path.display()))
}

/// The answer to a line that cannot be answered.
#[derive(Debug, Serialize)]
pub(crate) struct LineError<'a> {
    pub(crate) error: &'a str,
    /// The number of the line, counted from 1.
    pub(crate) line: u64,
}

/// A question, and the unknown members of its object.
#[derive(Deserialize)]
struct Asked<Q> {
    #[serde(flatten)]
    question: Q,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// Answers each line of the file by `answer`; an error of `answer` is reported for its line.
///
/// Ignores unknown members, with one warning for each name, because callers often add ids and
/// comments.
pub(crate) fn run<Q, A>(
    path: &Path,
    output: &mut Output<impl Write>,
    answer: impl FnMut(Q) -> Result<A, String>,
) -> Result<(), Failure>
where
    Q: DeserializeOwned,
    A: Serialize,
{
    answer_each(open(path)?, path, output, answer)
}

fn answer_each<Q, A>(
    input: impl Read,
    path: &Path,
    output: &mut Output<impl Write>,
    mut answer: impl FnMut(Q) -> Result<A, String>,
) -> Result<(), Failure>
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut line = Vec::new();
    let mut number = 0_u64;
    let mut ignored = BTreeSet::new();
    loop {
        let found = read_line(&mut input, &mut line).map_err(|error| cannot_read(path, &error))?;
        number = number.saturating_add(1);
        let parsed = match found {
            Found::End => return output.flush(),
            Found::TooLong => {
                Err(format!("line is too long; at most {LINE_LEN_MAX} bytes allowed"))
            }
            Found::Line => parse::<Q>(&line),
        };
        let answered = parsed.and_then(|parsed| {
            for member in parsed.other.keys() {
                if ignored.len() < IGNORED_NAMES_MAX && ignored.insert(member.clone()) {
                    tracing::warn!(line = number, member, "unknown member ignored");
                }
            }
            answer(parsed.question)
        });
        match answered {
            Ok(answer) => output.json(&answer)?,
            Err(error) => output.json(&LineError { error: &error, line: number })?,
        }
        // Flush before waiting for input: a caller that waits for each answer gets it, and one that
        // sends all lines at once does not cost a system call per line.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
}

/// The number of unknown member names that are remembered, so that input cannot grow the memory.
const IGNORED_NAMES_MAX: usize = 100;

fn parse<Q: DeserializeOwned>(line: &[u8]) -> Result<Asked<Q>, String> {
    serde_json::from_slice(line).map_err(|error| {
        // serde_json has read a single line, so its line number would mislead.
        let text = error.to_string().replacen(" at line 1 column ", " at column ", 1);
        // Use JSON's terms instead of Rust's.
        if line.trim_ascii().is_empty() {
            "empty line; a JSON object expected".to_owned()
        } else {
            text.replace("expected struct Asked", "expected an object")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Question {
        word: String,
        #[serde(default)]
        times: Option<usize>,
    }

    fn answers(input: &[u8]) -> Vec<Value> {
        let mut written = Vec::new();
        let mut output = Output::new(&mut written);
        answer_each(input, Path::new("-"), &mut output, |question: Question| {
            match question.times {
                Some(0) => Err("times: 0".to_owned()),
                times => Ok(question.word.repeat(times.unwrap_or(1))),
            }
        })
        .unwrap();
        drop(output);
        let text = String::from_utf8(written).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn one_line_out_for_each_line_in() {
        let found = answers(
            b"{\"word\":\"a\"}\r\n\n[]\n{\"word\":1}\nnonsense\n{\"word\":\"b\",\"times\":0}\n\
              {\"word\":\"\xff\"}\n{\"word\":\"c\",\"times\":2,\"id\":7}",
        );
        let lines: Vec<Option<u64>> =
            found.iter().map(|answer| answer.get("line").and_then(Value::as_u64)).collect();
        assert_eq!(lines, [None, Some(2), Some(3), Some(4), Some(5), Some(6), Some(7), None]);
        assert_eq!(found[0], "a");
        assert_eq!(found[5]["error"], "times: 0");
        assert_eq!(found[7], "cc");
        assert!(answers(b"").is_empty());
    }

    #[test]
    fn repeated_member_is_an_error() {
        let found = answers(b"{\"word\":\"a\",\"word\":\"b\"}\n");
        assert!(found[0]["error"].as_str().unwrap().contains("duplicate"), "{found:?}");
    }

    #[test]
    fn endless_line_is_skipped_and_the_next_is_answered() {
        let mut input = vec![b'x'; 3 * LINE_LEN_MAX];
        input.extend_from_slice(b"\n{\"word\":\"a\"}\n");
        let found = answers(&input);
        assert_eq!(found.len(), 2);
        assert!(found[0]["error"].as_str().unwrap().contains("too long"));
        assert_eq!(found[1], "a");
    }
}
