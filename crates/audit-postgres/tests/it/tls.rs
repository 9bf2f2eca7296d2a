//! Encrypted connections: what each mode asks of the server's certificate.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use audit_core::{Actor, AuditStore as _, AuditStoreExt as _, ErrorKind, Log, NewEvent, Result};
use audit_postgres::PostgresStore;
use audit_postgres_server::{Server, ServerOptions};
use futures_executor::block_on;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// Writes a file that the user of the server can read, and nobody else.
fn write_for(server: &Server, path: &Path, text: &str) {
    fs::write(path, text).expect("it is written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is private");
    let directory = server.sql("SHOW data_directory").expect("it is known");
    let owner = fs::metadata(directory).expect("it is there");
    chown(path, Some(owner.uid()), Some(owner.gid())).expect("its owner can be changed");
}

/// Returns an authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("they are valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// Starts a server with a certificate for `db.example`, and returns it with the directory that has the
/// certificates of its authority and of another.
fn start() -> (Server, TempDir) {
    let server = ServerOptions::new().tcp().start().expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is open");
    let at = |name: &str| directory.path().join(name);
    let authority = authority();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["db.example".to_owned()]).expect("they are valid");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    write_for(&server, &at("server.pem"), &certificate.pem());
    write_for(&server, &at("server.key"), &key.serialize_pem());
    fs::write(at("authority.pem"), authority.pem()).expect("it is written");
    fs::write(at("other.pem"), self::authority().pem()).expect("it is written");
    for (setting, name) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
        let set = format!("ALTER SYSTEM SET {setting} = '{}'", at(name).display());
        server.sql(&set).expect("it is set");
    }
    server.sql("ALTER SYSTEM SET ssl = on").expect("it is set");
    server.reload().expect("it is read");
    (server, directory)
}

#[test]
fn each_mode_asks_what_libpq_asks() {
    let (server, directory) = start();
    let database = server.database().expect("a database");
    while database.sql("SHOW ssl").expect("it is read") != "on" {
        std::thread::yield_now();
    }
    let url = database.tcp_url().expect("a port");
    // The driver connects to `hostaddr`, and the certificate is that of `host`.
    let named = url.replacen("127.0.0.1", "db.example", 1).replacen("localhost", "db.example", 1);
    let path = |name: &str| directory.path().join(name).display().to_string().replace('/', "%2F");
    let (ours, other) = (path("authority.pem"), path("other.pem"));
    let open = |url: &str, parameters: &str| -> Result<()> {
        let separator = if url.contains('?') { "&" } else { "?" };
        let url = format!("{url}{separator}hostaddr=127.0.0.1&{parameters}");
        let store = block_on(PostgresStore::open(&url))?;
        block_on(store.record(Log::Platform, NewEvent::new("a", Actor::system()))).map(drop)
    };
    let accepted = [
        (&url, "sslmode=disable".to_owned()),
        (&url, "sslmode=prefer".to_owned()),
        (&url, "sslmode=require".to_owned()),
        (&url, format!("sslmode=verify-ca&sslrootcert={ours}")),
        (&named, format!("sslmode=verify-full&sslrootcert={ours}")),
    ];
    for (url, parameters) in accepted {
        let opened = open(url, &parameters);
        assert!(opened.is_ok(), "{parameters}: {opened:?}");
    }
    let refused = [
        (&url, format!("sslmode=require&sslrootcert={other}"), ErrorKind::Unavailable),
        (&url, format!("sslmode=verify-ca&sslrootcert={other}"), ErrorKind::Unavailable),
        (&url, format!("sslmode=verify-full&sslrootcert={ours}"), ErrorKind::Unavailable),
        (&url, "sslmode=verify-full".to_owned(), ErrorKind::Unavailable),
        (&url, "sslmode=verify-full&sslrootcert=%2Fnone".to_owned(), ErrorKind::Invalid),
    ];
    for (url, parameters, kind) in refused {
        let error = open(url, &parameters).expect_err(&parameters);
        assert_eq!(error.kind(), kind, "{parameters}: {error:?}");
    }
    let encrypted = "SELECT count(*) FROM pg_stat_ssl WHERE ssl";
    let store = block_on(PostgresStore::open(&format!("{url}?sslmode=require"))).expect("it opens");
    // The connection of a read is kept.
    block_on(store.head(Log::Platform)).expect("the store is read");
    assert_ne!(database.sql(encrypted).expect("it is counted"), "0");
    drop(store);
}
