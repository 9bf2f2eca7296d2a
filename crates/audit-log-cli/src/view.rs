//! Events for people: a row of a table, or a line.

use audit_core::{Actor, AuditEvent, Target, Timestamp};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use crate::output::columns;
use crate::text::{fit, line as on_one_line};

/// The option that sets how much of an event is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Detail {
    /// Prints whole lines: also the outcome, the address and the id of each event, with each name its
    /// e-mail address and id. Without it, a terminal gets lines of its width.
    #[arg(long, conflicts_with = "json")]
    wide: bool,
}

/// The columns of a table of events.
const COLUMNS: [&str; 6] = ["#", "OCCURRED AT", "ACTION", "ACTOR", "TARGET", "MESSAGE"];
/// The columns of a wide table of events.
const WIDE_COLUMNS: [&str; 9] =
    ["#", "OCCURRED AT", "ACTION", "OUTCOME", "ACTOR", "ADDRESS", "TARGET", "MESSAGE", "ID"];
/// The columns at the beginning that are not cut: the sequence and the time.
const WHOLE_COLUMNS: usize = 2;

impl Detail {
    /// Returns the columns to which lines are cut, if they are: those of the terminal.
    fn columns(self) -> Option<usize> {
        if self.wide { None } else { columns() }
    }

    /// Returns a table of events, one line an event.
    pub(crate) fn table(self, events: &[AuditEvent]) -> Vec<String> {
        let mut table = if self.wide {
            table_of(&WIDE_COLUMNS, events.iter().map(wide_row))
        } else {
            table_of(&COLUMNS, events.iter().map(row))
        };
        let columns = self.columns();
        if let Some(columns) = columns {
            fit_table(&mut table, columns);
        }
        let cut = |line: String| {
            let cut = columns.map_or(line.as_str().into(), |columns| fit(&line, columns));
            cut.trim_end().to_owned()
        };
        table.lines().map(cut).collect()
    }

    /// Returns an event on one line.
    pub(crate) fn line(self, event: &AuditEvent) -> String {
        let line = if self.wide { join(wide_row(event)) } else { join(row(event)) };
        self.columns().map(|columns| fit(&line, columns).into_owned()).unwrap_or(line)
    }
}

/// Returns an event on one line, whatever its length.
pub(crate) fn line(event: &AuditEvent) -> String {
    join(row(event))
}

fn join<const N: usize>(row: [String; N]) -> String {
    row.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Arranges a table in `columns`, with rows of one line.
fn fit_table(table: &mut Table, columns: usize) {
    let width = u16::try_from(columns).unwrap_or(u16::MAX);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    for column in table.column_iter_mut().take(WHOLE_COLUMNS) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    if let Some(mut header) = table.header().cloned() {
        header.max_height(1);
        table.set_header(header);
    }
    for row in table.row_iter_mut() {
        row.max_height(1);
    }
}

/// Returns a table, as wide as the terminal if there is one. The cells must be escaped already.
pub(crate) fn table<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = table_of(header, rows);
    if let Some(columns) = columns() {
        let width = u16::try_from(columns).unwrap_or(u16::MAX);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn table_of<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn row(event: &AuditEvent) -> [String; 6] {
    let targets = targets(&event.targets);
    [
        event.sequence.to_string(),
        time(event.occurred_at),
        on_one_line(event.action.as_str()).into_owned(),
        on_one_line(actor(&event.actor)).into_owned(),
        on_one_line(&targets).into_owned(),
        on_one_line(message(event)).into_owned(),
    ]
}

fn wide_row(event: &AuditEvent) -> [String; 9] {
    let targets: Vec<_> = event.targets.iter().map(wide_target).collect();
    let outcome = event.outcome.as_ref();
    let outcome =
        outcome.map(|outcome| words([Some(outcome.result.as_str()), outcome.code.as_deref()]));
    [
        event.sequence.to_string(),
        time(event.occurred_at),
        on_one_line(event.action.as_str()).into_owned(),
        on_one_line(&outcome.unwrap_or_default()).into_owned(),
        on_one_line(&wide_actor(&event.actor)).into_owned(),
        on_one_line(event.actor.ip.as_deref().unwrap_or_default()).into_owned(),
        on_one_line(&targets.join("; ")).into_owned(),
        on_one_line(message(event)).into_owned(),
        event.id.to_string(),
    ]
}

fn message(event: &AuditEvent) -> &str {
    let message = &event.message;
    let found = [&message.text, &message.title, &message.key].into_iter().flatten().next();
    found.map_or("", String::as_str)
}

/// Formats a time without trailing zeros in its fraction.
pub(crate) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    let digits = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{digits}Z")
}

/// Returns the first text that is not empty.
fn first<'a>(texts: impl IntoIterator<Item = &'a Option<String>>) -> Option<&'a str> {
    texts.into_iter().flatten().map(String::as_str).find(|text| !text.is_empty())
}

