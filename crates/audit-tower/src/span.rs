//! The trace of the current OpenTelemetry span.

use audit_core::{SpanId, Trace, TraceId};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;

/// Returns the trace of the span in which the layer is called; `None` outside every span.
pub(crate) fn current() -> Option<Trace> {
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    let trace = TraceId::from_bytes(span.trace_id().to_bytes()).ok()?;
    let span = SpanId::from_bytes(span.span_id().to_bytes()).ok()?;
    Some(Trace::new(trace).span_id(span))
}
