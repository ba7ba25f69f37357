//! The reasons for not serving a request. They are for operators and logs, never for a response.

use core::fmt;

use crate::authority::AuthorityError;

/// The steps of the decision, in order.
///
/// # Examples
/// ```
/// use coalesce_core::{Misdirected, Step};
///
/// assert_eq!(Misdirected::Certificate.step(), Step::Certificate);
/// assert_eq!(Step::Certificate.number(), 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Step {
    /// The request names one authority.
    Authority = 1,
    /// The request has the connection's scheme.
    Scheme = 2,
    /// A virtual host has this name.
    Known = 3,
    /// The listener answers for this port.
    Port = 4,
    /// The presented certificate covers the host.
    Certificate = 5,
    /// The virtual host is in the connection's coalescing group.
    Group = 6,
    /// `Host` names the same authority as `:authority`.
    HostField = 7,
    /// The request is served.
    Serve = 8,
}

impl Step {
    /// Returns the step's number, from 1 to 8.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The reason why a request is misdirected. Its stream gets a 421 (RFC 9110 §15.5.20).
///
/// # Examples
/// ```
/// use coalesce_core::Misdirected;
///
/// let reason = Misdirected::Port;
/// assert_eq!(reason.code(), "port");
/// assert_eq!(reason.step().number(), 4);
/// assert_eq!(reason.rule(), "RFC 9110 §4.3.3, §7.4");
/// assert_eq!(reason.to_string(), "the listener does not answer for this port");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misdirected {
    /// The request's scheme is not the connection's scheme.
    Scheme,
    /// No virtual host has this name.
    UnknownAuthority,
    /// The listener does not answer for this port.
    Port,
    /// The certificate of this handshake does not cover the host.
    Certificate,
    /// Another listener of this port is responsible for the host.
    Listener,
    /// The virtual host is in another coalescing group.
    Group,
    /// The group serves only the host of the server name.
    ServerName,
}

impl Misdirected {
    /// All reasons, for counters and documentation.
    pub const ALL: &'static [Self] = &[
        Self::Scheme,
        Self::UnknownAuthority,
        Self::Port,
        Self::Certificate,
        Self::Listener,
        Self::Group,
        Self::ServerName,
    ];

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::UnknownAuthority => "unknown_authority",
            Self::Port => "port",
            Self::Certificate => "certificate",
            Self::Listener => "listener",
            Self::Group => "group",
            Self::ServerName => "server_name",
        }
    }

    /// Returns the step that refused the request.
    pub const fn step(self) -> Step {
        match self {
            Self::Scheme => Step::Scheme,
            Self::UnknownAuthority => Step::Known,
            Self::Port => Step::Port,
            Self::Certificate => Step::Certificate,
            Self::Listener | Self::Group | Self::ServerName => Step::Group,
        }
    }

    /// Returns the RFC sections of the rule.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Scheme => "RFC 9110 §7.4, §4.3.1",
            Self::UnknownAuthority => "RFC 9110 §15.5.20",
            Self::Port => "RFC 9110 §4.3.3, §7.4",
            Self::Certificate => "RFC 9110 §7.4, RFC 9113 §9.1.1",
            Self::Listener | Self::Group | Self::ServerName => "RFC 9113 §9.1.1, RFC 9110 §15.5.20",
        }
    }
}

impl fmt::Display for Misdirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the scheme is not this connection's",
            Self::UnknownAuthority => "no virtual host has this name",
            Self::Port => "the listener does not answer for this port",
            Self::Certificate => "the presented certificate does not cover the host",
            Self::Listener => "another listener of this port is responsible for the host",
            Self::Group => "the virtual host is in another coalescing group",
            Self::ServerName => "the group serves only the host of the server name",
        })
    }
}

