//! What goes wrong, and how each contract says it.

use std::error::Error as _;

use audit_contracts::{
    audit_trails, organisation_audit_logs, organizations_and_activities, super_admin_audit_logs,
};
use audit_core::{Error, ErrorKind, Role};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use uuid::Uuid;

use crate::observe::RequestId;
use crate::rate::Allowance;

/// Why a request has no answer of its own. It becomes a response whose body is written later, by
/// the [`Style`] of the route.
#[derive(Clone, Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    detail: String,
    /// The parameter or field at fault.
    field: Option<String>,
    headers: HeaderMap,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (detail, headers) = (shortened(detail.into()), HeaderMap::new());
        Self(Box::new(Inner { status, detail, field: None, headers }))
    }

    pub(crate) fn bad_request(field: &str, detail: impl Into<String>) -> Self {
        let mut fault = Self::new(StatusCode::BAD_REQUEST, detail);
        fault.0.field = Some(shortened(field.to_owned()));
        fault
    }

    pub(crate) fn unauthorized() -> Self {
        const CHALLENGE: HeaderValue =
            HeaderValue::from_static("Basic realm=\"audit\", charset=\"UTF-8\", Bearer");
        let detail = "a valid API key is required: HTTP Basic `keyId:secret`, or Bearer";
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, CHALLENGE)
    }

    pub(crate) fn forbidden(role: Role) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("the role `{role}` is required"))
    }

    /// The one answer for an organization that is not there or not the caller's.
    pub(crate) fn no_organization() -> Self {
        Error::not_found("organization").into()
    }

    pub(crate) fn too_many(allowance: Allowance, seconds: u64) -> Self {
        let mut fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests of this key");
        allowance.tell(&mut fault.0.headers);
        fault.retry_after(seconds)
    }

    pub(crate) fn too_many_at_a_time(limit: usize) -> Self {
        let detail = format!("more than {limit} requests of this key are under way");
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1)
    }

    pub(crate) fn overloaded(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    }

    fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The fault of a query, whose fields the contract calls by `names`, and its token `token`.
    pub(crate) fn renamed(error: Error, names: &[(&str, &'static str)], token: &str) -> Self {
        if error.kind() == ErrorKind::InvalidToken {
            return Self::bad_request(token, format!("`{token}`: {error}"));
        }
        if error.kind() == ErrorKind::Gone {
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

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            // A token that is not of this question, or of more than this copy holds.
            // Or what the log's state forbids.
            ErrorKind::Conflict
            | ErrorKind::InvalidToken
            | ErrorKind::Behind
            | ErrorKind::LegalHold => StatusCode::CONFLICT,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::Busy
            | ErrorKind::Overloaded
            | ErrorKind::ReadOnly
            | ErrorKind::Closed
            | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if !status.is_server_error() {
            let mut fault = Self::new(status, error.to_string());
            fault.0.field = error.field().map(str::to_owned).map(shortened);
            return fault;
        }
        // What failed inside is for the operator, not for the caller.
        let source = error.source().map(tracing::field::display);
        tracing::error!(%error, source, "the store failed");
        let fault = Self::new(status, error.kind().to_string());
        if error.is_retryable() { fault.retry_after(1) } else { fault }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// What a client sent is not sent back at length.
fn shortened(mut text: String) -> String {
    const LONGEST: usize = 512;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// For a path that is none.
pub(crate) async fn no_such_path() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "no such path")
}

/// How a contract writes what goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// `application/problem+json` (RFC 9457), with the field at fault.
    Native,
    /// `{status, error, requestId}`
    A,
    /// `application/problem+json` (RFC 9457), with the five members that the source lists.
    C,
    /// `{error: {message}}`
    D,
    /// `{meta, errors: [{httpcode, message}]}`
    E,
}

/// A problem of the native API, `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the title is that of the status.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong.
    detail: String,
    /// The request, as `urn:uuid:…`.
    instance: String,
    /// The parameter or field at fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Style {
    /// Writes every fault of `router` in this style.
    pub(crate) fn layer<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        router.layer(middleware::from_fn(move |request, next| write_fault(self, request, next)))
    }

    fn body(self, fault: Inner, id: Uuid) -> Response {
        let Inner { status: code, detail, field, .. } = fault;
        let (status, title) = (code.as_u16(), code.canonical_reason().unwrap_or("Error"));
        let instance = format!("urn:uuid:{id}");
        let problem = [(header::CONTENT_TYPE, "application/problem+json")];
        match self {
            Self::Native => {
                let r#type = "about:blank";
                (problem, Json(Problem { r#type, title, status, detail, instance, field }))
                    .into_response()
            }
            Self::C => (
                problem,
                Json(audit_trails::Problem {
                    r#type: Some("about:blank".into()),
                    title: Some(title.into()),
                    status: Some(status.into()),
                    detail: Some(detail),
                    instance: Some(instance),
                }),
            )
                .into_response(),
            Self::A => {
                let error = detail;
                Json(organizations_and_activities::Failure { status, error, request_id: id })
                    .into_response()
            }
            Self::D => {
                let error = organisation_audit_logs::Failure { message: detail };
                Json(organisation_audit_logs::Failed { error }).into_response()
            }
            Self::E => {
                let failure = super_admin_audit_logs::Failure { httpcode: status, message: detail };
                let errors = vec![failure];
                Json(super_admin_audit_logs::AuditLogs { errors, ..Default::default() })
                    .into_response()
            }
        }
    }
}

async fn write_fault(style: Style, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.extensions());
    let mut response = next.run(request).await;
    if !response.headers().contains_key(header::CONTENT_TYPE) {
        // The router's own answers.
        let detail = match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Some("the method is not allowed here"),
            StatusCode::NOT_FOUND => Some("no such path"),
            _ => None,
        };
        if let Some(detail) = detail.filter(|_| response.extensions().get::<Fault>().is_none()) {
            let fault = Fault::new(response.status(), detail);
            response.extensions_mut().insert(fault);
        }
    }
    let Some(Fault(fault)) = response.extensions_mut().remove::<Fault>() else { return response };
    let written = style.body(*fault, id);
    let (mut parts, _) = response.into_parts();
    let (content, body) = written.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(content.headers);
    Response::from_parts(parts, Body::new(body))
}
