//! Checks that the dashboard and the alert rules name exported metrics, labels and values only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::operator::{metrics, with_admin};
use crate::world::{World, virtual_host};

const DASHBOARD: &str = include_str!("../../../../docs/observability/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../../docs/observability/prometheus-alerts.yaml");
const DOCUMENT: &str = include_str!("../../../../docs/observing.md");

/// The exported metrics, each with its labels, each with its values.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn exported() -> Exported {
    let world = World::new();
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
    // An upstream has metrics as soon as it is configured.
    let b = virtual_host("b", "b.example.test", "A")
        .replace("{ text = \"vhost=b\\n\" }", "{ upstream = \"http://127.0.0.1:1\" }");
    let a = virtual_host("a", "a.example.test", "A");
    world.write("site.toml", &format!("{listener}{a}{b}"));
    let (_server, admin) = with_admin(&world, &[]);
    let mut exported = Exported::new();
    for series in metrics(admin).keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let known = exported.entry(name.to_owned()).or_default();
        for (label, value) in matchers(labels.trim_end_matches('}')) {
            known.entry(label.to_owned()).or_default().insert(value.to_owned());
        }
    }
    exported
}

/// Returns the pairs of label and value in a list of matchers, without the operators.
fn matchers(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (label, value) = pair.split_once('"').unwrap();
        (label.trim_end_matches(['=', '!', '~']), value.trim_end_matches('"'))
    })
}

/// Labels that Prometheus and its rules add.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Checks every metric, label and value that an expression names.
fn check(expression: &str, exported: &Exported) -> usize {
    let mut found = 0;
    for (at, _) in expression.match_indices(|it: char| it.is_ascii_alphabetic()) {
        let begins =
            !expression[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        let rest = &expression[at..];
        if !begins || !(rest.starts_with("coalesce_") || rest.starts_with("process_")) {
            continue;
        }
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        let labels = exported.get(name).unwrap_or_else(|| panic!("{name}: {expression}"));
        found += 1;
        let Some(inside) = after.strip_prefix('{') else { continue };
        let (inside, _) = inside.split_once('}').unwrap();
        for (label, value) in matchers(inside) {
            if ADDED.contains(&label) {
                continue;
            }
            let values = labels.get(label).unwrap_or_else(|| panic!("{label}: {expression}"));
            for value in value.split('|') {
                assert!(values.contains(value), "{label}={value}: {expression}");
            }
        }
    }
    // The labels of a grouping must be labels of a metric in the sum.
    for grouping in expression.split("by (").skip(1) {
        let (labels, _) = grouping.split_once(')').unwrap();
        for label in labels.split(',').map(str::trim) {
            let is_known = exported.values().any(|labels| labels.contains_key(label));
            assert!(ADDED.contains(&label) || is_known, "{label}: {expression}");
        }
    }
    found
}

/// Collects every `expr` of a dashboard.
fn expressions<'a>(value: &'a Value, all: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            all.extend(fields.get("expr").and_then(Value::as_str));
            fields.values().for_each(|field| expressions(field, all));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, all)),
        _ => {}
    }
}

#[test]
fn dashboard_and_alerts_name_exported_metrics_only() {
    let exported = exported();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut all = Vec::new();
    expressions(&dashboard, &mut all);
    assert!(all.len() > 15, "{all:?}");
    let alerts = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let alerts: Vec<&str> = alerts.collect();
    assert_eq!(alerts.len(), ALERTS.matches("- alert: ").count());
    for expression in all.into_iter().chain(alerts) {
        assert!(check(expression, &exported) > 0, "no metric in {expression}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn process_metrics_are_documented() {
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `process_"));
    let documented: BTreeSet<String> =
        rows.map(|row| format!("process_{}", row.split_once('`').unwrap().0)).collect();
    let exported = exported().into_keys().filter(|name| name.starts_with("process_"));
    assert_eq!(exported.collect::<BTreeSet<_>>(), documented);
}
