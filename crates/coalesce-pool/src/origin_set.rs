//! Received origin sets (RFC 8336 §2.3 and §2.4).

use alloc::vec::Vec;

use coalesce_core::{Host, Origin, OriginBuf, Scheme};

use crate::limits::{ORIGIN_BYTES_MAX, ORIGINS_MAX};

/// The flags with a reserved meaning. A frame that has one of them is ignored (RFC 8336 §2.1).
const RESERVED_FLAGS: u8 = 0x0f;

/// An ORIGIN frame as it arrived: type `0xc`, RFC 8336 §2.
///
/// # Examples
/// ```
/// use coalesce_pool::OriginFrame;
///
/// let frame = OriginFrame::new(0, 0, b"\x00\x0ehttps://a.test");
/// assert_eq!(frame.entries().collect::<Vec<_>>(), [b"https://a.test"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OriginFrame<'a> {
    stream: u32,
    flags: u8,
    payload: &'a [u8],
}

impl<'a> OriginFrame<'a> {
    /// Makes a frame of its stream, its flags, and its payload without the frame header.
    pub const fn new(stream: u32, flags: u8, payload: &'a [u8]) -> Self {
        Self { stream, flags, payload }
    }

    /// Lists the entries. An entry that is longer than the rest of the payload ends the list, and
    /// so does a single last byte (RFC 8336 §2.1).
    pub fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.payload;
        core::iter::from_fn(move || {
            let (len, after) = rest.split_first_chunk::<2>()?;
            let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = after;
            Some(entry)
        })
    }

    /// Returns whether a client must ignore the frame on an `h2` connection (RFC 8336 §2.2).
    const fn is_ignored(&self) -> bool {
        self.stream != 0 || self.flags & RESERVED_FLAGS != 0
    }
}

/// The origin set of a connection: the origins that its server announced, if it announced any.
///
/// | frames so far | state | [`contains`](Self::contains) |
/// | --- | --- | --- |
/// | none | not initialised | no origin |
/// | an empty one | initialised | the initial origin |
/// | some with origins | initialised | the initial origin and those |
/// | more than the limits allow | overflowed | no origin |
///
/// Why has an overflowed set no origin? The rest of the announcement is unknown, so the connection
/// is used for the origin that it was made for, which no set is asked about.
///
/// # Examples
/// ```
/// use coalesce_core::Origin;
/// use coalesce_pool::{OriginFrame, OriginSet};
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let initial = Origin::parse(b"https://a.test")?;
/// let mut set = OriginSet::default();
/// set.receive(&initial, &OriginFrame::new(0, 0, b"\x00\x0ehttps://b.test"));
/// assert!(set.is_initialised());
/// assert!(set.contains(&initial) && set.contains(&Origin::parse(b"https://B.test:443")?));
/// assert!(!set.contains(&Origin::parse(b"https://c.test")?));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OriginSet {
    /// In the order of arrival.
    members: Vec<OriginBuf>,
    /// The positions in `members`, in the order of the origins.
    order: Vec<u16>,
    bytes: usize,
    origins_max: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotInitialised,
    Initialised,
    Overflowed,
}

impl Default for OriginSet {
    fn default() -> Self {
        Self::with_origins_max(ORIGINS_MAX)
    }
}

impl OriginSet {
    /// Makes a set that is not initialised, for at most `origins_max` origins and never more than
    /// [`ORIGINS_MAX`].
    pub fn with_origins_max(origins_max: usize) -> Self {
        Self {
            members: Vec::new(),
            order: Vec::new(),
            bytes: 0,
            origins_max: origins_max.min(ORIGINS_MAX),
            state: State::NotInitialised,
        }
    }

    /// Adds the origins of a frame. The first frame initialises the set with `initial`, the origin
    /// that the connection was made for (RFC 8336 §2.3).
    ///
    /// The caller passes only frames of `h2` connections over TLS without a proxy in between (RFC
    /// 8336 §2.2); [`ConnectionStatus::receive_origin`](crate::ConnectionStatus::receive_origin)
    /// checks that. Entries that are not an `https` origin with a name or an address are skipped.
    ///
    /// # Complexity
    /// For each entry, linear in its length, plus a binary search.
    pub fn receive(&mut self, initial: &Origin<'_>, frame: &OriginFrame<'_>) {
        if frame.is_ignored() {
            return;
        }
        if self.state == State::NotInitialised {
            self.state = State::Initialised;
            self.insert(initial);
        }
        for entry in frame.entries() {
            // Nothing leads back from here, and a server may go on for as long as it likes.
            if self.is_overflowed() {
                return;
            }
            if let Ok(origin) = Origin::parse(entry)
                && origin.scheme() == Scheme::Https
                && !matches!(origin.host(), Host::Other(_))
            {
                self.insert(&origin);
            }
        }
    }

    fn insert(&mut self, origin: &Origin<'_>) {
        let Err(place) = self.search(origin) else { return };
        let bytes = self.bytes.saturating_add(len_of(origin));
        let number = u16::try_from(self.members.len());
        match number {
            Ok(number) if self.members.len() < self.origins_max && bytes <= ORIGIN_BYTES_MAX => {
                self.bytes = bytes;
                self.members.push(origin.to_buf());
                self.order.insert(place, number);
            }
            _ => self.state = State::Overflowed,
        }
    }

    /// Notes that origins of the server were lost, so that the set has none. The connection is then
    /// used for the origin that it was made for.
    pub const fn overflow(&mut self) {
        self.state = State::Overflowed;
    }

    /// Removes an origin, the initial one as well, because the server answered 421 for it
    /// (RFC 8336 §2.3).
    pub fn remove(&mut self, origin: &Origin<'_>) {
        let Ok(place) = self.search(origin) else { return };
        let number = self.order.remove(place);
        self.members.remove(usize::from(number));
        self.bytes = self.bytes.saturating_sub(len_of(origin));
        for other in &mut self.order {
            *other = other.saturating_sub(u16::from(*other > number));
        }
    }

