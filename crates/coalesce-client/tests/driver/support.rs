//! A CA, and clients that trust it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use coalesce_client::rustls::RootCertStore;
use coalesce_client::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use coalesce_client::{Client, ClientBuilder, Error, FixedResolver, ResponseBody, TlsConfig};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tokio::task::JoinHandle;

/// The time after which a test that hangs fails. No test waits for it otherwise.
const HANGS_AFTER: Duration = Duration::from_secs(120);

pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Issues a certificate with these names.
    pub(crate) fn issue(
        &self,
        names: &[&str],
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let issued = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (vec![issued.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    /// Prepares a client that trusts the CA and finds all hosts at one address.
    pub(crate) fn client(&self, address: SocketAddr) -> ClientBuilder {
        let mut resolver = FixedResolver::new();
        for host in ["a.test", "b.test", "c.test"] {
            resolver = resolver.host(host, [address]);
        }
        self.client_with(resolver)
    }

    /// Prepares a client that trusts the CA.
    pub(crate) fn client_with(&self, resolver: FixedResolver) -> ClientBuilder {
        Client::builder().tls(TlsConfig::with_roots(self.roots()).unwrap()).resolver(resolver)
    }

    /// Returns the root as a store.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.as_ref().der().clone()).unwrap();
        roots
    }
}

/// Runs a test, which fails if it hangs.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANGS_AFTER, test).await.expect("the test hangs")
}

/// Makes a POST request with a body that can be sent again.
pub(crate) fn post(uri: &str, content: &'static str) -> Request<Full<Bytes>> {
    Request::post(uri).body(Full::new(Bytes::from_static(content.as_bytes()))).unwrap()
}

/// Sends a GET request in a task.
pub(crate) fn spawn_get(
    client: &Client,
    uri: String,
) -> JoinHandle<Result<Response<ResponseBody>, Error>> {
    let client = client.clone();
    tokio::spawn(async move { client.get(uri).await })
}

/// Reads a whole body as text.
pub(crate) async fn text(response: Response<ResponseBody>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}
