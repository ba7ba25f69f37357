// Examples in the documentation include this file, in lines that the documentation hides.

/// A chain for `*.example.test` and its private key.
#[allow(dead_code)]
fn pem() -> Result<(String, String), rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(["*.example.test".to_owned()])?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

/// A builder with one group and one certificate, for `*.example.test`.
#[allow(dead_code)]
fn one_certificate() -> Result<
    (coalesce_tls::HandshakeTableBuilder, coalesce_core::GroupId, coalesce_tls::CertificateId),
    Box<dyn std::error::Error>,
> {
    let (chain_pem, key_pem) = pem()?;
    let chain = coalesce_tls::certificates_from_pem(chain_pem.as_bytes())?;
    let key = coalesce_tls::private_key_from_pem(key_pem.as_bytes())?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut builder = coalesce_tls::HandshakeTableBuilder::new(provider);
    let group = coalesce_core::GroupId::new(1);
    builder.group(group, coalesce_tls::TlsPolicy::default())?;
    let certificate = builder.certificate(chain, key)?;
    Ok((builder, group, certificate))
}
