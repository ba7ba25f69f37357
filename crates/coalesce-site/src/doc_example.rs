// Examples in the documentation include this file, in lines that the documentation hides.

/// A certificate for `*.example.test` and its key, made here.
#[allow(dead_code)]
fn identity() -> Result<coalesce_site::Identity, rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(["*.example.test".to_owned()])?;
    Ok(coalesce_site::Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem()))
}

/// A site with the hosts `shop.example.test` and `admin.example.test` in groups of their own, each
/// with its title.
#[allow(dead_code)]
fn site() -> Result<coalesce_site::Site<&'static str>, Box<dyn std::error::Error>> {
    let identity = identity()?;
    let admin = coalesce_site::Host::new("admin.example.test", identity.clone(), "Administration");
    let site = coalesce_site::Site::builder()
        .host("shop.example.test", identity, "Shop")
        .add_host(admin.group("staff"))
        .group("staff", coalesce_site::GroupSettings::new().isolated())
        .build()?;
    Ok(site)
}
