//! What rustdoc knows of a library, from its documentation as JSON: the types of other crates in
//! the public interface, and the names at the crate's root.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Crates whose types are everywhere. `pin-project-lite` is in bounds that only its macro can meet.
const NOT_COUNTED: [&str; 4] = ["alloc", "core", "pin_project_lite", "std"];

/// The documentation of one library as JSON.
pub(crate) struct Documented(Value);

impl Documented {
    pub(crate) fn parse(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap())
    }

    fn object(&self, field: &str) -> &Map<String, Value> {
        self.0[field].as_object().unwrap_or_else(|| panic!("rustdoc's JSON has no {field:?}"))
    }

    /// The crates whose types, traits or items are public here, by the names that a program writes.
    pub(crate) fn external_crates(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for item in self.object("index").values() {
            let implementation = &item["inner"]["impl"];
            // The compiler adds implementations for every type: `Send`, `impl<T> From<T> for T`.
            let added = implementation["is_synthetic"] == true
                || implementation["blanket_impl"].is_object();
            if item["crate_id"] == 0 && !added {
                self.add_crates(&item["inner"], &mut found);
            }
        }
        found.retain(|name| !NOT_COUNTED.contains(&&name[..]));
        found
    }

    /// Adds the crate of each path below `value`: an object with the path and the id of an item.
    fn add_crates(&self, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if (fields.contains_key("path") || fields.contains_key("source"))
                    && let Some(item) = self.object("paths").get(&fields["id"].to_string())
                    && item["crate_id"] != 0
                {
                    let id = item["crate_id"].to_string();
                    let name = self.object("external_crates")[&id]["name"].as_str().unwrap();
                    found.insert(name.to_owned());
                }
                fields.values().for_each(|value| self.add_crates(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| self.add_crates(value, found)),
            _ => {}
        }
    }

    /// The names of its structs and enums.
    pub(crate) fn types(&self) -> BTreeSet<String> {
        let own = self.object("index").values().filter(|item| item["crate_id"] == 0);
        let types = own.filter(|item| {
            item["inner"]["struct"].is_object() || item["inner"]["enum"].is_object()
        });
        types.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of its types, traits and free functions whose documentation has no example.
    pub(crate) fn names_without_example(&self) -> BTreeSet<String> {
        let index = self.object("index");
        let named = |kind: &'static str| {
            index
                .values()
                .filter(move |item| item["crate_id"] == 0 && item["inner"][kind].is_object())
        };
        let methods: BTreeSet<String> = ["impl", "trait"]
            .into_iter()
            .flat_map(named)
            .flat_map(|item| {
                let inner = &item["inner"];
                let items = [&inner["impl"]["items"], &inner["trait"]["items"]];
                items.into_iter().filter_map(Value::as_array).flatten()
            })
            .map(Value::to_string)
            .collect();
        let items =
            ["struct", "enum", "trait", "type_alias", "function"].into_iter().flat_map(named);
        items
            .filter(|item| !methods.contains(&item["id"].to_string()))
            .filter(|item| !item["docs"].as_str().is_some_and(|docs| docs.contains("```")))
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Enums and their struct-like variants, without those that may get more fields.
    pub(crate) fn variants_with_fixed_fields(&self) -> BTreeSet<(String, String)> {
        let index = self.object("index");
        let mut found = BTreeSet::new();
        for item in index.values().filter(|item| item["crate_id"] == 0) {
            let variants = item["inner"]["enum"]["variants"].as_array();
            for variant in variants.into_iter().flatten() {
                let variant = &index[&variant.to_string()];
                let attributes = variant["attrs"].as_array().unwrap();
                if variant["inner"]["variant"]["kind"]["struct"].is_object()
                    && !attributes.iter().any(|attribute| attribute == "non_exhaustive")
                {
                    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
                    found.insert((name(item), name(variant)));
                }
            }
        }
        found
    }

    /// The names at the root of the crate.
    pub(crate) fn root_names(&self) -> BTreeSet<String> {
        let index = self.object("index");
        let items = &index[&self.0["root"].to_string()]["inner"]["module"]["items"];
        let items = items.as_array().unwrap().iter().map(|id| &index[&id.to_string()]);
        let name = |item: &Value| match &item["name"] {
            Value::String(name) => name.clone(),
            _ => item["inner"]["use"]["name"].as_str().unwrap().to_owned(),
        };
        items.map(name).collect()
    }
}

