//! The picture on the first page: one connection, three streams, two served, one 421.

use std::fmt::Write;

struct Stream {
    id: u32,
    authority: &'static str,
    status: u16,
    why: &'static str,
}

/// The connection was made for `www`; its certificate covers all three hosts.
const STREAMS: [Stream; 3] = [
    Stream { id: 1, authority: "www.shop.test", status: 200, why: "the host of the connection" },
    Stream { id: 3, authority: "img.shop.test", status: 200, why: "in the same certificate" },
    Stream { id: 5, authority: "admin.shop.test", status: 421, why: "needs a client certificate" },
];

const ROW_HEIGHT: usize = 44;
const FIRST_ROW: usize = 92;

/// Follows the reader's choice of a light or dark page.
const STYLE: &str = "\
text { font: 14px ui-sans-serif, system-ui, sans-serif; fill: #1f2328 }
.code { font: 13px ui-monospace, SFMono-Regular, Menlo, monospace }
.small { font-size: 12px; fill: #59636e }
.box { fill: #f6f8fa; stroke: #59636e }
.pipe { fill: none; stroke: #59636e; stroke-dasharray: 4 3 }
.served { stroke: #1a7f37; fill: none; stroke-width: 2 }
.misdirected { stroke: #bc4c00; fill: none; stroke-width: 2 }
text.served { fill: #1a7f37; stroke: none; font-weight: 600 }
text.misdirected { fill: #bc4c00; stroke: none; font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 }
.box { fill: #151b23; stroke: #9198a1 } .pipe { stroke: #9198a1 }
.served { stroke: #3fb950 } .misdirected { stroke: #f0883e }
text.served { fill: #3fb950 } text.misdirected { fill: #f0883e }
}";

/// Draws the picture.
pub(crate) fn draw() -> String {
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 270" width="760" height="270" role="img" aria-labelledby="title">
<title id="title">One HTTP/2 connection with three streams: two are served, one gets a 421</title>
<style>
{STYLE}
</style>
<rect class="box" x="10" y="70" width="90" height="136" rx="6"/>
<text x="55" y="143" text-anchor="middle">browser</text>
<rect class="pipe" x="100" y="60" width="400" height="156" rx="10"/>
<text x="300" y="24" text-anchor="middle">one connection, server name <tspan class="code">www.shop.test</tspan></text>
<text class="small" x="300" y="46" text-anchor="middle">its certificate covers *.shop.test</text>
<rect class="box" x="500" y="70" width="250" height="136" rx="6"/>
"#
    );
    for (row, stream) in STREAMS.iter().enumerate() {
        let y = FIRST_ROW + row * ROW_HEIGHT;
        let class = if stream.status == 200 { "served" } else { "misdirected" };
        let Stream { id, authority, status, why } = stream;
        write!(
            svg,
            r#"<text class="code" x="116" y="{text}">stream {id}: GET https://{authority}/</text>
<path class="{class}" d="M110 {y} H486 M478 {arrow_top} L487 {y} L478 {arrow_bottom}"/>
<text class="{class}" x="512" y="{middle}">{status}</text>
<text x="548" y="{middle}">{why}</text>
"#,
            text = y - 6,
            middle = y + 4,
            arrow_top = y - 5,
            arrow_bottom = y + 5,
        )
        .unwrap();
    }
    svg.push_str(
        r#"<text class="small" x="380" y="244" text-anchor="middle">The connection goes on. The browser repeats stream 5 on a new connection for <tspan class="code">admin.shop.test</tspan>.</text>
</svg>
"#,
    );
    svg
}
