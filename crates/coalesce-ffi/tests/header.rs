//! The committed header is what cbindgen makes of the crate.

use std::fs;
use std::path::Path;

#[test]
fn header_is_the_one_that_cbindgen_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let configuration = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::generate_with_config(folder, configuration).unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = folder.join("include/coalesce.h");
    if std::env::var_os("COALESCE_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "{} differs; COALESCE_BLESS=1 writes it", path.display());
}
