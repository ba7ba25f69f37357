//! Pages as lists of requests: the hosts of a few operators, in waves that wait for each other.

use std::net::Ipv4Addr;

use coalesce_benches::random::Random;
use serde::{Deserialize, Serialize};

/// The middle size of an answer in bytes.
const BYTES_MEDIAN: f64 = 6000.0;

/// The standard deviation of the logarithm of a size.
const BYTES_SIGMA: f64 = 1.2;

/// The smallest and the largest answer in bytes.
const BYTES: (f64, f64) = (200.0, 500_000.0);

/// A page of one shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) name: String,
    pub(crate) operators: Vec<Operator>,
    /// A wave starts after the last answer of the wave before it.
    pub(crate) waves: Vec<Vec<Fetch>>,
}

/// A certificate and the hosts that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operator {
    pub(crate) hosts: Vec<Host>,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fetch {
    pub(crate) host: String,
    pub(crate) path: String,
    /// The length of the right answer.
    pub(crate) bytes: usize,
}

impl Fetch {
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }
}

/// The addresses of the operators of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addresses {
    /// An address for each operator.
    Own,
    /// One address for all.
    Shared,
    /// Two addresses for each operator. A half of its hosts has the first, the others the second,
    /// as if DNS balanced the load.
    Two,
}

/// The waves of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waves {
    /// The page, six tenths of the rest, and then all others.
    Three,
    /// All at once.
    One,
}

/// The shape of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// The description of the page in the tables.
    pub(crate) about: &'static str,
    pub(crate) hosts: usize,
    pub(crate) operators: usize,
    pub(crate) requests: usize,
    addresses: Addresses,
    waves: Waves,
}

impl Shape {
    const fn page(name: &'static str, about: &'static str, [h, o, r]: [usize; 3]) -> Self {
        let (addresses, waves) = (Addresses::Own, Waves::Three);
        Self { name, about, hosts: h, operators: o, requests: r, addresses, waves }
    }

    const fn with_addresses(self, addresses: Addresses) -> Self {
        Self { addresses, ..self }
    }

    const fn at_once(self) -> Self {
        Self { waves: Waves::One, ..self }
    }

    /// Returns true if all requests start at once, which every peer can do.
    pub(crate) fn is_burst(&self) -> bool {
        self.waves == Waves::One
    }

    /// Returns the fewest connections that carry the page with one certificate on each of them.
    pub(crate) fn fewest_connections(&self) -> usize {
        if self.addresses == Addresses::Two { 2 * self.operators } else { self.operators }
    }
}

/// All shapes, in the order of the tables.
pub(crate) const SHAPES: [Shape; 9] = [
    Shape::page("p50", "the median page", [14, 5, 76]),
    Shape::page("p90", "a page of the 90th percentile", [47, 14, 150]),
    Shape::page("even", "many hosts of few operators", [32, 4, 100]),
    Shape::page("web", "the median page with the certificates of today", [14, 13, 76]),
    Shape::page("shared", "p90, all operators on one address", [47, 14, 150])
        .with_addresses(Addresses::Shared),
    Shape::page("two", "p50, two addresses for each operator", [14, 5, 76])
        .with_addresses(Addresses::Two),
    Shape::page("burst", "p50, all requests at once", [14, 5, 76]).at_once(),
    Shape::page("host", "100 requests to one host at once", [1, 1, 100]).at_once(),
    Shape::page("thousand", "1,000 requests to one host at once", [1, 1, 1000]).at_once(),
];

/// Returns the shape of this name.
pub(crate) fn shape(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// Makes the pages of all shapes. No two of them share a host, a certificate or an address.
pub(crate) fn all() -> Vec<Trace> {
    (1..).zip(&SHAPES).map(|(net, shape)| make(shape, net)).collect()
}

/// Makes the page of a shape with addresses in the network 10.77.`net`.0.
fn make(shape: &Shape, net: u8) -> Trace {
    let mut random = Random::new(u64::from(net));
    let mut operators = vec![Operator { hosts: Vec::new() }; shape.operators];
    for number in 0..shape.hosts {
        // Each operator has a host at least.
        let at = if number < shape.operators { number } else { random.zipf(shape.operators) };
        let hosts = &mut operators[at].hosts;
        let name = format!("h{}.{}-{at}.test", hosts.len(), shape.name);
        let last = match shape.addresses {
            Addresses::Own => at,
            Addresses::Shared => 0,
            Addresses::Two => 2 * at + hosts.len() % 2,
        };
        let last = u8::try_from(last + 1).unwrap_or(u8::MAX);
        hosts.push(Host { name, address: Ipv4Addr::new(10, 77, net, last) });
    }
    let all = operators.iter().flat_map(|operator| &operator.hosts);
    let all: Vec<String> = all.map(|host| host.name.clone()).collect();
    // The page comes from the first host, and each other host has a request at least.
    let mut rest: Vec<String> = all[1..].to_vec();
    while rest.len() + 1 < shape.requests {
        rest.push(all[random.zipf(all.len())].clone());
    }
    random.shuffle(&mut rest);
    let hosts = [vec![all[0].clone()], rest].concat();
    let mut fetches: Vec<Fetch> =
        hosts.into_iter().enumerate().map(|(at, host)| fetch(at, host, &mut random)).collect();
    let waves = match shape.waves {
        Waves::One => vec![fetches],
        Waves::Three => {
            let mut second = fetches.split_off(1);
            let third = second.split_off(second.len() * 6 / 10);
            vec![fetches, second, third]
        }
    };
    Trace { name: shape.name.to_owned(), operators, waves }
}

fn fetch(number: usize, host: String, random: &mut Random) -> Fetch {
    // The sum of twelve uniform numbers is close to a normal distribution of variance 1.
    let normal: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    let size = (BYTES_MEDIAN * (BYTES_SIGMA * normal).exp()).clamp(BYTES.0, BYTES.1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the size lies between two constants"
    )]
    let bytes = size as usize;
    Fetch { host, path: format!("/{number}/{bytes}"), bytes }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pages_have_the_numbers_of_their_shapes() {
        for (trace, shape) in all().iter().zip(&SHAPES) {
            let fetches: Vec<&Fetch> = trace.waves.iter().flatten().collect();
            assert_eq!(fetches.len(), shape.requests, "{}", shape.name);
            let hosts: BTreeSet<&str> = fetches.iter().map(|fetch| fetch.host.as_str()).collect();
            assert_eq!(hosts.len(), shape.hosts, "{}", shape.name);
            let served = trace.operators.iter().map(|operator| operator.hosts.len());
            assert_eq!(served.sum::<usize>(), shape.hosts, "{}", shape.name);
        }
    }

    #[test]
    fn pages_are_the_same_in_every_run() {
        assert_eq!(all(), all());
    }

    #[test]
    fn sizes_have_the_median() {
        let mut random = Random::new(3);
        let mut sizes: Vec<usize> =
            (0..1001).map(|at| fetch(at, String::new(), &mut random).bytes).collect();
        sizes.sort_unstable();
        assert!((5_400..6_600).contains(&sizes[500]), "{}", sizes[500]);
    }
}