/// The reason why a request is malformed, or why the server does not accept its form.
///
/// # Examples
/// ```
/// use coalesce_core::{Malformed, MalformedAnswer};
///
/// let reason = Malformed::SeveralHosts;
/// assert_eq!(reason.code(), "several_hosts");
/// assert_eq!(reason.answer(), MalformedAnswer::BadRequest);
/// assert!(Malformed::CODES.contains(&reason.code()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// Neither `:authority` nor `Host`.
    NoAuthority,
    /// More than one `Host`.
    SeveralHosts,
    /// The value of `:authority` is not an authority.
    Authority(AuthorityError),
    /// There is no `:authority`, and the value of `Host` is not an authority.
    Host(AuthorityError),
    /// There is an `:authority`, and the value of `Host` is not an authority.
    HostBeside(AuthorityError),
    /// `Host` names another authority than `:authority`.
    HostDiffers,
    /// A `CONNECT` for a tunnel, which the group's policy does not allow.
    ConnectRefused,
    /// An extended `CONNECT`, which the group's policy does not allow.
    ExtendedConnectRefused,
    /// A `CONNECT` for a tunnel without a port.
    ConnectPort,
}

/// The answer to a malformed request.
///
/// # Examples
/// ```
/// use coalesce_core::{Malformed, MalformedAnswer};
///
/// // HTTP/2 resets the stream. HTTP/1.1 has no reset, so a server sends 400.
/// assert_eq!(Malformed::HostDiffers.answer(), MalformedAnswer::Reset);
/// assert_eq!(MalformedAnswer::Reset.status(), 400);
/// assert_eq!(Malformed::ConnectRefused.answer().status(), 405);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedAnswer {
    /// 400: a complete HTTP/2 message with a target that HTTP does not allow (RFC 9110 §7.2,
    /// §15.5.1).
    BadRequest,
    /// 405: a well-formed request with a method that the server does not allow (RFC 9110 §15.5.6).
    MethodNotAllowed,
    /// On HTTP/2 the stream ends with `PROTOCOL_ERROR` (RFC 9113 §8.1.1); on HTTP/1.1 the answer is
    /// 400.
    Reset,
}

impl Malformed {
    /// All values of [`code`](Self::code), for counters and documentation.
    pub const CODES: &'static [&'static str] = &[
        "no_authority",
        "several_hosts",
        "authority_field_value",
        "authority_userinfo",
        "authority_empty_host",
        "authority_port",
        "authority_host",
        "host_invalid",
        "host_differs",
        "connect_refused",
        "extended_connect_refused",
        "connect_port",
    ];

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAuthority => "no_authority",
            Self::SeveralHosts => "several_hosts",
            Self::Authority(AuthorityError::FieldValue { .. }) => "authority_field_value",
            Self::Authority(AuthorityError::Userinfo { .. }) => "authority_userinfo",
            Self::Authority(AuthorityError::EmptyHost) => "authority_empty_host",
            Self::Authority(AuthorityError::BadPort) => "authority_port",
            Self::Authority(_) => "authority_host",
            Self::Host(_) | Self::HostBeside(_) => "host_invalid",
            Self::HostDiffers => "host_differs",
            Self::ConnectRefused => "connect_refused",
            Self::ExtendedConnectRefused => "extended_connect_refused",
            Self::ConnectPort => "connect_port",
        }
    }

    /// Returns the step that refused the request.
    pub const fn step(self) -> Step {
        match self {
            Self::HostBeside(_) | Self::HostDiffers => Step::HostField,
            Self::ExtendedConnectRefused => Step::Serve,
            _ => Step::Authority,
        }
    }

    /// Returns the RFC sections of the rule.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::NoAuthority => "RFC 9113 §8.3.1, RFC 9110 §7.2",
            Self::SeveralHosts | Self::Host(_) | Self::HostBeside(_) => "RFC 9110 §7.2",
            Self::Authority(AuthorityError::FieldValue { .. }) => "RFC 9113 §8.2.1",
            Self::Authority(AuthorityError::Userinfo { .. }) | Self::HostDiffers => {
                "RFC 9113 §8.3.1"
            }
            Self::Authority(AuthorityError::EmptyHost) => "RFC 9110 §4.2.2",
            Self::Authority(AuthorityError::BadPort) => "RFC 3986 §3.2.3",
            Self::Authority(_) => "RFC 3986 §3.2.2",
            Self::ConnectRefused | Self::ConnectPort => "RFC 9110 §9.3.6",
            Self::ExtendedConnectRefused => "RFC 8441 §3, §4",
        }
    }

    /// Returns the answer to the request.
    ///
    /// RFC 9113 calls a message malformed if its framing or its pseudo-header fields break that
    /// RFC's own rules; §8.1.1 makes this a stream error. A target that breaks the rules of HTTP
    /// (RFC 9110 §7.2 requires a 400) gets a status that people can read.
    pub const fn answer(self) -> MalformedAnswer {
        match self {
            Self::HostDiffers
            | Self::Authority(
                AuthorityError::FieldValue { .. } | AuthorityError::Userinfo { .. },
            )
            | Self::Host(AuthorityError::FieldValue { .. })
            | Self::HostBeside(AuthorityError::FieldValue { .. }) => MalformedAnswer::Reset,
            Self::ConnectRefused | Self::ExtendedConnectRefused => {
                MalformedAnswer::MethodNotAllowed
            }
            _ => MalformedAnswer::BadRequest,
        }
    }
}

