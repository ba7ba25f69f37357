//! A server under test, and a scenario's run against it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::client::connection::{Connection, Opening};
use crate::client::exchange::{Exchange, Stream};
use crate::client::raw_name::RawName;
use crate::client::tls::{Credentials, Handshake, UP_TO_1_2, UP_TO_1_3};
use crate::error::LabError;
use crate::judge::{Observed, judge};
use crate::outcome::{Ended, Outcome};
use crate::record::Record;
use crate::scenario::{Content, Request, Scenario, Sent, TlsVersion};
use crate::text::Places;
use crate::wire::frame::ErrorCode;
use crate::wire::hpack::Field;
use crate::world::{self, World};

/// How long the client waits for the server's settings before its first request.
const SETTINGS_PATIENCE: Duration = Duration::from_secs(1);

/// How long the client waits for tickets of a session that it is to resume.
const TICKETS_PATIENCE: Duration = Duration::from_millis(200);

/// How long the client waits for an answer before it sends the rest of a late content. A server
/// that reads all content before it answers is not kept waiting for long.
const EARLY_PATIENCE: Duration = Duration::from_millis(1500);

/// How long the client waits for a reset after an early answer.
const RESET_PATIENCE: Duration = Duration::from_millis(500);

/// What a content that is late, or never ends, begins with.
const BEGINNING: usize = 1024;

/// The client ignores the windows for a rest of this size. A client whose DATA frames crossed an
/// answer on the wire had the initial window for them (RFC 9113 §6.9.2).
const CROSSING_MAX: usize = 60_000;

/// A server under test.
///
/// # Example
///
/// ```no_run
/// use coalesce_lab::{Scenarios, Target};
///
/// # async fn example() -> Result<(), coalesce_lab::LabError> {
/// let target = Target::new("127.0.0.1:8443".parse().unwrap(), "certificates".as_ref())?;
/// for scenario in Scenarios::built_in()?.iter() {
///     let record = target.run(scenario).await;
///     println!("{}: {}", record.id(), record.outcome());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    places: Places,
    marked: bool,
    world: World,
    credentials: Credentials,
}

impl Target {
    /// Returns a server at `address`, whose world is in the folder `world`.
    pub fn new(address: SocketAddr, world: &Path) -> Result<Self, LabError> {
        let described = World::read(world)?;
        let clients = described.client_certificates();
        Ok(Self {
            address,
            places: Places { address: address.ip().to_string(), port: address.port() },
            marked: true,
            credentials: Credentials::read(world, world::ROOT, clients)?,
            world: described,
        })
    }

    /// Sets the port that clients believe they connect to, where a port map is in between.
    #[must_use]
    pub fn with_public_port(mut self, port: u16) -> Self {
        self.places.port = port;
        self
    }

    /// Takes any virtual host where a scenario names one, because the server's answers do not.
    #[must_use]
    pub fn without_marks(mut self) -> Self {
        self.marked = false;
        self
    }

    /// Returns where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a scenario on a new connection, with the world's names.
    pub async fn run(&self, scenario: &Scenario) -> Record {
        let scenario = &self.world.rename(scenario);
        if scenario.only_port.is_some_and(|port| port != self.places.port) {
            return judge(scenario, self.marked, None);
        }
        let mut observed = Observed::default();
        match self.connect(scenario).await {
            Ok(connection) => Run { target: self, scenario, connection }.run(&mut observed).await,
            Err(ended) => {
                let planned = scenario.planned().len();
                observed.outcomes = vec![Outcome::Ended(ended.clone()); planned];
                observed.lost = Some(ended);
            }
        }
        judge(scenario, self.marked, Some(observed))
    }

