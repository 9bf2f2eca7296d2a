//! Events for people: a row of a table, or a line.

use audit_core::{Actor, AuditEvent, Target, Timestamp};
use comfy_table::{ContentArrangement, Table, presets};

use crate::text::cell;

/// The columns of a table of events.
const COLUMNS: [&str; 6] = ["#", "OCCURRED AT", "ACTION", "ACTOR", "TARGET", "MESSAGE"];

/// Returns a table of events, as wide as the terminal if there is one.
pub(crate) fn events(events: &[AuditEvent]) -> Table {
    table(&COLUMNS, events.iter().map(row))
}

/// Returns an event on one line.
pub(crate) fn line(event: &AuditEvent) -> String {
    row(event).into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Returns a table, as wide as the terminal if there is one. The cells must be escaped already.
pub(crate) fn table<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some((_, columns)) = console::Term::stdout().size_checked() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn row(event: &AuditEvent) -> [String; 6] {
    let message = &event.message;
    let message = [&message.text, &message.title, &message.key].into_iter().flatten().next();
    [
        event.sequence.to_string(),
        time(event.occurred_at),
        cell(event.action.as_str()),
        cell(actor(&event.actor)),
        cell(&targets(&event.targets)),
        cell(message.map_or("", String::as_str)),
    ]
}

/// Formats a time without trailing zeros in its fraction.
pub(crate) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    let digits = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{digits}Z")
}

fn actor(actor: &Actor) -> &str {
    let named = [&actor.email, &actor.name, &actor.id].into_iter().flatten();
    named.map(String::as_str).find(|text| !text.is_empty()).unwrap_or(actor.kind.as_str())
}

fn targets(targets: &[Target]) -> String {
    let Some(first) = targets.first() else { return String::new() };
    let which = first.id.as_deref().filter(|id| !id.is_empty()).or(first.name.as_deref());
    let mut text =
        [first.kind.as_deref(), which].into_iter().flatten().collect::<Vec<_>>().join(" ");
    if targets.len() > 1 {
        // In front, because a long text is cut at its end.
        text = format!("({} targets) {text}", targets.len());
    }
    text
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
}