impl MalformedAnswer {
    /// Returns the status code that an HTTP/1.1 response has.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::Reset => 400,
            Self::MethodNotAllowed => 405,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAuthority => f.write_str("neither :authority nor Host"),
            Self::SeveralHosts => f.write_str("more than one Host"),
            Self::Authority(error) => write!(f, ":authority: {error}"),
            Self::Host(error) | Self::HostBeside(error) => write!(f, "Host: {error}"),
            Self::HostDiffers => f.write_str("Host names another authority than :authority"),
            Self::ConnectRefused => f.write_str("CONNECT is not allowed here"),
            Self::ExtendedConnectRefused => f.write_str("extended CONNECT is not allowed here"),
            Self::ConnectPort => f.write_str("CONNECT without a port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn misdirected_codes_are_distinct_and_steps_in_order() {
        for (at, reason) in Misdirected::ALL.iter().enumerate() {
            assert!(Misdirected::ALL[..at].iter().all(|earlier| earlier.code() != reason.code()));
            assert!(Misdirected::ALL[..at].iter().all(|earlier| earlier.step() <= reason.step()));
        }
        assert_eq!(Step::Serve.number(), 8);
    }

    #[test]
    fn malformed_codes_list_every_code_once() {
        use AuthorityError as E;
        let authorities = [
            E::FieldValue { at: 0, byte: 0 },
            E::Userinfo { at: 0 },
            E::EmptyHost,
            E::ForbiddenByte { at: 0, byte: 0 },
            E::BadPercentEncoding { at: 0 },
            E::BadIpLiteral,
            E::BadPort,
        ];
        let others = [
            Malformed::NoAuthority,
            Malformed::SeveralHosts,
            Malformed::Host(E::EmptyHost),
            Malformed::HostBeside(E::EmptyHost),
            Malformed::HostDiffers,
            Malformed::ConnectRefused,
            Malformed::ExtendedConnectRefused,
            Malformed::ConnectPort,
        ];
        let every = || authorities.map(Malformed::Authority).into_iter().chain(others);
        assert!(every().all(|reason| Malformed::CODES.contains(&reason.code())));
        for (at, code) in Malformed::CODES.iter().enumerate() {
            assert!(!Malformed::CODES[..at].contains(code), "{code} twice");
            assert!(every().any(|reason| reason.code() == *code), "no reason has the code {code}");
        }
    }

    #[test]
    fn malformed_returns_the_step_that_refused() {
        let cases = [
            (Malformed::Host(AuthorityError::BadPort), 1, "host_invalid"),
            (Malformed::HostBeside(AuthorityError::BadPort), 7, "host_invalid"),
            (Malformed::HostDiffers, 7, "host_differs"),
            (Malformed::ConnectRefused, 1, "connect_refused"),
            (Malformed::ExtendedConnectRefused, 8, "extended_connect_refused"),
        ];
        for (reason, step, code) in cases {
            assert_eq!((reason.step().number(), reason.code()), (step, code));
        }
    }