    /// Returns the place of `origin` in `order`, or the place where it would be.
    fn search(&self, origin: &Origin<'_>) -> Result<usize, usize> {
        self.order.binary_search_by(|number| {
            let member = self.members.get(usize::from(*number));
            member.map_or(core::cmp::Ordering::Less, |member| member.as_origin().cmp(origin))
        })
    }

    /// Returns whether the server has sent an ORIGIN frame.
    pub fn is_initialised(&self) -> bool {
        self.state != State::NotInitialised
    }

    /// Returns whether the server announced more than the limits allow.
    pub fn is_overflowed(&self) -> bool {
        self.state == State::Overflowed
    }

    /// Returns whether the set is initialised and has `origin`.
    ///
    /// # Allocation
    /// None.
    pub fn contains(&self, origin: &Origin<'_>) -> bool {
        !self.is_overflowed() && self.search(origin).is_ok()
    }

    /// Returns whether both sets are known in full, and `other` has every origin of this set and
    /// one more.
    ///
    /// # Allocation
    /// None.
    pub fn is_proper_subset(&self, other: &Self) -> bool {
        self.state == State::Initialised
            && other.state == State::Initialised
            && self.members.len() < other.members.len()
            && self.members.iter().all(|member| other.contains(&member.as_origin()))
    }

    /// Lists the origins in the order of their arrival, those before an overflow as well.
    pub fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        self.members.iter().map(OriginBuf::as_origin)
    }
}

/// Returns the bytes of the host, which are most of the memory of an origin.
fn len_of(origin: &Origin<'_>) -> usize {
    match origin.host() {
        Host::Name(name) => name.as_bytes().len(),
        _ => size_of::<OriginBuf>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    fn payload(origins: &[&str]) -> Vec<u8> {
        let entry = |origin: &&str| {
            let len = u16::try_from(origin.len()).unwrap().to_be_bytes();
            [&len[..], origin.as_bytes()].concat()
        };
        origins.iter().flat_map(entry).collect()
    }

    fn set_of(origins: &[&str]) -> OriginSet {
        let mut set = OriginSet::default();
        let (initial, others) = origins.split_first().unwrap();
        let initial = Origin::parse(initial.as_bytes()).unwrap();
        set.receive(&initial, &OriginFrame::new(0, 0, &payload(others)));
        set
    }

    fn shown(set: &OriginSet) -> Vec<String> {
        set.origins().map(|origin| origin.to_string()).collect()
    }

    #[test]
    fn removed_origin_is_gone_and_the_others_keep_their_order() {
        let mut set = set_of(&["https://m.test", "https://a.test", "https://z.test"]);
        let [m, a, z] = ["https://m.test", "https://a.test", "https://z.test"]
            .map(|it| Origin::try_from(it).unwrap());
        set.remove(&m);
        set.remove(&m);
        assert_eq!(shown(&set), ["https://a.test", "https://z.test"]);
        assert!(set.contains(&a) && set.contains(&z) && !set.contains(&m));
        set.remove(&z);
        assert_eq!(shown(&set), ["https://a.test"]);
    }

    #[test]
    fn hostile_announcement_stays_within_the_limits_and_closes_the_set() {
        let initial = Origin::parse(b"https://a.test").unwrap();
        let mut set = OriginSet::default();
        for number in 0..1_000 {
            let names: Vec<_> = (0..40).map(|it| format!("https://n{number}-{it}.test")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            set.receive(&initial, &OriginFrame::new(0, 0, &payload(&names)));
        }
        assert!(set.is_overflowed() && set.origins().count() <= ORIGINS_MAX);
        assert!(!set.contains(&initial), "the rest of the announcement is unknown");
        let long = format!("https://{}.test", ["l".repeat(60).as_str(); 4].join("."));
        let mut set = OriginSet::default();
        for number in 0..600 {
            let name = format!("https://{number:0>3}{}", &long[11..]);
            set.receive(&initial, &OriginFrame::new(0, 0, &payload(&[&name])));
        }
        assert!(set.is_overflowed() && set.bytes <= ORIGIN_BYTES_MAX);
    }

    #[test]
    fn set_whose_origins_were_lost_has_none() {
        let mut set = set_of(&["https://a.test", "https://b.test"]);
        set.overflow();
        assert!(set.is_initialised() && set.is_overflowed());
        assert!(!set.contains(&Origin::parse(b"https://b.test").unwrap()));
    }

    #[test]
    fn only_known_and_smaller_sets_are_proper_subsets() {
        let none = OriginSet::default();
        let one = set_of(&["https://a.test"]);
        let two = set_of(&["https://b.test", "https://a.test"]);
        let other = set_of(&["https://c.test", "https://d.test", "https://e.test"]);
        let mut overflowed = OriginSet::with_origins_max(1);
        let initial = Origin::parse(b"https://a.test").unwrap();
        overflowed.receive(&initial, &OriginFrame::new(0, 0, &payload(&["https://b.test"])));
        assert!(one.is_proper_subset(&two));
        for (set, of) in [
            (&one, &one),
            (&two, &one),
            (&none, &two),
            (&one, &none),
            (&one, &other),
            (&overflowed, &two),
        ] {
            assert!(!set.is_proper_subset(of), "{set:?} of {of:?}");
        }
    }

    #[test]
    fn http_origin_and_host_that_is_no_name_are_skipped() {
        let set = set_of(&["https://a.test", "http://b.test", "https://c_%.test", "https://[::1]"]);
        assert_eq!(shown(&set), ["https://a.test", "https://[::1]"]);
    }
}
