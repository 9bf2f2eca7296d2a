//! `audit forward run`: serves sinks until it is ended.

use std::fs;
use std::path::{Path, PathBuf};

use audit_core::Log;
use audit_forward::Config;
use audit_http::ServeOptions;

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::output::note;
use crate::serve::log::LogFormat;
use crate::serve::{keep_metrics, listen, local_address, raise_file_limit};
use crate::signals::Signals;

/// Serves the sinks of a file, until SIGINT, SIGTERM or SIGHUP.
///
/// Several processes may run with the same store: one serves each sink, and another takes over when it
/// ends. A store in memory has nothing to deliver. Diagnostics go to the standard error; the environment
/// variable `RUST_LOG` filters them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The file with the sinks, in TOML.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format of the diagnostics.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,
    /// The address on which to serve metrics for Prometheus at /metrics, and at /readyz whether the store
    /// responds.
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  audit forward run sinks.toml
  audit --store postgres://app@db.example/app forward run sinks.toml --metrics-listen 127.0.0.1:9465";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let log = self.log_format.install()?;
        let result = self.forward(address).await;
        log.finish();
        result
    }

    async fn forward(&self, address: &StoreAddress) -> Result<()> {
        raise_file_limit();
        let config = read(&self.file)?;
        let names = config.names().collect::<Vec<_>>().join(", ");
        let store = address.open_existing().await?;
        let forwarder = config
            .open(store.clone())
            .map_err(|error| CliError::from_source(self.file.display().to_string(), error))?;
        let mut signals = Signals::listen().map_err(CliError::listening)?;
        if let Some(address) = &self.metrics_listen {
            let metrics = keep_metrics()?;
            let listener = listen(address, "--metrics-listen").await?;
            let local = local_address(&listener)?;
            tracing::info!(%local, "metrics are served");
            let check = move || {
                let store = store.clone();
                async move {
                    store.check().await?;
                    store.head(Log::Platform).await.map(drop)
                }
            };
            let router = audit_http::metrics_and_readiness(move || metrics.render(), check);
            let limits = ServeOptions::default().with_max_connections(64);
            tokio::spawn(audit_http::serve(listener, router, limits, std::future::pending()));
        }
        note(format_args!("forwarding to {names}"));
        let shutdown = async move {
            signals.recv().await;
            tracing::info!("ending");
        };
        Ok(forwarder.run(shutdown).await?)
    }
}

/// Reads a file of sinks.
fn read(path: &Path) -> Result<Config> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::from_source(format!("cannot read {}", path.display()), error))?;
    Config::parse(&text).map_err(|error| CliError::from_source(path.display().to_string(), error))
}
