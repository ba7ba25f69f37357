//! The numbers and the texts of the reasons.

use core::ffi::CStr;

use coalesce_core::{AuthorityError, Malformed, Misdirected};

/// The scheme of the request is not that of the connection.
pub const COALESCE_REASON_SCHEME: u32 = 1;
/// No virtual host has this name.
pub const COALESCE_REASON_UNKNOWN_AUTHORITY: u32 = 2;
/// The listener does not answer for this port.
pub const COALESCE_REASON_PORT: u32 = 3;
/// The presented certificate does not cover the host.
pub const COALESCE_REASON_CERTIFICATE: u32 = 4;
/// Another listener of this port is responsible for the host.
pub const COALESCE_REASON_LISTENER: u32 = 5;
/// The virtual host is in another group, or the handshake did not meet its policy.
pub const COALESCE_REASON_GROUP: u32 = 6;
/// The group serves only the host of the server name.
pub const COALESCE_REASON_SERVER_NAME: u32 = 7;
/// Neither `:authority` nor `Host`.
pub const COALESCE_REASON_NO_AUTHORITY: u32 = 65;
/// More than one `Host`.
pub const COALESCE_REASON_SEVERAL_HOSTS: u32 = 66;
/// `:authority` has bytes that no field value may have.
pub const COALESCE_REASON_AUTHORITY_FIELD_VALUE: u32 = 67;
/// `:authority` has a part for user information.
pub const COALESCE_REASON_AUTHORITY_USERINFO: u32 = 68;
/// `:authority` has an empty host.
pub const COALESCE_REASON_AUTHORITY_EMPTY_HOST: u32 = 69;
/// `:authority` has an invalid port.
pub const COALESCE_REASON_AUTHORITY_PORT: u32 = 70;
/// `:authority` has an invalid host.
pub const COALESCE_REASON_AUTHORITY_HOST: u32 = 71;
/// There is no `:authority`, and `Host` is not an authority.
pub const COALESCE_REASON_HOST_INVALID: u32 = 72;
/// There is an `:authority`, and `Host` is not an authority.
pub const COALESCE_REASON_HOST_BESIDE_INVALID: u32 = 73;
/// `Host` names another authority than `:authority`.
pub const COALESCE_REASON_HOST_DIFFERS: u32 = 74;
/// `CONNECT`, which the policy of the group does not allow.
pub const COALESCE_REASON_CONNECT_REFUSED: u32 = 75;
/// Extended `CONNECT`, which the policy of the group does not allow.
pub const COALESCE_REASON_EXTENDED_CONNECT_REFUSED: u32 = 76;
/// `CONNECT` without a port.
pub const COALESCE_REASON_CONNECT_PORT: u32 = 77;
/// A reason that is newer than this interface.
pub const COALESCE_REASON_OTHER: u32 = 254;
/// Nothing was decided, because the arguments of the call have a fault.
pub const COALESCE_REASON_NOT_DECIDED: u32 = 255;

/// A reason: its number and its texts.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) number: u32,
    pub(crate) step: u32,
    pub(crate) code: &'static CStr,
    pub(crate) text: &'static CStr,
    pub(crate) rule: &'static CStr,
}

const fn reason(
    number: u32,
    step: u32,
    code: &'static CStr,
    text: &'static CStr,
    rule: &'static CStr,
) -> Reason {
    Reason { number, step, code, text, rule }
}

