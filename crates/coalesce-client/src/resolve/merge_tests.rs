use super::*;
use crate::resolve::limits::RESOLUTION_DELAY;

const LONG: Duration = Duration::from_secs(3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn start(name: &str, port: u16) -> (Merge, Vec<String>) {
    let mut merge =
        Merge::new(Question { name: name.parse().unwrap(), port, https: true }, RESOLUTION_DELAY);
    let queries = asked(&mut merge);
    (merge, queries)
}

fn asked(merge: &mut Merge) -> Vec<String> {
    std::iter::from_fn(|| merge.poll_query())
        .map(|it| format!("{} {:?}", it.name, it.kind))
        .collect()
}

fn reply(merge: &mut Merge, at: u64, name: &str, kind: RecordKind, result: Result<Records, bool>) {
    let query = Query { name: name.parse().unwrap(), kind };
    let error = |failed| {
        if failed { QueryError::Failed("no answer".to_owned()) } else { QueryError::Absent }
    };
    let result = result.map_err(error);
    merge.handle_reply(ms(at), &query, &Reply { result, ttl: LONG });
}

fn v4(merge: &mut Merge, at: u64, name: &str, last: u8) {
    let found = Records::Addresses(vec![IpAddr::from([192, 0, 2, last])]);
    reply(merge, at, name, RecordKind::A, Ok(found));
}

fn v6(merge: &mut Merge, at: u64, name: &str, last: u16) {
    let found = Records::Addresses(vec![IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])]);
    reply(merge, at, name, RecordKind::Aaaa, Ok(found));
}

fn absent(merge: &mut Merge, at: u64, name: &str, kind: RecordKind) {
    reply(merge, at, name, kind, Err(false));
}

fn https(merge: &mut Merge, at: u64, name: &str, records: Vec<HttpsRecord>) {
    reply(merge, at, name, RecordKind::Https, Ok(Records::Https(records)));
}

fn service(priority: u16, target: Option<&str>, change: impl FnOnce(&mut Service)) -> HttpsRecord {
    let mut service = Service {
        priority,
        target: target.map(|it| it.parse().unwrap()),
        port: None,
        alpn: Alpn::UNSAID,
        hints: Vec::new(),
    };
    change(&mut service);
    HttpsRecord::Service(service)
}

fn alias(target: &str) -> HttpsRecord {
    HttpsRecord::Alias(Some(target.parse().unwrap()))
}

/// Returns the new endpoints: `h3` behind those without TCP.
fn endpoints(merge: &mut Merge, at: u64) -> Vec<String> {
    let found = merge.poll_endpoints(ms(at)).unwrap_or_default();
    let mark = |it: &Endpoint| if it.alpn.allows_tcp() { "" } else { " h3" };
    found.iter().map(|it| format!("{}{}", it.address, mark(it))).collect()
}

#[test]
fn three_queries_start_at_once_and_the_port_is_in_the_name() {
    let (_, queries) = start("a.test", 443);
    assert_eq!(queries, ["a.test Https", "a.test Aaaa", "a.test A"]);
    let (_, queries) = start("a.test", 8443);
    assert_eq!(queries, ["_8443._https.a.test Https", "a.test Aaaa", "a.test A"]);
    let mut plain = Merge::new(
        Question { name: "a.test".parse().unwrap(), port: 80, https: false },
        RESOLUTION_DELAY,
    );
    assert_eq!(asked(&mut plain), ["a.test Aaaa", "a.test A"]);
}

#[test]
fn endpoints_wait_for_both_families_and_https_records() {
    let (mut merge, _) = start("a.test", 443);
    v4(&mut merge, 0, "a.test", 1);
    assert!(endpoints(&mut merge, 0).is_empty());
    assert_eq!(merge.poll_timeout(), Some(ms(50)));
    v6(&mut merge, 20, "a.test", 1);
    assert!(endpoints(&mut merge, 20).is_empty());
    absent(&mut merge, 30, "a.test", RecordKind::Https);
    assert_eq!(endpoints(&mut merge, 30), ["[2001:db8::1]:443", "192.0.2.1:443"]);
    assert!(merge.is_done(ms(30)));
}

