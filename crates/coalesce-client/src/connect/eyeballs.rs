//! Happy Eyeballs (RFC 8305): the order of addresses, and when the next one is tried. A state
//! machine without sockets and without a clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use coalesce_pool::Endpoint;

use super::limits::{ADDRESSES_MAX, HAPPY_EYEBALLS_DELAY_MIN};

/// Returns the addresses to try, in order: the families take turns (RFC 8305 §4), and each family
/// has the order of the endpoints. The family of the first endpoint begins, because the resolver
/// has sorted them.
///
/// Endpoints without a protocol on TCP are left out, and so are `0.0.0.0` and `::`: a connect to
/// them reaches the own machine.
pub(crate) fn order(endpoints: &[Endpoint]) -> Vec<SocketAddr> {
    let mut usable: Vec<SocketAddr> = Vec::new();
    for endpoint in endpoints {
        let address = endpoint.address;
        let names_server = !address.ip().to_canonical().is_unspecified();
        if names_server && endpoint.alpn.allows_tcp() && !usable.contains(&address) {
            usable.push(address);
        }
    }
    let begins_with_v6 = usable.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        usable.into_iter().partition(|it| it.is_ipv6() == begins_with_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            break;
        }
        ordered.extend(pair.into_iter().flatten());
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// The addresses of one attempt: those that wait, and the number of those that connect.
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    connecting: usize,
    next_at: Duration,
    delay: Duration,
}

/// The next thing to do in a [`Race`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start to connect to this address, and ask again.
    Connect(SocketAddr),
    /// Wait for a result, and at most until this time if there is one.
    Wait { until: Option<Duration> },
    /// Every address has failed.
    Exhausted,
}

impl Race {
    /// Makes a race. It starts at time zero.
    pub(crate) fn new(addresses: Vec<SocketAddr>, delay: Duration) -> Self {
        let delay = delay.max(HAPPY_EYEBALLS_DELAY_MIN);
        Self { waiting: addresses.into(), connecting: 0, next_at: Duration::ZERO, delay }
    }

    /// Returns the next step.
    pub(crate) fn step(&mut self, now: Duration) -> Step {
        if self.waiting.is_empty() {
            let over = self.connecting == 0;
            return if over { Step::Exhausted } else { Step::Wait { until: None } };
        }
        if now < self.next_at {
            return Step::Wait { until: Some(self.next_at) };
        }
        let Some(address) = self.waiting.pop_front() else { return Step::Exhausted };
        self.connecting = self.connecting.saturating_add(1);
        self.next_at = now.saturating_add(self.delay);
        Step::Connect(address)
    }

    /// Notes that a connect failed: the next address is tried at once (RFC 8305 §5).
    pub(crate) fn failed(&mut self, now: Duration) {
        self.connecting = self.connecting.saturating_sub(1);
        self.next_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalesce_pool::Alpn;

    fn endpoints(addresses: &[&str]) -> Vec<Endpoint> {
        addresses.iter().map(|it| Endpoint::new(it.parse().unwrap())).collect()
    }

    fn ordered(addresses: &[&str]) -> Vec<String> {
        order(&endpoints(addresses)).iter().map(ToString::to_string).collect()
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 443))
    }

    fn race(count: u8) -> Race {
        Race::new((1..=count).map(address).collect(), ms(250))
    }

    #[test]
    fn families_take_turns_and_keep_their_order() {
        let given =
            ["[2001:db8::1]:443", "[2001:db8::2]:443", "[2001:db8::3]:443", "192.0.2.1:443"];
        let expected =
            ["[2001:db8::1]:443", "192.0.2.1:443", "[2001:db8::2]:443", "[2001:db8::3]:443"];
        assert_eq!(ordered(&given), expected);
        let given = ["192.0.2.1:443", "192.0.2.2:443", "[2001:db8::1]:443"];
        assert_eq!(ordered(&given), ["192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.2:443"]);
        assert!(ordered(&[]).is_empty());
    }

    #[test]
    fn unspecified_repeated_and_http3_endpoints_are_left_out() {
        let given =
            ["0.0.0.0:443", "[::]:443", "[::ffff:0.0.0.0]:443", "192.0.2.1:443", "192.0.2.1:443"];
        assert_eq!(ordered(&given), ["192.0.2.1:443"]);
        let mut http3 = Endpoint::new(address(2));
        http3.alpn = Alpn::from_ids([&b"h3"[..]]);
        assert!(order(&[http3]).is_empty());
    }

    #[test]
    fn number_of_addresses_is_bounded() {
        let many: Vec<_> = (0..200).map(|last| Endpoint::new(address(last))).collect();
        assert_eq!(order(&many).len(), ADDRESSES_MAX);
    }

    #[test]
    fn next_address_is_tried_after_the_delay() {
        let mut race = race(2);
        assert_eq!(race.step(ms(0)), Step::Connect(address(1)));
        assert_eq!(race.step(ms(0)), Step::Wait { until: Some(ms(250)) });
        assert_eq!(race.step(ms(249)), Step::Wait { until: Some(ms(250)) });
        assert_eq!(race.step(ms(250)), Step::Connect(address(2)));
        assert_eq!(race.step(ms(250)), Step::Wait { until: None });
    }

    #[test]
    fn next_address_is_tried_at_once_after_a_failure() {
        let mut race = race(3);
        assert_eq!(race.step(ms(0)), Step::Connect(address(1)));
        race.failed(ms(3));
        assert_eq!(race.step(ms(3)), Step::Connect(address(2)));
        assert_eq!(race.step(ms(4)), Step::Wait { until: Some(ms(253)) });
        race.failed(ms(5));
        assert_eq!(race.step(ms(5)), Step::Connect(address(3)));
        assert_eq!(race.step(ms(5)), Step::Wait { until: None });
        race.failed(ms(6));
        assert_eq!(race.step(ms(6)), Step::Exhausted);
    }

    #[test]
    fn race_without_addresses_is_exhausted() {
        assert_eq!(race(0).step(ms(0)), Step::Exhausted);
    }

    #[test]
    fn delay_has_a_lower_bound() {
        let mut race = Race::new(vec![address(1), address(2)], Duration::ZERO);
        assert_eq!(race.step(ms(0)), Step::Connect(address(1)));
        assert_eq!(race.step(ms(0)), Step::Wait { until: Some(ms(10)) });
    }
}
