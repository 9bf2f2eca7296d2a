//! Receivers that are no webhooks: a collector, and syslog servers.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_core::{AuditEvent, Log};
use audit_export::Syslog;
use audit_forward::{CollectorSink, EndpointOptions, SyslogSink};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::common::{NAME, Running, append, eventually, options, sinks, store};

fn local() -> EndpointOptions {
    EndpointOptions::default().with_plain_text().with_private_addresses()
}

#[tokio::test]
async fn a_collector_gets_events_with_its_token_and_acknowledges_by_its_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/collector/event", listener.local_addr().unwrap());
    let bodies = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&bodies);
    tokio::spawn(async move {
        let answers = [r#"{"text":"Server is busy","code":9}"#, r#"{"text":"Success","code":0}"#];
        for answer in answers.iter().cycle() {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut length, mut is_authorized, mut line) = (0, false, String::new());
            while stream.read_line(&mut line).await.unwrap() > 2 {
                let lower = line.to_ascii_lowercase();
                is_authorized |= lower == "authorization: splunk t0ken\r\n";
                if let Some(value) = lower.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            assert!(is_authorized);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8(body).unwrap());
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    let store = store();
    append(&*store, Log::Platform, 1).await;
    let sink = CollectorSink::new(&url, "t0ken", &local()).unwrap().with_field("index", "audit");
    let running = Running::start(&store, options(), Arc::new(sink));
    let sinks = sinks(&store);
    eventually(|| async {
        sinks.status(NAME).await.is_ok_and(|s| s.logs.iter().any(|log| log.delivered.get() == 1))
    })
    .await;
    running.end().await;
    let bodies = bodies.lock().unwrap();
    assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]), "the first was not acknowledged");
    let object: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    let event: AuditEvent = serde_json::from_value(object["event"].clone()).unwrap();
    assert_eq!((event.sequence.get(), &object["index"]), (1, &"audit".into()));
    let time = Duration::from_secs_f64(object["time"].as_f64().unwrap());
    let expected = u128::from(event.occurred_at.as_micros().unsigned_abs());
    assert!(time.as_micros().abs_diff(expected) <= 1);
}

/// Returns the events in frames with their lengths.
fn messages(mut frames: &str) -> Vec<AuditEvent> {
    let mut events = Vec::new();
    while let Some((length, rest)) = frames.split_once(' ') {
        let (message, rest) = rest.split_at(length.parse().unwrap());
        assert!(message.starts_with("<110>1 "));
        let (_, json) = message.split_once('\u{feff}').unwrap();
        events.push(serde_json::from_str(json).unwrap());
        frames = rest;
    }
    events
}

#[tokio::test]
async fn a_batch_is_acknowledged_when_the_syslog_server_has_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let received = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        for at in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            if at == 0 {
                // It resets the connection with what it has not read.
                let _ = stream.read_u8().await;
                continue;
            }
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            seen.lock().unwrap().push(text);
        }
    });
    let store = store();
    append(&*store, Log::Platform, 250).await;
    let sink = SyslogSink::new(&address, Syslog::new("host", "audit").unwrap(), &local()).unwrap();
    let running = Running::start(&store, options(), Arc::new(sink));
    let sinks = sinks(&store);
    eventually(|| async {
        sinks.status(NAME).await.is_ok_and(|s| s.logs.iter().any(|log| log.delivered.get() == 250))
    })
    .await;
    running.end().await;
    let events: Vec<_> = received.lock().unwrap().iter().flat_map(|text| messages(text)).collect();
    let numbers: Vec<_> = events.iter().map(|event| event.sequence.get()).collect();
    assert_eq!(numbers, (1..=250).collect::<Vec<_>>());
}

/// A process that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of Debian's package `rsyslog`.
#[tokio::test]
async fn rsyslog_gets_each_event_once_and_in_order() {
    let program = "/usr/sbin/rsyslogd";
    if !std::path::Path::new(program).exists() {
        assert!(std::env::var_os("AUDIT_FORWARD_RSYSLOG").is_none(), "{program} is missing");
        println!("{program} is missing: this test checks NOTHING");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let [config, output, pid] =
        ["rsyslog.conf", "out", "pid"].map(|name| directory.path().join(name));
    let text = format!(
        "global(maxMessageSize=\"64k\")\nmodule(load=\"imtcp\")\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         template(name=\"raw\" type=\"string\" string=\"%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"raw\")\n",
        output.display()
    );
    std::fs::write(&config, text).unwrap();
    let server = Command::new(program)
        .arg("-n")
        .args([std::ffi::OsStr::new("-f"), config.as_os_str()])
        .args([std::ffi::OsStr::new("-i"), pid.as_os_str()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server(server);
    let store = store();
    append(&*store, Log::Platform, 300).await;
    let sender = Syslog::new("host", "audit").unwrap();
    let sink = SyslogSink::new(&format!("127.0.0.1:{port}"), sender, &local()).unwrap();
    let running = Running::start(&store, options(), Arc::new(sink));
    let lines = || std::fs::read_to_string(&output).unwrap_or_default();
    eventually(|| async { lines().lines().count() >= 300 }).await;
    running.end().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(server);
    let sequence = |line: &str| {
        let json = line.trim_start_matches([' ', '\u{feff}']);
        serde_json::from_str::<AuditEvent>(json).unwrap().sequence.get()
    };
    let numbers: Vec<_> = lines().lines().map(sequence).collect();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
}

/// Returns a server's TLS for `localhost`, and the file of the authority that vouches for it.
fn tls(directory: &std::path::Path) -> (TlsAcceptor, std::path::PathBuf) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let path = directory.join("ca.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (Arc::new(config).into(), path)
}

#[tokio::test]
async fn with_tls_only_a_server_with_a_certificate_for_its_name_gets_events() {
    let directory = tempfile::tempdir().unwrap();
    let (acceptor, ca) = tls(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut text = String::new();
            if stream.read_to_string(&mut text).await.is_ok() {
                seen.lock().unwrap().push(text);
            }
            let _ = stream.shutdown().await;
        }
    });
    let options_of = || EndpointOptions::default().with_private_addresses();
    let sink = |host: &str, options: &EndpointOptions| {
        let sender = Syslog::new("host", "audit").unwrap();
        Arc::new(SyslogSink::new(&format!("{host}:{port}"), sender, options).unwrap())
    };
    let store = store();
    append(&*store, Log::Platform, 3).await;
    let sinks = sinks(&store);
    let trusting = options_of().with_ca(&ca);
    // Another authority, and another name.
    for refused in [sink("localhost", &options_of()), sink("127.0.0.1", &trusting)] {
        let running = Running::start(&store, options(), refused);
        eventually(|| async {
            let status = sinks.status(NAME).await;
            status.is_ok_and(|s| s.error.is_some_and(|error| error.contains("certificate")))
        })
        .await;
        running.end().await;
    }
    assert!(received.lock().unwrap().is_empty());
    let running = Running::start(&store, options(), sink("localhost", &trusting));
    eventually(|| async {
        sinks.status(NAME).await.unwrap().logs.iter().any(|l| l.lag_events == 0)
    })
    .await;
    running.end().await;
    let events: Vec<_> = received.lock().unwrap().iter().flat_map(|text| messages(text)).collect();
    assert_eq!(events.iter().map(|event| event.sequence.get()).collect::<Vec<_>>(), [1, 2, 3]);
}
