//! `audit serve`: the HTTP service.

mod limits;
pub(crate) mod log;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{NewApiKey, NewOrganization, OrganizationId, Role};
use audit_http::{ApiKeyAuthenticator, Contract, HttpOptions, ServeOptions};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use self::limits::Limits;
use self::log::LogFormat;
use crate::address::StoreAddress;
use crate::caller;
use crate::error::{CliError, Result};
use crate::output::{note, report};
use crate::period::Period;
use crate::signals::Signals;
use crate::signing::Signing;
use crate::store::Store;

/// Serves the store over HTTP.
///
/// Callers authenticate with API keys, created by `audit keys create`. The service has no TLS:
/// listen on a loopback address, and put a proxy with TLS in front: docs/operations.md says what to
/// set. Diagnostics go to the standard error; the environment variable `RUST_LOG` filters them. After
/// SIGINT, SIGTERM or SIGHUP the service answers the requests under way, and ends; under `nohup`,
/// SIGHUP is ignored.
///
/// With a checkpoint key, it also serves signed checkpoints and evidence, and signs the checkpoint
/// of every log at intervals. A log that contradicts its latest checkpoint is reported and not
/// signed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The address to listen on; port 0 selects a free port.
    #[arg(long, value_name = "ADDR", env = "AUDIT_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The format of the diagnostics.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,
    /// The contracts to serve beside the native API, separated by commas [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    contracts: Option<Vec<Contract>>,
    /// Serves only the native API.
    #[arg(long, conflicts_with = "contracts")]
    no_contracts: bool,
    #[command(flatten)]
    signing: Option<Signing>,
    /// The interval between two rounds of signing the logs that have grown [default: 60s].
    #[arg(long, value_name = "PERIOD", requires = "checkpoint_key")]
    checkpoint_every: Option<Period>,
    /// The address on which to serve metrics for Prometheus at /metrics, without a key. Otherwise
    /// they are at /metrics of the service, for keys with the role super-admin.
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// Keeps no metrics.
    #[arg(long, conflicts_with = "metrics_listen")]
    no_metrics: bool,
    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  audit serve
  audit --store sqlite:/var/lib/audit/audit.db serve --listen 127.0.0.1:9000 --log-format json
  audit --store postgres://app@db.example/app serve
  audit serve --checkpoint-key audit.key --checkpoints /srv/checkpoints --checkpoint-every 10m
  audit serve --contracts audit-log-items,audit-trails
  audit serve --trusted-proxy 10.0.0.0/8 --metrics-listen 127.0.0.1:9464
  audit --store memory: serve --listen 127.0.0.1:0";

