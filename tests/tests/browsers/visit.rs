//! A visit to a site on a running server, and the server's access log of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use coalesce_tests::{Server, World};
use serde_json::Value;

use crate::browser::{Browser, Page, VISIT_MAX};
use crate::client::{self, Dns};
use crate::names::name;

/// The visited site.
pub(crate) struct Site {
    pub(crate) world: World,
    /// The flags of `coalesce serve`.
    pub(crate) flags: &'static [&'static str],
}

/// A site that runs, and the lines of its access log.
struct Visited<'a> {
    site: &'a Site,
    server: Server,
    lines: Receiver<String>,
    here: Vec<String>,
}

impl<'a> Visited<'a> {
    fn start(site: &'a Site, here: &[&str]) -> Self {
        let mut server = site.world.serve_with(&[&["--access-log", "-"], site.flags].concat());
        let lines = lines(&mut server);
        Self { site, server, lines, here: here.iter().map(|host| name(host)).collect() }
    }

    fn ca(&self) -> PathBuf {
        self.site.world.path("ca.pem")
    }
}

/// A request in the access log.
#[derive(Debug)]
pub(crate) struct Request {
    /// The client's address and port of the connection.
    pub(crate) connection: String,
    /// The server name of the connection, without the suffix that all names share, as all names
    /// below.
    pub(crate) server_name: String,
    pub(crate) host: String,
    /// The method; `None` if the request was refused.
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

/// The result of a visit.
#[derive(Debug)]
pub(crate) struct Visit {
    browser: String,
    requests: Vec<Request>,
}

impl Visit {
    /// Opens the page of `a` in `browser`, where only the hosts in `here` resolve to the server.
    /// The page runs `steps`. Waits until the page of `last` reports that it is shown.
    pub(crate) fn new(
        browser: &Browser,
        site: &Site,
        here: &[&str],
        steps: &str,
        last: &str,
    ) -> Self {
        let visited = Visited::start(site, here);
        let url = format!("https://{}:{}/#{steps}", name("a"), visited.server.address.port());
        let page = Page { url: &url, ca: &visited.ca(), here: &visited.here };
        let running = browser.open(&page);
        let mut visit = Self { browser: browser.to_string(), requests: Vec::new() };
        let deadline = Instant::now() + VISIT_MAX;
        while visit.told(last).is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = visited.lines.recv_timeout(left) else {
                panic!("{last} is not shown: {visit}\n{}", running.output());
            };
            visit.requests.push(Request::parse(&line));
        }
        drop(running);
        visit.end(visited, steps)
    }

    /// Does the same with our client.
    pub(crate) fn of_client(site: &Site, here: &[&str], steps: &str, dns: Dns) -> Self {
        let visited = Visited::start(site, here);
        let page = Page { url: "", ca: &visited.ca(), here: &visited.here };
        client::visit(&page, &visited.server, steps, dns);
        let browser = format!("coalesce-client, DNS {dns:?}");
        Self { browser, requests: Vec::new() }.end(visited, steps)
    }

    /// Reads the rest of the log.
    fn end(mut self, visited: Visited<'_>, steps: &str) -> Self {
        assert!(visited.server.terminate().success());
        // The log has a request at the end of its answer, which may come after that of a later
        // request.
        self.requests.extend(visited.lines.iter().map(|line| Request::parse(&line)));
        println!("{steps}: {self}");
        self
    }

    /// Returns the report of the page of `host`: its content, and the result of each step.
    pub(crate) fn told(&self, host: &str) -> Option<&str> {
        let mut of_host = self.requests.iter().filter(|request| request.host == host);
        of_host.find_map(|request| request.path.as_deref()?.strip_prefix("/shown?"))
    }

    /// Returns the one served request of `host` for `path`.
    pub(crate) fn served(&self, host: &str, path: &str) -> &Request {
        let mut found = self.requests.iter().filter(|request| request.is(host, path));
        let (Some(request), None) = (found.next(), found.next()) else {
            panic!("not one request for {host}{path} in {self}");
        };
        assert_eq!((request.status, &request.reason[..]), (200, "served"), "{self}");
        request
    }

    /// Returns the requests that were answered 421.
    pub(crate) fn misdirected(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.status == 421).collect()
    }

    /// Returns the requests of each connection.
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

/// Sends the lines of the access log as the server writes them, until it ends.
fn lines(server: &mut Server) -> Receiver<String> {
    let output = server.output();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // Fails if the receiver is dropped.
            let _ = send.send(line);
        }
    });
    receive
}
