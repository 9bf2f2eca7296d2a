//! HTTP event collectors, as Splunk has them.

use async_trait::async_trait;
use audit_core::{AuditEvent, Error, Result};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};

use crate::endpoint::{self, Endpoint, EndpointOptions, USER_AGENT, refused};
use crate::sink::{Batch, DeliveryError, Sink};

/// An HTTP event collector (HEC): gets the events of a batch as JSON objects, one after the other, each in a
/// field `event` with the time at which it occurred. Acknowledges with a status of success and the code 0.
///
/// The collector does not recognize events that are repeated after an interruption; `event.id` identifies
/// them.
#[derive(Debug)]
pub struct CollectorSink {
    endpoint: Endpoint,
    headers: HeaderMap,
    fields: Map<String, Value>,
}

impl CollectorSink {
    /// Creates a sink that posts to `url`, such as `https://splunk.example:8088/services/collector/event`, with
    /// a token.
    ///
    /// # Errors
    /// As [`WebhookSink::new`](crate::WebhookSink::new), and [`Invalid`](audit_core::ErrorKind::Invalid), field
    /// `authorization`, if the token is not valid in a header.
    pub fn new(url: &str, token: &str, options: &EndpointOptions) -> Result<Self> {
        let endpoint = Endpoint::new(url, options)?;
        let (name, value) = endpoint::header("authorization", &format!("Splunk {token}"))?;
        let json = HeaderValue::from_static("application/json");
        let agent = HeaderValue::from_static(USER_AGENT);
        let headers = [(name, value), (header::CONTENT_TYPE, json), (header::USER_AGENT, agent)];
        Ok(Self { endpoint, headers: headers.into_iter().collect(), fields: Map::new() })
    }

    /// Sets a field beside the event: `host`, `source`, `sourcetype`, `index`.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    fn add(&self, body: &mut Vec<u8>, event: &AuditEvent) -> Result<()> {
        let invalid = |error| Error::malformed("events", "JSON").with_source(error);
        let mut object = self.fields.clone();
        let micros = event.occurred_at.as_micros();
        #[expect(clippy::cast_precision_loss, reason = "microseconds are exact in a float")]
        object.insert("time".to_owned(), (micros as f64 / 1e6).into());
        object.insert("event".to_owned(), serde_json::to_value(event).map_err(invalid)?);
        serde_json::to_writer(body, &object).map_err(invalid)
    }
}

#[async_trait]
impl Sink for CollectorSink {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        let mut body = Vec::new();
        for event in batch.events() {
            self.add(&mut body, event).map_err(DeliveryError::refused)?;
        }
        let answer = self.endpoint.post(self.headers.clone(), body.into()).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match answer["code"].as_u64() {
            Some(0) => Ok(()),
            _ => Err(refused(&format!("the collector answered {answer:.200}"))),
        }
    }
}