/// Every reason. The core has the same codes, steps and rules without the NUL that C needs; a test
/// compares them.
#[rustfmt::skip]
pub(crate) static REASONS: [Reason; 22] = [
    reason(COALESCE_REASON_SCHEME, 2, c"scheme",
        c"the scheme is not this connection's", c"RFC 9110 §7.4, §4.3.1"),
    reason(COALESCE_REASON_UNKNOWN_AUTHORITY, 3, c"unknown_authority",
        c"no virtual host has this name", c"RFC 9110 §15.5.20"),
    reason(COALESCE_REASON_PORT, 4, c"port",
        c"the listener does not answer for this port", c"RFC 9110 §4.3.3, §7.4"),
    reason(COALESCE_REASON_CERTIFICATE, 5, c"certificate",
        c"the presented certificate does not cover the host", c"RFC 9110 §7.4, RFC 9113 §9.1.1"),
    reason(COALESCE_REASON_LISTENER, 6, c"listener",
        c"another listener of this port is responsible for the host",
        c"RFC 9113 §9.1.1, RFC 9110 §15.5.20"),
    reason(COALESCE_REASON_GROUP, 6, c"group",
        c"the virtual host is in another coalescing group",
        c"RFC 9113 §9.1.1, RFC 9110 §15.5.20"),
    reason(COALESCE_REASON_SERVER_NAME, 6, c"server_name",
        c"the group serves only the host of the server name",
        c"RFC 9113 §9.1.1, RFC 9110 §15.5.20"),
    reason(COALESCE_REASON_NO_AUTHORITY, 1, c"no_authority",
        c"neither :authority nor Host", c"RFC 9113 §8.3.1, RFC 9110 §7.2"),
    reason(COALESCE_REASON_SEVERAL_HOSTS, 1, c"several_hosts",
        c"more than one Host", c"RFC 9110 §7.2"),
    reason(COALESCE_REASON_AUTHORITY_FIELD_VALUE, 1, c"authority_field_value",
        c":authority has a byte that no field value may have", c"RFC 9113 §8.2.1"),
    reason(COALESCE_REASON_AUTHORITY_USERINFO, 1, c"authority_userinfo",
        c":authority has user information", c"RFC 9113 §8.3.1"),
    reason(COALESCE_REASON_AUTHORITY_EMPTY_HOST, 1, c"authority_empty_host",
        c":authority has an empty host", c"RFC 9110 §4.2.2"),
    reason(COALESCE_REASON_AUTHORITY_PORT, 1, c"authority_port",
        c":authority has an invalid port", c"RFC 3986 §3.2.3"),
    reason(COALESCE_REASON_AUTHORITY_HOST, 1, c"authority_host",
        c":authority has an invalid host", c"RFC 3986 §3.2.2"),
    reason(COALESCE_REASON_HOST_INVALID, 1, c"host_invalid",
        c"Host is not an authority", c"RFC 9110 §7.2"),
    reason(COALESCE_REASON_HOST_BESIDE_INVALID, 7, c"host_invalid",
        c"Host, beside :authority, is not an authority", c"RFC 9110 §7.2"),
    reason(COALESCE_REASON_HOST_DIFFERS, 7, c"host_differs",
        c"Host names another authority than :authority", c"RFC 9113 §8.3.1"),
    reason(COALESCE_REASON_CONNECT_REFUSED, 1, c"connect_refused",
        c"CONNECT is not allowed here", c"RFC 9110 §9.3.6"),
    reason(COALESCE_REASON_EXTENDED_CONNECT_REFUSED, 8, c"extended_connect_refused",
        c"extended CONNECT is not allowed here", c"RFC 8441 §3, §4"),
    reason(COALESCE_REASON_CONNECT_PORT, 1, c"connect_port",
        c"CONNECT without a port", c"RFC 9110 §9.3.6"),
    reason(COALESCE_REASON_OTHER, 0, c"other",
        c"a reason that this interface does not name", c""),
    reason(COALESCE_REASON_NOT_DECIDED, 0, c"not_decided",
        c"nothing was decided, because the arguments of the call have a fault", c""),
];

/// The entry of a number that is no reason.
static NONE: Reason = reason(0, 0, c"", c"", c"");

/// Returns the reason with this number. Any other number, 0 included, has empty texts.
pub(crate) fn with_number(number: u32) -> &'static Reason {
    REASONS.iter().find(|reason| reason.number == number).unwrap_or(&NONE)
}

/// Returns the number of a reason of the core.
pub(crate) const fn of_misdirected(reason: Misdirected) -> u32 {
    match reason {
        Misdirected::Scheme => COALESCE_REASON_SCHEME,
        Misdirected::UnknownAuthority => COALESCE_REASON_UNKNOWN_AUTHORITY,
        Misdirected::Port => COALESCE_REASON_PORT,
        Misdirected::Certificate => COALESCE_REASON_CERTIFICATE,
        Misdirected::Listener => COALESCE_REASON_LISTENER,
        Misdirected::Group => COALESCE_REASON_GROUP,
        Misdirected::ServerName => COALESCE_REASON_SERVER_NAME,
        _ => COALESCE_REASON_OTHER,
    }
}

