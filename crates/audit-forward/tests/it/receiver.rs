//! A receiver of webhooks: a plain HTTP server that checks each signature, and fails as a test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_core::Log;
use audit_forward::{EndpointOptions, WebhookSecret, WebhookSink};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The behavior of the receiver.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Takes the events, and says so.
    Accept,
    /// Takes nothing, and answers with a status and headers.
    Status(u16, String),
    /// Takes the events, but answers as if not.
    AcceptAndFail,
    /// Takes the events, and cuts the connection in the middle of the answer.
    AcceptAndCut,
    /// Takes nothing, and cuts the connection without an answer.
    Cut,
    /// Reads the request and never answers.
    Hang,
}

/// A request, as far as a test looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) log: Log,
    pub(crate) sequences: Vec<u64>,
    pub(crate) body: Value,
    pub(crate) is_taken: bool,
}

type Decide = dyn Fn(&Request, usize) -> Answer + Send + Sync;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    decide: Arc<Mutex<Arc<Decide>>>,
}

impl Receiver {
    /// Starts a receiver that decides by the request and the number of those before it.
    pub(crate) async fn start(
        decide: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let decide = Arc::new(Mutex::new(Arc::new(decide) as Arc<Decide>));
        let (seen, deciding) = (Arc::clone(&requests), Arc::clone(&decide));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&deciding)));
            }
        });
        Self { address, requests, decide }
    }

    pub(crate) fn decide(
        &self,
        decide: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) {
        *self.decide.lock().unwrap() = Arc::new(decide);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// Returns a sink that delivers here.
    pub(crate) fn sink(&self) -> Arc<WebhookSink> {
        let options = EndpointOptions::default()
            .with_plain_text()
            .with_private_addresses()
            .with_timeout(Duration::from_millis(300));
        let sink = WebhookSink::new(&self.url(), &options).unwrap();
        Arc::new(sink.with_secret(SECRET.parse().unwrap()))
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the sequences of each log as they were taken, with repeats.
    pub(crate) fn taken(&self) -> BTreeMap<Log, Vec<u64>> {
        let mut taken = BTreeMap::<Log, Vec<u64>>::new();
        for request in self.requests().into_iter().filter(|request| request.is_taken) {
            taken.entry(request.log).or_default().extend(request.sequences);
        }
        taken
    }

    /// Waits until each of these logs was taken up to its number.
    pub(crate) async fn wait_for(&self, logs: &[Log], last: u64) {
        self.wait_until(|requests| {
            logs.iter().all(|log| {
                requests.iter().any(|r| r.is_taken && r.log == *log && r.sequences.contains(&last))
            })
        })
        .await;
    }

    pub(crate) async fn wait_until(&self, is_so: impl Fn(&[Request]) -> bool) {
        let wait = async {
            while !is_so(&self.requests()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(120), wait).await;
        waited.unwrap_or_else(|_| panic!("this never came: {:?}", self.requests().last()));
    }
}

async fn serve(
    stream: TcpStream,
    requests: Arc<Mutex<Vec<Request>>>,
    decide: Arc<Mutex<Arc<Decide>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some((headers, body)) = read(&mut stream).await {
        let mut request = parse(&headers, &body);
        let answer = {
            let mut requests = requests.lock().unwrap();
            let decide = Arc::clone(&*decide.lock().unwrap());
            let answer = decide(&request, requests.len());
            request.is_taken =
                matches!(answer, Answer::Accept | Answer::AcceptAndFail | Answer::AcceptAndCut);
            requests.push(request);
            answer
        };
        let ends = matches!(answer, Answer::AcceptAndCut | Answer::Cut);
        let text = match answer {
            Answer::Accept => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Answer::AcceptAndFail => failure(500, ""),
            Answer::Status(status, headers) => failure(status, &headers),
            Answer::AcceptAndCut => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
            Answer::Cut => String::new(),
            Answer::Hang => {
                // Until the client goes.
                let _ = stream.read_u8().await;
                return;
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() || ends {
            return;
        }
    }
}

fn failure(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} No\r\n{headers}content-length: 4\r\n\r\nno: ")
}

/// Reads the headers and the body of a request; `None` if the client is gone.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<(Vec<(String, String)>, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /events HTTP/1.1"));
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; header(&headers, "content-length").parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some((headers, body))
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(key, _)| key == name);
    found.map_or_else(|| panic!("no {name}: {headers:?}"), |(_, value)| value)
}

fn parse(headers: &[(String, String)], body: &[u8]) -> Request {
    let [id, timestamp, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| header(headers, name));
    let secret: WebhookSecret = SECRET.parse().unwrap();
    let expected = secret.sign(id, timestamp.parse().unwrap(), body).unwrap();
    assert_eq!(signature, expected);
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["type"], "audit.events");
    let events = body["data"]["events"].as_array().unwrap();
    Request {
        id: id.to_owned(),
        log: body["data"]["log"].as_str().unwrap().parse().unwrap(),
        sequences: events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect(),
        body: body.clone(),
        is_taken: false,
    }
}
