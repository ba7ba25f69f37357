//! The queries: raw bytes of authorities in one arena, each with its right answer.
//!
//! | load | queries |
//! | --- | --- |
//! | `uniform` | hits, every entry as likely; a wildcard by a name below it |
//! | `zipf` | hits, by Zipf's law with exponent 1 |
//! | `misses` | names of the same generator that nothing matches |
//! | `near-misses` | siblings, children and parents of entries, one letter or dot off |
//! | `mixed` | 60 % `zipf` on exact names, 15 % below wildcards, 15 % near misses, 10 % misses |
//! | `messy` | `mixed`, half each in mixed case, with a trailing dot, with `:443` |
//! | `adversarial` | 253 bytes: 127 labels or four long ones; half end as an entry does |
//! | `long` | names of 32 to 64 bytes, half of them below wildcards |
//! | `addresses` | IPv4 and bracketed IPv6 literals, half of them in the set |
//!
//! In sets without wildcards (`cert-1`, `cert-2`), exact names replace names below wildcards, and
//! `long` has no hits. Sets of less than 100 names have no addresses.

use crate::generator::Generator;
use crate::oracle::Oracle;
use crate::sets::{Depth, NameSet, Pattern};

/// The kind of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    Uniform,
    Zipf,
    Misses,
    NearMisses,
    Mixed,
    Messy,
    Adversarial,
    Long,
    Addresses,
}

pub(crate) const LOADS: [(&str, LoadKind); 9] = [
    ("uniform", LoadKind::Uniform),
    ("zipf", LoadKind::Zipf),
    ("misses", LoadKind::Misses),
    ("near-misses", LoadKind::NearMisses),
    ("mixed", LoadKind::Mixed),
    ("messy", LoadKind::Messy),
    ("adversarial", LoadKind::Adversarial),
    ("long", LoadKind::Long),
    ("addresses", LoadKind::Addresses),
];

/// The longest name (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

/// How often a query that should miss but hits is drawn again, before another kind is drawn.
const TRIES: usize = 64;

/// A load: queries and their answers.
#[derive(Debug, Default)]
pub(crate) struct Load {
    arena: Vec<u8>,
    ends: Vec<usize>,
    pub(crate) answers: Vec<Option<u32>>,
}

impl Load {
    /// Draws `count` queries, the same ones in every run.
    pub(crate) fn generate(
        kind: LoadKind,
        set: &NameSet,
        oracle: &Oracle<'_>,
        count: usize,
    ) -> Self {
        let generator = Generator::new(0x10ad + kind as u64);
        let mut drawing = Drawing { set, oracle, generator, text: String::new() };
        let mut queries: Vec<String> = Vec::with_capacity(count);
        for _ in 0..count {
            drawing.draw(kind);
            queries.push(drawing.text.clone());
        }
        // The generator stays in one domain for several names, so shuffle the queries.
        drawing.generator.random.shuffle(&mut queries);
        let mut load = Self::default();
        for query in queries {
            load.arena.extend_from_slice(query.as_bytes());
            load.ends.push(load.arena.len());
            load.answers.push(oracle.answer(query.as_bytes()));
        }
        load
    }

    /// Returns the queries in order. They are adjacent in memory.
    pub(crate) fn queries(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.arena[start..*end]).collect()
    }
}

struct Drawing<'a> {
    set: &'a NameSet,
    oracle: &'a Oracle<'a>,
    generator: Generator,
    text: String,
}

