//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is `Send` and `Sync`.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Authoritative>();
    assert::<crate::Authority<'static>>();
    assert::<crate::AuthorityError>();
    assert::<crate::AuthorityTable<&'static [u8]>>();
    assert::<crate::ClientCertificates>();
    assert::<crate::CoalescePolicy>();
    assert::<crate::ConnectPolicy>();
    assert::<crate::DnsName<'static>>();
    assert::<crate::Enforcement>();
    assert::<crate::Entry>();
    assert::<crate::FormatError>();
    assert::<crate::GroupId>();
    assert::<crate::GroupPolicy>();
    assert::<crate::Host<'static>>();
    assert::<crate::HostField<'static>>();
    assert::<crate::IdentifierError>();
    assert::<crate::IdentifierSet<&'static [u8]>>();
    assert::<crate::Layout>();
    assert::<crate::ListenerId>();
    assert::<crate::Listing>();
    assert::<crate::Malformed>();
    assert::<crate::MalformedAnswer>();
    assert::<crate::Memo<'static>>();
    assert::<crate::MethodKind>();
    assert::<crate::Misdirected>();
    assert::<crate::NameError>();
    assert::<crate::NamePattern<'static>>();
    assert::<crate::NameTrie<&'static [u8]>>();
    assert::<crate::Origin<'static>>();
    assert::<crate::OriginError>();
    assert::<crate::PatternError>();
    assert::<crate::Ports<'_>>();
    assert::<crate::PresentedIdentifier<'static>>();
    assert::<crate::RefusalHint<'static>>();
    assert::<crate::PresentedSet<'static>>();
    assert::<crate::RequestTarget<'static>>();
    assert::<crate::Scheme>();
    assert::<crate::ServedAs>();
    assert::<crate::ServerConnection<'static>>();
    assert::<crate::Step>();
    assert::<crate::StoredPattern<'static>>();
    assert::<crate::TableEntry<'static>>();
    assert::<crate::UnknownAuthority>();
    assert::<crate::Verdict>();
    assert::<crate::VirtualHostId>();
};

#[cfg(feature = "alloc")]
const _: () = {
    assert::<crate::AuthorityBuf>();
    assert::<crate::AuthorityTableBuilder>();
    assert::<crate::BuildError>();
    assert::<crate::DnsNameBuf>();
    assert::<crate::Duplicate>();
    assert::<crate::HostBuf>();
    assert::<crate::ListenerTable>();
    assert::<crate::NameTrieBuilder>();
    assert::<crate::OriginBuf>();
    assert::<crate::Progress>();
    assert::<crate::Stage>();
};
