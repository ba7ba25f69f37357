//! The checker itself, on small made-up crates.

use std::collections::BTreeSet;

use crate::circles::{circles, describe};
use crate::lengths::{Length, functions};
use crate::sources::Sources;
use crate::uses::Uses;

/// Returns what the files of a crate use, from `lib.rs` on.
fn uses(files: &[(&str, &str)]) -> Uses {
    let files = files.iter().map(|(path, text)| (format!("src/{path}"), (*text).to_owned()));
    Uses::read(["src/lib.rs"], &files.collect::<Sources>())
}

/// Returns `a.rs -> b.rs: Name`, in order, without the folder `src`.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let short = |file: &str| file.strip_prefix("src/").unwrap().to_owned();
    let uses = uses(files);
    let arrows = uses.names.iter().map(|((from, to), names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{} -> {}: {}", short(from), short(to), names.join(", "))
    });
    arrows.collect()
}

/// Returns the files of the circles, without the folder `src`.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let short = |file: &String| file.strip_prefix("src/").unwrap().to_owned();
    circles(&uses(files)).iter().map(|circle| circle.iter().map(short).collect()).collect()
}

const A_AND_B: &str = "mod a; mod b;";

#[test]
fn circle_of_two_is_found_and_described() {
    let files = [
        ("lib.rs", A_AND_B),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use crate::a::A; pub struct B; pub fn f(_: A) {}"),
    ];
    assert_eq!(circles_of(&files), [["a.rs", "b.rs"]]);
    let uses = uses(&files);
    let text = describe(circles(&uses).first().unwrap(), &uses);
    assert_eq!(text, "circle of 2 files:\n  src/a.rs -> src/b.rs: B\n  src/b.rs -> src/a.rs: A\n");
}

#[test]
fn circle_of_three_is_one_circle_and_others_are_outside() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; pub fn f() { a::f() }"),
        ("a.rs", "pub fn f() { crate::b::f() }"),
        ("b.rs", "use crate::c; pub fn f() { c::f() }"),
        ("c.rs", "use super::a::f as g; pub fn f() { g() } pub fn h() { crate::d::f() }"),
        ("d.rs", "pub fn f() {}"),
    ];
    assert_eq!(circles_of(&files), [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn reexport_is_no_use_and_leads_to_the_file_of_the_item() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"),
        ("a.rs", "use crate::B; pub struct A(B);"),
        ("b.rs", "use crate::A as C; pub struct B; impl From<C> for B {}"),
    ];
    assert_eq!(arrows(&files), ["a.rs -> b.rs: B", "b.rs -> a.rs: A"]);
    assert_eq!(circles_of(&files), [["a.rs", "b.rs"]]);
}

#[test]
fn child_that_uses_its_parent_by_super_is_a_circle() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; use b::B; pub struct A(B); const LEN: usize = 1;"),
        ("a/b.rs", "pub struct B; fn f() -> usize { super::LEN }"),
    ];
    assert_eq!(circles_of(&files), [["a/b.rs", "a/mod.rs"]]);
}

#[test]
fn methods_in_an_impl_of_another_file_are_used_by_self_and_by_path() {
    for code in ["fn f(&self) { self.g() }", "fn f(&self) { Self::g(self) }"] {
        let a = format!("mod b; pub struct A; impl A {{ {code} }}");
        let files =
            [("lib.rs", "mod a;"), ("a.rs", &a), ("a/b.rs", "impl super::A { fn g(&self) {} }")];
        assert_eq!(circles_of(&files), [["a.rs", "a/b.rs"]], "{code}");
    }
    let files = [
        ("lib.rs", "mod a; mod c;"),
        ("a.rs", "mod b; pub struct A; impl A { fn f(&self) { self.h() } fn h(&self) {} }"),
        ("a/b.rs", "impl super::A { pub fn g() {} }"),
        ("c.rs", "fn f() { crate::a::A::g() }"),
    ];
    assert_eq!(arrows(&files), ["a/b.rs -> a.rs: A", "c.rs -> a.rs: A", "c.rs -> a/b.rs: g"]);
}

#[test]
fn super_of_an_inline_module_is_the_same_file() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "pub struct A; mod inner { use super::A; mod b; use super::super::a::A as C; }"),
        ("a/inner/b.rs", "use super::super::A; fn f(_: A) {}"),
    ];
    assert_eq!(arrows(&files), ["a/inner/b.rs -> a.rs: A"]);
}

