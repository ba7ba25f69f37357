//! A real client that does not know ORIGIN frames.

use bytes::Bytes;
use coalesce_h2::Builder;
use http::{Request, Version};
use tokio::io::duplex;

use super::server::{News, origins, spawn, table};

/// `h2` ends a connection for a misplaced frame, and ignores frames of unknown types (RFC 9113
/// §4.1).
#[tokio::test]
async fn h2_client_is_served_while_origins_are_always_waiting() {
    let before = table(["a.test", "b.test"]);
    for batch in [true, false] {
        let builder = Builder::new().batch_writes(batch).origin_set(origins(&before));
        let (near, far) = duplex(4_096);
        let tell = spawn(builder, near, before.clone());
        let (client, connection) = h2::client::handshake(far).await.unwrap();
        let driver = tokio::spawn(connection);
        for round in 0..50 {
            let name = format!("n{round}.test");
            tell.send(News::Table(table(["a.test", "b.test", &name]))).unwrap();
            let mut open = Vec::new();
            for number in 0..20 {
                let path = if number % 4 == 0 { "fields" } else { "" };
                let host = ["a", "b", "missing"][number % 3];
                let uri = format!("https://{host}.test/{path}");
                let request = Request::get(uri).version(Version::HTTP_2).body(()).unwrap();
                let mut ready = client.clone().ready().await.unwrap();
                open.push((host, ready.send_request(request, true).unwrap().0));
            }
            for (host, response) in open {
                let response = response.await.unwrap();
                assert_eq!(response.status(), if host == "missing" { 421 } else { 200 });
                let mut content = response.into_body();
                let mut all = Vec::new();
                while let Some(data) = content.data().await {
                    let data: Bytes = data.unwrap();
                    content.flow_control().release_capacity(data.len()).unwrap();
                    all.extend_from_slice(&data);
                }
                assert_eq!(host == "missing", all != b"hello\n");
            }
        }
        drop(client);
        driver.await.unwrap().unwrap();
    }
}