/// The names that a `lib.rs` makes public, whatever features they need.
pub(crate) fn exported_names(library: &str) -> BTreeSet<String> {
    let file = syn::parse_file(library).unwrap();
    let mut names = BTreeSet::new();
    for item in &file.items {
        match item {
            syn::Item::Use(item) if is_public(&item.vis) => add_names(&item.tree, &mut names),
            syn::Item::Mod(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                names.insert(item.ident.to_string());
            }
            _ => {}
        }
    }
    names
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    let is_hidden = |attribute: &syn::Attribute| {
        attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "hidden")
    };
    attributes.iter().any(is_hidden)
}

fn add_names(tree: &syn::UseTree, names: &mut BTreeSet<String>) {
    match tree {
        syn::UseTree::Path(path) => add_names(&path.tree, names),
        syn::UseTree::Name(name) => {
            names.insert(name.ident.to_string());
        }
        syn::UseTree::Rename(rename) => {
            names.insert(rename.rename.to_string());
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| add_names(tree, names)),
        syn::UseTree::Glob(_) => panic!("a glob hides which names are public"),
    }
}

/// The types that a `send_and_sync.rs` asserts: the argument of each `assert::<…>()`.
pub(crate) fn asserted_types(file: &str) -> BTreeSet<String> {
    let calls = file.lines().filter_map(|line| line.trim().strip_prefix("assert::<crate::"));
    let paths = calls.map(|call| call.split(['<', '>']).next().unwrap());
    paths.map(|path| path.rsplit("::").next().unwrap().to_owned()).collect()
}

/// The crates in the first column of the table "External types", as a program writes their names.
pub(crate) fn crates_in_table(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split_once(" | ").expect("two columns").0);
    let names = cells.flat_map(|cell| cell.split(", "));
    // `rustls-webpki` is the one package whose library has another name.
    names
        .map(|name| match name.trim_matches('`') {
            "rustls-webpki" => "webpki".to_owned(),
            name => name.replace('-', "_"),
        })
        .collect()
}

#[test]
fn external_crates_are_found_in_signatures_and_implementations() {
    let documented = Documented::parse(
        r#"{
            "root": 0,
            "index": {
                "0": {"crate_id": 0, "name": "own", "inner": {"module": {"items": [1, 2]}}},
                "1": {"crate_id": 0, "name": "function", "inner": {"function": {
                    "inputs": [["a", {"resolved_path": {"path": "Bytes", "id": 10}}]]}}},
                "2": {"crate_id": 0, "name": null, "inner": {"use": {
                    "source": "http", "name": "web", "id": 11}}},
                "3": {"crate_id": 0, "name": null, "inner": {"impl": {
                    "is_synthetic": false, "blanket_impl": {"generic": "T"},
                    "trait": {"path": "Instrument", "id": 12}}}}
            },
            "paths": {
                "10": {"crate_id": 1}, "11": {"crate_id": 2}, "12": {"crate_id": 3}
            },
            "external_crates": {
                "1": {"name": "bytes"}, "2": {"name": "http"}, "3": {"name": "tracing"}
            }
        }"#,
    );
    let expected = ["bytes", "http"].map(str::to_owned);
    assert_eq!(documented.external_crates(), BTreeSet::from(expected));
    assert_eq!(documented.root_names(), BTreeSet::from(["function", "web"].map(str::to_owned)));
}

#[test]
fn names_are_read_from_exports_and_tables() {
    let library = "mod a;\npub mod b;\n#[doc(hidden)]\npub mod c;\n#[cfg(x)]\npub use a::{D, e::F};\n\
                   use a::G;\npub use h as i;\n";
    let expected = ["D", "F", "b", "i"].map(str::to_owned);
    assert_eq!(exported_names(library), BTreeSet::from(expected));
    let asserted = "    assert::<crate::A<'static>>();\n    assert::<crate::log::B>();\n";
    assert_eq!(asserted_types(asserted), BTreeSet::from(["A", "B"].map(str::to_owned)));
    let table = "| crates | with |\n| --- | --- |\n| `http-body`, `rustls-webpki` | always |\n";
    let expected = ["http_body", "webpki"].map(str::to_owned);
    assert_eq!(crates_in_table(table), BTreeSet::from(expected));
}
