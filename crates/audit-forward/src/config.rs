//! Sinks from a configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use audit_core::{Error, ErrorKind, Filter, FollowerStore, Log, Result, Violation};
use audit_export::Syslog;
use serde::Deserialize;

use crate::collector::CollectorSink;
use crate::endpoint::EndpointOptions;
use crate::file::{FileSink, StdoutSink};
use crate::forwarder::Forwarder;
use crate::options::{SinkOptions, Start};
use crate::sink::Sink;
use crate::syslog::SyslogSink;
use crate::webhook::{WebhookFormat, WebhookSink};

/// Sinks, as a TOML text has them.
///
/// ```
/// # fn main() -> audit_core::Result<()> {
/// let config = audit_forward::Config::parse(r#"
/// [[sink]]
/// name = "siem"                       # under which the store keeps its position
/// logs = ["platform"]                 # or ids of organizations; all, if it is absent
/// from = "now"                        # or "beginning", which it is if it is absent
/// filter = { action = ["user.*"] }    # the names and values of query parameters
/// batch = 50                          # events; 100 if it is absent
/// attempts = 5                        # before an event can be set aside
///
/// [sink.webhook]
/// url = "https://siem.example/events"
/// secret = { env = "SIEM_SECRET" }    # or a text, or { file = "PATH" }; or a list of them
/// headers = { x-source = "audit" }
/// format = "standard"                 # or "cloudevents", "otlp"
///
/// [[sink]]
/// name = "archive"
/// file = { path = "/var/log/audit/events.jsonl", max_bytes = 104857600, keep = 10 }
/// "#)?;
/// assert_eq!(config.names().collect::<Vec<_>>(), ["siem", "archive"]);
/// # Ok(())
/// # }
/// ```
///
/// The other sinks are `stdout = {}`, `syslog` with `address`, `hostname` and `app_name`, and `collector` with
/// `url`, `token`, `index`, `source`, `sourcetype` and `host`. Those that use the network also have `ca`, a file of
/// PEM certificates, `timeout` in seconds, `allow_private` for addresses that are not public, and
/// `allow_plain` to send without TLS.
#[derive(Clone, Debug)]
pub struct Config {
    sinks: Vec<(SinkOptions, Form)>,
}

/// Returns the error of a configuration that cannot be read.
fn unreadable(error: toml::de::Error) -> Error {
    Error::malformed("", "a configuration of sinks in TOML").with_source(error)
}

impl Config {
    /// Parses a configuration. Reads no secret and opens nothing.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with the field, such as `sink[0].batch`.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(unreadable)?;
        if file.sink.is_empty() {
            return Err(Error::invalid("sink", Violation::Missing));
        }
        let mut sinks: Vec<(SinkOptions, Form)> = Vec::new();
        for (at, section) in file.sink.into_iter().enumerate() {
            let below = |error: Error| error.below(&format!("sink[{at}]"));
            let (options, form) = section.parse().map_err(below)?;
            if sinks.iter().any(|(other, _)| other.name == options.name) {
                return Err(below(Error::invalid("name", Violation::DuplicateKey)));
            }
            sinks.push((options, form));
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
    /// [`Invalid`](ErrorKind::Invalid), with the field, such as `sink[0].webhook.url`; those of files.
    pub fn open(self, store: Arc<dyn FollowerStore>) -> Result<Forwarder> {
        let mut forwarder = Forwarder::new(store);
        for (at, (options, form)) in self.sinks.into_iter().enumerate() {
            let below = |error: Error| error.below(&format!("sink[{at}].{}", form.name()));
            forwarder = forwarder.sink(options, form.open().map_err(below)?)?;
        }
        Ok(forwarder)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
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
    file: Option<FileForm>,
    stdout: Option<Empty>,
    syslog: Option<SyslogForm>,
    collector: Option<Collector>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    #[default]
    Beginning,
    Now,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

impl Section {
    fn parse(self) -> Result<(SinkOptions, Form)> {
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
            options = options.with_parallel(logs);
        }
        if let Some(attempts) = self.attempts {
            options = options.with_attempts(attempts);
        }
        let forms = [
            self.webhook.map(Form::Webhook),
            self.file.map(Form::File),
            self.stdout.map(|Empty {}| Form::Stdout),
            self.syslog.map(Form::Syslog),
            self.collector.map(Form::Collector),
        ];
        let mut forms = forms.into_iter().flatten();
        match (forms.next(), forms.next()) {
            (Some(form), None) => Ok((options, form)),
            _ => Err(Error::malformed("", "one of webhook, file, stdout, syslog and collector")),
        }
    }
}

/// The destination of a sink.
#[derive(Clone, Debug)]
enum Form {
    Webhook(Webhook),
    File(FileForm),
    Stdout,
    Syslog(SyslogForm),
    Collector(Collector),
}

impl Form {
    fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
            Self::Stdout => "stdout",
            Self::Syslog(_) => "syslog",
            Self::Collector(_) => "collector",
        }
    }

