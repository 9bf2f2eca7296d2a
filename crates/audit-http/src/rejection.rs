//! The response to a request that is not served.

use std::error::Error as _;

use audit_core::{Error, ErrorKind, Role};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A status, a message and headers for a request that is not served. The layer of the route's
/// contract writes the body.
#[derive(Clone, Debug)]
pub(crate) struct Rejection(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    detail: String,
    /// The parameter or field at fault.
    field: Option<String>,
    headers: HeaderMap,
}

impl Rejection {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (detail, headers) = (shortened(detail.into()), HeaderMap::new());
        Self(Box::new(Inner { status, detail, field: None, headers }))
    }

    pub(crate) fn bad_request(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail).with_field(field)
    }

    /// Sets the parameter or field at fault.
    pub(crate) fn with_field(mut self, field: &str) -> Self {
        self.0.field = Some(shortened(field.to_owned()));
        self
    }

    pub(crate) fn unauthorized() -> Self {
        const CHALLENGE: HeaderValue =
            HeaderValue::from_static("Basic realm=\"audit\", charset=\"UTF-8\", Bearer");
        let detail = "valid credentials are required";
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, CHALLENGE)
    }

    pub(crate) fn forbidden(role: Role) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("the role `{role}` is required"))
    }

    /// Rejects an organization that does not exist or is not the caller's, with one answer for
    /// both.
    pub(crate) fn no_organization() -> Self {
        Error::not_found("organization").into()
    }

    pub(crate) fn overloaded(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    }

    /// Sets the seconds after which the client may try again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Sets a header of the response.
    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the message for people.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns the parameter or field at fault.
    pub(crate) fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Returns the rejection for a failed query, with the contract's own parameter names: `names`
    /// maps the model's to them, `token` is that of the token.
    pub(crate) fn renamed(error: Error, names: &[(&str, &'static str)], token: &str) -> Self {
        if error.kind() == ErrorKind::InvalidToken {
            return Self::bad_request(token, format!("`{token}`: {error}"));
        }
        if matches!(error.kind(), ErrorKind::Gone | ErrorKind::HistoryChanged) {
            return error.with_field(token.to_owned()).into();
        }
        let name = names.iter().find(|(model, _)| error.field() == Some(model));
        match name {
            Some(("until", name)) => {
                Self::bad_request(name, format!("`{name}` must not be before the first instant"))
            }
            Some((_, name)) => error.with_field(*name).into(),
            None => error.into(),
        }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            // The token belongs to another query or to another history of the log, or the state
            // of the log forbids the change.
            ErrorKind::Conflict
            | ErrorKind::InvalidToken
            | ErrorKind::Behind
            | ErrorKind::HistoryChanged
            | ErrorKind::LegalHold
            | ErrorKind::ClockAhead => StatusCode::CONFLICT,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::Busy
            | ErrorKind::Pending
            | ErrorKind::Overloaded
            | ErrorKind::ReadOnly
            | ErrorKind::Closed
            | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if !status.is_server_error() {
            let mut rejection = Self::new(status, error.to_string());
            rejection.0.field = error.field().map(str::to_owned).map(shortened);
            return rejection;
        }
        // An internal failure is logged for the operator and not shown to the caller.
        let source = error.source().map(tracing::field::display);
        tracing::error!(%error, source, "the store failed");
        let rejection = Self::new(status, error.kind().to_string());
        if error.is_retryable() { rejection.retry_after(1) } else { rejection }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// Cuts a text that may repeat the client's input.
fn shortened(mut text: String) -> String {
    const LONGEST: usize = 512;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Handles a path that no route has.
pub(crate) async fn no_such_path() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, "no such path")
}
