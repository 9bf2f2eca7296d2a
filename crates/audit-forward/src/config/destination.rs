//! The destination of a sink.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_core::Result;
use serde::Deserialize;

use super::one_or_more::OneOrMore;
use super::secret::Secret;
use crate::collector::CollectorSink;
use crate::endpoint::EndpointOptions;
use crate::file::{FileSink, StdoutSink};
use crate::sink::Sink;
use crate::syslog::SyslogSink;
use crate::webhook::{WebhookFormat, WebhookSink};

/// The destination of a sink.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    Webhook(Webhook),
    File(File),
    Stdout,
    Syslog(Syslog),
    Collector(Collector),
}

impl Destination {
    /// Returns its key in the configuration.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
            Self::Stdout => "stdout",
            Self::Syslog(_) => "syslog",
            Self::Collector(_) => "collector",
        }
    }

    /// Reads the secrets, and opens the sink.
    pub(super) fn open(&self) -> Result<Arc<dyn Sink>> {
        Ok(match self {
            Self::Webhook(sink) => Arc::new(sink.open()?),
            Self::File(sink) => Arc::new(sink.open()?),
            Self::Stdout => Arc::new(StdoutSink::new()),
            Self::Syslog(sink) => Arc::new(sink.open()?),
            Self::Collector(sink) => Arc::new(sink.open()?),
        })
    }
}

/// Declares a destination on the network, which also has the keys by which it may be reached. Written out
/// rather than flattened, because serde then accepts unknown keys.
macro_rules! on_network {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$attribute])* $field: $type,)+
            ca: Option<PathBuf>,
            /// In seconds.
            timeout: Option<u64>,
            #[serde(default)]
            allow_private: bool,
            #[serde(default)]
            allow_plain: bool,
        }

        impl $name {
            fn endpoint_options(&self) -> EndpointOptions {
                let mut options = EndpointOptions::default();
                if let Some(ca) = &self.ca {
                    options = options.with_ca(ca);
                }
                if let Some(seconds) = self.timeout {
                    options = options.with_timeout(Duration::from_secs(seconds));
                }
                if self.allow_private {
                    options = options.with_private_addresses();
                }
                if self.allow_plain { options.with_plain_text() } else { options }
            }
        }
    };
}

on_network! {
    Webhook {
        url: String,
        secret: Option<OneOrMore<Secret>>,
        #[serde(default)]
        headers: BTreeMap<String, Secret>,
        #[serde(default)]
        format: Format,
    }
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
        let options = self.endpoint_options();
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
pub(super) struct File {
    path: PathBuf,
    max_bytes: Option<u64>,
    keep: Option<usize>,
}

impl File {
    fn open(&self) -> Result<FileSink> {
        let sink = FileSink::open(&self.path).map_err(|error| error.with_field("path"))?;
        let (max_bytes, keep) = (self.max_bytes.unwrap_or(100 << 20), self.keep.unwrap_or(10));
        Ok(sink.with_rotation(max_bytes, keep))
    }
}

on_network! {
    Syslog {
        address: String,
        hostname: Option<String>,
        app_name: Option<String>,
    }
}

impl Syslog {
    fn open(&self) -> Result<SyslogSink> {
        let options = self.endpoint_options();
        let hostname = self.hostname.as_deref().unwrap_or("-");
        let sender =
            audit_export::Syslog::new(hostname, self.app_name.as_deref().unwrap_or("audit"))?;
        SyslogSink::new(&self.address, sender, &options)
    }
}

on_network! {
    Collector {
        url: String,
        token: Secret,
        index: Option<String>,
        source: Option<String>,
        sourcetype: Option<String>,
        host: Option<String>,
    }
}

impl Collector {
    fn open(&self) -> Result<CollectorSink> {
        let options = self.endpoint_options();
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
