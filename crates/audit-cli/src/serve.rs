//! `audit serve`: the HTTP service.

use std::io::{self, IsTerminal as _};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use audit_core::{NewApiKey, NewOrganization, OrganizationId, Role};
use audit_http::{ApiKeyAuthenticator, Contract, HttpOptions};
use clap::ValueEnum;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::address::{Store, StoreAddress};
use crate::caller;
use crate::error::{CliError, Result};
use crate::output::{note, tell};
use crate::period::Period;
use crate::signals::Signals;
use crate::signing::Signing;

/// Serves the store over HTTP.
///
/// Callers show API keys, which `audit keys create` makes. There is no TLS: let a proxy that has it
/// stand before, and listen on a loopback address. The log goes to the standard error, as much of
/// it as the variable `RUST_LOG` says. SIGINT and SIGTERM end the service once it has answered what
/// is under way.
///
/// With a key it serves signed checkpoints and evidence, too, and signs every log again and again.
/// A log that is not what was signed before is an error of the log, and is not signed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any that is free.
    #[arg(long, value_name = "ADDR", env = "AUDIT_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Requests a second that each key may make [default: 1000].
    #[arg(long, value_name = "N")]
    rate_limit: Option<NonZeroU32>,
    /// Bytes that the body of a request may have [default: 4194304].
    #[arg(long, value_name = "BYTES")]
    max_body: Option<NonZeroUsize>,
    /// Seconds that a request may take [default: 30].
    #[arg(long, value_name = "SECONDS")]
    request_timeout: Option<NonZeroU64>,
    /// The contracts to serve beside the native API, separated by commas [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    contracts: Option<Vec<Contract>>,
    /// Serves the native API alone.
    #[arg(long, conflicts_with = "contracts")]
    no_contracts: bool,
    #[command(flatten)]
    signing: Option<Signing>,
    /// Signs a checkpoint of every log that has grown so often, too [default: 60s].
    #[arg(long, value_name = "PERIOD", requires = "checkpoint_key")]
    checkpoint_every: Option<Period>,
    /// Serves no figures for Prometheus at /metrics, which asks for no key.
    #[arg(long)]
    no_metrics: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit serve
  audit --store sqlite:/var/lib/audit/audit.db serve --listen 127.0.0.1:9000 --log-format json
  audit serve --checkpoint-key audit.key --checkpoints /srv/checkpoints --checkpoint-every 10m
  audit serve --contracts audit-log-items,audit-trails
  audit --store memory: serve --listen 127.0.0.1:0";

/// The bounds by which the times of requests are counted.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// How long after one round of checkpoints the next begins.
const CHECKPOINTS: Duration = Duration::from_secs(60);

const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        self.log_format.install()?;
        let store = address.open()?;
        let listener = TcpListener::bind(&self.listen).await.map_err(|error| {
            CliError::from_source(format!("cannot listen on {}", self.listen), error)
                .hint("choose another address with --listen; port 0 is any that is free")
        })?;
        let local = listener
            .local_addr()
            .map_err(|error| CliError::from_source("cannot tell the address", error))?;
        let mut signals = Signals::listen()?;
        let mut options = self.options()?.with_tenants(store.clone());
        let notary = self.signing.as_ref().map(Signing::notary).transpose()?;
        let notary = notary.map(|(notary, _)| Arc::new(notary));
        if let Some(notary) = &notary {
            options = options.with_notary(Arc::clone(notary));
        }
        if !local.ip().is_loopback() {
            tracing::warn!(%local, "without TLS, keys and events pass readable over the network");
        }
        match address {
            StoreAddress::Memory => introduce(&*store).await?,
            StoreAddress::Sqlite(_) => advise(&*store, address).await?,
        }
        tell(|output| output.line(format_args!("listening on http://{local}")))?;

        if let Some(notary) = notary {
            let every = self.checkpoint_every.map_or(CHECKPOINTS, Period::duration);
            let store: Arc<dyn Store> = store.clone();
            tokio::spawn(audit_http::publish_checkpoints(store, notary, every));
        }
        let authenticator = Arc::new(ApiKeyAuthenticator::new(store.clone()));
        let router = audit_http::router(store, authenticator, options);
        let shutdown = async move {
            signals.recv().await;
            tracing::info!("ending");
        };
        audit_http::serve(listener, router, shutdown)
            .await
            .map_err(|error| CliError::from_source("the service failed", error))
    }

    fn options(&self) -> Result<HttpOptions> {
        let mut options = HttpOptions::default();
        if !self.no_contracts {
            let contracts = self.contracts.clone();
            options = options.with_contracts(contracts.unwrap_or_else(|| Contract::ALL.into()));
        }
        if let Some(rate) = self.rate_limit {
            options = options.with_rate_limit(rate.get());
        }
        if let Some(bytes) = self.max_body {
            options = options.with_max_body(bytes.get());
        }
        if let Some(seconds) = self.request_timeout {
            options = options.with_request_timeout(Duration::from_secs(seconds.get()));
        }
        if !self.no_metrics {
            let recorder = PrometheusBuilder::new()
                .set_buckets(&SECONDS)
                .and_then(PrometheusBuilder::install_recorder)
                .map_err(|error| CliError::from_source("cannot keep metrics", error))?;
            let upkeep = recorder.clone();
            tokio::spawn(async move {
                // Measurements are kept one by one until they are drained, whoever reads them.
                loop {
                    tokio::time::sleep(UPKEEP).await;
                    upkeep.run_upkeep();
                }
            });
            options = options.with_metrics(move || recorder.render());
        }
        Ok(options)
    }
}

impl LogFormat {
    fn install(self) -> Result<()> {
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env()
            .map_err(|error| {
                CliError::from_source("RUST_LOG says nothing that can be read", error)
            })?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        match self {
            Self::Text => log.init(),
            Self::Json => log.json().init(),
        }
        Ok(())
    }
}

/// Makes an organization and a key for it in a store that is new each time.
async fn introduce(store: &dyn Store) -> Result<()> {
    let by = caller::attribution;
    let made = store.create_organization(NewOrganization::new("Trial"), by()).await?;
    let new = NewApiKey::new(made.id, Role::SuperAdmin, "trial@localhost");
    let (key, secret) = store.create_api_key(new, by()).await?;
    note(format_args!(
        "The store is in memory: it is gone when the service ends. It has one organization, and a \
         super-admin's key:\n  organization: {}\n  key id:       {}\n  secret:       {}",
        made.id,
        key.id,
        secret.expose()
    ));
    Ok(())
}

/// Says how to make an organization and a key, if there is none.
async fn advise(store: &dyn Store, address: &StoreAddress) -> Result<()> {
    if !store.organizations(None, 1).await?.is_empty() {
        return Ok(());
    }
    let (command, id) = (address.command(), OrganizationId::new());
    note(format_args!(
        "The store has no organization yet. These make one, and a key for it:\n  \
         {command} organizations create --name 'My organization' --id {id}\n  \
         {command} keys create --organization {id} --role admin --email you@example.org"
    ));
    Ok(())
}
