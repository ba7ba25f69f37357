//! Scenarios of misdirected HTTP/2 requests, and a raw client that runs them against any server.
//!
//! A scenario says what a client sends on one connection, and which outcomes the RFCs accept, the
//! best one first. The client checks nothing on the way out, so a malformed request is as easy to
//! send as a good one. After each scenario an ordinary request shows whether the connection lives.
//!
//! ```text
//!  scenarios/*.toml ─► Scenarios ─┐
//!                                 ├─► Target::run ─► Record ─► Report ─► JSON, compare
//!  world.toml ─► World ─► Target ─┘                              ▲
//!                                                        KnownDifferences
//! ```
//!
//! # Example
//!
//! Make certificates, start your server with them, then run the list:
//!
//! ```no_run
//! use coalesce_lab::{Report, Scenarios, Target, World};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! World::built_in()?.write("certificates".as_ref())?;
//! // Start the server here. It has the hosts that `certificates/world.toml` describes.
//! let target = Target::new("127.0.0.1:8443".parse()?, "certificates".as_ref())?;
//! let mut report = Report::new("my server", &target.address().to_string());
//! for scenario in Scenarios::built_in()?.iter() {
//!     report.add(target.run(scenario).await, 0.0);
//! }
//! println!("{}", report.summary());
//! assert!(report.is_fine());
//! # Ok(()) }
//! ```
//!
//! The program `coalesce-lab` does the same: `coalesce-lab world certificates`, then
//! `coalesce-lab run --address 127.0.0.1:8443 --world certificates`.
//!
//! # Verdicts
//!
//! | verdict | because |
//! | --- | --- |
//! | first choice | each request had the outcome that the scenario prefers |
//! | acceptable | a request had another outcome that the RFCs allow |
//! | neither | a request had an outcome that the scenario does not accept |
//! | connection lost | the outcomes are accepted, but the connection did not survive |
//! | served wrongly | the server served content that it must not serve on this connection |
//!
//! # Scenario files
//!
//! A file has a `kind`, a sentence `about` it, and scenarios. [`Scenario`] shows one. These are the
//! fields of a scenario:
//!
//! | field | is |
//! | --- | --- |
//! | `id`, `summary`, `rfc` | a unique name, a sentence, the sections that say what is accepted |
//! | `server_name` | the server name of the ClientHello, any text; none is sent without it |
//! | `tls` | the highest version, `"1.2"` or `"1.3"` |
//! | `alpn` | the protocols that the client offers; `["h2"]` by default |
//! | `client_certificate` | the name of the client certificate that the client has |
//! | `resume_from` | the server name of an earlier connection, whose session is resumed |
//! | `huffman` | `true`: strings of header blocks use the string code |
//! | `in_flight`, `patience_seconds` | the most requests without an answer; how long one may take |
//! | `only_port` | the scenario is for servers on this port |
//! | `bystander` | the host of the ordinary request at the end; `false` asks for none |
//! | `connection` | `must-live-once-answered` (default), `must-live` or `may-end` |
//! | `accepts` | accepted outcomes, the best one first |
//! | `requests` | what is sent, in order |
//!
//! These are the fields of a request. Each value may be text, `{ hex = "…" }`, `{ host = "…" }`
//! with the port that an ordinary client adds, or `{ repeat = "…", times = …, then = "…" }`:
//!
//! | field | is |
//! | --- | --- |
//! | `host` | the authority, as an ordinary client writes it |
//! | `authority` | the authority, exactly; a list sends several |
//! | `method`, `scheme`, `path`, `protocol` | pseudo-header fields; `GET`, `https`, `/`, none by default |
//! | `omit` | pseudo-header fields that are left out: `"scheme"`, `"path"` |
//! | `fields` | further fields, as pairs of name and value |
//! | `exactly` | all fields in this order, in place of all others |
//! | `content` | `{ bytes = …, sent = "at-once" }`, or `"after-the-answer"`, or `"never"` |
//! | `times` | how often it is sent |
//! | `accepts` | accepted outcomes of this request |
//!
//! An outcome is a status (`421`), a status with the virtual host (`200 from a`), a class (`2xx`),
//! `reset` or `goaway` with or without an error code, `tls` (any failure of TLS), or `closed` (also
//! after a GOAWAY without an error).
//!
//! # Worlds
//!
//! `world.toml` describes the hosts of a server under test. These are its fields:
//!
//! | field | is |
//! | --- | --- |
//! | `client_cas` | the roots that hosts ask clients for |
//! | `default_host` | the host of an ordinary request without a server name; its certificate is the default |
//! | `certificates` | the names of each certificate |
//! | `client_certificates` | the root that signed each client certificate |
//! | `virtual_hosts` | the `names`, the `certificate` and perhaps the `client_ca` of each |
//! | `renames` | in `names`, `virtual_hosts` and `client_certificates`: what this world has in place of a name of the scenarios |
//!
//! A name in `renames.names` may be a domain: the names below it move with it.
//!
//! # Crate features
//!
//! * `command` (default): the program `coalesce-lab`
//!
//! # External types
//!
//! The public API has no types of other crates, but reports implement the traits of `serde`, which
//! come from this crate:
//!
//! | crates | public |
//! | --- | --- |
//! | `serde_core` | always |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod client;
mod comparison;
mod error;
mod judge;
mod known;
mod outcome;
mod record;
mod renames;
mod report;
mod scenario;
mod scenarios;
mod send_and_sync;
mod target;
mod text;
mod verdict;
mod wire;
mod world;

pub use comparison::compare;
pub use error::LabError;
pub use known::KnownDifferences;
pub use record::{Record, RequestRecord};
pub use report::Report;
pub use scenario::Scenario;
pub use scenarios::Scenarios;
pub use target::Target;
pub use verdict::Verdict;
pub use world::World;
