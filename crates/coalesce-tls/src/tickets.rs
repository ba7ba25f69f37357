//! Session tickets that stay in their group.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;

/// Makes a producer of tickets, with keys of its own:
/// `rustls::crypto::ring::Ticketer::new` and its like.
pub type TicketerFactory = fn() -> Result<Arc<dyn ProducesTickets>, rustls::Error>;

const MARK_LEN: usize = 16;

/// The tickets of one group in one table.
///
/// The mark is drawn at random when the table is built and travels inside every ticket, under its
/// encryption. A ticket of another group, or of an earlier table, carries another mark and is no
/// ticket here, even if a factory hands out the same keys twice: that tickets do not cross does not
/// rest on the caller.
pub(crate) struct GroupTickets {
    inner: Arc<dyn ProducesTickets>,
    mark: [u8; MARK_LEN],
}

impl GroupTickets {
    pub(crate) fn new(
        inner: Arc<dyn ProducesTickets>,
        random: &dyn SecureRandom,
    ) -> Result<Self, rustls::Error> {
        let mut mark = [0; MARK_LEN];
        random.fill(&mut mark)?;
        Ok(Self { inner, mark })
    }
}

impl ProducesTickets for GroupTickets {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&[&self.mark, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        // The mark was authenticated with the rest, so comparing it tells an attacker nothing.
        self.inner.decrypt(cipher)?.strip_prefix(&self.mark).map(<[u8]>::to_vec)
    }
}

impl fmt::Debug for GroupTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupTickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring;

    fn group(inner: &Arc<dyn ProducesTickets>) -> GroupTickets {
        GroupTickets::new(inner.clone(), ring::default_provider().secure_random).unwrap()
    }

    #[test]
    fn a_ticket_opens_in_its_own_group_only() {
        let shared = ring::Ticketer::new().unwrap();
        let (a, b) = (group(&shared), group(&shared));
        let ticket = a.encrypt(b"session").unwrap();
        assert_eq!(a.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(b.decrypt(&ticket), None, "the same keys, another group");
        assert_eq!(a.decrypt(&shared.encrypt(b"session").unwrap()), None, "no mark at all");
        assert_eq!(a.decrypt(&shared.encrypt(b"").unwrap()), None);
        assert_eq!(a.decrypt(b"junk"), None);
        assert_eq!((a.enabled(), a.lifetime()), (shared.enabled(), shared.lifetime()));
    }
}
