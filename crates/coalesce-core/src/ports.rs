//! A list of ports.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

/// The ports that a listener answers for. Cloning allocates nothing.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::Ports;
///
/// assert_eq!(Ports::from(443).as_slice(), [443]);
/// assert_eq!(Ports::from(&[443, 8443]).as_slice(), [443, 8443]);
/// assert!(Ports::from(vec![80, 443]).contains(443));
/// ```
#[derive(Clone)]
pub struct Ports(Held);

#[derive(Clone)]
enum Held {
    One([u16; 1]),
    Static(&'static [u16]),
    #[cfg(feature = "alloc")]
    Shared(Arc<[u16]>),
}

impl Ports {
    /// Returns the ports in the order in which they were given.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u16] {
        match &self.0 {
            Held::One(port) => port,
            Held::Static(ports) => ports,
            #[cfg(feature = "alloc")]
            Held::Shared(ports) => ports,
        }
    }

    /// Returns whether `port` is one of them.
    #[inline(always)]
    pub fn contains(&self, port: u16) -> bool {
        self.as_slice().contains(&port)
    }
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self(Held::One([port]))
    }
}

impl From<&'static [u16]> for Ports {
    fn from(ports: &'static [u16]) -> Self {
        match ports {
            [port] => Self::from(*port),
            ports => Self(Held::Static(ports)),
        }
    }
}

impl<const N: usize> From<&'static [u16; N]> for Ports {
    fn from(ports: &'static [u16; N]) -> Self {
        Self::from(ports.as_slice())
    }
}

#[cfg(feature = "alloc")]
impl From<Arc<[u16]>> for Ports {
    fn from(ports: Arc<[u16]>) -> Self {
        match *ports {
            [port] => Self::from(port),
            _ => Self(Held::Shared(ports)),
        }
    }
}

#[cfg(feature = "alloc")]
impl From<Vec<u16>> for Ports {
    fn from(ports: Vec<u16>) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl From<Box<[u16]>> for Ports {
    fn from(ports: Box<[u16]>) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl<const N: usize> From<[u16; N]> for Ports {
    fn from(ports: [u16; N]) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl FromIterator<u16> for Ports {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        Self::from(ports.into_iter().collect::<Vec<u16>>())
    }
}

/// Two lists are equal if they have the same ports in the same order.
impl PartialEq for Ports {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Ports {}

impl core::hash::Hash for Ports {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}
