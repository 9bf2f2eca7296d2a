//! The URL of a database.

use std::fmt::Write as _;

use std::time::Duration;

use audit_core::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::options::PostgresOptions;
use crate::password::{self, PasswordSource};
use crate::tls::{Mode, Tls};

/// The shortest pause between two signs of life that are asked of a server.
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);

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
        let (mut config, tls) = read(url)?;
        if let Some(tls) = &tls {
            config.ssl_mode(tls.mode.of_driver());
        }
        if options.password == PasswordSource::Environment && config.get_password().is_none() {
            password::of_environment(&mut config)?;
        }
        if config.get_application_name().is_none() {
            config.application_name("audit");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.timeout);
        }
        // A server that was cut off is noticed, with which the defaults of systems take hours.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(options.timeout);
        }
        if !url.contains("keepalives") {
            let pause = options.timeout.max(LEAST_KEEPALIVE);
            config.keepalives_idle(pause).keepalives_interval(pause).keepalives_retries(3);
        }
        Ok(Self { config, tls: tls.unwrap_or_default() })
    }
}

fn read(url: &str) -> Result<(Config, Option<Tls>)> {
    let malformed = || Error::malformed("url", "a URL of PostgreSQL");
    let (rest, tls) = take_tls(url)?;
    let config: Config = rest.parse().map_err(|source| malformed().with_source(source))?;
    // The driver takes a password to end at its first `@`, and what follows for the host.
    if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
        return Err(Error::malformed(
            "url",
            "a URL of PostgreSQL, with `@` in a password as `%40`",
        ));
    }
    Ok((config, tls))
}

/// What is not encoded in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns the URL of a database without its password, to be shown: the user, the hosts, the database, and
/// the parameters that select a server and check its certificate. Takes what
/// [`PostgresStore::open`](crate::PostgresStore::open) takes.
///
/// ```
/// let shown = audit_postgres::without_password("postgres://app:secret@db.example/app")?;
/// assert_eq!(shown, "postgres://app@db.example/app");
/// # Ok::<(), audit_core::Error>(())
/// ```
///
/// # Errors
/// [`Invalid`](audit_core::ErrorKind::Invalid), as for `open`. The error has no password.
pub fn without_password(url: &str) -> Result<String> {
    let (config, tls) = read(url)?;
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut shown = String::from("postgres://");
    shown.extend(config.get_user().map(|user| encoded(user) + "@"));
    let ports = config.get_ports();
    for (at, host) in config.get_hosts().iter().enumerate() {
        shown.push_str(if at > 0 { "," } else { "" });
        match host {
            Host::Tcp(name) if name.contains(':') => shown.extend(["[", name, "]"]),
            Host::Tcp(name) => shown.push_str(&encoded(name)),
            #[cfg(unix)]
            Host::Unix(path) => shown.push_str(&encoded(&path.to_string_lossy())),
        }
        // One port is that of all hosts.
        if let Some(port) = ports.get(at).or(ports.first()).filter(|port| **port != 5432) {
            let _ = write!(shown, ":{port}");
        }
    }
    shown.extend(config.get_dbname().map(|name| format!("/{}", encoded(name))));
    let attributes = match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => Some("read-write"),
        TargetSessionAttrs::ReadOnly => Some("read-only"),
        _ => None,
    };
    let tls = tls.unwrap_or_default();
    let roots = tls.roots.map(|path| encoded(&path.to_string_lossy()));
    let parameters = [
        ("target_session_attrs", attributes.map(str::to_owned)),
        ("sslmode", (tls.mode != Mode::default()).then(|| tls.mode.name().to_owned())),
        ("sslrootcert", roots),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (at, (name, value)) in given.enumerate() {
        let _ = write!(shown, "{}{name}={value}", if at > 0 { '&' } else { '?' });
    }
    Ok(shown)
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
    fn a_server_that_was_cut_off_is_noticed_unless_the_url_says_otherwise() {
        let Address { config, .. } = parse("postgres://u@h/d").unwrap();
        let timeout = PostgresOptions::default().timeout;
        assert_eq!(config.get_tcp_user_timeout(), Some(&timeout));
        assert_eq!(config.get_keepalives_idle(), timeout);
        assert_eq!(config.get_keepalives_interval(), Some(timeout));
        let url = "postgres://u@h/d?keepalives_idle=60&tcp_user_timeout=7";
        let Address { config, .. } = parse(url).unwrap();
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(config.get_keepalives_interval(), None);
    }

    #[test]
    fn malformed_urls_are_named_without_their_passwords() {
        let cases = [
            ("postgres://u:secret@h/d?sslmode=maybe", "sslmode"),
            ("postgres://u:secret@h:port/d", "url"),
            ("postgres://u:secret@h/d?unknown=1", "url"),
            ("postgres://u:an@secret@h/d", "url"),
            ("nonsense", "url"),
        ];
        for (url, field) in cases {
            let error = parse(url).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)), "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://u:secret@h:1,[::1]:2/d", "postgres://u@h:1,[::1]:2/d"),
            ("postgresql://h?password=secret&user=u", "postgres://u@h"),
            ("host=h user=u password=secret dbname='a b'", "postgres://u@h/a%20b"),
            ("postgres://u:se/cret@%2Frun%2Fpg:7/d", "postgres://u@%2Frun%2Fpg:7/d"),
            ("postgres:///d?host=/run/pg&options=-csecret", "postgres://%2Frun%2Fpg/d"),
            ("postgres://", "postgres://"),
            (
                "postgres://a,b/d?sslmode=verify-ca&sslrootcert=%2Fa%20b&target_session_attrs=read-write",
                "postgres://a,b/d?target_session_attrs=read-write&sslmode=verify-ca&sslrootcert=%2Fa%20b",
            ),
        ] {
            assert_eq!(without_password(url).unwrap(), shown);
            assert_eq!(without_password(shown).unwrap(), shown, "it is a URL");
        }
        assert!(without_password("postgres://u:secret@h:port").is_err());
    }
}
