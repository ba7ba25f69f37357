//! A visit to a site on a running server, and what the server's access log says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use coalesce_tests::{Server, World};
use serde_json::Value;

use crate::browser::{Browser, Page, VISIT_MAX};

/// The whole name of a host.
pub(crate) fn name(host: &str) -> String {
    format!("{host}.example.test")
}

/// What is visited.
pub(crate) struct Site {
    pub(crate) world: World,
    /// Of `coalesce serve`.
    pub(crate) flags: &'static [&'static str],
}

/// A request, as the access log has it.
#[derive(Debug)]
pub(crate) struct Request {
    /// The client's end of the connection that it came on.
    pub(crate) connection: String,
    /// Of that connection. The part that all names have in common is left out, here and below.
    pub(crate) server_name: String,
    pub(crate) host: String,
    /// `None` where it was refused.
    method: Option<String>,
    path: Option<String>,
    status: u64,
    pub(crate) reason: String,
}

impl Request {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).expect("the access log is JSON");
        let text = |field: &str| Some(line.get(field)?.as_str()?.to_owned());
        let host = |field: &str| text(field)?.split('.').next().map(str::to_owned);
        Self {
            connection: text("peer").expect("a peer"),
            server_name: host("server_name").expect("a server name"),
            host: host("authority").expect("an authority"),
            method: text("method"),
            path: text("path"),
            status: line["status"].as_u64().expect("a status"),
            reason: text("reason").expect("a reason"),
        }
    }

    fn is(&self, host: &str, path: &str) -> bool {
        self.host == host && self.path.as_deref() == Some(path)
    }
}

/// What a visit came to.
#[derive(Debug)]
pub(crate) struct Visit {
    browser: String,
    requests: Vec<Request>,
}

impl Visit {
    /// Opens the page of `a` in `browser`, where only the hosts `here` lead to the server, has it
    /// do `steps`, and waits until the page of `last` tells that it is shown.
    pub(crate) fn new(
        browser: &Browser,
        site: &Site,
        here: &[&str],
        steps: &str,
        last: &str,
    ) -> Self {
        let mut server = site.world.serve_with(&[&["--access-log", "-"], site.flags].concat());
        let lines = lines(&mut server);
        let url = format!("https://{}:{}/#{steps}", name("a"), server.address.port());
        let here: Vec<String> = here.iter().map(|host| name(host)).collect();
        let page = Page { url: &url, ca: &site.world.path("ca.pem"), here: &here };
        let running = browser.open(&page);

        let mut visit = Self { browser: browser.to_string(), requests: Vec::new() };
        let deadline = Instant::now() + VISIT_MAX;
        while visit.told(last).is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                panic!("{last} is not shown: {visit}\n{}", running.output());
            };
            visit.requests.push(Request::parse(&line));
        }
        drop(running);
        assert!(server.terminate().success());
        // A line is written when its answer has ended, which may be after a later one's.
        visit.requests.extend(lines.iter().map(|line| Request::parse(&line)));
        println!("{steps}: {visit}");
        visit
    }

    /// What the page of `host` told once it was shown: what it shows, and how each step ended.
    pub(crate) fn told(&self, host: &str) -> Option<&str> {
        let mut of_host = self.requests.iter().filter(|request| request.host == host);
        of_host.find_map(|request| request.path.as_deref()?.strip_prefix("/shown?"))
    }

    /// The one request of `host` for `path` that was served.
    pub(crate) fn served(&self, host: &str, path: &str) -> &Request {
        let mut found = self.requests.iter().filter(|request| request.is(host, path));
        let (Some(request), None) = (found.next(), found.next()) else {
            panic!("not one request for {host}{path} in {self}");
        };
        assert_eq!((request.status, &request.reason[..]), (200, "served"), "{self}");
        request
    }

    /// The requests that were answered 421.
    pub(crate) fn misdirected(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.status == 421).collect()
    }

    /// The requests on each of the connections that had any.
    pub(crate) fn connections(&self) -> BTreeMap<&str, Vec<&Request>> {
        let mut all: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
        for request in &self.requests {
            all.entry(&request.connection).or_default().push(request);
        }
        all
    }
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.connections();
        let (browser, misdirected) = (&self.browser, self.misdirected().len());
        write!(f, "{browser}: {} connections, {misdirected} of 421", connections.len())?;
        for (connection, requests) in connections {
            let made_for = requests.first().map_or("", |request| &request.server_name);
            write!(f, "\n  {connection} for {made_for}:")?;
            for Request { host, method, path, status, reason, .. } in requests {
                let method = method.as_deref().unwrap_or("?");
                let path = path.as_deref().unwrap_or("/?");
                write!(f, " {method} {host}{path} {status} {reason},")?;
            }
        }
        Ok(())
    }
}

/// The lines of the access log, as they are written, until the server ends.
fn lines(server: &mut Server) -> Receiver<String> {
    let output = server.output();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // Nobody need take it.
            let _ = send.send(line);
        }
    });
    receive
}
