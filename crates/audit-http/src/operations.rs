//! The operations of an OpenAPI description.

use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

/// Returns every operation of a description.
pub(crate) fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    api.paths.paths.values_mut().flat_map(|item| {
        let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch];
        methods.into_iter().chain([&mut item.delete]).flatten()
    })
}
