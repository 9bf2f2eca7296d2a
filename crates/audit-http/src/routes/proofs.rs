//! The native API: what proves a log, to those who may read it.
//!
//! Each route is there twice, for an organization's log and for the platform's.

use audit_core::{Error, ErrorKind, LeafHash, Log, Sequence, TreeHead};
use audit_merkle::{ConsistencyProof, InclusionProof, SignedCheckpoint, VerifyExt as _};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::ORGANIZATION;
use crate::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::openapi::responses::Native;
use crate::params::{Params, PathParams};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_checkpoint))
        .routes(routes!(get_evidence))
        .routes(routes!(get_tree_head))
        .routes(routes!(get_inclusion_proof))
        .routes(routes!(get_consistency_proof))
        .routes(routes!(get_platform_checkpoint))
        .routes(routes!(get_platform_evidence))
        .routes(routes!(get_platform_tree_head))
        .routes(routes!(get_platform_inclusion_proof))
        .routes(routes!(get_platform_consistency_proof))
}

/// Of which tree.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes, and is never made
struct SizeParam {
    /// The size of the tree: of its first so many events; unless given, of all that the log has.
    #[param(minimum = 0)]
    size: Option<u64>,
}

/// Of which two trees.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes, and is never made
struct SizesParams {
    /// The size of the smaller tree.
    #[param(minimum = 0)]
    from: u64,
    /// The size of the larger tree; unless given, all that the log has.
    #[param(minimum = 0)]
    to: Option<u64>,
}

/// That an event is in the tree of a log. It is verified against a head that is trusted: that of a
/// signed checkpoint, or one that was kept.
#[derive(Debug, Serialize, ToSchema)]
struct Inclusion {
    /// The hash of the event's record.
    leaf: LeafHash,
    /// The tree.
    head: TreeHead,
    /// The way from the one to the other.
    proof: InclusionProof,
}

/// That one tree of a log is the beginning of another.
#[derive(Debug, Serialize, ToSchema)]
struct Consistency {
    /// The smaller tree.
    old: TreeHead,
    /// The larger tree.
    new: TreeHead,
    /// What joins them.
    proof: ConsistencyProof,
}

/// A size that is asked for.
fn size(params: &mut Params, name: &'static str) -> Result<Option<Sequence>, Fault> {
    let size = params.given_number(name, 0, Sequence::MAX.get())?;
    Ok(size.map(Sequence::new).transpose()?)
}

/// A tree of more events than there are, where no token is at fault.
fn of_size(error: Error) -> Fault {
    match (error.kind(), error.field()) {
        (ErrorKind::Behind, Some(size)) => {
            let detail = format!("the log has fewer events than `{size}`");
            Fault::new(StatusCode::CONFLICT, detail)
        }
        _ => error.into(),
    }
}

/// The head of the tree of that size, or of all that there is.
async fn head(app: &App, log: Log, size: Option<Sequence>) -> Result<TreeHead, Error> {
    match size {
        Some(size) => app.store.tree_head_at(log, size).await,
        None => app.store.tree_head(log).await,
    }
}

async fn checkpoint(app: &App, log: Log) -> Result<SignedCheckpoint, Fault> {
    let notary =
        app.options.notary.as_ref().ok_or_else(|| {
            Fault::new(StatusCode::NOT_FOUND, "this service signs no checkpoints")
        })?;
    notary.checkpoint(&*app.store, log).await.map_err(|error| match error.kind() {
        // What the notary has kept is for the operator to mend.
        ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::NotFound => {
            tracing::error!(%error, %log, "a checkpoint was not signed");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "no checkpoint can be signed")
        }
        _ => error.into(),
    })
}

async fn evidence(app: &App, log: Log, path: &PathParams) -> Result<Response, Fault> {
    let id = path.event()?;
    let checkpoint = checkpoint(app, log).await?;
    Ok(text(&app.store.evidence(log, id, checkpoint).await?))
}

async fn tree_head(app: &App, log: Log, mut params: Params) -> Result<Json<TreeHead>, Fault> {
    let size = size(&mut params, "size")?;
    params.finish()?;
    Ok(Json(head(app, log, size).await.map_err(of_size)?))
}

async fn inclusion(
    app: &App,
    log: Log,
    path: &PathParams,
    mut params: Params,
) -> Result<Json<Inclusion>, Fault> {
    let (id, size) = (path.event()?, size(&mut params, "size")?);
    params.finish()?;
    let sequence: Sequence = app.store.get(log, id).await?.sequence;
    if size.is_some_and(|size| size < sequence) {
        let detail = format!("`size` must be at least {sequence}, the number of the event");
        return Err(Fault::bad_request("size", detail));
    }
    let head = head(app, log, size).await.map_err(of_size)?;
    let proof = app.store.inclusion_proof(log, sequence, head.size).await.map_err(of_size)?;
    let leaf = LeafHash::of(&app.store.stored_event(log, sequence).await?.record);
    Ok(Json(Inclusion { leaf, head, proof }))
}

