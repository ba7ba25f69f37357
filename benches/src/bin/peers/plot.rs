//! Draws two plots as SVG. Both axes are logarithmic.

use std::fmt::Write as _;

use coalesce_benches::table::figure;

use crate::peers::{Answers, PEERS, REFERENCE, is_ours};
use crate::records::Records;
use crate::report::is_on_curve;
use crate::sets::SETS;

/// The points of one peer: names in the table, and the plotted value.
struct Series {
    peer: &'static str,
    points: Vec<(f64, f64)>,
}

/// Plots nanoseconds per lookup of the mixed load against the size of the table.
pub(crate) fn time(records: &Records) -> String {
    let value = |set: &str, peer: &str| {
        let mut times = records.times();
        let found = times.find(|t| t.set == set && t.peer == peer && t.load == "mixed")?;
        Some(found.overlapped_ns)
    };
    draw("Nanoseconds for a lookup (mixed load, overlapped)", &series(value))
}

/// Plots bytes per name against the size of the table.
pub(crate) fn bytes(records: &Records) -> String {
    let value = |set: &str, peer: &str| {
        records.builds().find(|b| b.set == set && b.peer == peer)?.bytes_per_name
    };
    draw("Bytes for a name", &series(value))
}

fn series(value: impl Fn(&str, &str) -> Option<f64>) -> Vec<Series> {
    let points = |peer: &str| {
        let sets = SETS.iter().filter(|set| is_on_curve(set));
        let points = sets.filter_map(|set| Some((set.count as f64, value(set.name, peer)?)));
        points.filter(|(_, value)| *value > 0.0).collect::<Vec<_>>()
    };
    // The peer `null` would only take room.
    let peers = PEERS.iter().filter(|peer| peer.answers != Answers::Nothing);
    let all = peers.map(|peer| Series { peer: peer.name, points: points(peer.name) });
    all.filter(|series| !series.points.is_empty()).collect()
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;
const LEGEND_LINE: f64 = 20.0;

/// A logarithmic axis between two powers of ten.
struct Axis {
    from: i32,
    to: i32,
    start: f64,
    end: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Self {
        let min = values.clone().fold(f64::INFINITY, f64::min).log10();
        let max = values.fold(f64::NEG_INFINITY, f64::max).log10();
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten are small")]
        let (from, to) = if min.is_finite() {
            (min.floor() as i32, (max.ceil() as i32).max(min.floor() as i32 + 1))
        } else {
            (0, 1)
        };
        Self { from, to, start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        self.start + part * (self.end - self.start)
    }
}

fn draw(title: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| series.points.iter().copied());
    let across = Axis::around(points().map(|(x, _)| x), LEFT, WIDTH - RIGHT);
    let up = Axis::around(points().map(|(_, y)| y), HEIGHT - BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\" fill=\"#111\">{title}</text>\n"
    );
    grid(&mut svg, &across, &up);
    let mut ordered: Vec<(usize, &Series)> = series.iter().enumerate().collect();
    // Draw the most important lines last, on top.
    ordered.sort_by_key(|(_, series)| (is_ours(series.peer), series.peer == REFERENCE));
    for (at, series) in ordered {
        line(&mut svg, series, &style(at, series.peer), &across, &up);
    }
    let last = |series: &Series| series.points.last().map_or(0.0, |(_, y)| *y);
    let mut legend: Vec<(usize, &Series)> = series.iter().enumerate().collect();
    legend.sort_by(|(_, a), (_, b)| last(b).total_cmp(&last(a)));
    for (row, (at, series)) in legend.into_iter().enumerate() {
        legend_row(&mut svg, row, series.peer, &style(at, series.peer));
    }
    svg += "</svg>\n";
    svg
}

/// The style of a peer's line.
struct Style {
    colour: String,
    width: f64,
    dashes: &'static str,
}

fn style(at: usize, peer: &str) -> Style {
    match peer {
        // The second layout of Coalesce, if there is one, is dashed.
        _ if is_ours(peer) => {
            let dashes = if at == 0 { "" } else { "8 4" };
            Style { colour: "#d6204e".into(), width: 4.0, dashes }
        }
        REFERENCE => Style { colour: "#111".into(), width: 3.0, dashes: "" },
        _ => {
            // Neighbours get distant hues, and every second and third line is dashed.
            let hue = at * 137 % 360;
            let dashes = ["", "7 3", "2 3"][at % 3];
            Style { colour: format!("hsl({hue} 65% 42%)"), width: 1.8, dashes }
        }
    }
}

fn grid(svg: &mut String, across: &Axis, up: &Axis) {
    let bottom = HEIGHT - BOTTOM;
    let right = WIDTH - RIGHT;
    for power in up.from..=up.to {
        let y = up.at(10_f64.powi(power));
        let label = plain(10_f64.powi(power));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ccc\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{label}</text>",
            LEFT - 8.0,
            y + 4.0,
        );
        // 2 and 5 between two powers.
        for step in [2.0, 5.0] {
            let value = step * 10_f64.powi(power);
            if power < up.to {
                let y = up.at(value);
                let _ = writeln!(
                    svg,
                    "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" \
                     stroke=\"#eee\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" \
                     font-size=\"10\" fill=\"#999\">{}</text>",
                    LEFT - 8.0,
                    y + 3.5,
                    plain(value),
                );
            }
        }
    }
    for power in across.from..=across.to {
        let x = across.at(10_f64.powi(power));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ccc\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">10<tspan dy=\"-5\" \
             font-size=\"9\">{power}</tspan></text>",
            bottom + 20.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">names in the \
         table</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 12.0,
    );
}

fn plain(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { figure(value) }
}

fn line(svg: &mut String, series: &Series, style: &Style, across: &Axis, up: &Axis) {
    let Style { colour, width, dashes } = style;
    let places: Vec<(f64, f64)> =
        series.points.iter().map(|(x, y)| (across.at(*x), up.at(*y))).collect();
    let mut path = String::new();
    for (x, y) in &places {
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
    }
    let _ = writeln!(
        svg,
        "<g><title>{}</title><path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"{width}\" stroke-linejoin=\"round\" stroke-dasharray=\"{dashes}\"/>",
        series.peer,
    );
    for (x, y) in places {
        let _ =
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{width}\" fill=\"{colour}\"/>");
    }
    *svg += "</g>\n";
}

fn legend_row(svg: &mut String, row: usize, peer: &str, style: &Style) {
    let Style { colour, width, dashes } = style;
    let (x, y) = (WIDTH - RIGHT + 20.0, TOP + 4.0 + row as f64 * LEGEND_LINE);
    let weight = if is_ours(peer) || peer == REFERENCE { "bold" } else { "normal" };
    let _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"{weight}\" fill=\"#111\">{peer}</text>",
        x + 28.0,
        x + 36.0,
        y + 4.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_ends_at_powers_of_ten() {
        let axis = Axis::around([30.0, 4000.0].into_iter(), 0.0, 300.0);
        assert_eq!((axis.from, axis.to), (1, 4));
        assert!((axis.at(100.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn plot_without_points_is_valid() {
        let svg = time(&Records::default());
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
