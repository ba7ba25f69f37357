//! A list of ports.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

/// The ports that a listener answers for, borrowed or shared. Cloning allocates nothing.
///
/// A `Ports<'static>` holds one port, a static list, or a list that it shares with its clones. Any
/// other list is borrowed for `'a`, so a connection that does not outlive it allocates nothing.
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
pub struct Ports<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    One([u16; 1]),
    Borrowed(&'a [u16]),
    #[cfg(feature = "alloc")]
    Shared(Arc<[u16]>),
}

impl Ports<'_> {
    /// Returns the ports in the order in which they were given.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u16] {
        match &self.0 {
            Held::One(port) => port,
            Held::Borrowed(ports) => ports,
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

impl From<u16> for Ports<'_> {
    fn from(port: u16) -> Self {
        Self(Held::One([port]))
    }
}

impl<'a> From<&'a [u16]> for Ports<'a> {
    fn from(ports: &'a [u16]) -> Self {
        match ports {
            [port] => Self::from(*port),
            ports => Self(Held::Borrowed(ports)),
        }
    }
}

impl<'a, const N: usize> From<&'a [u16; N]> for Ports<'a> {
    fn from(ports: &'a [u16; N]) -> Self {
        Self::from(ports.as_slice())
    }
}

#[cfg(feature = "alloc")]
impl From<Arc<[u16]>> for Ports<'_> {
    fn from(ports: Arc<[u16]>) -> Self {
        match *ports {
            [port] => Self::from(port),
            _ => Self(Held::Shared(ports)),
        }
    }
}

#[cfg(feature = "alloc")]
impl From<Vec<u16>> for Ports<'_> {
    fn from(ports: Vec<u16>) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl From<Box<[u16]>> for Ports<'_> {
    fn from(ports: Box<[u16]>) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl<const N: usize> From<[u16; N]> for Ports<'_> {
    fn from(ports: [u16; N]) -> Self {
        Self::from(Arc::<[u16]>::from(ports))
    }
}

#[cfg(feature = "alloc")]
impl FromIterator<u16> for Ports<'_> {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        Self::from(ports.into_iter().collect::<Vec<u16>>())
    }
}

/// Two lists are equal if they have the same ports in the same order.
impl PartialEq for Ports<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Ports<'_> {}

impl core::hash::Hash for Ports<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}