async fn consistency(app: &App, log: Log, mut params: Params) -> Result<Json<Consistency>, Fault> {
    let (from, to) = (size(&mut params, "from")?, size(&mut params, "to")?);
    params.finish()?;
    let from = from.ok_or_else(|| Fault::bad_request("from", "`from` is missing"))?;
    let new = head(app, log, to).await.map_err(|error| of_size(error.with_field("to")))?;
    let proof = app.store.consistency_proof(log, from, new.size).await.map_err(of_size)?;
    let old = app.store.tree_head_at(log, from).await?;
    Ok(Json(Consistency { old, new, proof }))
}

fn text(text: &impl ToString) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.to_string()).into_response()
}

/// The signed checkpoint of the log as it is now: its name, its size, its root (C2SP tlog-checkpoint).
/// Whoever keeps it can later tell whether the log was changed. 404 where the service signs none.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/checkpoint", tag = "proofs",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
    ),
    responses((status = 200, body = String, content_type = "text/plain", description = "The checkpoint, a signed note"), Native),
)]
async fn get_checkpoint(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Response, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    Ok(text(&checkpoint(&app, log).await?))
}

/// The event, and all that proves it under the checkpoint of now, in one text (C2SP tlog-proof). It is
/// verified offline, with the public key of the log alone. 404 where the service signs none.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/events/{eventId}/evidence", tag = "proofs",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("eventId" = audit_core::EventId, Path, description = "The event"),
    ),
    responses((status = 200, body = String, content_type = "text/plain", description = "The evidence, a tlog-proof"), Native),
)]
async fn get_evidence(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Response, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    evidence(&app, log, &path).await
}

/// The size and the root of the log's tree, unsigned.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/tree-head", tag = "proofs",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        SizeParam,
    ),
    responses((status = 200, body = TreeHead, description = "The head"), Native),
)]
async fn get_tree_head(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    params: Params,
) -> Result<Json<TreeHead>, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    tree_head(&app, log, params).await
}

/// The proof that the event is in the log's tree (RFC 6962).
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/events/{eventId}/inclusion-proof", tag = "proofs",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("eventId" = audit_core::EventId, Path, description = "The event"),
        SizeParam,
    ),
    responses((status = 200, body = Inclusion, description = "The proof"), Native),
)]
async fn get_inclusion_proof(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    params: Params,
) -> Result<Json<Inclusion>, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    inclusion(&app, log, &path, params).await
}

/// The proof that the log was only appended to between two sizes (RFC 6962).
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/consistency-proof", tag = "proofs",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        SizesParams,
    ),
    responses((status = 200, body = Consistency, description = "The proof"), Native),
)]
async fn get_consistency_proof(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    params: Params,
) -> Result<Json<Consistency>, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    consistency(&app, log, params).await
}

/// The signed checkpoint of the platform's log, as that of an organization's. Requires
/// the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/checkpoint", tag = "platform",
    responses((status = 200, body = String, content_type = "text/plain", description = "The checkpoint, a signed note"), Native),
)]
async fn get_platform_checkpoint(
    State(app): State<App>,
    caller: Caller,
) -> Result<Response, Fault> {
    let log = caller.platform()?;
    Ok(text(&checkpoint(&app, log).await?))
}

/// The evidence of an event of the platform, as that of an organization's. Requires
/// the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/events/{eventId}/evidence", tag = "platform",
    params(
        ("eventId" = audit_core::EventId, Path, description = "The event"),
    ),
    responses((status = 200, body = String, content_type = "text/plain", description = "The evidence, a tlog-proof"), Native),
)]
async fn get_platform_evidence(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Response, Fault> {
    let log = caller.platform()?;
    evidence(&app, log, &path).await
}

/// The head of the platform's log, as that of an organization's. Requires
/// the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/tree-head", tag = "platform",
    params(
        SizeParam,
    ),
    responses((status = 200, body = TreeHead, description = "The head"), Native),
)]
async fn get_platform_tree_head(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<TreeHead>, Fault> {
    let log = caller.platform()?;
    tree_head(&app, log, params).await
}

/// The proof that an event is in the platform's log, as in an organization's. Requires
/// the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/events/{eventId}/inclusion-proof", tag = "platform",
    params(
        ("eventId" = audit_core::EventId, Path, description = "The event"),
        SizeParam,
    ),
    responses((status = 200, body = Inclusion, description = "The proof"), Native),
)]
async fn get_platform_inclusion_proof(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    params: Params,
) -> Result<Json<Inclusion>, Fault> {
    let log = caller.platform()?;
    inclusion(&app, log, &path, params).await
}

/// The proof that the platform's log was only appended to, as an organization's. Requires
/// the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/consistency-proof", tag = "platform",
    params(
        SizesParams,
    ),
    responses((status = 200, body = Consistency, description = "The proof"), Native),
)]
async fn get_platform_consistency_proof(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Consistency>, Fault> {
    let log = caller.platform()?;
    consistency(&app, log, params).await
}
