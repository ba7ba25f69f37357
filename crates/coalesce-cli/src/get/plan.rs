//! The requests of a command, checked and complete before the first one is sent.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use coalesce_site::open_regular_file;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;

use crate::get::arguments::{GetArguments, OutputArguments, RequestArguments};
use crate::get::limits::{DATA_BYTES_MAX, FILE_NAME_BYTES_MAX, URLS_MAX};
use crate::get::target::Target;
use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// A request, and the place for its content.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) target: Target,
    pub(super) request: Request<Full<Bytes>>,
    pub(super) place: Place,
}

/// The place for the content of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Counted, and not kept.
    Nowhere,
    Stdout,
    File(PathBuf),
}

/// Returns whether standard output has the content of the only URL. It has the report otherwise.
pub(super) fn prints_content(arguments: &GetArguments) -> bool {
    let OutputArguments { trace, json, output, output_folder, .. } = &arguments.output;
    let has_file = output.is_some() || output_folder.is_some();
    arguments.urls.len() == 1 && !trace && !json && !has_file
}

/// Makes the requests.
pub(super) fn plan(arguments: &GetArguments) -> Result<Vec<Planned>, Failure> {
    let GetArguments { urls, output, request, .. } = arguments;
    if urls.len() > URLS_MAX {
        let count = urls.len();
        return Err(Failure::usage(format_args!("{count} URLs: expected at most {URLS_MAX}")));
    }
    for (flag, is_set) in [("--include", output.include), ("--output", output.output.is_some())] {
        if is_set && urls.len() > 1 {
            return Err(Failure::usage(format_args!("{flag} is for one URL; there are several")));
        }
    }
    if let Some(folder) = &output.output_folder {
        fs::create_dir_all(folder).map_err(|error| {
            let reason = without_code(&error);
            Failure::runtime(format_args!("cannot make {}: {reason}", folder.display()))
        })?;
    }
    let content = content(request)?;
    let template = Template { method: method(request), fields: fields(request, &content), content };
    let mut names = HashSet::new();
    let planned = urls.iter().map(|target| {
        let place = match (&output.output, &output.output_folder) {
            (Some(file), _) => Place::File(file.clone()),
            (None, Some(folder)) => Place::File(folder.join(file_name(target, &mut names))),
            (None, None) if prints_content(arguments) => Place::Stdout,
            (None, None) => Place::Nowhere,
        };
        let request = template.request(target)?;
        Ok(Planned { target: target.clone(), request, place })
    });
    planned.collect()
}

/// The common parts of all requests.
struct Template {
    method: Method,
    fields: HeaderMap,
    content: Bytes,
}

impl Template {
    fn request(&self, target: &Target) -> Result<Request<Full<Bytes>>, Failure> {
        let request = Request::builder().method(self.method.clone()).uri(target.uri.clone());
        let mut request = request
            .body(Full::new(self.content.clone()))
            .map_err(|error| Failure::usage(format_args!("{}: {error}", target.uri)))?;
        *request.headers_mut() = self.fields.clone();
        Ok(request)
    }
}

fn method(arguments: &RequestArguments) -> Method {
    match (&arguments.method, &arguments.data) {
        _ if arguments.head => Method::HEAD,
        (Some(method), _) => method.clone(),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    }
}

fn fields(arguments: &RequestArguments, content: &Bytes) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in &arguments.fields {
        fields.append(name.clone(), value.clone());
    }
    let agent = concat!("coalesce/", env!("CARGO_PKG_VERSION"));
    fields.entry(USER_AGENT).or_insert(HeaderValue::from_static(agent));
    fields.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if !content.is_empty() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        fields.entry(CONTENT_TYPE).or_insert(form);
    }
    fields
}

