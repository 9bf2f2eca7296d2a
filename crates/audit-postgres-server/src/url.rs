//! URLs of databases.

use std::fmt::Write as _;
use std::path::Path;

use crate::ServerError;

/// The URL of a server, which names its databases.
#[derive(Clone, Debug)]
pub(crate) struct ServerUrl {
    /// Up to the name of the database: `postgres://user:password@host:port`.
    before: String,
    /// The database that the URL names, encoded; empty if it names none.
    database: String,
    /// From its end on: `?sslmode=require`, or nothing.
    after: String,
}

impl ServerUrl {
    /// Returns the URL of the server whose socket is in `directory`.
    pub(crate) fn of_socket(directory: &Path, port: u16) -> Self {
        let host = encode(&directory.to_string_lossy());
        let before = format!("postgres://postgres@{host}:{port}");
        Self { before, database: "postgres".into(), after: String::new() }
    }

    /// Returns the URL of the server at a port of this machine.
    pub(crate) fn of_port(port: u16, password: &str) -> Self {
        let before = format!("postgres://postgres:{password}@127.0.0.1:{port}");
        Self { before, database: "postgres".into(), after: String::new() }
    }

    pub(crate) fn parse(url: &str) -> Result<Self, ServerError> {
        let scheme = ["postgres://", "postgresql://"].into_iter().find(|s| url.starts_with(s));
        let scheme = scheme.ok_or(ServerError::Url { fault: "it must begin with postgres://" })?;
        if url.contains(['\0', '\n', '#']) {
            return Err(ServerError::Url { fault: "it has a character that is not encoded" });
        }
        let end = url.find('?').unwrap_or(url.len());
        let (address, after) = url.split_at(end);
        let slash = address[scheme.len()..].find('/').map(|at| scheme.len() + at);
        let (before, database) = match slash {
            Some(at) => (&address[..at], &address[at + 1..]),
            None => (address, ""),
        };
        Ok(Self { before: before.into(), database: database.into(), after: after.into() })
    }

    /// Returns the URL of the database that the URL names, or that is always there.
    pub(crate) fn own(&self) -> String {
        let database = if self.database.is_empty() { "postgres" } else { &self.database };
        self.database(database)
    }

    /// Returns the URL of a database, whose name needs no encoding.
    pub(crate) fn database(&self, name: &str) -> String {
        format!("{}/{name}{}", self.before, self.after)
    }
}

/// Encodes a path as the host of a URL.
fn encode(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                encoded.push(byte.into());
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Returns a URL without its password, and the password.
pub(crate) fn split_password(url: &str) -> (String, Option<Vec<u8>>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (name, mut password) = match user.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (user, None),
    };
    let mut kept = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.strip_prefix("password=") {
            // That of a parameter counts.
            Some(parameter) => password = Some(parameter),
            None => kept.push(parameter),
        }
    }
    let at = if user.is_empty() { "" } else { "@" };
    let mark = if kept.is_empty() { "" } else { "?" };
    let url = format!("{scheme}://{name}{at}{host}{path}{mark}{}", kept.join("&"));
    (url, password.map(decode))
}

/// Decodes what [`encode`] and others encode.
fn decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => decoded.extend([&[byte], &part.as_bytes()[2..]].concat()),
            _ => decoded.extend([b"%", part.as_bytes()].concat()),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_the_database_changes() {
        for (url, own, other) in [
            (
                "postgres://a:b@h:1/x?sslmode=require",
                "postgres://a:b@h:1/x?sslmode=require",
                "postgres://a:b@h:1/y?sslmode=require",
            ),
            ("postgresql://h", "postgresql://h/postgres", "postgresql://h/y"),
            ("postgres://?host=/run", "postgres:///postgres?host=/run", "postgres:///y?host=/run"),
            ("postgres:///x?host=/run/a", "postgres:///x?host=/run/a", "postgres:///y?host=/run/a"),
            ("postgres://u@h,i:2/", "postgres://u@h,i:2/postgres", "postgres://u@h,i:2/y"),
        ] {
            let parsed = ServerUrl::parse(url).unwrap();
            assert_eq!((parsed.own(), parsed.database("y")), (own.into(), other.into()));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for url in
            ["", "host=h password=secret", "mysql://a:secret@h/x", "postgres://a:secret@h/x#y"]
        {
            let message = ServerUrl::parse(url).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_password_is_split_from_its_url() {
        for (url, without, password) in [
            ("postgres://u:a%2Fb@h:1/x?b=1", "postgres://u@h:1/x?b=1", Some("a/b")),
            ("postgres://u@h/x", "postgres://u@h/x", None),
            ("postgres:///x?password=p&host=/r", "postgres:///x?host=/r", Some("p")),
            ("postgres://u:p@h/x?password=q%", "postgres://u@h/x", Some("q%")),
            ("postgres://:p@h,i:2", "postgres://@h,i:2", Some("p")),
            ("postgres://h/x", "postgres://h/x", None),
        ] {
            let password = password.map(|password| password.as_bytes().to_vec());
            assert_eq!(split_password(url), (without.into(), password), "{url}");
        }
    }

    #[test]
    fn a_socket_is_the_host() {
        let url = ServerUrl::of_socket(Path::new("/tmp/a b%/.x"), 5432);
        assert_eq!(url.own(), "postgres://postgres@%2Ftmp%2Fa%20b%25%2F.x:5432/postgres");
    }
}
