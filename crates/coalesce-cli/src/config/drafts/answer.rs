//! The answers of virtual hosts.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};
use toml::Spanned;

use crate::config::entries::Faults;
use crate::config::entries::model::{AnswerEntry, ForwardedCertificate};
use crate::config::site::{HostAnswer, TextAnswer, UpstreamProtocol, UpstreamTarget};

/// Reads `answer = { ... }`; relative paths start at `folder`.
pub(crate) fn read(
    entry: &Spanned<AnswerEntry>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<HostAnswer> {
    let fields = entry.get_ref();
    match (&fields.text, &fields.folder, &fields.upstream) {
        (Some(text), None, None) => {
            refuse_upstream_fields(fields, faults);
            read_text(fields, text.get_ref(), faults)
        }
        (None, Some(path), None) => {
            refuse_text_fields(fields, faults);
            refuse_upstream_fields(fields, faults);
            let full = folder.join(path.get_ref());
            let checked = check_folder(&full).map_err(|error| {
                let error = crate::terminal::text::without_code(&error);
                format!("cannot read {}: {error}", full.display())
            });
            faults.take(path.span(), checked).map(|()| HostAnswer::Folder(full))
        }
        (None, None, Some(upstream)) => {
            refuse_text_fields(fields, faults);
            let parsed = parse_upstream(upstream.get_ref())
                .map_err(|error| format!("{:?}: {error}", upstream.get_ref()));
            let mut target = faults.take(upstream.span(), parsed)?;
            target.client_certificate =
                fields.client_certificate.as_ref().map(|it| *it.get_ref()).unwrap_or_default();
            Some(HostAnswer::Upstream(target))
        }
        (None, None, None) => {
            faults.add(entry.span(), "one of text, folder and upstream expected");
            None
        }
        _ => {
            faults.add(entry.span(), "only one of text, folder and upstream allowed");
            None
        }
    }
}

/// Checks that `path` is a folder in which this process may look up files. The permission to list
/// the folder is not needed.
pub(crate) fn check_folder(path: &Path) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        return Err(io::Error::other("found a file, expected a folder"));
    }
    // Any lookup in a folder needs the permission to search it.
    std::fs::metadata(path.join(".")).map(drop)
}

fn refuse_text_fields(fields: &AnswerEntry, faults: &mut Faults) {
    let status = fields.status.as_ref().map(Spanned::span);
    let content_type = fields.content_type.as_ref().map(Spanned::span);
    for span in status.into_iter().chain(content_type) {
        faults.add(span, "only allowed with text");
    }
}

fn refuse_upstream_fields(fields: &AnswerEntry, faults: &mut Faults) {
    if let Some(certificate) = &fields.client_certificate {
        faults.add(certificate.span(), "only allowed with upstream");
    }
}

fn read_text(fields: &AnswerEntry, text: &str, faults: &mut Faults) -> Option<HostAnswer> {
    let status = match &fields.status {
        None => Some(StatusCode::OK),
        Some(status) => faults.take(status.span(), parse_status(*status.get_ref(), text)),
    };
    let content_type = match &fields.content_type {
        None => Some(HeaderValue::from_static("text/plain; charset=utf-8")),
        Some(value) => {
            let parsed = HeaderValue::from_str(value.get_ref()).map_err(|_| "not a field value");
            faults.take(value.span(), parsed)
        }
    };
    let body = Bytes::copy_from_slice(text.as_bytes());
    Some(HostAnswer::Text(TextAnswer { status: status?, content_type: content_type?, body }))
}

fn parse_status(number: u16, text: &str) -> Result<StatusCode, String> {
    let status = StatusCode::from_u16(number)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| format!("status {number}; 200 to 599 allowed"))?;
    if status == StatusCode::MISDIRECTED_REQUEST {
        return Err("421 is for the decision to give, never for a virtual host".to_owned());
    }
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: these have no content.
    let empty = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    if empty.contains(&status) && !text.is_empty() {
        return Err(format!("status {number} goes with an empty text only"));
    }
    Ok(status)
}