    /// Opens the connection of a scenario, and before it the one whose session it resumes.
    async fn connect(&self, scenario: &Scenario) -> Result<Connection, Ended> {
        let server_name = scenario.server_name.as_deref().map(|name| self.places.fill(name));
        let raw_name = server_name.as_deref().and_then(RawName::new).map(Arc::new);
        let handshake = Handshake {
            versions: match scenario.tls {
                TlsVersion::V1_2 => UP_TO_1_2,
                TlsVersion::V1_3 => UP_TO_1_3,
            },
            alpn: &scenario.alpn,
            client: scenario.client_certificate.as_deref(),
            resumes: scenario.resume_from.is_some(),
        };
        let config = self.credentials.config(handshake, raw_name.as_ref());
        let config = config.map_err(|error| Ended::Tls(error.to_string()))?;
        let opening = Opening {
            address: self.address,
            config,
            server_name: server_name.as_deref(),
            raw_name,
            huffman: scenario.huffman,
            patience: scenario.patience(),
        };
        if let Some(name) = &scenario.resume_from {
            let first = Opening { server_name: Some(name), raw_name: None, ..opening.clone() };
            self.get_session(first).await?;
        }
        Connection::open(opening).await
    }

    /// Makes one request on a new connection, and waits for the session's tickets.
    async fn get_session(&self, opening: Opening<'_>) -> Result<(), Ended> {
        let patience = opening.patience;
        let host = opening.server_name.unwrap_or_default();
        let fields = Request::ordinary(host, &self.places);
        let mut connection = Connection::open(opening).await?;
        let id = connection.exchange.request(&fields, true);
        connection.until(patience, |exchange| is_over(exchange, id)).await?;
        connection.until(TICKETS_PATIENCE, |_| false).await?;
        connection.close(patience).await;
        Ok(())
    }
}

/// A scenario whose connection is open.
struct Run<'a> {
    target: &'a Target,
    scenario: &'a Scenario,
    connection: Connection,
}

