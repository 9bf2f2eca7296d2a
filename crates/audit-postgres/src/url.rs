//! The URL of a database.

use audit_core::{Error, Result};
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;

use crate::options::PostgresOptions;
use crate::tls::{Mode, Tls};

/// Where a server is, and how it is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
}

impl Address {
    /// Reads a URL. The driver knows its parameters, but for those of certificates.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `url`, or `sslmode`. The source names the
    /// parameter, and has no password.
    pub(crate) fn parse(url: &str, options: &PostgresOptions) -> Result<Self> {
        let malformed = |source| Error::malformed("url", "a URL of PostgreSQL").with_source(source);
        let (rest, tls) = take_tls(url)?;
        let mut config: Config = rest.parse().map_err(malformed)?;
        if let Some(tls) = &tls {
            config.ssl_mode(tls.mode.of_driver());
        }
        if config.get_application_name().is_none() {
            config.application_name("audit");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.timeout);
        }
        Ok(Self { config, tls: tls.unwrap_or_default() })
    }
}

/// Takes the parameters of TLS out of a URL. Another text, of keys and values, has none that the driver
/// does not know.
fn take_tls(url: &str) -> Result<(String, Option<Tls>)> {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let Some((base, query)) = url.split_once('?').filter(|_| is_url) else {
        return Ok((url.to_owned(), None));
    };
    let (mut tls, mut rest) = (Tls::default(), Vec::new());
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", mode)) => {
                let expected = "disable, prefer, require, verify-ca or verify-full";
                let mode = Mode::parse(mode);
                tls.mode = mode.ok_or_else(|| Error::malformed("sslmode", expected))?;
            }
            Some(("sslrootcert", path)) => {
                let path = percent_decode_str(path).decode_utf8();
                let path = path.map_err(|source| {
                    Error::malformed("sslrootcert", "a path in UTF-8").with_source(source)
                })?;
                tls.roots = Some(path.as_ref().into());
            }
            _ => rest.push(parameter),
        }
    }
    let rest = rest.join("&");
    let separator = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{base}{separator}{rest}"), Some(tls)))
}

#[cfg(test)]
mod tests {
    use audit_core::ErrorKind;
    use tokio_postgres::config::{Host, SslMode};

    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(url, &PostgresOptions::default())
    }

    #[test]
    fn parameters_of_tls_are_taken_out_of_the_url() {
        let url =
            "postgres://u:p@h/d?sslmode=verify-full&application_name=x&sslrootcert=%2Fa%20b.pem";
        let Address { config, tls } = parse(url).unwrap();
        assert_eq!(tls, Tls { mode: Mode::VerifyFull, roots: Some("/a b.pem".into()) });
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
        assert_eq!(config.get_application_name(), Some("x"));
        assert_eq!(config.get_dbname(), Some("d"));
    }

    #[test]
    fn without_parameters_the_server_chooses_whether_to_encrypt() {
        for url in ["postgres://u@h/d", "postgres://u@h/d?connect_timeout=3", "host=h dbname=d"] {
            let Address { config, tls } = parse(url).unwrap();
            assert_eq!((config.get_ssl_mode(), tls.mode), (SslMode::Prefer, Mode::Prefer), "{url}");
            assert_eq!(config.get_hosts(), [Host::Tcp("h".into())]);
        }
        let Address { config, .. } = parse("host=h sslmode=require").unwrap();
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn malformed_urls_are_named_without_their_passwords() {
        let cases = [
            ("postgres://u:secret@h/d?sslmode=maybe", "sslmode"),
            ("postgres://u:secret@h:port/d", "url"),
            ("postgres://u:secret@h/d?unknown=1", "url"),
            ("nonsense", "url"),
        ];
        for (url, field) in cases {
            let error = parse(url).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)), "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}
