//! The events of a log as a file.
#![allow(dead_code)] // the structures describe parameters; never constructed

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{AuditStoreExt as _, EventQuery, Page};
use audit_export::{Encoder, Format};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use utoipa::IntoParams;

use super::access::ReadLog;
use super::query::{FilterParams, OrderParam, filter, order};
use crate::app::App;
use crate::caller::Caller;
use crate::params::{Params, malformed};
use crate::rejection::Rejection;
use crate::responses::Native;
use crate::walk::{self, PIECE_BYTES};

/// The format and the order of a file.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DownloadParams {
    /// The format; `jsonl` by default.
    #[param(inline)]
    format: Option<FormatParam>,
    /// The order: by the time of the events, or by sequence.
    #[param(inline)]
    order: Option<OrderParam>,
    /// `true` to begin CSV with a byte order mark, which some spreadsheets need to read UTF-8.
    bom: Option<bool>,
}

/// A format of events.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
enum FormatParam {
    /// The JSON of an event a line, exact.
    Jsonl,
    /// Comma-separated values, without formulas.
    Csv,
    /// `CloudEvents` 1.0 in JSON, one a line.
    CloudEvents,
    /// The Common Event Format.
    Cef,
    /// Syslog messages, RFC 5424.
    Syslog,
    /// Requests of the OpenTelemetry protocol in JSON, one a line.
    Otlp,
    /// Events of the Open Cybersecurity Schema Framework in JSON, one a line.
    Ocsf,
}

/// Downloads the events that match the filter, as a file.
///
/// These are all events that `GET /events` lists by pages under the same conditions and in the same order, as
/// of the begin of the download. The file is sent while it is written; it ends early, and the connection with
/// it, if the key is revoked meanwhile.
#[utoipa::path(
    get, path = "/events/export", tag = "events",
    params(FilterParams, DownloadParams),
    responses(
        (
            status = 200, description = "The file",
            headers(("Content-Disposition" = String, description = "The name of the file")),
            content(
                (String = "application/jsonl"), (String = "text/csv"), (String = "text/plain"),
            ),
        ),
        Native,
    ),
)]
pub(super) async fn export_events(
    State(app): State<App>,
    caller: Caller,
    ReadLog(log): ReadLog,
    mut params: Params,
) -> Result<Response, Rejection> {
    let format = match params.one("format")? {
        None => Format::JsonLines,
        Some(name) => name.parse::<Format>().map_err(|_| {
            malformed("format", "jsonl, csv, cloudevents, cef, syslog, otlp or ocsf")
        })?,
    };
    let is_marked = params.flag("bom")?;
    if is_marked && format != Format::Csv {
        return Err(malformed("bom", "absent if `format` is not csv"));
    }
    let query = EventQuery::new(log)
        .order(order(&mut params)?)
        .filter(filter(&mut params)?)
        .limit(MAX_PAGE_EVENTS)
        .max_bytes(PIECE_BYTES)
        .audience("events.export");
    params.finish()?;
    let mut before = Vec::new();
    if is_marked {
        before.extend_from_slice("\u{feff}".as_bytes());
    }
    let encoder = Encoder::new(format).with_ocsf(app.options.ocsf.clone());
    encoder.begin(&mut before);
    let reading = caller.reading(&app).await?;
    let page = app.store.page(&query).await?;
    let body = walk::send(&app, &caller, query, (page, reading), before, File(encoder))?;
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    let name = format!("attachment; filename=\"audit-{log}.{}\"", format.extension());
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The events of a file.
struct File(Encoder);

impl walk::Write for File {
    fn write(&mut self, page: &Page, text: &mut Vec<u8>) -> audit_core::Result<usize> {
        page.events.iter().try_for_each(|event| self.0.write(event, text))?;
        Ok(MAX_PAGE_EVENTS)
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}
