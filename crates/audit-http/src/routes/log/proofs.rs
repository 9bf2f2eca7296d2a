//! The proofs of a log, for callers that may read it.

use audit_core::{Error, ErrorKind, LeafHash, Log, Sequence, TreeHead};
use audit_merkle::{ConsistencyProof, InclusionProof, SignedCheckpoint, VerifyExt as _};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::access::ReadLog;
use crate::app::App;
use crate::params::{Params, PathParams};
use crate::rejection::Rejection;
use crate::responses::Native;

/// The parameter that selects a tree.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes parameters; never constructed
pub(super) struct SizeParam {
    /// The size of the tree, in events; the whole log by default.
    #[param(minimum = 0)]
    size: Option<u64>,
}

/// The parameters that select two trees.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes parameters; never constructed
pub(super) struct SizesParams {
    /// The size of the smaller tree.
    #[param(minimum = 0)]
    from: u64,
    /// The size of the larger tree; the whole log by default.
    #[param(minimum = 0)]
    to: Option<u64>,
}

/// The proof that an event is in the tree of a log. Verify it against a trusted head: that of a
/// signed checkpoint, or one that the verifier has kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Inclusion {
    /// The hash of the event's record.
    leaf: LeafHash,
    /// The tree.
    head: TreeHead,
    /// The hashes from the leaf to the root.
    proof: InclusionProof,
}

/// The proof that one tree of a log is a prefix of another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consistency {
    /// The smaller tree.
    old: TreeHead,
    /// The larger tree.
    new: TreeHead,
    /// The hashes that connect the two roots.
    proof: ConsistencyProof,
}

/// Takes the size of a tree.
fn size(params: &mut Params, name: &'static str) -> Result<Option<Sequence>, Rejection> {
    let size = params.given_number(name, 0, Sequence::MAX.get())?;
    Ok(size.map(Sequence::new).transpose()?)
}

/// Rejects a tree that is larger than the log.
fn of_size(error: Error) -> Rejection {
    match (error.kind(), error.field()) {
        (ErrorKind::Behind, Some(size)) => {
            let detail = format!("the log has fewer events than `{size}`");
            Rejection::new(StatusCode::CONFLICT, detail)
        }
        _ => error.into(),
    }
}

/// Returns the head of the tree of `size`, or of the whole log.
async fn head(app: &App, log: Log, size: Option<Sequence>) -> Result<TreeHead, Error> {
    match size {
        Some(size) => app.store.tree_head_at(log, size).await,
        None => app.store.tree_head(log).await,
    }
}

async fn checkpoint(app: &App, log: Log) -> Result<SignedCheckpoint, Rejection> {
    let notary = app.options.notary.as_ref().ok_or_else(|| {
        Rejection::new(StatusCode::NOT_FOUND, "this service signs no checkpoints")
    })?;
    notary.checkpoint(&*app.store, log).await.map_err(|error| match error.kind() {
        // The operator must repair the notary's own records.
        ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::NotFound => {
            tracing::error!(%error, %log, "a checkpoint was not signed");
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "no checkpoint can be signed")
        }
        _ => error.into(),
    })
}

fn text(text: &impl ToString) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.to_string()).into_response()
}

/// Returns the present checkpoint of the log, signed.
///
/// It has the log's name, size and root (C2SP tlog-checkpoint). Keep it to detect later changes of the
/// log. 404 if the service signs no checkpoints.
#[utoipa::path(
    get, path = "/checkpoint", tag = "proofs",
    responses((status = 200, body = String, content_type = "text/plain", description = "The checkpoint, a signed note"), Native),
)]
pub(super) async fn get_checkpoint(
    State(app): State<App>,
    ReadLog(log): ReadLog,
) -> Result<Response, Rejection> {
    Ok(text(&checkpoint(&app, log).await?))
}

/// Returns an event with its proof under the present checkpoint.
///
/// Both are one text (C2SP tlog-proof). Verify it offline, with the public key of the log. 404 if the
/// service signs no checkpoints.
#[utoipa::path(
    get, path = "/events/{eventId}/evidence", tag = "proofs",
    params(("eventId" = audit_core::EventId, Path, description = "The event")),
    responses((status = 200, body = String, content_type = "text/plain", description = "The evidence, a tlog-proof"), Native),
)]
pub(super) async fn get_evidence(
    State(app): State<App>,
    ReadLog(log): ReadLog,
    path: PathParams,
) -> Result<Response, Rejection> {
    let id = path.event()?;
    let checkpoint = checkpoint(&app, log).await?;
    Ok(text(&app.store.evidence(log, id, checkpoint).await?))
}

/// Returns the size and the root of the log's tree.
///
/// They are not signed.
#[utoipa::path(
    get, path = "/tree-head", tag = "proofs",
    params(SizeParam),
    responses((status = 200, body = TreeHead, description = "The head"), Native),
)]
pub(super) async fn get_tree_head(
    State(app): State<App>,
    ReadLog(log): ReadLog,
    mut params: Params,
) -> Result<Json<TreeHead>, Rejection> {
    let size = size(&mut params, "size")?;
    params.finish()?;
    Ok(Json(head(&app, log, size).await.map_err(of_size)?))
}

/// Returns the proof that an event is in the log's tree.
///
/// The proof is of RFC 6962.
#[utoipa::path(
    get, path = "/events/{eventId}/inclusion-proof", tag = "proofs",
    params(("eventId" = audit_core::EventId, Path, description = "The event"), SizeParam),
    responses((status = 200, body = Inclusion, description = "The proof"), Native),
)]
pub(super) async fn get_inclusion_proof(
    State(app): State<App>,
    ReadLog(log): ReadLog,
    path: PathParams,
    mut params: Params,
) -> Result<Json<Inclusion>, Rejection> {
    let (id, size) = (path.event()?, size(&mut params, "size")?);
    params.finish()?;
    let sequence: Sequence = app.store.get(log, id).await?.sequence;
    if size.is_some_and(|size| size < sequence) {
        let detail = format!("`size` must be at least {sequence}, the sequence of the event");
        return Err(Rejection::bad_request("size", detail));
    }
    let head = head(&app, log, size).await.map_err(of_size)?;
    let proof = app.store.inclusion_proof(log, sequence, head.size).await.map_err(of_size)?;
    let leaf = LeafHash::of(&app.store.stored_event(log, sequence).await?.record);
    Ok(Json(Inclusion { leaf, head, proof }))
}

/// Returns the proof that the log was only appended to between two sizes.
///
/// The proof is of RFC 6962.
#[utoipa::path(
    get, path = "/consistency-proof", tag = "proofs",
    params(SizesParams),
    responses((status = 200, body = Consistency, description = "The proof"), Native),
)]
pub(super) async fn get_consistency_proof(
    State(app): State<App>,
    ReadLog(log): ReadLog,
    mut params: Params,
) -> Result<Json<Consistency>, Rejection> {
    let (from, to) = (size(&mut params, "from")?, size(&mut params, "to")?);
    params.finish()?;
    let from = from.ok_or_else(|| Rejection::bad_request("from", "`from` is missing"))?;
    let new = head(&app, log, to).await.map_err(|error| of_size(error.with_field("to")))?;
    let proof = app.store.consistency_proof(log, from, new.size).await.map_err(of_size)?;
    let old = app.store.tree_head_at(log, from).await?;
    Ok(Json(Consistency { old, new, proof }))
}
