//! Sinks from a configuration.

mod destination;
mod one_or_more;
mod secret;

use std::collections::BTreeMap;

use audit_core::{Error, Filter, FollowerStore, Log, Result, Violation};
use serde::Deserialize;

use self::destination::{Collector, Destination, File, Syslog, Webhook};
use self::one_or_more::OneOrMore;
use crate::forwarder::Forwarder;
use crate::options::{SinkOptions, Start};

/// Sinks, as a TOML text has them.
///
/// ```
/// # fn main() -> audit_core::Result<()> {
/// let config = audit_forward::Config::parse(r#"
/// [[sink]]
/// name = "siem"                       # the store keeps the position under this name
/// logs = ["platform"]                 # or ids of organizations; default: all logs
/// from = "now"                        # default: "beginning"
/// filter = { action = ["user.*"] }    # names and values of query parameters; default: every event
/// batch = 50                          # events in a batch, 1 to 1,000; default: 100
/// batch_bytes = 262144                # ends a batch before that number of events; default: 1 MiB
/// parallel = 4                        # logs that are delivered at once; default: 8
/// attempts = 5                        # before an event can be set aside; default: 5
///
/// [sink.webhook]
/// url = "https://siem.example/events"
/// secret = { env = "SIEM_SECRET" }    # or a text, or { file = "PATH" }; or a list of these
/// headers = { x-source = "audit" }
/// format = "standard"                 # the default; or "cloudevents", "otlp"
///
/// [[sink]]
/// name = "archive"
/// file = { path = "/var/log/audit/events.jsonl", max_bytes = 104857600, keep = 10 } # the defaults
/// "#)?;
/// assert_eq!(config.names().collect::<Vec<_>>(), ["siem", "archive"]);
/// # Ok(())
/// # }
/// ```
///
/// The other sinks are `stdout = {}`, `syslog` with `address`, `hostname` and `app_name`, and `collector` with
/// `url`, `token`, `index`, `source`, `sourcetype` and `host`. A token and the values of headers are secrets, too.
/// Sinks on the network also have:
///
/// | key | meaning | default |
/// |---|---|---|
/// | `ca` | a file of PEM certificates to trust | those of the system |
/// | `timeout` | seconds for a delivery | 30 |
/// | `allow_private` | `true` allows addresses that are not public | `false` |
/// | `allow_plain` | `true` allows `http:`, and syslog without TLS | `false` |
#[derive(Clone, Debug)]
pub struct Config {
    sinks: Vec<(SinkOptions, Destination)>,
}

/// Returns the error of a configuration that cannot be read.
fn unreadable(error: toml::de::Error) -> Error {
    Error::malformed("", "a configuration of sinks in TOML").with_source(error)
}

impl Config {
    /// Parses a configuration. Reads no secret and opens nothing.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), with the field, such as `sink[0].batch`.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Sections = toml::from_str(text).map_err(unreadable)?;
        if file.sink.is_empty() {
            return Err(Error::invalid("sink", Violation::Missing));
        }
        let mut sinks: Vec<(SinkOptions, Destination)> = Vec::new();
        for (at, section) in file.sink.into_iter().enumerate() {
            let below = |error: Error| error.below(&format!("sink[{at}]"));
            let (options, destination) = section.parse().map_err(below)?;
            if sinks.iter().any(|(other, _)| other.name == options.name) {
                return Err(below(Error::invalid("name", Violation::DuplicateKey)));
            }
            sinks.push((options, destination));
        }
        Ok(Self { sinks })
    }

    /// Returns the names of the sinks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sinks.iter().map(|(options, _)| options.name())
    }

    /// Reads the secrets, opens the sinks, and returns what serves them.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), with the field, such as `sink[0].webhook.url`; those of files.
    pub fn open(self, store: impl FollowerStore) -> Result<Forwarder> {
        let mut forwarder = Forwarder::new(store);
        for (at, (options, destination)) in self.sinks.into_iter().enumerate() {
            let below = |error: Error| error.below(&format!("sink[{at}].{}", destination.name()));
            forwarder = forwarder.sink(options, destination.open().map_err(below)?)?;
        }
        Ok(forwarder)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    #[serde(default)]
    sink: Vec<Section>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    logs: Option<Vec<String>>,
    #[serde(default)]
    from: From,
    #[serde(default)]
    filter: BTreeMap<String, OneOrMore<String>>,
    batch: Option<usize>,
    batch_bytes: Option<usize>,
    parallel: Option<usize>,
    attempts: Option<u32>,
    webhook: Option<Webhook>,
    file: Option<File>,
    stdout: Option<Stdout>,
    syslog: Option<Syslog>,
    collector: Option<Collector>,
}

/// It has no options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stdout {}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    #[default]
    Beginning,
    Now,
}