#[test]
fn code_for_tests_is_ignored() {
    let files = [
        ("lib.rs", A_AND_B),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        (
            "b.rs",
            "pub struct B; #[cfg(test)] use crate::a::A;
            #[cfg(all(test, unix))] mod tests { use crate::a::A; }
            #[cfg(test)] mod more;
            #[test] fn t() { crate::a::A; }
            impl B { #[cfg(test)] fn f(_: crate::a::A) {} }
            fn g() { #[cfg(test)] crate::a::A::new(); #[cfg(test)] let _ = crate::a::A; }",
        ),
    ];
    assert_eq!(arrows(&files), ["a.rs -> b.rs: B"]);
    let files = [
        ("lib.rs", A_AND_B),
        ("a.rs", "pub struct A;"),
        ("b.rs", "#[cfg(any(test, unix))] use crate::a::A; #[cfg(not(test))] fn f() {}"),
    ];
    assert_eq!(arrows(&files), ["b.rs -> a.rs: A"]);
}

#[test]
fn every_place_of_a_path_counts() {
    let b = "pub fn f() {} pub struct S { pub x: u8 } pub enum E { V } pub trait T {} \
             pub const N: usize = 0;";
    for (code, name) in [
        ("fn g() { crate::b::f() }", "f"),
        ("fn g(_: &[crate::b::S]) {}", "S"),
        ("impl crate::b::S { fn g() {} }", "S"),
        ("struct A; impl super::b::T for A {}", "T"),
        ("fn g<X: crate::b::T>() {}", "T"),
        ("fn g(e: u8) { match e { crate::b::E::V => {} _ => {} } }", "E"),
        ("use crate::b::E::*; fn g() { V; }", "E"),
        ("use crate::b::{self as c}; fn g() { c::f() }", "f"),
        ("fn g() { use crate::b::*; let _ = N; }", "N"),
        ("fn g() -> Vec<u8> { vec![crate::b::N, 1] }", "N"),
        ("fn g() { any! { x => crate::b::N; y } }", "N"),
        ("macro_rules! m { () => { $crate::b::f() }; }", "f"),
        ("#[derive(D)] struct A { #[serde(default = \"crate::b::f\")] x: u8 }", "f"),
    ] {
        let found = arrows(&[("lib.rs", A_AND_B), ("a.rs", code), ("b.rs", b)]);
        assert_eq!(found, [format!("a.rs -> b.rs: {name}")], "{code}");
    }
}

#[test]
fn module_alone_and_names_of_other_crates_are_no_use() {
    let b = "pub fn f() {} pub struct S;";
    for code in [
        "use crate::b; fn g() {}",
        "use ::b::S; fn g() -> ::b::S { ::b::S }",
        "use std::b::S; fn g() { tokio::f() }",
        "pub(in crate::b) fn g() {}",
        "fn g() { any! { x.f, f: 1, ::b::f } }",
        "/// [`crate::b::S`]\nfn g() {}",
    ] {
        let found = arrows(&[("lib.rs", A_AND_B), ("a.rs", code), ("b.rs", b)]);
        assert_eq!(found, [""; 0], "{code}");
    }
}

#[test]
fn file_of_a_path_attribute_is_read() {
    let files = [
        ("lib.rs", "#[path = \"x/other.rs\"] mod a; mod b;"),
        ("x/other.rs", "mod c; use super::b::B; pub struct A(B);"),
        ("x/c.rs", "fn f(_: super::A) {}"),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(arrows(&files), ["x/c.rs -> x/other.rs: A", "x/other.rs -> b.rs: B"]);
}

#[test]
fn imports_that_lead_to_themselves_end() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::*; pub use b::*;"),
        ("a.rs", "pub use crate::*; pub use crate::b::x; fn f() { x::y(); z() }"),
        ("b.rs", "pub use crate::a::*; pub use crate::a::x;"),
    ];
    assert_eq!(arrows(&files), [""; 0]);
}

#[test]
fn function_is_as_long_as_from_fn_to_brace() {
    let text = "/// Doc.\n#[inline]\nfn f() {\n}\nimpl A {\n    fn g(\n    ) {\n\n    }\n}\n\
                trait T {\n    fn none();\n    fn h() {}\n}\n#[cfg(test)]\nmod tests { fn t() {} }\n";
    let lengths = [("f", 2), ("g", 4), ("h", 1)];
    let lengths = lengths.map(|(name, lines)| Length { name: name.to_owned(), lines });
    assert_eq!(functions(text), lengths);
}

#[test]
fn files_for_tests_are_not_read() {
    let read = uses(&[("lib.rs", "mod a; #[cfg(test)] mod tests;"), ("a.rs", "")]);
    assert_eq!(read.files, BTreeSet::from(["src/a.rs", "src/lib.rs"].map(str::to_owned)));
}