fn parse_upstream(text: &str) -> Result<UpstreamTarget, String> {
    let expected = "http://HOST[:PORT] or h2c://HOST[:PORT] expected";
    let uri: Uri = text.parse().map_err(|error| format!("{error}; {expected}"))?;
    let protocol = match uri.scheme_str() {
        Some("http") => UpstreamProtocol::Http1,
        Some("h2c") => UpstreamProtocol::H2c,
        Some("https") => return Err(format!("https is not spoken to upstreams; {expected}")),
        _ => return Err(expected.to_owned()),
    };
    let authority = uri.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or(expected)?.clone();
    if authority.as_str().contains('@') {
        return Err(format!("userinfo; {expected}"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(format!("a path, which the request brings; {expected}"));
    }
    let client_certificate = ForwardedCertificate::default();
    Ok(UpstreamTarget { protocol, authority, client_certificate })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<HostAnswer, Vec<String>> {
        #[derive(serde::Deserialize)]
        struct File {
            answer: Spanned<AnswerEntry>,
        }
        let file = format!("answer = {text}");
        let entry: File = toml::from_str(&file).unwrap();
        let mut faults = Faults::default();
        let answer = read(&entry.answer, Path::new(""), &mut faults);
        let source = crate::config::entries::Source::new(Path::new("x"), file);
        let lines = source.findings(faults);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        if lines.is_empty() { Ok(answer.unwrap()) } else { Err(lines) }
    }

    #[test]
    fn text_answer_has_status_and_content_type() {
        let Ok(HostAnswer::Text(plain)) = answer("{ text = \"x\" }") else { panic!() };
        assert_eq!(plain.status, 200);
        assert_eq!(plain.content_type, "text/plain; charset=utf-8");
        let Ok(HostAnswer::Text(other)) =
            answer("{ text = \"{}\", status = 503, content_type = \"application/json\" }")
        else {
            panic!()
        };
        assert_eq!((other.status.as_u16(), &other.body[..]), (503, &b"{}"[..]));
        assert_eq!(other.content_type, "application/json");
    }

    #[test]
    fn upstream_is_scheme_host_and_port() {
        let Ok(HostAnswer::Upstream(upstream)) = answer("{ upstream = \"h2c://[::1]:3000/\" }")
        else {
            panic!()
        };
        assert_eq!(upstream.protocol, UpstreamProtocol::H2c);
        assert_eq!(upstream.authority, "[::1]:3000");
        assert_eq!(upstream.client_certificate, ForwardedCertificate::Leaf);
        let Ok(HostAnswer::Upstream(upstream)) =
            answer("{ upstream = \"http://a.test\", client_certificate = \"none\" }")
        else {
            panic!()
        };
        assert_eq!(upstream.client_certificate, ForwardedCertificate::None);
    }

    #[test]
    fn every_fault_is_named() {
        let cases = [
            ("{}", "one of text, folder and upstream expected"),
            ("{ text = \"\", folder = \"x\" }", "only one of text, folder and upstream allowed"),
            ("{ text = \"\", status = 99 }", "status 99; 200 to 599 allowed"),
            ("{ text = \"\", status = 101 }", "status 101; 200 to 599 allowed"),
            ("{ text = \"\", status = 421 }", "421 is for the decision to give"),
            ("{ text = \"x\", status = 204 }", "status 204 goes with an empty text only"),
            ("{ text = \"\", content_type = \"a\\nb\" }", "not a field value"),
            ("{ folder = \"no/such\" }", "cannot read no/such: No such file or directory"),
            (
                "{ folder = \"/dev/null\" }",
                "cannot read /dev/null: found a file, expected a folder",
            ),
            ("{ upstream = \"http://127.0.0.1\", status = 200 }", "only allowed with text"),
            ("{ text = \"\", client_certificate = \"leaf\" }", "only allowed with upstream"),
            (
                "{ upstream = \"127.0.0.1:3000\" }",
                "http://HOST[:PORT] or h2c://HOST[:PORT] expected",
            ),
            ("{ upstream = \"https://a.test\" }", "https is not spoken to upstreams"),
            ("{ upstream = \"http://a.test/x\" }", "a path, which the request brings"),
            ("{ upstream = \"http://u@a.test\" }", "userinfo"),
        ];
        for (text, message) in cases {
            let lines = answer(text).unwrap_err();
            assert!(lines.iter().any(|line| line.contains(message)), "{text}: {lines:?}");
        }
    }
}
