//! Webhooks, signed as [Standard Webhooks](https://www.standardwebhooks.com) says.

use async_trait::async_trait;
use audit_core::{Error, Result, Timestamp};
use audit_export::{cloud_event, otlp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use hyper::body::Bytes;
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::endpoint::{self, Endpoint, EndpointOptions, USER_AGENT};
use crate::sink::{Batch, DeliveryError, Sink};

/// The form of the body of a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookFormat {
    /// `{"type": "audit.events", "timestamp": …, "data": {"log": …, "events": […]}}`, as Standard Webhooks
    /// says. The time is that at which the last event was recorded.
    #[default]
    Standard,
    /// A batch of [`CloudEvents`](audit_export::cloud_event).
    CloudEvents,
    /// [Logs](audit_export::otlp) of the OpenTelemetry protocol, for a collector's `/v1/logs`.
    Otlp,
}

/// A secret that signs webhooks.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// The bytes that a secret must have: those that Standard Webhooks asks for.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl std::str::FromStr for WebhookSecret {
    type Err = Error;

    /// Reads `whsec_` and 24 to 64 bytes in base64.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::malformed("secret", "whsec_ and 24 to 64 bytes in base64");
        let text = text.strip_prefix("whsec_").ok_or_else(invalid)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| invalid())?);
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(invalid()) }
    }
}

impl WebhookSecret {
    /// Returns the signature of a message, `v1,` and base64.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .map_err(|error| Error::malformed("secret", "a key").with_source(error))?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// An endpoint that gets events by `POST`.
///
/// Each request has the headers `webhook-id`, the [key of the batch](Batch::key), and `webhook-timestamp`,
/// the seconds at which it is sent; with secrets, also `webhook-signature`. The id is the same whenever the
/// batch is delivered again. Any status of success acknowledges the batch.
#[derive(Debug)]
pub struct WebhookSink {
    endpoint: Endpoint,
    format: WebhookFormat,
    secrets: Vec<WebhookSecret>,
    headers: HeaderMap,
}

impl WebhookSink {
    /// Creates a sink that posts to `url`.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `url`, if it is not an absolute URL that the
    /// options allow; field `ca`, if that file cannot be used.
    pub fn new(url: &str, options: &EndpointOptions) -> Result<Self> {
        let endpoint = Endpoint::new(url, options)?;
        let format = WebhookFormat::default();
        Ok(Self { endpoint, format, secrets: Vec::new(), headers: HeaderMap::new() })
    }

    /// Signs with a secret; with several, while a receiver replaces one, with each of them.
    #[must_use]
    pub fn with_secret(mut self, secret: WebhookSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Sets the form of the body.
    #[must_use]
    pub fn with_format(mut self, format: WebhookFormat) -> Self {
        self.format = format;
        self
    }

    /// Adds a header to each request, such as `authorization`.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), with the name as the field, if it is no header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self> {
        let (name, value) = endpoint::header(name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    fn body(&self, batch: &Batch) -> Result<Value> {
        let events = batch.events();
        Ok(match self.format {
            WebhookFormat::Standard => json!({
                "type": "audit.events",
                "timestamp": events.last().map(|event| event.recorded_at),
                "data": {"log": batch.log(), "events": events},
            }),
            WebhookFormat::CloudEvents => {
                events.iter().map(cloud_event).collect::<Result<Vec<_>>>()?.into()
            }
            WebhookFormat::Otlp => otlp(events)?,
        })
    }

    fn request(&self, batch: &Batch) -> Result<(HeaderMap, Bytes)> {
        let encode = |value: &Value| {
            serde_json::to_vec(value)
                .map_err(|error| Error::malformed("events", "JSON").with_source(error))
        };
        let body = encode(&self.body(batch)?)?;
        let form = match self.format {
            WebhookFormat::CloudEvents => "application/cloudevents-batch+json",
            WebhookFormat::Standard | WebhookFormat::Otlp => "application/json",
        };
        let mut headers = self.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let id = batch.key().to_string();
        let timestamp = Timestamp::now().as_micros().div_euclid(1_000_000);
        let mut set = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value)
                .map_err(|error| Error::malformed(name, "a header").with_source(error))?;
            headers.insert(HeaderName::from_static(name), value);
            Ok::<_, Error>(())
        };
        set("webhook-id", &id)?;
        set("webhook-timestamp", &timestamp.to_string())?;
        if !self.secrets.is_empty() {
            let sign = |secret: &WebhookSecret| secret.sign(&id, timestamp, &body);
            let signatures = self.secrets.iter().map(sign).collect::<Result<Vec<_>>>()?;
            set("webhook-signature", &signatures.join(" "))?;
        }
        Ok((headers, body.into()))
    }
}

#[async_trait]
impl Sink for WebhookSink {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        let (headers, body) = self.request(batch).map_err(DeliveryError::refused)?;
        self.endpoint.post(headers, body).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_repeating_it() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"]
        {
            let error = text.parse::<WebhookSecret>().unwrap_err();
            assert_eq!(error.field(), Some("secret"));
            assert!(text.is_empty() || !error.to_string().contains("c2hv"));
        }
    }
}
