//! Ports: one address with two ports is two servers.

use coalesce_client::FixedResolver;

use crate::asking::{builder, get};
use crate::origin::{Origin, Script};
use crate::place::{Place, name};

#[tokio::test]
async fn origin_of_another_port_gets_its_own_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a", "b"])).await;
    // Both origins are at one endpoint, as behind a port map.
    let resolver = ["a", "b"].iter().fold(FixedResolver::new(), |resolver, host| {
        resolver.host(&name(host), [place.address(1)])
    });
    let client = builder().resolver(resolver).build().unwrap();
    get(&client, "https://a.example.test/").await;
    let answered = get(&client, "https://b.example.test:8443/").await;
    assert!(answered.says("port"), "{}", answered.trail);
    get(&client, "https://b.example.test/").await;
    assert_eq!(server.log().server_names(), ["a", "b"]);
}