    fn open(&self) -> Result<Arc<dyn Sink>> {
        Ok(match self {
            Self::Webhook(form) => Arc::new(form.open()?),
            Self::File(form) => Arc::new(form.open()?),
            Self::Stdout => Arc::new(StdoutSink::new()),
            Self::Syslog(form) => Arc::new(form.open()?),
            Self::Collector(form) => Arc::new(form.open()?),
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// How a destination on the network is reached.
fn endpoint(
    ca: Option<&PathBuf>,
    timeout: Option<u64>,
    allow_private: bool,
    allow_plain: bool,
) -> EndpointOptions {
    let mut options = EndpointOptions::default();
    if let Some(ca) = ca {
        options = options.with_ca(ca);
    }
    if let Some(seconds) = timeout {
        options = options.with_timeout(Duration::from_secs(seconds));
    }
    if allow_private {
        options = options.with_private_addresses();
    }
    if allow_plain { options.with_plain_text() } else { options }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: String,
    secret: Option<OneOrMore<Secret>>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    format: Format,
    ca: Option<PathBuf>,
    timeout: Option<u64>,
    #[serde(default)]
    allow_private: bool,
    #[serde(default)]
    allow_plain: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Standard,
    CloudEvents,
    Otlp,
}

impl Webhook {
    fn open(&self) -> Result<WebhookSink> {
        let Self { ca, timeout, allow_private, allow_plain, .. } = self;
        let options = endpoint(ca.as_ref(), *timeout, *allow_private, *allow_plain);
        let mut sink = WebhookSink::new(&self.url, &options)?.with_format(match self.format {
            Format::Standard => WebhookFormat::Standard,
            Format::CloudEvents => WebhookFormat::CloudEvents,
            Format::Otlp => WebhookFormat::Otlp,
        });
        for secret in self.secret.clone().into_iter().flat_map(OneOrMore::into_vec) {
            sink = sink.with_secret(secret.read("secret")?.parse()?);
        }
        for (name, value) in &self.headers {
            sink = sink
                .with_header(name, &value.read(name)?)
                .map_err(|error| error.below("headers"))?;
        }
        Ok(sink)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    path: PathBuf,
    max_bytes: Option<u64>,
    keep: Option<usize>,
}

impl FileForm {
    fn open(&self) -> Result<FileSink> {
        let sink = FileSink::open(&self.path).map_err(|error| error.with_field("path"))?;
        let (max_bytes, keep) = (self.max_bytes.unwrap_or(100 << 20), self.keep.unwrap_or(10));
        Ok(sink.with_rotation(max_bytes, keep))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyslogForm {
    address: String,
    hostname: Option<String>,
    app_name: Option<String>,
    ca: Option<PathBuf>,
    timeout: Option<u64>,
    #[serde(default)]
    allow_private: bool,
    #[serde(default)]
    allow_plain: bool,
}

impl SyslogForm {
    fn open(&self) -> Result<SyslogSink> {
        let Self { ca, timeout, allow_private, allow_plain, .. } = self;
        let options = endpoint(ca.as_ref(), *timeout, *allow_private, *allow_plain);
        let hostname = self.hostname.as_deref().unwrap_or("-");
        let sender = Syslog::new(hostname, self.app_name.as_deref().unwrap_or("audit"))?;
        SyslogSink::new(&self.address, sender, &options)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Collector {
    url: String,
    token: Secret,
    index: Option<String>,
    source: Option<String>,
    sourcetype: Option<String>,
    host: Option<String>,
    ca: Option<PathBuf>,
    timeout: Option<u64>,
    #[serde(default)]
    allow_private: bool,
    #[serde(default)]
    allow_plain: bool,
}

impl Collector {
    fn open(&self) -> Result<CollectorSink> {
        let Self { ca, timeout, allow_private, allow_plain, .. } = self;
        let options = endpoint(ca.as_ref(), *timeout, *allow_private, *allow_plain);
        let token = self.token.read("token")?;
        let mut sink = CollectorSink::new(&self.url, &token, &options)?;
        let Self { index, source, sourcetype, host, .. } = self;
        let fields =
            [("index", index), ("source", source), ("sourcetype", sourcetype), ("host", host)];
        for (name, value) in fields {
            if let Some(value) = value {
                sink = sink.with_field(name, value);
            }
        }
        Ok(sink)
    }
}

/// A text that others may not see: in the configuration, in an environment variable, or in a file.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Secret {
    Text(String),
    Env { env: String },
    File { file: PathBuf },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::Env { env } => f.debug_struct("Env").field("env", env).finish(),
            Self::File { file } => f.debug_struct("File").field("file", file).finish(),
        }
    }
}

impl Secret {
    fn read(&self, field: &str) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env { env } => env::var(env).map_err(|error| {
                let field = field.to_owned();
                Error::malformed(field, "the name of an environment variable").with_source(error)
            }),
            Self::File { file } => {
                let text = fs::read_to_string(file).map_err(|error| {
                    let error = Error::new(ErrorKind::Unavailable).with_source(error);
                    error.with_context("reading a secret").with_field(field.to_owned())
                })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
            config.open(Arc::new(store)).map(drop)
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