/// Returns the number of a reason of the core.
pub(crate) const fn of_malformed(reason: Malformed) -> u32 {
    match reason {
        Malformed::NoAuthority => COALESCE_REASON_NO_AUTHORITY,
        Malformed::SeveralHosts => COALESCE_REASON_SEVERAL_HOSTS,
        Malformed::Authority(AuthorityError::FieldValue { .. }) => {
            COALESCE_REASON_AUTHORITY_FIELD_VALUE
        }
        Malformed::Authority(AuthorityError::Userinfo { .. }) => COALESCE_REASON_AUTHORITY_USERINFO,
        Malformed::Authority(AuthorityError::EmptyHost) => COALESCE_REASON_AUTHORITY_EMPTY_HOST,
        Malformed::Authority(AuthorityError::BadPort) => COALESCE_REASON_AUTHORITY_PORT,
        Malformed::Authority(_) => COALESCE_REASON_AUTHORITY_HOST,
        Malformed::Host(_) => COALESCE_REASON_HOST_INVALID,
        Malformed::HostBeside(_) => COALESCE_REASON_HOST_BESIDE_INVALID,
        Malformed::HostDiffers => COALESCE_REASON_HOST_DIFFERS,
        Malformed::ConnectRefused => COALESCE_REASON_CONNECT_REFUSED,
        Malformed::ExtendedConnectRefused => COALESCE_REASON_EXTENDED_CONNECT_REFUSED,
        Malformed::ConnectPort => COALESCE_REASON_CONNECT_PORT,
        _ => COALESCE_REASON_OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core_reasons() -> Vec<(u32, u8, &'static str, &'static str, Option<String>)> {
        use AuthorityError as E;
        let malformed = [
            Malformed::NoAuthority,
            Malformed::SeveralHosts,
            Malformed::Authority(E::FieldValue { at: 0, byte: 0 }),
            Malformed::Authority(E::Userinfo { at: 0 }),
            Malformed::Authority(E::EmptyHost),
            Malformed::Authority(E::BadPort),
            Malformed::Authority(E::BadIpLiteral),
            Malformed::Host(E::EmptyHost),
            Malformed::HostBeside(E::EmptyHost),
            Malformed::HostDiffers,
            Malformed::ConnectRefused,
            Malformed::ExtendedConnectRefused,
            Malformed::ConnectPort,
        ];
        let misdirected = Misdirected::ALL.iter().map(|reason| {
            let (number, step) = (of_misdirected(*reason), reason.step().number());
            (number, step, reason.code(), reason.rule(), Some(reason.to_string()))
        });
        let malformed = malformed.iter().map(|reason| {
            let (number, step) = (of_malformed(*reason), reason.step().number());
            (number, step, reason.code(), reason.rule(), None)
        });
        misdirected.chain(malformed).collect()
    }

    #[test]
    fn every_reason_has_the_texts_of_the_core() {
        let reasons = core_reasons();
        for (number, step, code, rule, text) in &reasons {
            let found = with_number(*number);
            assert_eq!((found.number, found.step), (*number, u32::from(*step)), "{code}");
            assert_eq!(found.code.to_str(), Ok(*code));
            assert_eq!(found.rule.to_str(), Ok(*rule), "{code}");
            if let Some(text) = text {
                assert_eq!(found.text.to_str(), Ok(text.as_str()));
            }
        }
        let own = [COALESCE_REASON_OTHER, COALESCE_REASON_NOT_DECIDED];
        let mut numbers: Vec<_> = reasons.iter().map(|reason| reason.0).chain(own).collect();
        let listed: Vec<_> = REASONS.iter().map(|reason| reason.number).collect();
        numbers.sort_unstable();
        assert_eq!(listed, numbers);
    }

    #[test]
    fn every_code_of_the_core_has_a_number() {
        let codes = Malformed::CODES.iter().copied();
        for code in codes.chain(Misdirected::ALL.iter().map(|reason| reason.code())) {
            assert!(REASONS.iter().any(|reason| reason.code.to_str() == Ok(code)), "{code}");
        }
    }
}
