//! Asserts that every public type is `Send` and `Sync`: a pool moves between threads.

/// Compiles only if `T` is `Send` and `Sync`.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Alpn>();
    assert::<crate::Answer>();
    assert::<crate::AnswerAction>();
    assert::<crate::AttemptId>();
    assert::<crate::Candidate<'static>>();
    assert::<crate::CandidateId>();
    assert::<crate::Choice<u8>>();
    assert::<crate::Closing>();
    assert::<crate::Coalescing>();
    assert::<crate::ConnectionFacts>();
    assert::<crate::ConnectionId>();
    assert::<crate::ConnectionState>();
    assert::<crate::ConnectionStatus>();
    assert::<crate::DnsPolicy>();
    assert::<crate::Eligibility>();
    assert::<crate::Endpoint>();
    assert::<crate::Failure>();
    assert::<crate::Grounds>();
    assert::<crate::HandshakeCheck>();
    assert::<crate::Inquiry<'static>>();
    assert::<crate::LeafDigest>();
    assert::<crate::OriginFrame<'static>>();
    assert::<crate::OriginSet>();
    assert::<crate::Output>();
    assert::<crate::Partition>();
    assert::<crate::Policy>();
    assert::<crate::Pool>();
    assert::<crate::PoolConfig>();
    assert::<crate::PoolKey>();
    assert::<crate::Progress>();
    assert::<crate::Protocol>();
    assert::<crate::Proxy>();
    assert::<crate::Refusal>();
    assert::<crate::RefusalMemory>();
    assert::<crate::RequestBody>();
    assert::<crate::RequestFacts>();
    assert::<crate::RequestId>();
    assert::<crate::RequestKind>();
    assert::<crate::ServerIdentity>();
    assert::<crate::ServerSettings>();
    assert::<crate::TlsConfigurationId>();
    assert::<crate::TlsFacts>();
    assert::<crate::Trail>();
    assert::<crate::TrailStep>();
    assert::<crate::Unprocessed>();
    assert::<crate::Verification>();
    assert::<crate::VerifierKind>();
};
