//! Badges: a label and a value.

/// The width of a character of 11 pixels in a usual sans-serif typeface, in tenths of a pixel.
const CHARACTER_WIDTH: usize = 66;

fn width(text: &str) -> usize {
    (text.chars().count() * CHARACTER_WIDTH).div_ceil(10) + 12
}

/// Draws a badge.
pub(crate) fn draw(label: &str, value: &str) -> String {
    let (left, right) = (width(label), width(value));
    let (all, middle, end) = (left + right, left / 2, left + right / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img" aria-label="{label}: {value}">
<title>{label}: {value}</title>
<clipPath id="round"><rect width="{all}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)"><rect width="{left}" height="20" fill="#444c56"/><rect x="{left}" width="{right}" height="20" fill="#1a7f37"/></g>
<g fill="#ffffff" text-anchor="middle" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
<text x="{middle}" y="14">{label}</text>
<text x="{end}" y="14">{value}</text>
</g>
</svg>
"##
    )
}