/// Returns the content of the requests, which a file may have.
fn content(arguments: &RequestArguments) -> Result<Bytes, Failure> {
    let Some(data) = &arguments.data else { return Ok(Bytes::new()) };
    let Some(path) = data.strip_prefix('@') else { return Ok(data.clone().into()) };
    let cannot = |error: io::Error| {
        Failure::usage(format_args!("--data: cannot read {path}: {}", without_code(&error)))
    };
    let file = open_regular_file(Path::new(path)).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(DATA_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > DATA_BYTES_MAX {
        let message = format!("--data: {path} has more than the {DATA_BYTES_MAX} bytes allowed");
        return Err(Failure::usage(message));
    }
    Ok(bytes.into())
}

/// Returns a file name for the content of a URL: host and path, without a separator of paths. A
/// second file of the name gets a number.
fn file_name(target: &Target, taken: &mut HashSet<String>) -> String {
    let path = target.uri.path().trim_end_matches('/');
    let text = format!("{}{path}", target.host);
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let kept = text.bytes().map(|byte| if is_kept(byte) { char::from(byte) } else { '_' });
    let mut name: String = kept.take(FILE_NAME_BYTES_MAX).collect();
    // A name of dots is the folder itself, and a hidden file would surprise.
    if name.starts_with('.') {
        name.insert(0, '_');
    }
    let numbered = (1..).map(|number| match number {
        1 => name.clone(),
        _ => format!("{name}-{number}"),
    });
    let free = numbered.into_iter().find(|name| taken.insert(name.to_ascii_lowercase()));
    free.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        get: GetArguments,
    }

    fn parsed(arguments: &[&str]) -> Result<GetArguments, String> {
        let line = Line::try_parse_from([&["get"], arguments].concat());
        line.map(|line| line.get).map_err(|error| error.to_string())
    }

    fn planned(arguments: &[&str]) -> Vec<Planned> {
        plan(&parsed(arguments).unwrap()).unwrap()
    }

    fn refused(arguments: &[&str]) -> String {
        match plan(&parsed(arguments).unwrap()) {
            Err(Failure::Message(_, message)) => message,
            other => panic!("{other:?}"),
        }
    }

    const A: &str = "https://a.test/";
    const B: &str = "https://b.test/";

    #[test]
    fn standard_output_has_the_content_of_one_url_or_the_report() {
        let cases: [(&[&str], bool); 6] = [
            (&[A], true),
            (&[A, B], false),
            (&[A, "--trace"], false),
            (&[A, "--json"], false),
            (&[A, "-o", "file"], false),
            (&[A, "-I"], true),
        ];
        for (arguments, expected) in cases {
            assert_eq!(prints_content(&parsed(arguments).unwrap()), expected, "{arguments:?}");
        }
        assert_eq!(planned(&[A])[0].place, Place::Stdout);
        assert!(planned(&[A, B]).iter().all(|planned| planned.place == Place::Nowhere));
        assert_eq!(planned(&[A, "-o", "file"])[0].place, Place::File("file".into()));
    }

    #[test]
    fn data_makes_a_post_with_its_type_unless_they_are_named() {
        let [get] = &planned(&[A])[..] else { panic!("one request") };
        assert_eq!(get.request.method(), Method::GET);
        assert!(!get.request.headers().contains_key(CONTENT_TYPE));
        let [post] = &planned(&[A, "-d", "x=1"])[..] else { panic!("one request") };
        assert_eq!(post.request.method(), Method::POST);
        assert_eq!(post.request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        let put = planned(&[A, "-d", "{}", "-X", "PUT", "-H", "Content-Type: application/json"]);
        assert_eq!(put[0].request.method(), Method::PUT);
        let types: Vec<_> = put[0].request.headers().get_all(CONTENT_TYPE).iter().collect();
        assert_eq!(types, ["application/json"]);
    }

    #[test]
    fn fields_that_the_client_sets_are_refused() {
        for (field, expected) in [
            ("Host: b.test", "the URL has the host; --resolve chooses its address"),
            ("Connection: close", "the client sets \"connection\" itself"),
            ("no colon", "expected NAME: VALUE"),
            ("a b: c", "invalid name \"a b\": expected a token"),
            ("a: \u{7}", "expected text without control characters"),
        ] {
            let error = parsed(&[A, "-H", field]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for seconds in ["0", "-1", "x", "1e9", "nan"] {
            let argument = format!("--max-time={seconds}");
            let error = parsed(&[A, &argument]).unwrap_err();
            assert!(error.contains("expected seconds"), "{error}");
        }
    }

    #[test]
    fn options_for_one_url_are_refused_with_several() {
        let several = "--output is for one URL; there are several";
        assert_eq!(refused(&[A, B, "-o", "file"]), several);
        assert_eq!(refused(&[A, B, "-i"]), "--include is for one URL; there are several");
        let many = vec![A; URLS_MAX + 1];
        assert_eq!(refused(&many), "257 URLs: expected at most 256");
        let missing = refused(&[A, "-d", "@no/such"]);
        assert_eq!(missing, "--data: cannot read no/such: No such file or directory");
    }

    #[test]
    fn file_names_have_no_separator_and_are_unique() {
        let mut taken = HashSet::new();
        let long = format!("https://a.test/{}", "x".repeat(300));
        let cases = [
            ("https://a.test/", "a.test"),
            ("https://a.test/../../etc/passwd?x=/", "a.test_.._.._etc_passwd"),
            ("https://A.test", "a.test-2"),
            ("https://[::1]/a", "__1_a"),
        ];
        for (url, expected) in cases {
            assert_eq!(file_name(&url.parse().unwrap(), &mut taken), expected);
        }
        let name = file_name(&long.parse().unwrap(), &mut taken);
        assert_eq!(name.len(), FILE_NAME_BYTES_MAX);
    }
}
