//! The error of a handler whose event could not be recorded.

use std::fmt;

use audit_core::Error;
use http::{HeaderValue, Response, StatusCode, header};

/// An event could not be recorded. As a response it is 503 with `Retry-After` if a retry can help, else
/// 500. The response does not show the cause.
///
/// A handler returns it with `?`. [`From`] makes an [`Error`] of it.
pub struct NotRecorded(Error);

impl NotRecorded {
    /// Returns the cause.
    pub fn cause(&self) -> &Error {
        &self.0
    }

    /// Returns the response, with an empty body.
    pub fn response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        if self.0.is_retryable() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        } else {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    }
}

impl From<Error> for NotRecorded {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<NotRecorded> for Error {
    fn from(error: NotRecorded) -> Self {
        error.0
    }
}

impl fmt::Debug for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotRecorded").field(&self.0).finish()
    }
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event could not be recorded")
    }
}

impl std::error::Error for NotRecorded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for NotRecorded {
    fn into_response(self) -> axum::response::Response {
        self.response()
    }
}