#[test]
fn endpoints_wait_at_most_for_the_resolution_delay_and_late_ones_follow() {
    let (mut merge, _) = start("a.test", 443);
    v4(&mut merge, 10, "a.test", 1);
    assert!(endpoints(&mut merge, 59).is_empty());
    assert_eq!(endpoints(&mut merge, 60), ["192.0.2.1:443"]);
    assert!(endpoints(&mut merge, 60).is_empty());
    v6(&mut merge, 70, "a.test", 1);
    assert_eq!(endpoints(&mut merge, 70), ["[2001:db8::1]:443"]);
    assert!(!merge.is_done(ms(1069)));
    assert_eq!(merge.poll_timeout(), Some(ms(1070)));
    assert!(merge.is_done(ms(1070)));
}

#[test]
fn failed_https_query_does_not_fail_the_host() {
    let (mut merge, _) = start("a.test", 443);
    reply(&mut merge, 0, "a.test", RecordKind::Https, Err(true));
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    assert_eq!(endpoints(&mut merge, 0), ["192.0.2.1:443"]);
    assert!(merge.is_done(ms(0)));
    assert_eq!(merge.failure(), Some("no answer"));
}

#[test]
fn host_without_records_has_no_endpoints() {
    let (mut merge, _) = start("a.test", 443);
    for kind in [RecordKind::Https, RecordKind::A, RecordKind::Aaaa] {
        assert!(!merge.is_done(LONG));
        absent(&mut merge, 0, "a.test", kind);
    }
    assert!(endpoints(&mut merge, 0).is_empty());
    assert!(merge.is_done(ms(0)));
    assert_eq!(merge.failure(), None);
}

#[test]
fn services_come_by_priority_before_the_plain_addresses() {
    let (mut merge, _) = start("a.test", 443);
    let records = vec![
        service(2, None, |it| it.port = Some(8444)),
        service(1, None, |it| it.port = Some(8443)),
    ];
    https(&mut merge, 0, "a.test", records);
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    let expected = ["192.0.2.1:8443", "192.0.2.1:8444", "192.0.2.1:443"];
    assert_eq!(endpoints(&mut merge, 0), expected);
}

#[test]
fn address_for_http3_alone_gets_no_plain_endpoint() {
    let (mut merge, _) = start("a.test", 443);
    let only_h3 = service(1, None, |it| it.alpn = Alpn::from_ids([&b"h3"[..]]));
    https(&mut merge, 0, "a.test", vec![only_h3]);
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    assert_eq!(endpoints(&mut merge, 0), ["192.0.2.1:443 h3"]);
}

#[test]
fn another_target_is_resolved_and_its_hints_serve_until_then() {
    let (mut merge, _) = start("a.test", 443);
    let hint = IpAddr::from([192, 0, 2, 9]);
    let record = service(1, Some("cdn.test"), |it| it.hints = vec![hint]);
    https(&mut merge, 0, "a.test", vec![record]);
    assert_eq!(asked(&mut merge), ["cdn.test Aaaa", "cdn.test A"]);
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    assert!(endpoints(&mut merge, 49).is_empty());
    assert_eq!(endpoints(&mut merge, 50), ["192.0.2.9:443", "192.0.2.1:443"]);
    absent(&mut merge, 60, "cdn.test", RecordKind::Aaaa);
    v4(&mut merge, 60, "cdn.test", 2);
    assert_eq!(endpoints(&mut merge, 60), ["192.0.2.2:443"]);
    assert!(merge.is_done(ms(60)));
}

#[test]
fn number_of_services_and_targets_is_bounded() {
    let (mut merge, _) = start("a.test", 443);
    let records = (0..100)
        .map(|number| service(number + 1, Some(&format!("t{number}.test")), |_| ()))
        .collect();
    https(&mut merge, 0, "a.test", records);
    assert_eq!(asked(&mut merge).len(), 2 * TARGETS_MAX);
}

#[test]
fn alias_is_followed_and_the_host_itself_comes_last() {
    let (mut merge, _) = start("a.test", 443);
    https(&mut merge, 0, "a.test", vec![service(1, None, |_| ()), alias("b.test")]);
    assert_eq!(asked(&mut merge), ["b.test Https", "b.test Aaaa", "b.test A"]);
    let record = service(1, None, |it| it.port = Some(8443));
    https(&mut merge, 0, "b.test", vec![record]);
    for (name, last) in [("a.test", 1), ("b.test", 2)] {
        v4(&mut merge, 0, name, last);
        absent(&mut merge, 0, name, RecordKind::Aaaa);
    }
    let expected = ["192.0.2.2:8443", "192.0.2.2:443", "192.0.2.1:443"];
    assert_eq!(endpoints(&mut merge, 0), expected);
}

