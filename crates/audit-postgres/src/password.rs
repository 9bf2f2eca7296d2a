//! The password that a URL does not have, from where the programs of PostgreSQL look for it.

use std::env;
use std::fs::{self, Metadata};
use std::io::{Error as IoError, ErrorKind as IoErrorKind};
use std::path::{Path, PathBuf};

use audit_core::{Error, ErrorKind, Result};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Where the password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordSource {
    Url,
    /// In the environment, if the URL has none.
    Environment,
}

/// Sets the password of `PGPASSWORD`, or of the password file, if there is one.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable), field `PGPASSFILE`, if the file that the variable names cannot be
/// read, or other users can read it.
pub(crate) fn of_environment(config: &mut Config) -> Result<()> {
    if let Some(password) = env::var_os("PGPASSWORD").filter(|password| !password.is_empty()) {
        config.password(password.as_encoded_bytes());
        return Ok(());
    }
    let named = env::var_os("PGPASSFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let is_named = named.is_some();
    let Some(path) = named.or_else(|| Some(env::home_dir()?.join(".pgpass"))) else {
        return Ok(());
    };
    match read(&path) {
        Ok(lines) => {
            if let Some(password) = find(&lines, &Wanted::of(config)) {
                config.password(password);
            }
            Ok(())
        }
        Err(error) if error.kind() == IoErrorKind::NotFound && !is_named => Ok(()),
        Err(error) => Err(Error::new(ErrorKind::Unavailable)
            .with_field("PGPASSFILE")
            .with_context("reading the password file")
            .with_source(error)),
    }
}

fn read(path: &Path) -> Result<String, IoError> {
    if is_open_to_others(&fs::metadata(path)?) {
        let why = "other users may read it; its mode must be 0600";
        return Err(IoError::new(IoErrorKind::PermissionDenied, why));
    }
    fs::read_to_string(path)
}

#[cfg(unix)]
fn is_open_to_others(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.is_file() && file.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// What a line of the file must be of.
struct Wanted {
    /// The hosts, each with its port.
    hosts: Vec<[String; 2]>,
    database: String,
    user: String,
}

impl Wanted {
    fn of(config: &Config) -> Self {
        let user = config.get_user().map_or_else(own_user, str::to_owned);
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let ports = config.get_ports();
        let host = |(at, host): (usize, &Host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let host = match host {
                Host::Tcp(name) => name.clone(),
                // As for the programs of PostgreSQL, a socket is one of this machine.
                #[cfg(unix)]
                Host::Unix(_) => "localhost".to_owned(),
            };
            [host, port.to_string()]
        };
        Self { hosts: config.get_hosts().iter().enumerate().map(host).collect(), database, user }
    }

    /// Returns the password of a line: `host:port:database:user:password`, where `*` is anything.
    fn password_of(&self, line: &str) -> Option<String> {
        let fields = fields(line)?;
        let is = |at: usize, value: &str| fields[at] == "*" || fields[at] == value;
        let is_host = |[host, port]: &[String; 2]| is(0, host) && is(1, port);
        let is_meant = self.hosts.iter().any(is_host) && is(2, &self.database) && is(3, &self.user);
        let [.., password] = fields;
        is_meant.then_some(password)
    }
}

/// Returns the password of the first line that is meant.
fn find(lines: &str, wanted: &Wanted) -> Option<String> {
    let mut lines = lines.lines().filter(|line| !line.starts_with('#'));
    lines.find_map(|line| wanted.password_of(line))
}

/// Returns the five fields of a line. A backslash escapes a colon or a backslash.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields: [String; 5] = Default::default();
    let (mut at, mut characters) = (0, line.chars());
    while let Some(character) = characters.next() {
        match character {
            ':' if at < 4 => at += 1,
            '\\' => fields[at].extend(characters.next()),
            _ => fields[at].push(character),
        }
    }
    (at == 4).then_some(fields)
}

/// Returns the user of this process, as whom the driver connects by default.
fn own_user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| env::var(name).ok());
    named.into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "# host:port:database:user:password
short:line
db.example:5432:app:app:of \\:one\\\\
db.example:*:*:ana:of ana:s
localhost:7:*:*:of a socket
*:*:shop:*:of the shop\n";

    fn found(url: &str) -> Option<String> {
        let config: Config = url.parse().unwrap();
        find(LINES, &Wanted::of(&config))
    }

    #[test]
    fn the_first_line_that_is_meant_has_the_password() {
        for (url, password) in [
            ("postgres://app@db.example/app", Some("of :one\\")),
            ("postgres://app@other,db.example/app", Some("of :one\\")),
            ("postgres://app@db.example:7/app", None),
            ("postgres://ana@db.example:7/app", Some("of ana:s")),
            ("postgres://ana@%2Frun:7/app", Some("of a socket")),
            ("postgres://ana@%2Frun/app", None),
            ("postgres://bob@db.example/shop", Some("of the shop")),
            ("postgres://shop@h", Some("of the shop")),
        ] {
            assert_eq!(found(url).as_deref(), password, "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, is_read) in [(0o600, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(file.path()).is_ok(), is_read, "{mode:o}");
        }
    }
}
