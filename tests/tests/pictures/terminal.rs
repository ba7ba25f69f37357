//! The output of a command, as a picture of a terminal.

use std::fmt::Write;

const LINE_HEIGHT: usize = 18;
const MARGIN: usize = 16;
const TITLE_HEIGHT: usize = 30;
/// The width of 10 characters of 13 pixels in a monospaced typeface.
const TEN_CHARACTERS: usize = 79;

/// The codes that the command line uses, and their classes.
const STYLES: [(&str, &str); 5] =
    [("1", "bold"), ("32", "green"), ("33", "yellow"), ("35", "magenta"), ("31", "red")];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Turns one line with escape codes into `tspan`s.
fn spans(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut svg = escape(parts.next().unwrap_or_default());
    for part in parts {
        let (codes, text) = part.split_once('m').expect("an escape code ends with m");
        let classes: Vec<&str> = codes
            .split(';')
            .filter(|code| !code.is_empty() && *code != "0")
            .map(|code| {
                let style = STYLES.iter().find(|(known, _)| *known == code);
                style.unwrap_or_else(|| panic!("unknown escape code {code}")).1
            })
            .collect();
        match &classes[..] {
            [] => svg.push_str(&escape(text)),
            classes => {
                let classes = classes.join(" ");
                write!(svg, r#"<tspan class="{classes}">{}</tspan>"#, escape(text)).unwrap();
            }
        }
    }
    svg
}

/// Draws a terminal in which `command` printed `output`.
pub(crate) fn draw(command: &str, output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let height = TITLE_HEIGHT + (lines.len() + 2) * LINE_HEIGHT + MARGIN;
    let width = 100 * TEN_CHARACTERS / 10 + 2 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title">
<title id="title">The output of {command}</title>
<style>
text {{ font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }}
text {{ fill: #e6edf3; white-space: pre }}
.bold {{ font-weight: 700 }} .green {{ fill: #3fb950 }} .yellow {{ fill: #d29922 }}
.magenta {{ fill: #bc8cff }} .red {{ fill: #ff7b72 }}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
<circle cx="20" cy="16" r="5" fill="#ff7b72"/><circle cx="38" cy="16" r="5" fill="#d29922"/><circle cx="56" cy="16" r="5" fill="#3fb950"/>
"##
    );
    let mut line = |row: usize, text: &str| {
        let y = TITLE_HEIGHT + (row + 1) * LINE_HEIGHT;
        writeln!(svg, r#"<text x="{MARGIN}" y="{y}" xml:space="preserve">{text}</text>"#).unwrap();
    };
    line(0, &format!(r#"<tspan class="green">$</tspan> {}"#, escape(command)));
    for (row, text) in lines.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        line(row + 2, &spans(text));
    }
    svg.push_str("</svg>\n");
    svg
}
