//! The URL of a database.

use audit_core::{Error, Result};
use tokio_postgres::Config;

use crate::options::PostgresOptions;

/// Reads a URL.
///
/// # Errors
/// [`Invalid`](audit_core::ErrorKind::Invalid), field `url`. The source names the parameter, and has no
/// password.
pub(crate) fn parse(url: &str, options: &PostgresOptions) -> Result<Config> {
    let malformed = |source| Error::malformed("url", "a URL of PostgreSQL").with_source(source);
    let mut config: Config = url.parse().map_err(malformed)?;
    if config.get_application_name().is_none() {
        config.application_name("audit");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(options.timeout);
    }
    Ok(config)
}
