//! Measures how the figures change with size. Each side runs in its own process; they take turns.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum as _;
use serde_json::json;

use crate::Result;
use crate::grower::{FIGURES, Point, Side};
use crate::plot::{self, Chart, Style};

/// The numbers of logs: all events in one, or in many.
const LOGS: [u64; 2] = [1, 100];
/// The largest size of SQL: beyond it takes long and needs much disk.
const MOST_OF_SQL: u64 = 1_000_000;
const SIDES: [Side; 3] = [Side::Ours, Side::Indexed, Side::Plain];

/// Loads stores with up to `most` events and measures at each half of a power of ten.
pub(crate) fn run(directory: &Path, most: u64, json: bool, plot: Option<&Path>) -> Result<()> {
    let mut charts = FIGURES.map(|(work, unit)| Chart::new(format!("{work}, {unit}")));
    for logs in LOGS {
        let directory = tempfile::tempdir_in(directory)?;
        let start = |side| Growing::start(side, logs, directory.path());
        let mut sides = SIDES.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        for size in sizes(most) {
            if size > MOST_OF_SQL {
                sides.truncate(1); // ours
            }
            let points = sides.iter_mut().map(|side| side.to(size)).collect::<Result<Vec<_>>>()?;
            points.iter().try_for_each(|point| points[0].agree(point))?;
            show(logs, size, &points, json);
            for ((name, _), chart) in FIGURES.iter().zip(&mut charts) {
                for (side, point) in SIDES.into_iter().zip(&points) {
                    if let Some(figure) = point.figure(name) {
                        chart.add(&style(side, logs), (size as f64, figure));
                    }
                }
            }
            if let Some(path) = plot {
                std::fs::write(path, plot::svg(&charts))?;
            }
        }
    }
    Ok(())
}

/// Returns the sizes: 10,000, 30,000, 100,000 and so on up to `most`.
fn sizes(most: u64) -> impl Iterator<Item = u64> {
    let halves = (4..=18).flat_map(|power| [10_u64.pow(power), 3 * 10_u64.pow(power)]);
    halves.take_while(move |size| *size < most).chain([most])
}

/// Returns the name and the style of the line of a side.
fn style(side: Side, logs: u64) -> Style {
    let (class, side) = match side {
        Side::Ours => ("ours", "audit-sqlite"),
        Side::Indexed => ("indexed", "SQL, each filter indexed"),
        Side::Plain => ("plain", "SQL, no filter indexed"),
    };
    let (dash, logs) = if logs == 1 { ("", "one log") } else { ("dashed", "100 logs") };
    Style { name: format!("{side}, {logs}"), class: format!("{class} {dash}") }
}

/// Prints the figures of one size, a column for each side.
fn show(logs: u64, size: u64, points: &[Point], json: bool) {
    let figures = |name| points.iter().map(|point| point.figure(name)).collect::<Vec<_>>();
    if !json {
        println!(
            "{:46}{:>13}{:>13}{:>13}",
            format!("{size} events, logs: {logs}"),
            "ours",
            "indexed",
            "plain"
        );
    }
    for (name, unit) in FIGURES {
        let figures = figures(name);
        if json {
            let side = |at: usize| figures.get(at).copied().flatten();
            let row = json!({
                "logs": logs, "events": size, "work": name, "unit": unit,
                "ours": side(0), "indexed": side(1), "plain": side(2),
            });
            println!("{row}");
        } else if figures.iter().any(Option::is_some) {
            print!("  {name:44}");
            for figure in figures {
                print!("{:>13}", figure.map_or("-".to_owned(), |figure| format!("{figure:.1}")));
            }
            println!("  {unit}");
        }
    }
}

/// A side that grows in its own process, which is killed on drop.
pub(crate) struct Growing {
    process: Child,
    sizes: ChildStdin,
    points: BufReader<ChildStdout>,
}

impl Growing {
    pub(crate) fn start(side: Side, logs: u64, directory: &Path) -> Result<Self> {
        let side = side.to_possible_value().ok_or("a side without a name")?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["grow", "--side", side.get_name(), "--logs", &logs.to_string(), "--directory"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sizes, points) = (process.stdin.take(), process.stdout.take());
        let points = BufReader::new(points.ok_or("no pipe")?);
        Ok(Self { process, sizes: sizes.ok_or("no pipe")?, points })
    }

    /// Grows it to `size` events and returns the figures of that size.
    pub(crate) fn to(&mut self, size: u64) -> Result<Point> {
        writeln!(self.sizes, "{size}")?;
        let mut line = String::new();
        if self.points.read_line(&mut line)? == 0 {
            return Err("the process of a side ended early".into());
        }
        Point::from_line(&line)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // Its files are deleted next, so that it need not close them properly.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