impl Drawing<'_> {
    fn draw(&mut self, kind: LoadKind) {
        match kind {
            LoadKind::Uniform => {
                let rank = self.generator.random.below(self.set.len());
                self.hit(rank);
            }
            LoadKind::Zipf => {
                let rank = self.generator.random.zipf(self.set.len());
                self.hit(rank);
            }
            LoadKind::Misses => self.miss(),
            LoadKind::NearMisses => self.near_miss(),
            LoadKind::Mixed => self.mixed(),
            LoadKind::Messy => {
                self.mixed();
                self.mess_up();
            }
            LoadKind::Adversarial => self.adversarial(),
            LoadKind::Long => self.long(),
            LoadKind::Addresses => self.address(),
        }
    }

    /// Draws a name that this entry matches. Entries are in random order, so the number can be a
    /// rank.
    fn hit(&mut self, number: usize) {
        let number = u32::try_from(number).unwrap_or(0);
        let pattern = self.set.get(number);
        if let Pattern::Exact(name) = pattern {
            self.set_text(name);
        } else {
            self.below(pattern.name());
        }
    }

    fn set_text(&mut self, name: &[u8]) {
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(name));
    }

    /// Draws a name below a suffix.
    fn below(&mut self, suffix: &[u8]) {
        self.text.clear();
        self.generator.first_label(&mut self.text);
        if self.set.kind.depth == Depth::AnyDepth && self.generator.random.chance(20) {
            self.text.push('.');
            self.generator.first_label(&mut self.text);
        }
        self.text.push('.');
        self.text.push_str(&String::from_utf8_lossy(suffix));
    }

    fn exact(&mut self) -> Vec<u8> {
        let number = *self.generator.random.one_of(self.oracle.exact());
        self.set.get(number).name().to_vec()
    }

    fn wildcard(&mut self) -> Option<Vec<u8>> {
        let wildcards = self.oracle.wildcards();
        (!wildcards.is_empty()).then(|| {
            let number = *self.generator.random.one_of(wildcards);
            self.set.get(number).name().to_vec()
        })
    }

    fn misses(&self) -> bool {
        self.oracle.answer(self.text.as_bytes()).is_none()
    }

    fn miss(&mut self) {
        loop {
            let mut text = std::mem::take(&mut self.text);
            self.generator.name(&mut text);
            self.text = text;
            if self.misses() {
                return;
            }
        }
    }

    fn near_miss(&mut self) {
        for _ in 0..TRIES {
            self.near();
            if self.misses() {
                return;
            }
        }
        self.miss();
    }

    /// Draws a name close to an entry. It may happen to match another entry.
    fn near(&mut self) {
        let choice = self.generator.random.below(6);
        let wildcard = if choice < 3 { self.wildcard() } else { None };
        match (choice, wildcard) {
            // The parent of a wildcard, which the wildcard does not match.
            (0, Some(suffix)) => self.set_text(&suffix),
            // The same ending, but not at a dot.
            (1, Some(suffix)) => {
                self.text.clear();
                self.generator.first_label(&mut self.text);
                self.text.push_str(&String::from_utf8_lossy(&suffix));
            }
            // One label deeper than a one-label wildcard, or else the start of a longer suffix.
            (2, Some(suffix)) => {
                self.below(&suffix);
                if self.set.kind.depth == Depth::OneLabel {
                    self.text.insert_str(0, "a.");
                } else {
                    self.text.push('n');
                }
            }
            // A child of an exact name.
            (3, _) => {
                let name = self.exact();
                self.below(&name);
            }
            // One letter differs.
            (4, _) => {
                let mut name = self.exact();
                let at = self.generator.random.below(name.len());
                if name[at].is_ascii_alphabetic() {
                    name[at] = if name[at] == b'q' { b'j' } else { b'q' };
                }
                self.set_text(&name);
            }
            // A sibling.
            _ => {
                let name = self.exact();
                let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(0);
                self.text.clear();
                self.generator.first_label(&mut self.text);
                self.text.push_str(&String::from_utf8_lossy(&name[dot..]));
            }
        }
    }

    fn mixed(&mut self) {
        match self.generator.random.below(100) {
            0..60 => self.popular_exact(),
            60..75 => match self.wildcard() {
                Some(suffix) => self.below(&suffix),
                None => self.popular_exact(),
            },
            75..90 => self.near_miss(),
            _ => self.miss(),
        }
    }

    fn popular_exact(&mut self) {
        loop {
            let number = self.generator.random.zipf(self.set.len());
            let number = u32::try_from(number).unwrap_or(0);
            if let Pattern::Exact(name) = self.set.get(number) {
                return self.set_text(name);
            }
        }
    }

    fn mess_up(&mut self) {
        if self.generator.random.chance(50) {
            let fold = |letter: char, upper: bool| {
                if upper { letter.to_ascii_uppercase() } else { letter }
            };
            let text = std::mem::take(&mut self.text);
            self.text =
                text.chars().map(|letter| fold(letter, self.generator.random.chance(50))).collect();
        }
        if self.generator.random.chance(50) {
            self.text.push('.');
        }
        if self.generator.random.chance(50) {
            self.text.push_str(":443");
        }
    }

    fn adversarial(&mut self) {
        let end = match self.generator.random.below(4) {
            0 => self.exact(),
            1 => self.wildcard().unwrap_or_default(),
            _ => Vec::new(),
        };
        let label = if self.generator.random.chance(50) { 1 } else { 63 };
        self.set_text(&end);
        // Fills from the right, because wildcards count labels from there.
        let mut left = String::new();
        let mut room = NAME_MAX - self.text.len() - usize::from(!self.text.is_empty());
        while room > 0 {
            let len = label.min(room);
            for _ in 0..len {
                let letter = *self.generator.random.one_of(b"abcdefghijklmnopqrstuvwxyz");
                left.push(char::from(letter));
            }
            room -= len;
            // A dot needs a label in front of it.
            if room > 1 {
                left.push('.');
                room -= 1;
            } else if room == 1 {
                room = 0;
            }
        }
        if !self.text.is_empty() {
            left.push('.');
        }
        self.text.insert_str(0, &left);
    }

    fn long(&mut self) {
        let suffix = if self.generator.random.chance(50) { self.wildcard() } else { None };
        let suffix = suffix.unwrap_or_else(|| {
            self.miss();
            self.text.as_bytes().to_vec()
        });
        let wanted = 32 + self.generator.random.below(33);
        let mut left = String::new();
        while left.len() + 1 + suffix.len() < wanted.max(suffix.len() + 2) {
            if !left.is_empty() {
                let dots = self.set.kind.depth == Depth::AnyDepth;
                left.push(if dots && self.generator.random.chance(40) { '.' } else { '-' });
            }
            self.generator.registered_label(&mut left);
        }
        left.truncate(wanted.saturating_sub(suffix.len() + 1).max(1));
        // The cut must not end in a dot or a hyphen.
        if left.ends_with(['.', '-']) {
            left.pop();
            left.push('x');
        }
        self.set_text(&suffix);
        self.text.insert(0, '.');
        self.text.insert_str(0, &left);
    }

    fn address(&mut self) {
        let addresses: Vec<_> = self.set.addresses().map(|(_, address)| address).collect();
        let random = &mut self.generator.random;
        let known = !addresses.is_empty() && random.chance(50);
        self.text = if known {
            match random.one_of(&addresses) {
                std::net::IpAddr::V4(address) => address.to_string(),
                std::net::IpAddr::V6(address) => format!("[{address}]"),
            }
        } else if random.chance(50) {
            format!("198.51.100.{}", random.below(256))
        } else {
            format!("[2001:db8:{:x}::{:x}]", random.below(0x1_0000), random.below(0x1_0000))
        };
        if random.chance(25) {
            self.text.push_str(":443");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::SETS;

    /// Checks the table at the top, on a set with wildcards and addresses.
    #[test]
    fn loads_match_their_description() {
        let set = NameSet::generate(*SETS.iter().find(|set| set.name == "table-1e3").unwrap());
        let oracle = Oracle::new(&set);
        for (name, kind) in LOADS {
            let load = Load::generate(kind, &set, &oracle, 2000);
            let hits = load.answers.iter().flatten().count();
            let expected = match kind {
                LoadKind::Uniform | LoadKind::Zipf => 2000..=2000,
                LoadKind::Misses | LoadKind::NearMisses => 0..=0,
                LoadKind::Mixed | LoadKind::Messy => 1400..=1600,
                // A name that ends like an exact name is a hit only below some wildcard.
                LoadKind::Adversarial => 500..=1100,
                LoadKind::Long | LoadKind::Addresses => 900..=1100,
            };
            assert!(expected.contains(&hits), "{name}: {hits}");
            let lengths = match kind {
                LoadKind::Adversarial => 252..=253,
                LoadKind::Long => 32..=64,
                _ => 4..=80,
            };
            let within = load.queries().iter().all(|query| lengths.contains(&query.len()));
            assert!(within, "{name}");
        }
    }
}