/// The buckets of the histogram of request times, in seconds.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// The default pause between two rounds of signing.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// The pause between two rounds of upkeep of the metrics.
const UPKEEP: Duration = Duration::from_secs(5);

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let log = self.log_format.install()?;
        let result = self.serve(address).await;
        log.finish();
        result
    }

    async fn serve(&self, address: &StoreAddress) -> Result<()> {
        raise_file_limit();
        let store = address.open().await?;
        let listener = listen(&self.listen, "--listen").await?;
        let local = local_address(&listener)?;
        let mut signals = Signals::listen().map_err(CliError::listening)?;
        let metrics = (!self.no_metrics).then(keep_metrics).transpose()?;
        let checked = store.clone();
        let check = move || {
            let store = checked.clone();
            async move { store.check().await }
        };
        let mut options = self.options().with_tenants(store.clone()).with_readiness(check);
        let notary = self.signing.as_ref().map(Signing::notary).transpose()?;
        let notary = notary.map(|(notary, _)| Arc::new(notary));
        if let Some(notary) = &notary {
            options = options.with_notary(Arc::clone(notary));
        }
        if !local.ip().is_loopback() {
            tracing::warn!(%local, "without TLS, keys and events are readable on the network");
        }
        if *address == StoreAddress::Memory {
            introduce(&*store).await?;
        } else {
            advise(&*store, address).await?;
        }
        if let Some(staging) = store.clone().staging().filter(|_| metrics.is_some()) {
            tokio::spawn(audit_http::count_staged(staging, UPKEEP));
        }
        match (&self.metrics_listen, metrics) {
            (Some(address), Some(metrics)) => {
                let listener = listen(address, "--metrics-listen").await?;
                let local = local_address(&listener)?;
                tracing::info!(%local, "metrics are served");
                let router = audit_http::metrics(move || metrics.render());
                let limits = ServeOptions::default().with_max_connections(64);
                tokio::spawn(audit_http::serve(listener, router, limits, std::future::pending()));
            }
            (None, Some(metrics)) => options = options.with_metrics(move || metrics.render()),
            (_, None) => {}
        }
        report(|output| output.line(format_args!("listening on http://{local}")))?;

        if let Some(notary) = notary {
            let every = self.checkpoint_every.map_or(CHECKPOINTS, Period::duration);
            let store: Arc<dyn Store> = store.clone();
            tokio::spawn(audit_http::publish_checkpoints(store, notary, every));
        }
        let authenticator = ApiKeyAuthenticator::new(store.clone());
        let router = audit_http::router(store, authenticator, options);
        let shutdown = async move {
            signals.recv().await;
            tracing::info!("ending");
        };
        audit_http::serve(listener, router, self.limits.of_connections(), shutdown)
            .await
            .map_err(|error| CliError::from_source("the service failed", error))
    }

    fn options(&self) -> HttpOptions {
        let options = self.limits.of_requests(HttpOptions::default());
        if self.no_contracts {
            return options;
        }
        let contracts = self.contracts.clone();
        options.with_contracts(contracts.unwrap_or_else(|| Contract::ALL.into()))
    }
}

pub(crate) async fn listen(address: &str, option: &str) -> Result<TcpListener> {
    try_listen(address).await.map_err(|error| {
        CliError::from_source(format!("cannot listen on {address}"), error)
            .hint(format!("choose another address with {option}; port 0 selects a free port"))
    })
}

async fn try_listen(address: &str) -> io::Result<TcpListener> {
    /// The connections that wait to be accepted. The system may allow fewer.
    const BACKLOG: u32 = 4_096;
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

pub(crate) fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| CliError::from_source("cannot read the address of the listener", error))
}

/// Begins to keep metrics.
pub(crate) fn keep_metrics() -> Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| CliError::from_source("cannot keep metrics", error))?;
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        // The recorder keeps each measurement until it is drained, even if nobody reads metrics.
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(recorder)
}

/// Allows the process as many open files as the system does: by default often 1,024, fewer than the
/// connections and files of the service.
#[cfg(unix)]
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

#[cfg(not(unix))]
pub(crate) fn raise_file_limit() {}

/// Creates an organization and a key in a new store in memory, and prints them.
async fn introduce(store: &dyn Store) -> Result<()> {
    let by = caller::context;
    let created = store.create_organization(NewOrganization::new("Trial"), by()).await?;
    let new = NewApiKey::new(created.id, Role::SuperAdmin, "trial@localhost");
    let (key, secret) = store.create_api_key(new, by()).await?;
    note(format_args!(
        "The store is in memory, and is lost when the service ends. It has one organization with a \
         super-admin's key:\n  organization: {}\n  key id:       {}\n  secret:       {}",
        created.id,
        key.id,
        secret.expose()
    ));
    Ok(())
}

/// Prints how to create an organization and a key, if the store has no organization.
async fn advise(store: &dyn Store, address: &StoreAddress) -> Result<()> {
    if !store.organizations(None, 1).await?.is_empty() {
        return Ok(());
    }
    let (command, id) = (address.command(), OrganizationId::new());
    note(format_args!(
        "The store has no organization yet. To create one and a key for it, run:\n  \
         {command} organizations create --name 'My organization' --id {id}\n  \
         {command} keys create --organization {id} --role admin --email you@example.org"
    ));
    Ok(())
}