impl Run<'_> {
    async fn run(mut self, observed: &mut Observed) {
        let mut ids = Vec::new();
        let lost = self.send_all(&mut ids).await.err();
        let planned = self.scenario.planned().len();
        observed.outcomes =
            (0..planned).map(|at| self.outcome(ids.get(at).copied(), lost.as_ref())).collect();
        if lost.is_none() {
            observed.bystander = self.ask_bystander().await;
        }
        observed.lost = lost;
        observed.negotiated = Some(self.connection.negotiated.clone());
        self.connection.close(RESET_PATIENCE).await;
    }

    /// Sends each request, and waits for the outcome of each.
    async fn send_all(&mut self, ids: &mut Vec<u32>) -> Result<(), Ended> {
        let patience = self.scenario.patience();
        let connection = &mut self.connection;
        connection.until(SETTINGS_PATIENCE, Exchange::has_settings).await?;
        let in_flight = self.scenario.in_flight().min(connection.exchange.max_streams()).max(1);
        let planned = self.scenario.planned();
        for request in &planned {
            let has_room = |exchange: &Exchange| exchange.open() < in_flight;
            if !self.connection.until(patience, has_room).await? {
                return Err(Ended::Stalled);
            }
            // No client opens streams after a GOAWAY (RFC 9113 §6.8).
            if self.connection.exchange.is_leaving() {
                break;
            }
            let fields = request.fields(&self.target.places);
            ids.push(self.send(&fields, request.content).await?);
        }
        let never_ends = |content: Content| content.sent == Sent::Never;
        let connection = &mut self.connection;
        if planned.iter().any(|request| request.content.is_some_and(never_ends)) {
            connection.until(patience, |exchange| exchange.all(Stream::is_answered)).await?;
            connection.until(RESET_PATIENCE, |exchange| exchange.open() == 0).await?;
        } else {
            connection.until(patience, |exchange| exchange.open() == 0).await?;
        }
        Ok(())
    }

    /// Sends a request with its content, as far as the scenario and the windows say.
    async fn send(&mut self, fields: &[Field], content: Option<Content>) -> Result<u32, Ended> {
        let patience = self.scenario.patience();
        let connection = &mut self.connection;
        let Some(content) = content.filter(|content| content.bytes > 0) else {
            return Ok(connection.exchange.request(fields, true));
        };
        let id = connection.exchange.request(fields, false);
        if content.sent == Sent::AtOnce {
            self.send_content(id, content.bytes).await?;
            return Ok(id);
        }
        let beginning = connection.exchange.room(id).min(content.bytes).min(BEGINNING);
        if beginning > 0 {
            connection.exchange.content(id, beginning, false);
        }
        if content.sent == Sent::AfterTheAnswer {
            let is_answered =
                |exchange: &Exchange| exchange.stream(id).is_some_and(Stream::is_answered);
            connection.until(EARLY_PATIENCE.min(patience), is_answered).await?;
            connection.until(RESET_PATIENCE, |exchange| is_over(exchange, id)).await?;
            let rest = content.bytes - beginning;
            let rest =
                if rest <= CROSSING_MAX { rest } else { rest.min(connection.exchange.room(id)) };
            connection.exchange.content(id, rest, true);
        }
        Ok(id)
    }

    /// Sends a whole content as the windows allow, unless the stream is over before.
    async fn send_content(&mut self, id: u32, bytes: usize) -> Result<(), Ended> {
        let patience = self.scenario.patience();
        let exchange = &mut self.connection.exchange;
        let mut left = bytes;
        let mut room = exchange.room(id).min(left);
        loop {
            if room > 0 {
                left -= room;
                self.connection.exchange.content(id, room, left == 0);
            }
            if left == 0 {
                return Ok(());
            }
            let may_go_on = |exchange: &Exchange| exchange.room(id) > 0 || is_over(exchange, id);
            let goes_on = self.connection.until(patience, may_go_on).await?;
            if !goes_on || is_over(&self.connection.exchange, id) {
                return Ok(());
            }
            room = self.connection.exchange.room(id).min(left);
        }
    }

    /// Returns the outcome of a request, if it was sent.
    fn outcome(&self, id: Option<u32>, lost: Option<&Ended>) -> Outcome {
        let exchange = &self.connection.exchange;
        let lost = || lost.map(|ended| Outcome::Ended(ended.clone()));
        let failed = |code: &ErrorCode| *code != ErrorCode::NO_ERROR;
        let is_unprocessed = exchange.is_leaving() && exchange.is_unprocessed(id);
        let Some(stream) = id.and_then(|id| exchange.stream(id)) else {
            return match lost() {
                _ if is_unprocessed => Outcome::Unprocessed,
                other => other.unwrap_or(Outcome::NotSent),
            };
        };
        match (stream.status, stream.reset) {
            (Some(status), Some(code)) if failed(&code) && !stream.is_whole() => {
                Outcome::Broken { status, code }
            }
            (Some(status), _) => Outcome::Answer { status, host: stream.virtual_host() },
            (None, Some(code)) => Outcome::Reset(code),
            (None, None) if is_unprocessed => Outcome::Unprocessed,
            (None, None) => match exchange.goaway().filter(failed) {
                Some(code) => Outcome::GoAway(code),
                None => lost().unwrap_or(Outcome::Silence),
            },
        }
    }

    /// Asks for an ordinary host, to see whether the connection lives.
    async fn ask_bystander(&mut self) -> Option<Outcome> {
        let patience = self.scenario.patience();
        let host = self.scenario.bystander(self.target.world.default_host())?;
        let fields = Request::ordinary(host, &self.target.places);
        let connection = &mut self.connection;
        let id = connection.exchange.request(&fields, true);
        let ended = connection.until(patience, |exchange| is_over(exchange, id)).await.err();
        // What the server still has to say of earlier requests comes before the answer to this.
        connection.exchange.ping();
        let _ = connection.until(RESET_PATIENCE, |exchange| exchange.pongs() > 0).await;
        Some(self.outcome(Some(id), ended.as_ref()))
    }
}

fn is_over(exchange: &Exchange, id: u32) -> bool {
    exchange.stream(id).is_none_or(Stream::is_over)
}