impl Section {
    fn parse(self) -> Result<(SinkOptions, Destination)> {
        let mut options = SinkOptions::new(self.name)?;
        if let Some(logs) = self.logs {
            let parse = |(at, log): (usize, String)| {
                log.parse::<Log>().map_err(|error| error.with_field(format!("logs[{at}]")))
            };
            options = options
                .with_logs(logs.into_iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?);
        }
        options = options.with_start(match self.from {
            From::Beginning => Start::Beginning,
            From::Now => Start::Now,
        });
        let values = |(name, values): (String, OneOrMore<String>)| {
            values.into_vec().into_iter().map(move |value| (name.clone(), value))
        };
        let filter = Filter::from_parameters(self.filter.into_iter().flat_map(values));
        options = options.with_filter(filter.map_err(|error| error.below("filter"))?);
        if let Some(events) = self.batch {
            options = options.with_batch_events(events)?;
        }
        if let Some(bytes) = self.batch_bytes {
            options = options.with_batch_bytes(bytes);
        }
        if let Some(logs) = self.parallel {
            options = options.with_parallel(at_least_one("parallel", logs)?);
        }
        if let Some(attempts) = self.attempts {
            options = options.with_attempts(at_least_one("attempts", attempts)?);
        }
        let destinations = [
            self.webhook.map(Destination::Webhook),
            self.file.map(Destination::File),
            self.stdout.map(|Stdout {}| Destination::Stdout),
            self.syslog.map(Destination::Syslog),
            self.collector.map(Destination::Collector),
        ];
        let mut destinations = destinations.into_iter().flatten();
        match (destinations.next(), destinations.next()) {
            (Some(destination), None) => Ok((options, destination)),
            _ => Err(Error::malformed("", "one of webhook, file, stdout, syslog and collector")),
        }
    }
}

/// Returns `number`, or the error of `field` if it is zero.
fn at_least_one<N: Default + PartialEq>(field: &'static str, number: N) -> Result<N> {
    if number == N::default() { Err(Error::malformed(field, "at least 1")) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use audit_core::ErrorKind;

    use super::*;

    #[test]
    fn a_fault_is_named_by_its_field() {
        let stdout = "stdout = {}";
        let faults = [
            ("", "sink"),
            ("[[sink]]\nname = \"a\"\nstdout = {}\ncolour = 1", ""),
            ("[[sink]]\nname = \"A\"\nstdout = {}", "sink[0].name"),
            ("[[sink]]\nname = \"a\"", "sink[0]"),
            ("[[sink]]\nname = \"a\"\nstdout = {}\nfile = { path = \"x\" }", "sink[0]"),
            ("[[sink]]\nname = \"a\"\nstdout = {}\nbatch = 0", "sink[0].batch"),
            ("[[sink]]\nname = \"a\"\nstdout = {}\nparallel = 0", "sink[0].parallel"),
            ("[[sink]]\nname = \"a\"\nstdout = {}\nattempts = 0", "sink[0].attempts"),
            (
                "[[sink]]\nname = \"a\"\nstdout = {}\nlogs = [\"platform\", \"x\"]",
                "sink[0].logs[1]",
            ),
            (
                "[[sink]]\nname = \"a\"\nstdout = {}\nfilter = { colour = \"red\" }",
                "sink[0].filter.colour",
            ),
            (
                "[[sink]]\nname = \"a\"\nstdout = {}\n[[sink]]\nname = \"a\"\nstdout = {}",
                "sink[1].name",
            ),
        ];
        for (text, field) in faults {
            let error = Config::parse(text).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)), "{text}");
        }
        assert!(Config::parse(&format!("[[sink]]\nname = \"a\"\n{stdout}")).is_ok());
    }

    #[test]
    fn what_a_sink_needs_is_checked_when_it_is_opened() {
        let open = |sink: &str| {
            let config = Config::parse(&format!("[[sink]]\nname = \"a\"\n{sink}")).unwrap();
            let store = audit_memory::MemoryStore::new().unwrap();
            config.open(store).map(drop)
        };
        let field = |sink: &str| open(sink).unwrap_err().field().map(str::to_owned);
        let webhook = "webhook = { url = \"https://example.org/\"";
        for (sink, expected) in [
            ("webhook = { url = \"http://example.org/\" }".to_owned(), "sink[0].webhook.url"),
            ("webhook = { url = \"https://10.0.0.1/\" }".to_owned(), "sink[0].webhook.url"),
            (format!("{webhook}, secret = \"short\" }}"), "sink[0].webhook.secret"),
            (
                format!("{webhook}, secret = {{ env = \"AUDIT_NONE\" }} }}"),
                "sink[0].webhook.secret",
            ),
            (
                format!("{webhook}, headers = {{ \"a b\" = \"c\" }} }}"),
                "sink[0].webhook.headers.a b",
            ),
            (format!("{webhook}, ca = \"/nonexistent\" }}"), "sink[0].webhook.ca"),
            ("file = { path = \"/nonexistent/x\" }".to_owned(), "sink[0].file.path"),
            ("syslog = { address = \"example.org\" }".to_owned(), "sink[0].syslog.address"),
            ("syslog = { address = \"127.0.0.1:6514\" }".to_owned(), "sink[0].syslog.address"),
        ] {
            assert_eq!(field(&sink).as_deref(), Some(expected), "{sink}");
        }
        let local =
            "webhook = { url = \"http://127.0.0.1:1/\", allow_plain = true, allow_private = true }";
        open(local).unwrap();
    }
}
