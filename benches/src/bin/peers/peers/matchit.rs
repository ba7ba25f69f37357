//! A router of paths: `www.example.com` becomes `/com/example/www`.

use matchit::Router;

use super::normalise::{Addresses, Buffer, Host, NAME_MAX, split};
use super::{Built, Lookup, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

struct Routes {
    router: Router<u32>,
    addresses: Addresses,
}

impl Lookup for Routes {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => name,
            Host::Address(address) => return self.addresses.find(address),
        };
        let mut buffer: Buffer = [0; 256];
        let path = path(name, &mut buffer)?;
        self.router.at(path).ok().map(|found| *found.value)
    }
}

/// Writes the labels in reverse order, each after a slash.
fn path<'a>(name: &[u8], buffer: &'a mut Buffer) -> Option<&'a str> {
    let path = buffer.get_mut(..=name.len())?;
    if name.len() > NAME_MAX {
        return None;
    }
    let mut at = 0;
    for label in name.rsplit(|byte| *byte == b'.') {
        path[at] = b'/';
        for (to, from) in path[at + 1..].iter_mut().zip(label) {
            *to = from.to_ascii_lowercase();
        }
        at += 1 + label.len();
    }
    std::str::from_utf8(path).ok()
}

pub(super) fn build(set: &NameSet) -> Result<Built, Refusal> {
    let mut router = Router::new();
    for (number, pattern) in set.iter() {
        let mut buffer: Buffer = [0; 256];
        let path = path(pattern.name(), &mut buffer).unwrap_or_default();
        let route = match (pattern, set.kind.depth) {
            (Pattern::Exact(_), _) => path.to_owned(),
            (Pattern::Wildcard(_), Depth::OneLabel) => format!("{path}/{{x}}"),
            (Pattern::Wildcard(_), Depth::AnyDepth) => format!("{path}/{{*x}}"),
        };
        router.insert(route, number).map_err(Refusal::new)?;
    }
    Ok(Built::new(Routes { router, addresses: Addresses::new(set) }))
}
