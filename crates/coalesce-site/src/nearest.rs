//! Finds the names of a site that are similar to an unknown name.

use coalesce_core::{AuthorityTable, DnsName, NamePattern};

/// The number of names to compare, so that a hint is quick for tables of any size.
const COMPARED_MAX: usize = 100_000;

/// The most differences: one or two typing errors.
const DISTANCE_MAX: usize = 2;

/// Returns sentences about the names of `table` that are similar to the unknown `name`.
pub(crate) fn hints<S: AsRef<[u8]>>(table: &AuthorityTable<S>, name: DnsName<'_>) -> Vec<String> {
    let relative = wildcard_above(table, name).or_else(|| relative(table, name));
    let hint = relative.or_else(|| {
        let near = nearest(table, name)?;
        Some(format!("the nearest name here is {near}"))
    });
    vec![hint.unwrap_or_else(|| {
        format!("no name here is like {name}: add it to the names of a virtual host")
    })]
}

/// Explains why a wildcard above `name` does not match it.
fn wildcard_above<S: AsRef<[u8]>>(table: &AuthorityTable<S>, name: DnsName<'_>) -> Option<String> {
    let wildcard = |suffix| table.get(&NamePattern::OneLabel(suffix)).is_some();
    if wildcard(name) {
        return Some(format!("*.{name} does not match {name} itself: add {name} to the names"));
    }
    let mut above = name.parent();
    while let Some(suffix) = above {
        if wildcard(suffix) {
            return Some(format!(
                "*.{suffix} matches names with one more label, and {name} has more: add {name}, or \
                 **.{suffix} for any number of labels, to the names"
            ));
        }
        above = suffix.parent();
    }
    None
}

/// Finds the name without its first label, or with `www` before it.
fn relative<S: AsRef<[u8]>>(table: &AuthorityTable<S>, name: DnsName<'_>) -> Option<String> {
    let known = |name: DnsName<'_>| table.get(&NamePattern::Exact(name)).is_some();
    if let Some(parent) = name.parent().filter(|parent| known(*parent)) {
        return Some(format!("{parent} is a name here, {name} is none"));
    }
    let www = format!("www.{name}");
    let found = DnsName::parse(www.as_bytes()).is_ok_and(known);
    found.then(|| format!("{www} is a name here, {name} is none"))
}

/// Returns the name with the fewest differences. For a wildcard, returns the name that starts with
/// the label of `name`, or the wildcard itself.
fn nearest<S: AsRef<[u8]>>(table: &AuthorityTable<S>, name: DnsName<'_>) -> Option<String> {
    let wanted = name.to_string();
    let label = wanted.split('.').next().unwrap_or_default();
    let mut best: Option<(usize, String)> = None;
    for entry in table.entries().take(COMPARED_MAX) {
        let candidates = match entry.pattern.as_pattern() {
            Some(NamePattern::Exact(known)) => {
                let known = known.to_string();
                [Some((known.clone(), known)), None]
            }
            Some(NamePattern::OneLabel(suffix) | NamePattern::AnyDepth(suffix)) => {
                let below = format!("{label}.{suffix}");
                let itself = (suffix.to_string(), entry.pattern.to_string());
                [Some((below.clone(), below)), Some(itself)]
            }
            _ => [None, None],
        };
        for (compared, shown) in candidates.into_iter().flatten() {
            let most = best.as_ref().map_or(DISTANCE_MAX, |(found, _)| found.saturating_sub(1));
            if let Some(found) = distance(&wanted, &compared, most) {
                best = Some((found, shown));
            }
        }
    }
    best.map(|(_, shown)| shown)
}

/// Returns how many bytes must be added, removed, changed or exchanged with their neighbour to make
/// one text the other (optimal string alignment). `None` if there are more than `most`.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let width = other.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..width).collect();
    let mut earlier = None;
    for (row, byte) in one.bytes().enumerate() {
        let mut current = Vec::with_capacity(width);
        current.push(row + 1);
        let mut left = None;
        for (column, known) in other.bytes().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let changed = at(&above, column) + usize::from(byte != known);
            let moved = at(&above, column + 1).min(at(&current, column)) + 1;
            let mut least = changed.min(moved);
            if earlier == Some(known) && left == Some(byte) {
                least = least.min(at(&before, column - 1).saturating_add(1));
            }
            current.push(least);
            left = Some(known);
        }
        if current.iter().all(|found| *found > most) {
            return None;
        }
        before = std::mem::replace(&mut above, current);
        earlier = Some(byte);
    }
    above.last().copied().filter(|found| *found <= most)
}

#[cfg(test)]
mod tests {
    use coalesce_core::{GroupId, GroupPolicy, VirtualHostId};

    use super::*;

    #[test]
    fn distance_counts_slips_up_to_a_limit() {
        let cases = [
            ("a.test", "a.test", Some(0)),
            ("example.tset", "example.test", Some(1)),
            ("exmple.test", "example.test", Some(1)),
            ("exampple.test", "example.test", Some(1)),
            ("ab", "ba", Some(1)),
            ("", "ab", Some(2)),
            ("abc", "cab", Some(2)),
            ("a.test", "long.test", None),
            ("abcd.test", "badc.tests", None),
        ];
        for (one, other, expected) in cases {
            assert_eq!(distance(one, other, DISTANCE_MAX), expected, "{one} {other}");
            assert_eq!(distance(other, one, DISTANCE_MAX), expected, "{other} {one}");
        }
    }

    #[test]
    fn unknown_name_is_explained_by_its_neighbours() {
        let group = GroupId::new(0);
        let mut table = AuthorityTable::builder();
        table.group(group, GroupPolicy::default()).unwrap();
        for name in ["shop.test", "www.only.test", "*.wild.test", "192.0.2.1"] {
            let pattern = NamePattern::parse(name.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(0), group).unwrap();
        }
        let table = table.build().unwrap();
        let cases = [
            ("shpo.test", "the nearest name here is shop.test"),
            ("www.shop.test", "shop.test is a name here, www.shop.test is none"),
            ("only.test", "www.only.test is a name here, only.test is none"),
            ("wild.test", "*.wild.test does not match wild.test itself"),
            ("a.b.wild.test", "*.wild.test matches names with one more label"),
            ("x.wlid.test", "the nearest name here is x.wild.test"),
            ("wild.tset", "the nearest name here is *.wild.test"),
            ("nothing.like.it", "no name here is like nothing.like.it"),
        ];
        for (name, expected) in cases {
            let said = hints(&table, DnsName::parse(name.as_bytes()).unwrap());
            assert_eq!(said.len(), 1);
            assert!(said[0].starts_with(expected), "{name}: {said:?}");
        }
    }
}
