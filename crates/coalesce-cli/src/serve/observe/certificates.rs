//! The expiry times of the served certificates, for a scrape.
//!
//! The registry of the other metrics never forgets a series, but certificates change with the
//! configuration. So these series are written at each scrape, from the served configuration.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::config::Site;
use crate::serve::limits::METERED_CERTIFICATES_MAX;
use crate::serve::observe::meters::CERTIFICATE_END;

/// Labels of certificates with the second at which they end, the earliest first.
pub(in crate::serve) type CertificateEnds = Vec<(String, i64)>;

/// Returns the expiry times of `site`'s certificates; if there are many, of those that expire
/// first.
pub(in crate::serve) fn ends(site: &Site) -> CertificateEnds {
    let certificates = site.certificates().map(|certificate| {
        let end = certificate.validity_period().not_after().unix_seconds();
        (certificate.label().to_owned(), end)
    });
    earliest(certificates)
}

fn earliest(certificates: impl Iterator<Item = (String, i64)>) -> CertificateEnds {
    let mut ends: BTreeMap<String, i64> = BTreeMap::new();
    for (label, end) in certificates {
        let known = ends.entry(label).or_insert(end);
        *known = (*known).min(end);
    }
    let mut ends: CertificateEnds = ends.into_iter().collect();
    ends.sort_by_key(|(_, end)| *end);
    ends.truncate(METERED_CERTIFICATES_MAX);
    ends
}

/// Appends the series to the rendered metrics.
pub(in crate::serve) fn render(ends: &CertificateEnds, rendered: &mut String) {
    let name = CERTIFICATE_END.name;
    // Writing to a string cannot fail.
    let _ = writeln!(rendered, "# HELP {name} {}\n# TYPE {name} gauge", CERTIFICATE_END.help);
    for (label, end) in ends {
        let label = label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        let _ = writeln!(rendered, "{name}{{certificate=\"{label}\"}} {end}");
    }
    rendered.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_ends_are_few_and_the_earliest_first() {
        let many = (0..1_000_i64).rev().map(|number| (format!("{number}.pem"), number));
        let ends = earliest(many.chain([("7.pem".to_owned(), -1)]));
        assert_eq!(ends.len(), METERED_CERTIFICATES_MAX);
        assert_eq!(ends.first(), Some(&("7.pem".to_owned(), -1)));
        assert_eq!(ends.get(1), Some(&("0.pem".to_owned(), 0)));
    }

    #[test]
    fn certificate_label_is_escaped() {
        let mut rendered = String::new();
        render(&vec![("a\"b\\c\nd".to_owned(), 7)], &mut rendered);
        let series =
            r#"coalesce_certificate_not_after_timestamp_seconds{certificate="a\"b\\c\nd"} 7"#;
        assert!(rendered.ends_with(&format!("{series}\n\n")), "{rendered}");
    }
}
