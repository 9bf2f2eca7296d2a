//! Draws small charts side by side, as one SVG. The sizes have a logarithmic axis. The figures have
//! a linear axis from zero, or a logarithmic one if they differ much.

use std::fmt::Write as _;

/// One figure at several sizes.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    title: String,
    lines: Vec<(Style, Vec<Point>)>,
}

/// A size and a figure.
type Point = (f64, f64);

/// The name of a line, and its classes in [`STYLE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) name: String,
    pub(crate) class: String,
}

impl Chart {
    pub(crate) fn new(title: String) -> Self {
        Self { title, lines: Vec::new() }
    }

    /// Adds a point to the line of this style. Sizes must rise.
    pub(crate) fn add(&mut self, style: &Style, point: Point) {
        match self.lines.iter_mut().find(|(of, _)| of == style) {
            Some((_, points)) => points.push(point),
            None => self.lines.push((style.clone(), vec![point])),
        }
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        self.lines.iter().flat_map(|(_, points)| points).copied()
    }
}

const COLUMNS: usize = 3;
const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 120.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 38.0;
const CELL: (f64, f64) = (WIDTH + LEFT + 24.0, HEIGHT + TOP + 32.0);

/// Has a background, so that it is readable on any page. Uses no variables, which only browsers
/// support.
const STYLE: &str = "
.ground{fill:#fff}text{fill:#444}.title{font-size:12px;font-weight:600}.grid{stroke:#ddd}
.ours{stroke:#1668b0}.indexed{stroke:#c4540a}.plain{stroke:#777}
.line{fill:none;stroke-width:1.8}.point{fill:none;stroke-width:2.2}.line.dashed{stroke-dasharray:5 3}
@media(prefers-color-scheme:dark){
.ground{fill:#15191e}text{fill:#c3c9d0}.grid{stroke:#363d45}
.ours{stroke:#63b3f5}.indexed{stroke:#f59a56}.plain{stroke:#9aa1a9}}
";

/// Returns the charts that have points as one picture, with the legend last.
pub(crate) fn svg(charts: &[Chart]) -> String {
    let charts: Vec<_> = charts.iter().filter(|chart| !chart.lines.is_empty()).collect();
    let rows = (charts.len() + 1).div_ceil(COLUMNS);
    let (width, height) = (CELL.0 * COLUMNS as f64, CELL.1 * rows as f64);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10.5">
<style>{STYLE}</style><rect class="ground" width="{width}" height="{height}"/>
"#
    );
    let at = |index: usize| {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        (column as f64 * CELL.0 + LEFT, row as f64 * CELL.1 + TOP)
    };
    let mut sizes: Vec<_> = charts.iter().flat_map(|chart| chart.points()).map(|p| p.0).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    let mut styles: Vec<&Style> = Vec::new();
    for (index, chart) in charts.iter().enumerate() {
        draw(chart, &sizes, at(index), &mut svg);
        for (style, _) in &chart.lines {
            if !styles.contains(&style) {
                styles.push(style);
            }
        }
    }
    let (left, top) = at(charts.len());
    for (row, Style { name, class }) in (0..).zip(styles) {
        let y = top + 20.0 * f64::from(row);
        let line = format!("{left},{y} {},{y}", left + 36.0);
        put(&mut svg, &format!(r#"<polyline class="line {class}" points="{line}"/>"#));
        text(&mut svg, "", (left + 44.0, y + 4.0), name);
    }
    svg + "</svg>\n"
}

fn draw(chart: &Chart, sizes: &[f64], (left, top): (f64, f64), svg: &mut String) {
    let figures = || chart.points().map(|(_, figure)| figure);
    let scale = Scale::of(figures().fold(f64::MAX, f64::min), figures().fold(0.0, f64::max));
    let (first, last) = (sizes[0].log10(), sizes[sizes.len() - 1].log10());
    let x = |size: f64| left + (size.log10() - first) / (last - first).max(0.1) * WIDTH;
    let y = |figure: f64| top + HEIGHT * (1.0 - scale.share(figure));

    text(svg, r#"class="title""#, (left - LEFT + 10.0, top - 14.0), &chart.title);
    for figure in scale.ticks() {
        let (right, y) = (left + WIDTH, y(figure));
        put(
            svg,
            &format!(r#"<line class="grid" x1="{left}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#),
        );
        text(svg, END, (left - 6.0, y + 4.0), &short(figure));
    }
    for size in sizes.iter().copied().filter(|size| (size.log10().fract()).abs() < 1e-9) {
        text(svg, MIDDLE, (x(size), top + HEIGHT + 16.0), &short(size));
    }
    for (Style { class, .. }, points) in &chart.lines {
        let mut line = String::new();
        for (size, figure) in points {
            let (x, y) = (x(*size), y(*figure));
            let _ = write!(line, "{x:.1},{y:.1} "); // writing to a string does not fail
            put(
                svg,
                &format!(r#"<circle class="point {class}" cx="{x:.1}" cy="{y:.1}" r="1.1"/>"#),
            );
        }
        put(svg, &format!(r#"<polyline class="line {class}" points="{line}"/>"#));
    }
}

fn put(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}

const MIDDLE: &str = r#"text-anchor="middle""#;
const END: &str = r#"text-anchor="end""#;

fn text(svg: &mut String, attributes: &str, (x, y): (f64, f64), text: &str) {
    put(svg, &format!(r#"<text {attributes} x="{x:.1}" y="{y:.1}">{text}</text>"#));
}

/// The vertical axis of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Linear, from zero to this.
    Even(f64),
    /// Logarithmic, from the first power of ten to the second.
    Powers(i32, i32),
}

impl Scale {
    /// Returns an axis for the least and the greatest figure; the greatest is near the top.
    fn of(least: f64, greatest: f64) -> Self {
        const FAR: f64 = 25.0;
        if least > 0.0 && greatest / least > FAR {
            #[allow(clippy::cast_possible_truncation)] // a logarithm is small
            return Self::Powers(least.log10().floor() as i32, greatest.log10().ceil() as i32);
        }
        let power = 10_f64.powf(greatest.max(1e-9).log10().floor());
        let ends = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|end| end * power);
        Self::Even(ends.into_iter().find(|end| *end >= greatest).unwrap_or(greatest))
    }

    /// Returns the height of a figure, from 0 at the bottom to 1 at the top.
    fn share(self, figure: f64) -> f64 {
        match self {
            Self::Even(end) => figure / end,
            Self::Powers(first, last) => {
                (figure.log10() - f64::from(first)) / f64::from(last - first)
            }
        }
    }

    fn ticks(self) -> Vec<f64> {
        match self {
            Self::Even(end) => vec![0.0, end / 2.0, end],
            Self::Powers(first, last) => (first..=last).map(|power| 10_f64.powi(power)).collect(),
        }
    }
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
    fn a_scale_ends_above_its_figures() {
        for (figure, end) in [(0.3, 0.4), (1.0, 1.0), (47.0, 60.0), (81_000.0, 100_000.0)] {
            let Scale::Even(found) = Scale::of(figure, figure) else { panic!("{figure}") };
            assert!((found - end).abs() < 1e-6, "{figure}: {found}");
        }
        let far = Scale::of(3.0, 4_000.0);
        assert_eq!(far, Scale::Powers(0, 4));
        assert!((far.share(100.0) - 0.5).abs() < 1e-6 && far.ticks().len() == 5);
    }

    #[test]
    fn every_point_is_drawn_and_every_style_explained_once() {
        let style = |name: &str| Style { name: name.into(), class: "ours".into() };
        let mut chart = Chart::new("page, µs".into());
        for size in [1e4, 1e5, 1e6] {
            chart.add(&style("one"), (size, 1.0));
            chart.add(&style("many"), (size, 2.0));
        }
        let svg = svg(&[chart.clone(), Chart::new("empty".into()), chart]);
        assert_eq!(svg.matches("<circle").count(), 12);
        assert_eq!(svg.matches(">many<").count(), 1);
        assert!(svg.contains("page, µs") && svg.contains(">100k<") && !svg.contains("empty"));
    }
}
