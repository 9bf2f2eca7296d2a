//! A service over a store in memory, called in the process of the test.

use std::net::SocketAddr;
use std::sync::Arc;

use audit_core::{
    Actor, ApiKey, ApiKeySecret, AuditContext, NewApiKey, NewOrganization, Organization, Role,
    TenantStore,
};
use audit_http::{ApiKeyAuthenticator, Authenticator, Contract, HttpOptions};
use audit_memory::MemoryStore;
use audit_merkle::{CheckpointDirectory, CheckpointSigner, Notary};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// Returns a notary that publishes in `directory`.
pub(crate) fn notary(directory: &tempfile::TempDir) -> Arc<Notary> {
    let signer = CheckpointSigner::generate("audit.example.com").unwrap();
    let checkpoints = CheckpointDirectory::open(directory.path()).unwrap();
    Arc::new(Notary::new(signer, checkpoints).unwrap())
}

/// Adds every route to the options.
pub(crate) fn everything(options: HttpOptions, store: &MemoryStore) -> HttpOptions {
    options.with_tenants(store.clone()).with_contracts(Contract::ALL)
}

/// Returns the description of every route.
pub(crate) fn description() -> Value {
    let options = everything(HttpOptions::default(), &MemoryStore::new().unwrap());
    serde_json::to_value(audit_http::openapi(&options)).unwrap()
}

/// A service and its store.
pub(crate) struct Service {
    pub(crate) store: MemoryStore,
    pub(crate) router: Router,
}

/// A key and its secret.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) key: ApiKey,
    pub(crate) secret: ApiKeySecret,
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Parses the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// Checks the status. Returns the body as JSON, null if it is empty.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let shown = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{shown}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::with_options(HttpOptions::default())
    }

    pub(crate) fn with_options(options: HttpOptions) -> Self {
        let store = MemoryStore::new().unwrap();
        let keys = ApiKeyAuthenticator::new(store.clone());
        Self::over(store, keys, options)
    }

    /// Returns a service over a copy of the store, as after a restore.
    pub(crate) fn fork(&self) -> Self {
        let store = self.store.fork();
        let keys = ApiKeyAuthenticator::new(store.clone());
        Self::over(store, keys, HttpOptions::default())
    }

    /// Returns a service over `store` with every route.
    pub(crate) fn over(
        store: MemoryStore,
        authenticator: impl Authenticator,
        options: HttpOptions,
    ) -> Self {
        let options = everything(options, &store);
        let router = audit_http::router(store.clone(), authenticator, options);
        Self { store, router }
    }

    pub(crate) async fn organization(&self, name: &str) -> Organization {
        let new = NewOrganization::new(name).created_by("founder@acme.com");
        self.store.create_organization(new, by()).await.unwrap()
    }

    pub(crate) async fn key(&self, organization: &Organization, role: Role) -> Key {
        let email = format!("{role}@acme.com");
        let new = NewApiKey::new(organization.id, role, email);
        let (key, secret) = self.store.create_api_key(new, by()).await.unwrap();
        Key { key, secret }
    }

    /// Creates an organization with a key of each role.
    pub(crate) async fn tenant(&self, name: &str) -> (Organization, [Key; 3]) {
        let organization = self.organization(name).await;
        let mut keys = Vec::new();
        for role in Role::ALL {
            keys.push(self.key(&organization, role).await);
        }
        (organization, keys.try_into().unwrap())
    }

    pub(crate) async fn store_revoke(&self, key: &Key) {
        self.store.revoke_api_key(key.key.id, by()).await.unwrap();
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, key: &Key, path: &str) -> Answer {
        self.send(request(Method::GET, path, Some(key), None)).await
    }

    pub(crate) async fn put(&self, method: Method, key: &Key, path: &str, body: &Value) -> Answer {
        self.send(request(method, path, Some(key), Some(body))).await
    }

    pub(crate) async fn post(&self, key: &Key, path: &str, body: &Value) -> Answer {
        self.put(Method::POST, key, path, body).await
    }
}

/// Resolves a reference in a response against the path of its request (RFC 3986, section 5.2).
pub(crate) fn resolve(path: &str, reference: &str) -> String {
    let path = path.split('?').next().unwrap();
    match reference {
        reference if reference.starts_with('?') => format!("{path}{reference}"),
        reference if reference.starts_with('/') => reference.to_owned(),
        reference => format!("{}/{reference}", path.rsplit_once('/').unwrap().0),
    }
}

pub(crate) fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

impl Key {
    /// Returns the key as HTTP Basic.
    pub(crate) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.key.id, self.secret.expose());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }

    /// Returns the key as a Bearer token.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.secret.expose())
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    key: Option<&Key>,
    body: Option<&Value>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, key.bearer());
    }
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}
