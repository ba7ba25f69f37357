//! Why a request is not served. For operators and logs; nothing of it belongs in a response.

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
    /// The request's scheme is the connection's.
    Scheme = 2,
    /// A virtual host has this name.
    Known = 3,
    /// The listener answers for this port.
    Port = 4,
    /// The presented certificate covers the host.
    Certificate = 5,
    /// The virtual host is in the connection's coalescing group.
    Group = 6,
    /// `Host` names the same authority.
    HostField = 7,
    /// Served.
    Serve = 8,
}

impl Step {
    /// The step's number, 1 to 8.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Why a request is misdirected: it is answered 421 on its own stream (RFC 9110 §15.5.20).
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
    /// The scheme is not the connection's.
    Scheme,
    /// No virtual host has this name.
    UnknownAuthority,
    /// The listener does not answer for this port.
    Port,
    /// The certificate that this handshake presented does not cover the host.
    Certificate,
    /// Another listener of this port is responsible for the host.
    Listener,
    /// The virtual host is in another coalescing group.
    Group,
    /// The group serves only the host that the server name named.
    ServerName,
}

impl Misdirected {
    /// Every reason, for counters and documentation.
    pub const ALL: &'static [Self] = &[
        Self::Scheme,
        Self::UnknownAuthority,
        Self::Port,
        Self::Certificate,
        Self::Listener,
        Self::Group,
        Self::ServerName,
    ];

    /// A stable name for logs, metrics and tools.
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

    /// The step that refused.
    pub const fn step(self) -> Step {
        match self {
            Self::Scheme => Step::Scheme,
            Self::UnknownAuthority => Step::Known,
            Self::Port => Step::Port,
            Self::Certificate => Step::Certificate,
            Self::Listener | Self::Group | Self::ServerName => Step::Group,
        }
    }

    /// The rule behind it.
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
            Self::ServerName => "the group serves only the host that the server name named",
        })
    }
}

/// Why a request is malformed, or of a form that is not taken here.
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
    /// `:authority` is no authority.
    Authority(AuthorityError),
    /// `Host`, the only one to name an authority, is none.
    Host(AuthorityError),
    /// `Host` beside `:authority` is no authority.
    HostBeside(AuthorityError),
    /// `Host` names another authority than `:authority`.
    HostDiffers,
    /// `CONNECT` for a tunnel where the group's policy does not take it.
    ConnectRefused,
    /// Extended `CONNECT` where the group's policy does not take it.
    ExtendedConnectRefused,
    /// `CONNECT` for a tunnel without a port to connect to.
    ConnectPort,
}

/// What a malformed request gets.
///
/// # Examples
/// ```
/// use coalesce_core::{Malformed, MalformedAnswer};
///
/// // HTTP/2 resets the stream. HTTP/1.1 has no reset, so it says 400.
/// assert_eq!(Malformed::HostDiffers.answer(), MalformedAnswer::Reset);
/// assert_eq!(MalformedAnswer::Reset.status(), 400);
/// assert_eq!(Malformed::ConnectRefused.answer().status(), 405);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedAnswer {
    /// 400: a complete HTTP/2 message whose content HTTP refuses (RFC 9110 §7.2, §15.5.1).
    BadRequest,
    /// 405: a well-formed request by a method that is not taken here (RFC 9110 §15.5.6).
    MethodNotAllowed,
    /// On HTTP/2 the stream ends with `PROTOCOL_ERROR` (RFC 9113 §8.1.1); HTTP/1.1 says 400.
    Reset,
}

impl Malformed {
    /// Every [`code`](Self::code), for counters and documentation.
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

    /// A stable name for logs, metrics and tools.
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

    /// The step that refused.
    pub const fn step(self) -> Step {
        match self {
            Self::HostBeside(_) | Self::HostDiffers => Step::HostField,
            Self::ExtendedConnectRefused => Step::Serve,
            _ => Step::Authority,
        }
    }

    /// The rule behind it.
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

    /// What the request gets.
    ///
    /// RFC 9113 calls a message malformed when its framing or its pseudo-header fields break that
    /// RFC's own rules, and §8.1.1 makes that a stream error. What breaks HTTP's rules about the
    /// target (RFC 9110 §7.2 asks for 400 by name) is answered with a status that people can read.
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
    /// The status code, as HTTP/1.1 would say it.
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
            Self::ConnectRefused => f.write_str("CONNECT is not taken here"),
            Self::ExtendedConnectRefused => f.write_str("extended CONNECT is not taken here"),
            Self::ConnectPort => f.write_str("CONNECT without a port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn codes_are_distinct_and_steps_in_order() {
        for (at, reason) in Misdirected::ALL.iter().enumerate() {
            assert!(Misdirected::ALL[..at].iter().all(|earlier| earlier.code() != reason.code()));
            assert!(Misdirected::ALL[..at].iter().all(|earlier| earlier.step() <= reason.step()));
        }
        assert_eq!(Step::Serve.number(), 8);
    }

    #[test]
    fn every_code_of_a_malformed_request_is_listed_once() {
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
    fn each_refusal_names_the_step_that_made_it() {
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
    fn framing_faults_reset_and_target_faults_get_400() {
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
    fn each_refusal_says_its_rule_and_what_is_wrong() {
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
            (Misdirected::ServerName, "§9.1.1", "the group serves only the host that the server"),
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
            (Malformed::Authority(port), "RFC 3986 §3.2.3", ":authority: port that is no number"),
            (
                Malformed::Authority(AuthorityError::EmptyHost),
                "RFC 9110 §4.2.2",
                ":authority: empty",
            ),
            (
                Malformed::Authority(AuthorityError::BadIpLiteral),
                "RFC 3986 §3.2.2",
                ":authority: br",
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
            (Malformed::Host(port), "RFC 9110 §7.2", "Host: port that is no number"),
            (Malformed::HostBeside(port), "RFC 9110 §7.2", "Host: port that is no number"),
            (Malformed::HostDiffers, "RFC 9113 §8.3.1", "Host names another authority than"),
            (Malformed::ConnectRefused, "RFC 9110 §9.3.6", "CONNECT is not taken here"),
            (Malformed::ConnectPort, "RFC 9110 §9.3.6", "CONNECT without a port"),
            (Malformed::ExtendedConnectRefused, "RFC 8441", "extended CONNECT is not taken here"),
        ];
        for (reason, rule, text) in malformed {
            assert!(reason.rule().contains(rule), "{reason:?}: {}", reason.rule());
            assert!(reason.to_string().starts_with(text), "{reason:?}: {reason}");
        }
    }
}
