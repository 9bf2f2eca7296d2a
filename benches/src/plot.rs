//! Small line charts, side by side, as one SVG. Sizes run by powers of ten; figures from zero.

use std::fmt::Write as _;

/// One line.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// Size and figure, the sizes rising.
    pub(crate) points: Vec<(f64, f64)>,
}

const COLUMNS: usize = 3;
const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 120.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const CELL: (f64, f64) = (WIDTH + LEFT + 24.0, HEIGHT + TOP + 34.0);

/// The charts as a picture that is readable on light and on dark.
pub(crate) fn svg(charts: &[Chart]) -> String {
    let rows = charts.len().div_ceil(COLUMNS);
    let (width, height) = (CELL.0 * COLUMNS as f64, CELL.1 * rows as f64);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">
<style>text{{fill:dimgray}}.t{{font-size:13px;font-weight:600}}.g{{stroke:gray;stroke-opacity:.35}}.l{{stroke:steelblue;stroke-width:2;fill:none}}.p{{fill:steelblue}}
@media(prefers-color-scheme:dark){{text{{fill:silver}}.l{{stroke:skyblue}}.p{{fill:skyblue}}}}</style>
"#
    );
    for (index, chart) in charts.iter().enumerate() {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let at = (column as f64 * CELL.0 + LEFT, row as f64 * CELL.1 + TOP);
        draw(chart, at, &mut svg);
    }
    svg + "</svg>\n"
}

// Writing to a string does not fail.
fn draw(chart: &Chart, (left, top): (f64, f64), svg: &mut String) {
    let figures = chart.points.iter().map(|(_, figure)| *figure);
    let most = nice(figures.fold(0.0, f64::max));
    let sizes = || chart.points.iter().map(|(size, _)| size.log10());
    let (first, last) = (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max));
    let x = |size: f64| left + (size.log10() - first) / (last - first).max(0.1) * WIDTH;
    let y = |figure: f64| top + HEIGHT - figure / most * HEIGHT;
    let _ = writeln!(
        svg,
        r#"<text class="t" x="{}" y="{}">{}</text>"#,
        left - LEFT + 8.0,
        top - 14.0,
        chart.title
    );
    for part in 0..=2 {
        let figure = most * f64::from(part) / 2.0;
        let _ = writeln!(
            svg,
            r#"<line class="g" x1="{left}" x2="{}" y1="{y:.1}" y2="{y:.1}"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
            left + WIDTH,
            left - 6.0,
            y(figure) + 4.0,
            short(figure),
            y = y(figure),
        );
    }
    let mut line = String::new();
    for (size, figure) in &chart.points {
        let (x, y) = (x(*size), y(*figure));
        let _ = write!(line, "{x:.1},{y:.1} ");
        let _ = writeln!(svg, r#"<circle class="p" cx="{x:.1}" cy="{y:.1}" r="2.5"/>"#);
        let power = size.log10();
        if (power - power.round()).abs() < 0.01 {
            let _ = writeln!(
                svg,
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                top + HEIGHT + 16.0,
                short(*size)
            );
        }
    }
    let _ = writeln!(svg, r#"<polyline class="l" points="{line}"/>"#);
}

/// The next of 1, 2, 4, 6, 8 times a power of ten.
fn nice(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= figure).unwrap_or(figure)
}

fn short(figure: f64) -> String {
    match figure {
        f if f >= 1e6 => format!("{}M", f / 1e6),
        f if f >= 1e3 => format!("{}k", f / 1e3),
        f => format!("{f}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_ends_above_its_figures() {
        for (figure, end) in [(0.3, 0.4), (1.0, 1.0), (47.0, 60.0), (81_000.0, 100_000.0)] {
            assert!((nice(figure) - end).abs() < 1e-6, "{figure}: {}", nice(figure));
        }
    }

    #[test]
    fn every_point_is_drawn() {
        let points = vec![(1e4, 1.0), (1e5, 3.0), (1e6, 2.0)];
        let svg = svg(&[Chart { title: "page, µs".into(), points }]);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("page, µs") && svg.contains(">100k<"));
    }
}
