//! The form in which each contract writes a rejection.

use audit_contracts::{
    audit_trails, organisation_audit_logs, organizations_and_activities, super_admin_audit_logs,
};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde::Serialize;
use uuid::Uuid;

use crate::observe::RequestId;
use crate::rejection::Rejection;

/// The form of a contract's error bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// `application/problem+json` (RFC 9457), with the field at fault.
    Native,
    /// `{status, error, requestId}`
    A,
    /// `application/problem+json` (RFC 9457), with the five members of the source.
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
    /// The reason phrase of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The cause of this error, for people.
    detail: String,
    /// The id of the request, as `urn:uuid:…`.
    instance: String,
    /// The parameter or field at fault, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Style {
    /// Writes the body of every [`Rejection`] of `router` in this style.
    pub(crate) fn layer<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        router.layer(middleware::from_fn(move |request, next| write_rejection(self, request, next)))
    }

    fn body(self, rejection: &Rejection, id: Uuid) -> Response {
        let (code, detail) = (rejection.status(), rejection.detail().to_owned());
        let (status, title) = (code.as_u16(), code.canonical_reason().unwrap_or("Error"));
        let instance = format!("urn:uuid:{id}");
        let problem = [(header::CONTENT_TYPE, "application/problem+json")];
        match self {
            Self::Native => {
                let (r#type, field) = ("about:blank", rejection.field().map(str::to_owned));
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

async fn write_rejection(style: Style, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.extensions());
    let mut response = next.run(request).await;
    let rejection = match response.extensions_mut().remove::<Rejection>() {
        Some(rejection) => rejection,
        None => match of_router(&response) {
            Some(rejection) => rejection,
            None => return response,
        },
    };
    let written = style.body(&rejection, id);
    let (mut parts, _) = response.into_parts();
    let (content, body) = written.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(content.headers);
    Response::from_parts(parts, Body::new(body))
}

/// Returns the rejection for a response of the router itself, which has no body.
fn of_router(response: &Response) -> Option<Rejection> {
    if response.headers().contains_key(header::CONTENT_TYPE) {
        return None;
    }
    let detail = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => "the method is not allowed on this path",
        StatusCode::NOT_FOUND => "no such path",
        _ => return None,
    };
    Some(Rejection::new(response.status(), detail))
}
