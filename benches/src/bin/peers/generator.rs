//! Generates realistic names.
//!
//! The generator imitates names in public certificate logs and lists of popular sites:
//!
//! - Top-level domains by Zipf's law: `com` far ahead, then `net`, `org`, country codes, new ones;
//!   some of two labels (`co.uk`, `com.br`).
//! - Registered labels: pairs of words (some with a hyphen), pronounceable inventions, words with
//!   digits, short abbreviations.
//! - First labels by Zipf's law: `www`, `api`, `mail`, `cdn` and other common ones; one in six has
//!   a number (`web3`, `node-17`).
//! - One to about forty hosts in a domain, few in most; one in ten is the domain itself, one in
//!   eight has a further label (`api.eu-west.example.com`).
//!
//! Every name is lower case, valid for a host, and has 12 to 30 bytes with its wildcard.

use coalesce_benches::random::Random;

/// Top-level domains, the most frequent first.
const TOP: [&str; 40] = [
    "com", "net", "org", "de", "co.uk", "io", "fr", "nl", "ru", "com.br", "it", "com.au", "dev",
    "pl", "info", "eu", "app", "ca", "ch", "co.jp", "in", "es", "se", "be", "cz", "at", "us",
    "xyz", "co", "me", "online", "dk", "co.in", "shop", "ai", "cloud", "org.uk", "com.mx", "tech",
    "fi",
];

/// First labels, the most frequent first.
const FIRST: [&str; 48] = [
    "www", "api", "mail", "cdn", "m", "app", "blog", "shop", "dev", "static", "img", "staging",
    "test", "admin", "webmail", "assets", "media", "portal", "support", "docs", "auth", "login",
    "status", "beta", "files", "store", "git", "vpn", "demo", "help", "news", "secure", "sso",
    "web", "node", "edge", "db", "smtp", "cpanel", "remote", "images", "video", "my", "grafana",
    "jira", "ci", "ns", "mx",
];

const BETWEEN: [&str; 16] = [
    "eu", "us", "prod", "stage", "eu-west", "us-east", "k8s", "int", "ap", "internal", "dev", "de",
    "lab", "corp", "svc", "uk",
];

const WORDS: [&str; 96] = [
    "alpha", "arc", "art", "auto", "base", "bay", "bell", "best", "bit", "blue", "book", "box",
    "bright", "brook", "camp", "care", "cart", "city", "clear", "cloud", "club", "code", "core",
    "craft", "data", "day", "deal", "deep", "dot", "dream", "eco", "edge", "fair", "farm", "fast",
    "field", "first", "fit", "flow", "fox", "fresh", "gate", "gold", "green", "grid", "hill",
    "home", "hub", "iron", "jet", "key", "lake", "lane", "leaf", "life", "light", "line", "link",
    "log", "mark", "mind", "moon", "net", "north", "nova", "ocean", "one", "open", "park", "path",
    "peak", "pixel", "play", "point", "port", "post", "pure", "quick", "red", "ring", "river",
    "rock", "safe", "sea", "shift", "sky", "smart", "soft", "star", "stone", "sun", "swift",
    "trade", "true", "wave", "wood",
];

const ONSETS: [&str; 20] = [
    "b", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "br", "st",
    "tr", "ch",
];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "a", "e", "ai"];
const CODAS: [&str; 8] = ["", "", "", "", "n", "r", "s", "l"];

/// The limits of a name's length, with its wildcard.
pub(crate) const LENGTH: std::ops::RangeInclusive<usize> = 12..=30;

/// An endless source of names.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    pub(crate) random: Random,
    domain: String,
    /// The number of hosts that the current domain still gets.
    hosts: usize,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), domain: String::new(), hosts: 0 }
    }

    /// Writes the next name, of the current domain or of a new one. Its length is not checked.
    pub(crate) fn name(&mut self, into: &mut String) {
        self.next_domain();
        into.clear();
        if !self.random.chance(10) {
            self.first_label(into);
            into.push('.');
            if self.random.chance(12) {
                into.push_str(self.random.one_of::<&str>(&BETWEEN));
                into.push('.');
            }
        }
        into.push_str(&self.domain);
    }

    /// Writes the part of the next wildcard that follows the `*.`.
    pub(crate) fn suffix(&mut self, into: &mut String) {
        self.next_domain();
        into.clear();
        if self.random.chance(30) {
            if self.random.chance(50) {
                into.push_str(self.random.one_of::<&str>(&BETWEEN));
            } else {
                self.first_label(into);
            }
            into.push('.');
        }
        into.push_str(&self.domain);
    }

    /// Writes a left-most label.
    pub(crate) fn first_label(&mut self, into: &mut String) {
        let rank = self.random.zipf(FIRST.len());
        into.push_str(FIRST[rank]);
        if self.random.chance(16) {
            if self.random.chance(30) {
                into.push('-');
            }
            self.number(into);
        }
    }

    /// Writes a label as registrars sell it.
    pub(crate) fn registered_label(&mut self, into: &mut String) {
        match self.random.below(100) {
            0..45 => {
                into.push_str(self.random.one_of::<&str>(&WORDS));
                if self.random.chance(12) {
                    into.push('-');
                }
                into.push_str(self.random.one_of::<&str>(&WORDS));
            }
            45..85 => {
                for _ in 0..2 + self.random.below(3) {
                    into.push_str(self.random.one_of::<&str>(&ONSETS));
                    into.push_str(self.random.one_of::<&str>(&VOWELS));
                    into.push_str(self.random.one_of::<&str>(&CODAS));
                }
            }
            85..95 => {
                into.push_str(self.random.one_of::<&str>(&WORDS));
                self.number(into);
            }
            _ => {
                for _ in 0..3 + self.random.below(2) {
                    let letter = *self.random.one_of(b"abcdefghiklmnoprstuvwz");
                    into.push(char::from(letter));
                }
            }
        }
    }

    fn number(&mut self, into: &mut String) {
        let limit = if self.random.chance(75) { 10 } else { 1000 };
        into.push_str(&self.random.below(limit).to_string());
    }

    fn next_domain(&mut self) {
        if self.hosts > 0 {
            self.hosts -= 1;
            return;
        }
        while self.hosts < 40 && self.random.chance(70) {
            self.hosts += 1;
        }
        let mut domain = std::mem::take(&mut self.domain);
        domain.clear();
        self.registered_label(&mut domain);
        domain.push('.');
        let rank = self.random.zipf(TOP.len());
        domain.push_str(TOP[rank]);
        self.domain = domain;
    }
}
