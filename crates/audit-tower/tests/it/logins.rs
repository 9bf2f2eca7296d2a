//! Users that other layers find out: tower-sessions and axum-login.

use std::sync::{Arc, Mutex};

use audit_core::{Actor, AuditContext, Error, ErrorKind, Log};
use audit_memory::MemoryStore;
use audit_tower::{Audit, AuditLayer, NotRecorded};
use axum::Router;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::post;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use tower_sessions::{MemoryStore as Sessions, Session, SessionManagerLayer};

use crate::common::{TENANT, events, request, send};

async fn pay(audit: Audit) -> Result<(), NotRecorded> {
    audit.record("invoice.paid").await?;
    Ok(())
}

/// Sends a request with the cookie of an earlier response.
async fn post_with(router: &Router, path: &str, cookie: Option<&str>) -> (StatusCode, String) {
    let mut request: Request<_> = request(Method::POST, path);
    if let Some(cookie) = cookie {
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    }
    let response = send(router, request).await;
    let cookie = response.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap());
    let cookie = cookie.and_then(|value| value.split(';').next()).unwrap_or_default();
    (response.status(), cookie.to_owned())
}

#[tokio::test]
async fn a_session_is_looked_up() {
    let store = MemoryStore::new().unwrap();
    let audit = AuditLayer::looking_up(store.clone(), |parts| {
        let session = parts.extensions.get::<Session>().cloned();
        async move {
            let Some(session) = session else { return Ok(None) };
            let user = session
                .get::<String>("user")
                .await
                .map_err(|error| Error::new(ErrorKind::Unavailable).with_source(error))?;
            Ok(user.map(|user| AuditContext::new(Actor::user(user)).log(TENANT)))
        }
    });
    let login = async |session: Session| session.insert("user", "u_7").await.map_err(drop).unwrap();
    let router = Router::new()
        .route("/login", post(login))
        .route("/pay", post(pay))
        .layer(audit)
        .layer(SessionManagerLayer::new(Sessions::default()).with_secure(false));
    let (_, cookie) = post_with(&router, "/login", None).await;
    post_with(&router, "/pay", Some(&cookie)).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!((event.action.as_str(), event.actor.id.as_deref()), ("invoice.paid", Some("u_7")));
    let [login] = events(&store, Log::Platform).await.try_into().unwrap();
    assert_eq!(login.actor, Actor::unknown());
}

#[tokio::test]
async fn a_request_whose_actor_cannot_be_looked_up_is_refused() {
    let store = MemoryStore::new().unwrap();
    let away = |_: &axum::http::request::Parts| async {
        Err::<Option<Actor>, _>(Error::new(ErrorKind::Unavailable))
    };
    let router =
        Router::new().route("/pay", post(pay)).layer(AuditLayer::looking_up(store.clone(), away));
    assert_eq!(post_with(&router, "/pay", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(events(&store, Log::Platform).await.is_empty());
}

#[derive(Clone, Debug)]
struct User(String);

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash"
    }
}

#[derive(Clone, Debug, Default)]
struct Users(Arc<Mutex<Vec<String>>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = String;
    type Error = std::convert::Infallible;

    async fn authenticate(&self, name: String) -> Result<Option<User>, Self::Error> {
        self.0.lock().unwrap().push(name.clone());
        Ok(Some(User(name)))
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Self::Error> {
        Ok(self.0.lock().unwrap().contains(name).then(|| User(name.clone())))
    }
}

#[tokio::test]
async fn a_user_of_axum_login_is_the_actor() {
    let store = MemoryStore::new().unwrap();
    let audit = AuditLayer::new(store.clone(), |parts| {
        let user = parts.extensions.get::<AuthSession<Users>>()?.user.as_ref()?;
        Some(AuditContext::new(Actor::user(&user.0)).log(TENANT))
    });
    let login = async |mut auth: AuthSession<Users>| {
        let user = auth.authenticate("u_7".to_owned()).await.unwrap().unwrap();
        auth.login(&user).await.unwrap();
    };
    let sessions = SessionManagerLayer::new(Sessions::default()).with_secure(false);
    let router = Router::new()
        .route("/login", post(login))
        .route("/pay", post(pay))
        .layer(audit)
        .layer(AuthManagerLayerBuilder::new(Users::default(), sessions).build());
    let (_, cookie) = post_with(&router, "/login", None).await;
    post_with(&router, "/pay", Some(&cookie)).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!((event.action.as_str(), event.actor.id.as_deref()), ("invoice.paid", Some("u_7")));
}