    #[test]
    fn framing_fault_resets_and_target_fault_gets_400() {
        let reset = [
            Malformed::HostDiffers,
            Malformed::Authority(AuthorityError::Userinfo { at: 0 }),
            Malformed::Authority(AuthorityError::FieldValue { at: 0, byte: 0 }),
        ];
        assert!(reset.iter().all(|reason| reason.answer() == MalformedAnswer::Reset));
        let bad_request = [
            Malformed::NoAuthority,
            Malformed::SeveralHosts,
            Malformed::Authority(AuthorityError::BadPort),
            Malformed::Authority(AuthorityError::EmptyHost),
        ];
        assert!(bad_request.iter().all(|reason| reason.answer() == MalformedAnswer::BadRequest));
        assert_eq!(Malformed::ConnectRefused.answer().status(), 405);
    }

    #[test]
    fn every_reason_has_its_rule_and_message() {
        let misdirected = [
            (Misdirected::Scheme, "§7.4, §4.3.1", "the scheme is not this connection's"),
            (Misdirected::UnknownAuthority, "§15.5.20", "no virtual host has this name"),
            (Misdirected::Port, "§4.3.3, §7.4", "the listener does not answer for this port"),
            (
                Misdirected::Certificate,
                "§9.1.1",
                "the presented certificate does not cover the host",
            ),
            (
                Misdirected::Listener,
                "§9.1.1",
                "another listener of this port is responsible for the",
            ),
            (Misdirected::Group, "§9.1.1", "the virtual host is in another coalescing group"),
            (Misdirected::ServerName, "§9.1.1", "the group serves only the host of the server"),
        ];
        assert_eq!(&misdirected.map(|(reason, ..)| reason), Misdirected::ALL);
        for (reason, rule, text) in misdirected {
            assert!(reason.rule().contains(rule), "{reason:?}: {}", reason.rule());
            assert!(reason.to_string().starts_with(text), "{reason:?}: {reason}");
        }
        let port = AuthorityError::BadPort;
        let malformed = [
            (Malformed::NoAuthority, "RFC 9110 §7.2", "neither :authority nor Host"),
            (Malformed::SeveralHosts, "RFC 9110 §7.2", "more than one Host"),
            (Malformed::Authority(port), "RFC 3986 §3.2.3", ":authority: invalid port: expected 0"),
            (
                Malformed::Authority(AuthorityError::EmptyHost),
                "RFC 9110 §4.2.2",
                ":authority: empty",
            ),
            (
                Malformed::Authority(AuthorityError::BadIpLiteral),
                "RFC 3986 §3.2.2",
                ":authority: expected an IPv6 address between",
            ),
            (
                Malformed::Authority(AuthorityError::Userinfo { at: 1 }),
                "RFC 9113 §8.3.1",
                ":authority: userinfo before the '@' at byte 1",
            ),
            (
                Malformed::Authority(AuthorityError::FieldValue { at: 1, byte: 0 }),
                "RFC 9113 §8.2.1",
                ":authority: byte '\\x00' at 1",
            ),
            (Malformed::Host(port), "RFC 9110 §7.2", "Host: invalid port: expected 0 to"),
            (Malformed::HostBeside(port), "RFC 9110 §7.2", "Host: invalid port: expected 0 to"),
            (Malformed::HostDiffers, "RFC 9113 §8.3.1", "Host names another authority than"),
            (Malformed::ConnectRefused, "RFC 9110 §9.3.6", "CONNECT is not allowed here"),
            (Malformed::ConnectPort, "RFC 9110 §9.3.6", "CONNECT without a port"),
            (Malformed::ExtendedConnectRefused, "RFC 8441", "extended CONNECT is not allowed here"),
        ];
        for (reason, rule, text) in malformed {
            assert!(reason.rule().contains(rule), "{reason:?}: {}", reason.rule());
            assert!(reason.to_string().starts_with(text), "{reason:?}: {reason}");
        }
    }
}
