//! A row of the result: our figure, its limit, its bar.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    /// The work, and the work beside it.
    work: String,
    ours: f64,
    limit: Option<f64>,
    unit: &'static str,
    bar: Option<Bar>,
}

/// The target for the ratio of our figure to the limit; without a limit, for our figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    pub(crate) fn new(work: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self { work: work.into(), ours, limit: None, unit, bar: None }
    }

    pub(crate) fn ours(&self) -> f64 {
        self.ours
    }

    pub(crate) fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn bar(mut self, bar: Option<Bar>) -> Self {
        self.bar = bar;
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.limit.map(|limit| self.ours / limit)
    }

    fn holds(&self) -> Option<bool> {
        let measured = self.ratio().unwrap_or(self.ours);
        self.bar.map(|bar| match bar {
            Bar::AtLeast(least) => measured >= least,
            Bar::AtMost(most) => measured <= most,
        })
    }

    fn bar_text(&self) -> Option<String> {
        self.bar.map(|bar| match bar {
            Bar::AtLeast(least) => format!(">= {least}"),
            Bar::AtMost(most) => format!("<= {most}"),
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "work": self.work, "ours": self.ours, "limit": self.limit, "unit": self.unit,
            "ratio": self.ratio(), "bar": self.bar_text(), "holds": self.holds(),
        })
    }

    fn cells(&self) -> [String; 7] {
        let holds = self.holds().map(|holds| if holds { "yes" } else { "NO" });
        [
            self.work.clone(),
            figure(self.ours),
            self.limit.map(figure).unwrap_or_default(),
            self.unit.into(),
            self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.bar_text().unwrap_or_default(),
            holds.unwrap_or_default().into(),
        ]
    }
}

/// Returns the rows as an aligned table.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["work", "ours", "limit", "unit", "ratio", "bar", "holds"].map(String::from);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..7).map(width).collect();
    let mut text = String::from(
        "ratio = ours / limit; higher is better for rates, lower for everything else\n",
    );
    for [work, ours, limit, unit, ratio, bar, holds] in &lines {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{work:0$}  {ours:>1$}  {limit:>2$}  {unit:3$}  {ratio:>4$}  {bar:>5$}  {holds}",
            widths[0], widths[1], widths[2], widths[3], widths[4], widths[5],
        );
    }
    text
}

fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the number per second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A rate over all rounds, so that work that is not in each round, such as merges, is included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    count: u64,
    time: Duration,
}

impl std::ops::AddAssign for Pace {
    fn add_assign(&mut self, other: Self) {
        self.add(other.count, other.time);
    }
}

impl Pace {
    pub(crate) fn add(&mut self, count: u64, time: Duration) {
        self.count += count;
        self.time += time;
    }

    pub(crate) fn rate(self) -> f64 {
        rate(self.count, self.time)
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_for_the_ratio_or_else_for_the_figure() {
        let row = Row::new("x", "s", 3.0).bar(Some(Bar::AtMost(2.0)));
        assert_eq!(row.holds(), Some(false));
        let row = row.limit(2.0);
        assert_eq!((row.ratio(), row.holds()), (Some(1.5), Some(true)));
        assert_eq!(row.bar(Some(Bar::AtLeast(2.0))).to_json()["holds"], json!(false));
        assert_eq!(Row::new("x", "s", 1.0).to_json()["holds"], Value::Null);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }
}
