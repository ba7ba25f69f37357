//! Converts the model's types to the crate's types and back.

use coalesce_core::{
    AuthorityTable, AuthorityTableBuilder, ClientCertificates, CoalescePolicy, ConnectPolicy,
    DnsName, Enforcement, GroupId, GroupPolicy, HandshakeRules, HostField, IdentifierSet, Layout,
    ListenerId, ListenerTable, MethodKind, NamePattern, PresentedIdentifier, RequestTarget, Scheme,
    ServedAs, ServerConnection, UnknownAuthority, Verdict, VirtualHostId, decide,
};

use crate::model::{
    Coalesce, Connect, Entry, Extra, Facts, Method, Observe, Outcome, Policy, Request, Transport,
    World,
};

/// The layouts of a table. Every answer is the same in all of them.
pub(crate) const LAYOUTS: [Layout; 2] = [Layout::Fast, Layout::Compact];

pub(crate) fn builder(world: &World) -> AuthorityTableBuilder {
    let mut table = AuthorityTable::builder();
    for (id, policy) in &world.groups {
        table.group(GroupId::new(*id), group_policy(*policy)).unwrap();
    }
    for Entry { pattern, virtual_host, group } in &world.entries {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(*virtual_host), GroupId::new(*group)).unwrap();
    }
    table
}

pub(crate) fn build_in(world: &World, layout: Layout) -> AuthorityTable {
    builder(world).layout(layout).build().unwrap()
}

pub(crate) fn build_table(world: &World) -> AuthorityTable {
    builder(world).build().unwrap()
}

pub(crate) fn group_policy(policy: Policy) -> GroupPolicy {
    let mut built = GroupPolicy::default().with_coalesce(coalescing(policy.coalesce));
    if policy.unknown_to_application {
        built.unknown_authority = UnknownAuthority::HandToApplication;
    }
    built.connect = match policy.connect {
        Connect::Refuse => ConnectPolicy::Refuse,
        Connect::Extended => ConnectPolicy::Extended,
        Connect::Any => ConnectPolicy::Any,
    };
    built
}

pub(crate) fn presented(name: &str) -> PresentedIdentifier<'_> {
    match name.parse() {
        Ok(address) => PresentedIdentifier::Ip(address),
        Err(_) => PresentedIdentifier::parse_dns(name.as_bytes()).unwrap(),
    }
}

pub(crate) fn build_set(certificate: &[String]) -> IdentifierSet {
    IdentifierSet::build(certificate.iter().map(|name| presented(name))).unwrap()
}

pub(crate) fn target(request: &Request) -> RequestTarget<'_> {
    RequestTarget {
        authority: request.authority.as_deref(),
        host: HostField::collect(request.hosts.iter().map(Vec::as_slice)),
        scheme: request.scheme.as_deref(),
        method: match request.method {
            Method::Ordinary => MethodKind::Ordinary,
            Method::Connect => MethodKind::Connect,
            Method::ExtendedConnect => MethodKind::ExtendedConnect,
        },
    }
}

pub(crate) fn run(world: &World, facts: &Facts, request: &Request) -> Verdict {
    run_with(world, facts, request, decide)
}

type Table = AuthorityTable;

/// Does [`run`] with another function that decides. Its verdicts must not differ.
pub(crate) fn run_with(
    world: &World,
    facts: &Facts,
    request: &Request,
    judge: impl FnOnce(&Table, &ServerConnection<'_>, &RequestTarget<'_>) -> Verdict,
) -> Verdict {
    with_connection(world, facts, |table, connection| judge(table, connection, &target(request)))
}

/// Calls `with` with the table of a world and a connection to it.
pub(crate) fn with_connection<R>(
    world: &World,
    facts: &Facts,
    with: impl FnOnce(&Table, &ServerConnection<'_>) -> R,
) -> R {
    let set = build_set(&facts.certificate);
    let hostnames = facts.extra.listeners.iter().flat_map(|(_, hostnames)| hostnames);
    let of_port = ListenerTable::build(hostnames.map(|(hostname, listener)| {
        (NamePattern::parse(hostname.as_bytes()).unwrap(), ListenerId::new(*listener))
    }));
    let of_port = of_port.unwrap();
    let group = GroupId::new(facts.group);
    let asked = facts.extra.observe(facts.group).map_or(ClientCertificates::NotAsked, clients);
    let connection = match facts.transport {
        Transport::Tls => ServerConnection::tls(&set, group, asked, facts.ports.clone()),
        Transport::Cleartext => ServerConnection::cleartext(group, facts.ports.clone()),
        Transport::GatewayHttp => {
            ServerConnection::trusted_gateway(Scheme::Http, group, asked, facts.ports.clone())
        }
        Transport::GatewayHttps => {
            ServerConnection::trusted_gateway(Scheme::Https, group, asked, facts.ports.clone())
        }
    };
    let server_name = facts.server_name.as_ref().map(|name| DnsName::parse(name.as_bytes()));
    let mut connection = connection.with_server_name(server_name.transpose().unwrap());
    if let Some((own, _)) = &facts.extra.listeners {
        connection = connection.with_listener(ListenerId::new(*own), &of_port);
    }
    with(&build_with(world, &facts.extra), &connection)
}

/// Builds the table of a world with its extra settings.
pub(crate) fn build_with(world: &World, extra: &Extra) -> AuthorityTable {
    let mut table = AuthorityTable::builder();
    for (id, policy) in &world.groups {
        let mut policy = group_policy(*policy);
        if let Some(observe) = extra.observe(*id) {
            policy.enforcement = Enforcement::Observe;
            policy = policy.with_handshake_rules(&Rules(clients(observe)));
        }
        table.group(GroupId::new(*id), policy).unwrap();
    }
    for entry in &world.entries {
        let Entry { pattern, virtual_host, group } = entry;
        let mut made =
            coalesce_core::Entry::new(VirtualHostId::new(*virtual_host), GroupId::new(*group));
        made.coalesce = extra.own_of(entry).map(coalescing);
        table.insert(NamePattern::parse(pattern.as_bytes()).unwrap(), made).unwrap();
    }
    table.build().unwrap()
}

struct Rules(ClientCertificates);

impl HandshakeRules for Rules {
    fn client_certificates(&self) -> ClientCertificates {
        self.0
    }
}

const fn clients(observe: Observe) -> ClientCertificates {
    match observe {
        Observe::AsksNothing => ClientCertificates::NotAsked,
        Observe::AsksForCertificates => ClientCertificates::Asked,
    }
}

const fn coalescing(coalesce: Coalesce) -> CoalescePolicy {
    match coalesce {
        Coalesce::CertificateAndGroup => CoalescePolicy::CertificateAndGroup,
        Coalesce::StrictServerName => CoalescePolicy::StrictServerName,
        Coalesce::Never => CoalescePolicy::Never,
    }
}

pub(crate) fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Serve(proof) => match (proof.served_as(), proof.observed()) {
            (ServedAs::VirtualHost(id), None) => Outcome::VirtualHost(id.get()),
            (ServedAs::Unlisted, None) => Outcome::Unlisted,
            (ServedAs::VirtualHost(id), Some(it)) => Outcome::Observed(Some(id.get()), it.code()),
            (ServedAs::Unlisted, Some(it)) => Outcome::Observed(None, it.code()),
            (ServedAs::Tunnel, _) => Outcome::Tunnel,
        },
        Verdict::Misdirected(reason) => Outcome::Misdirected(reason.code()),
        Verdict::Malformed(reason) => Outcome::Malformed(reason.code()),
    }
}