/// Joins the texts that are given and not empty.
fn words<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    texts.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns who acted: the name, or else the e-mail address, the id or the kind.
fn actor(actor: &Actor) -> &str {
    first([&actor.name, &actor.email, &actor.id]).unwrap_or(actor.kind.as_str())
}

fn wide_actor(actor: &Actor) -> String {
    let text = words([&actor.name, &actor.email, &actor.id].map(Option::as_deref));
    if text.is_empty() { actor.kind.to_string() } else { text }
}

/// Returns the first target, by its name or else its id, and the number of targets if there are more.
fn targets(targets: &[Target]) -> String {
    let Some(target) = targets.first() else { return String::new() };
    let text = words([target.kind.as_deref(), first([&target.name, &target.id])]);
    // In front, because a long text is cut at its end.
    if targets.len() > 1 { format!("({} targets) {text}", targets.len()) } else { text }
}

fn wide_target(target: &Target) -> String {
    words([&target.kind, &target.name, &target.id].map(Option::as_deref))
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{Log, NewEvent, Sequence};

    fn event(new: NewEvent) -> AuditEvent {
        AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, new)
    }

    #[test]
    fn only_zeros_after_the_decimal_point_are_dropped() {
        for (text, shown) in [
            ("2024-03-10T10:00:00Z", "2024-03-10T10:00:00Z"),
            ("2024-03-10T10:00:00.120000Z", "2024-03-10T10:00:00.12Z"),
            ("2024-03-10T10:00:00.000001Z", "2024-03-10T10:00:00.000001Z"),
        ] {
            assert_eq!(time(text.parse().unwrap()), shown);
        }
    }

    #[test]
    fn a_line_skips_absent_fields() {
        let time: Timestamp = "2024-03-10T10:00:00Z".parse().unwrap();
        let bare = NewEvent::new("a", Actor::system()).occurred_at(time);
        assert_eq!(line(&event(bare.clone())), "1  2024-03-10T10:00:00Z  a  system");
        let full = bare
            .actor(Actor::user("u").name("Ana\u{1b}").email(""))
            .target("user", "7")
            .add_target(Target::named("x"))
            .message("two\nlines");
        assert_eq!(
            line(&event(full)),
            "1  2024-03-10T10:00:00Z  a  Ana\\u{1b}  (2 targets) user 7  two\\nlines"
        );
    }

    #[test]
    fn names_come_before_ids_and_a_wide_line_has_all() {
        let time: Timestamp = "2024-03-10T10:00:00Z".parse().unwrap();
        let ana = Actor::user("u_7").name("Ana").email("ana@acme.example").ip("192.0.2.1");
        let new = NewEvent::new("invoice.paid", ana)
            .occurred_at(time)
            .outcome(audit_core::Outcome::denied().code("limit"))
            .add_target(Target::new("invoice", "inv_9").name("Invoice 9"))
            .add_target(Target::with_id("x"))
            .message("m".repeat(500));
        let event = event(new);
        assert_eq!(row(&event)[3..5], ["Ana", "(2 targets) invoice Invoice 9"]);
        let wide = Detail { wide: true };
        let long = "m".repeat(500);
        let text = format!(
            "1  2024-03-10T10:00:00Z  invoice.paid  denied limit  Ana ana@acme.example u_7  \
             192.0.2.1  invoice Invoice 9 inv_9; x  {long}  {}",
            event.id
        );
        assert_eq!(wide.line(&event), text);
        let cells = ["Ana ana@acme.example u_7", &long, &event.id.to_string()];
        let table = wide.table(&[event]);
        assert_eq!(table.len(), 2);
        assert!(cells.iter().all(|cell| table[1].contains(*cell)), "{}", table[1]);
    }

    #[test]
    fn a_table_fits_the_terminal_one_line_an_event() {
        let time: Timestamp = "2024-03-10T10:00:00.123456Z".parse().unwrap();
        let long = "長い名前 and a long text ".repeat(20);
        let new =
            NewEvent::new("user.login.failed.because.of.a.reason", Actor::user("u").name(&long))
                .occurred_at(time)
                .target("document", &long)
                .message(long.as_str());
        let events = vec![event(new); 3];
        for columns in [40, 60, 80, 200] {
            let mut table = table_of(&COLUMNS, events.iter().map(row));
            fit_table(&mut table, columns);
            let lines: Vec<_> = table.lines().collect();
            assert_eq!(lines.len(), 4, "{columns}: {lines:#?}");
            assert!(lines[1].contains("2024-03-10T10:00:00.123456Z"), "{lines:#?}");
        }
    }
}
