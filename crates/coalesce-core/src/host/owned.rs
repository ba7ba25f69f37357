//! The owned form of a host.

use alloc::boxed::Box;
use core::net::IpAddr;

use super::Host;
use crate::forms::owned_form;
use crate::name::{DnsNameBuf, NameError};

/// An owned [`Host`].
///
/// # Allocation
/// One, when the value is made, unless the host is an address.
///
/// # Examples
/// ```
/// use coalesce_core::{Host, HostBuf, NameError};
///
/// # fn main() -> Result<(), NameError> {
/// let host: HostBuf = "2001:DB8::1".parse()?;
/// assert_eq!(host, Host::parse(b"[2001:db8::1]")?);
/// assert_eq!(host.to_string(), "[2001:db8::1]");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HostBuf(Form);

#[derive(Clone)]
enum Form {
    Name(DnsNameBuf),
    Ip(IpAddr),
    Other(Box<[u8]>),
}

impl HostBuf {
    /// Returns the borrowed form, without parsing again.
    pub const fn as_host(&self) -> Host<'_> {
        match &self.0 {
            Form::Name(name) => Host::Name(name.as_name()),
            Form::Ip(address) => Host::Ip(*address),
            Form::Other(bytes) => Host::Other(bytes),
        }
    }
}

impl Host<'_> {
    /// Returns the owned form.
    ///
    /// One, of the host's length, unless the host is an address.
    /// One, of the host's length, unless it is an address.
    pub fn to_buf(self) -> HostBuf {
        HostBuf::from(self)
    }
}

impl From<Host<'_>> for HostBuf {
    fn from(host: Host<'_>) -> Self {
        Self(match host {
            Host::Name(name) => Form::Name(name.to_buf()),
            Host::Ip(address) => Form::Ip(address),
            Host::Other(bytes) => Form::Other(bytes.into()),
        })
    }
}

impl From<DnsNameBuf> for HostBuf {
    fn from(name: DnsNameBuf) -> Self {
        Self(Form::Name(name))
    }
}

impl From<IpAddr> for HostBuf {
    fn from(address: IpAddr) -> Self {
        Self(Form::Ip(address))
    }
}

owned_form!(HostBuf, Host, as_host, NameError);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    #[test]
    fn owned_host_is_the_borrowed_one() {
        let hosts = [
            Host::parse(b"A.Example.TEST.").unwrap(),
            Host::parse(b"192.0.2.1").unwrap(),
            Host::parse(b"[2001:db8::1]").unwrap(),
            Host::Other(b"%61.Test."),
        ];
        for host in hosts {
            let owned = host.to_buf();
            assert_eq!(owned.as_host(), host);
            assert_eq!(Host::from(&owned), owned);
            assert_eq!(owned.to_string(), host.to_string());
            assert_eq!(format!("{owned:?}"), format!("{host:?}"));
        }
    }

    #[test]
    fn host_from_name_or_address_equals_parsed_host() {
        let name: DnsNameBuf = "a.test".parse().unwrap();
        assert_eq!(HostBuf::from(name), Host::parse(b"A.test").unwrap());
        let address: IpAddr = "::1".parse().unwrap();
        assert_eq!(HostBuf::from(address), Host::parse(b"[::1]").unwrap());
    }
}
