//! Turns the parser's errors into the terms of a configuration file.

/// Returns the message of a parser's error without the terms of Rust and serde.
pub(super) fn plain(message: &str) -> String {
    let found_and_expected =
        |start: &str| message.strip_prefix(start).and_then(|rest| rest.rsplit_once(", expected "));
    if let Some((found, expected)) = found_and_expected("unknown field ") {
        return unknown_field(unquoted(found), &quoted(expected));
    }
    if let Some((found, expected)) = found_and_expected("unknown variant ") {
        return format!("found {:?}, expected {}", unquoted(found), one_of(&quoted(expected)));
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = found_and_expected(start) {
            return format!("found {}, expected {}", plain_found(found), plain_expected(expected));
        }
    }
    message.replace('`', "\"")
}

/// Returns the message about an unknown field.
pub(super) fn unknown_field(found: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (strsim::damerau_levenshtein(found, name), name));
    // One wrong character in three, as rustc and git allow.
    let near = near.min().filter(|(slips, name)| *slips <= found.len().max(name.len()) / 3);
    match near {
        Some((_, name)) => format!("unknown field {found:?}; did you mean {name:?}?"),
        None => format!("unknown field {found:?}, expected {}", one_of(known)),
    }
}

/// Returns the text between the first backtick and the last.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text)
}

/// Returns the text between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn one_of(names: &[&str]) -> String {
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => format!("{last:?}"),
        Some((last, others)) => {
            let others: Vec<String> = others.iter().map(|name| format!("{name:?}")).collect();
            format!("{} or {last:?}", others.join(", "))
        }
    }
}

/// Removes serde's term for an unexpected value, and returns the rest.
fn plain_found(found: &str) -> String {
    match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer", number)) => format!("the number {}", unquoted(number)),
        Some(("floating", number)) => {
            format!("the number {}", unquoted(number.trim_start_matches("point ")))
        }
        Some(("boolean", value)) => unquoted(value).to_owned(),
        _ => match found {
            "map" => "a table".to_owned(),
            "sequence" => "a list".to_owned(),
            other => other.replace('`', "\""),
        },
    }
}

/// Removes serde's term for the expected kind of value, and returns the rest.
fn plain_expected(expected: &str) -> String {
    let plain = match expected {
        "a string" | "string" | "string or table" | "variant identifier" => "a text in quotes",
        "path string" => "a path in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u16" => "a number from 0 to 65535",
        other if other.starts_with("struct ") || other == "a map" => "a table",
        other if other.starts_with("enum ") => "a text in quotes",
        other => return other.replace('`', "\""),
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::config::entries::model::{
        AdminEntry, AnswerEntry, GroupEntry, ListenerEntry, VirtualHostEntry,
    };

    /// Terms of serde, of Rust and of its compiler, and the backtick, their quotation mark.
    const FOREIGN: [&str; 16] = [
        "`",
        "u16",
        "struct",
        "enum",
        "variant",
        "identifier",
        "sequence",
        "map",
        "invalid type",
        "invalid value",
        "unit",
        "newtype",
        "Option",
        "integer",
        "boolean",
        "Entry",
    ];

    /// One value of each kind that TOML has.
    const VALUES: [&str; 7] = ["\"text\"", "1", "-1", "1.5", "true", "[[1]]", "{ x = 1 }"];

    fn message<T: DeserializeOwned>(entry: &str) -> Option<String> {
        toml::from_str::<T>(entry).err().map(|error| plain(error.message()))
    }

    /// Returns the messages about each field of `T` with each kind of value.
    fn messages<T: DeserializeOwned>() -> Vec<String> {
        let error = toml::from_str::<T>("no-such-field = 1").err().unwrap();
        let (_, known) = error.message().rsplit_once(", expected ").unwrap();
        let known = quoted(known);
        assert!(!known.is_empty());
        let mut messages = Vec::new();
        for field in &known {
            for value in VALUES {
                messages.extend(message::<T>(&format!("{field} = {value}")));
            }
            // With one wrong character.
            let (first, rest) = field.split_at(1);
            let said = message::<T>(&format!("{first}x{rest} = 1")).unwrap();
            assert!(said.ends_with(&format!("did you mean {field:?}?")), "{said}");
        }
        messages
    }

    #[test]
    fn no_message_about_a_field_has_a_word_of_rust() {
        let messages = [
            messages::<AdminEntry>(),
            messages::<ListenerEntry>(),
            messages::<GroupEntry>(),
            messages::<VirtualHostEntry>(),
            messages::<AnswerEntry>(),
        ]
        .concat();
        assert!(messages.len() > 200, "{}", messages.len());
        for message in messages {
            let foreign = FOREIGN.iter().find(|word| message.contains(**word));
            assert_eq!(foreign, None, "{message}");
        }
    }

    #[test]
    fn messages_say_what_was_found_and_what_was_expected() {
        let listener = [
            ("ports = \"443\"", "found the text \"443\", expected a list"),
            ("ports = [70000]", "found the number 70000, expected a number from 0 to 65535"),
            ("name = [1]", "found a list, expected a text in quotes"),
            ("name = { x = 1 }", "found a table, expected a text in quotes"),
            ("name = true", "found true, expected a text in quotes"),
            ("port = [1]", "unknown field \"port\"; did you mean \"ports\"?"),
            ("name = \"a\"", "missing field \"address\""),
        ];
        for (entry, expected) in listener {
            assert_eq!(message::<ListenerEntry>(entry).unwrap(), expected);
        }
        assert_eq!(
            message::<AdminEntry>("colour = 1").unwrap(),
            "unknown field \"colour\", expected \"address\" or \"hosts\""
        );
        assert_eq!(
            message::<GroupEntry>("minimum_version = \"1.1\"").unwrap(),
            "found \"1.1\", expected \"1.2\" or \"1.3\""
        );
    }
}