#[test]
fn chain_of_aliases_is_bounded_and_a_loop_ends() {
    let (mut merge, _) = start("a.test", 443);
    https(&mut merge, 0, "a.test", vec![alias("b.test")]);
    asked(&mut merge);
    https(&mut merge, 0, "b.test", vec![alias("a.test")]);
    assert!(asked(&mut merge).is_empty());

    let (mut merge, _) = start("0.test", 443);
    let mut queries = 0;
    for number in 0..100 {
        https(
            &mut merge,
            0,
            &format!("{number}.test"),
            vec![alias(&format!("{}.test", number + 1))],
        );
        queries += asked(&mut merge).len();
    }
    assert_eq!(queries, 3 * ALIASES_MAX);
}

#[test]
fn alias_to_the_root_is_ignored() {
    let (mut merge, _) = start("a.test", 443);
    https(&mut merge, 0, "a.test", vec![HttpsRecord::Alias(None)]);
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    assert_eq!(endpoints(&mut merge, 0), ["192.0.2.1:443"]);
}

#[test]
fn late_https_record_does_not_repeat_an_address() {
    let (mut merge, _) = start("a.test", 443);
    v4(&mut merge, 0, "a.test", 1);
    absent(&mut merge, 0, "a.test", RecordKind::Aaaa);
    assert_eq!(endpoints(&mut merge, 50), ["192.0.2.1:443"]);
    let other_port = service(2, None, |it| it.port = Some(8443));
    https(&mut merge, 60, "a.test", vec![service(1, None, |_| ()), other_port]);
    assert_eq!(endpoints(&mut merge, 60), ["192.0.2.1:8443"]);
}

/// A generator of pseudo-random numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn reply(&mut self, kind: RecordKind) -> Result<Records, QueryError> {
        match (self.below(6), kind) {
            (0, _) => Err(QueryError::Absent),
            (1, _) => Err(QueryError::Failed("no answer".to_owned())),
            (_, RecordKind::Https) => Ok(Records::Https(
                (0..self.below(12)).map(|priority| self.https_record(priority)).collect(),
            )),
            _ => Ok(Records::Addresses((0..self.below(80)).map(|_| self.address()).collect())),
        }
    }

    fn address(&mut self) -> IpAddr {
        let last = u8::try_from(self.below(200)).unwrap();
        IpAddr::from([192, 0, 2, last])
    }

    fn https_record(&mut self, priority: u64) -> HttpsRecord {
        let target = (self.below(3) > 0).then(|| format!("h{}.test", self.below(20)));
        if self.below(6) == 0 {
            return HttpsRecord::Alias(target.map(|it| it.parse().unwrap()));
        }
        let priority = u16::try_from(priority + 1).unwrap();
        service(priority, target.as_deref(), |it| {
            it.port = (self.below(2) == 0).then_some(8443);
            it.hints = (0..self.below(4)).map(|_| self.address()).collect();
            it.alpn =
                Alpn::from_ids([&b"h3"[..]].into_iter().take(usize::from(self.below(2) == 0)));
        })
    }
}

#[test]
fn every_resolution_ends_within_its_limits() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..500 {
        let question = Question { name: "h0.test".parse().unwrap(), port: 443, https: true };
        let mut merge = Merge::new(question, RESOLUTION_DELAY);
        let (mut open, mut queries, mut now) = (Vec::new(), 0, 0);
        let mut given = Vec::new();
        loop {
            open.extend(std::iter::from_fn(|| merge.poll_query()).inspect(|_| queries += 1));
            given.extend(merge.poll_endpoints(ms(now)).unwrap_or_default());
            if merge.is_done(ms(now)) {
                break;
            }
            now += numbers.below(40);
            let place = usize::try_from(numbers.below(open.len().try_into().unwrap())).unwrap();
            let query: Query = open.swap_remove(place);
            let reply = Reply { result: numbers.reply(query.kind), ttl: LONG };
            merge.handle_reply(ms(now), &query, &reply);
        }
        assert!(queries <= 3 + 3 * ALIASES_MAX + 2 * TARGETS_MAX, "{queries}");
        assert!(given.len() <= ENDPOINTS_MAX, "{}", given.len());
        for (place, endpoint) in given.iter().enumerate() {
            assert!(!given[place + 1..].contains(endpoint), "{endpoint:?} comes twice");
        }
        assert_eq!(merge.into_endpoints(), given);
    }
}
