//! A context on its way through a queue: its JSON form, and a signature.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use super::context::AuditContext;
use crate::{
    Actor, ChangeSetId, Error, ErrorKind, Log, OrganizationRef, RequestInfo, Result, Trace, json,
};

/// The number of the form that this version writes, and the highest that it reads.
const VERSION: u8 = 1;

/// The JSON form of a context.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    v: u8,
    actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Log>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "RequestInfo::is_empty")]
    request: RequestInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_set_id: Option<ChangeSetId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted_by: Option<String>,
}

impl Serialize for AuditContext {
    /// Writes the context with the number of the form, so that a later version can change it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { actor, log, organization, reason, request, trace, change_set_id, submitted_by } =
            self.clone();
        let v = VERSION;
        Form { v, actor, log, organization, reason, request, trace, change_set_id, submitted_by }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AuditContext {
    /// Fails if a later version wrote the context in another form: a worker that is older than its
    /// queue does not drop what it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        let Form {
            v,
            actor,
            log,
            organization,
            reason,
            request,
            trace,
            change_set_id,
            submitted_by,
        } = form;
        if v != VERSION {
            return Err(D::Error::custom(format_args!(
                "the context has the form {v}, and this version reads the form {VERSION}"
            )));
        }
        Ok(Self { actor, log, organization, reason, submitted_by, request, trace, change_set_id })
    }
}

/// The keys that sign contexts: one that signs, and older ones whose contexts are still accepted.
///
/// ```
/// use audit_core::{Actor, AuditContext, ContextKeys};
///
/// let keys = ContextKeys::from_secret([7; 32]);
/// let job = br#"{"invoice": "inv_9"}"#;
/// let signed = AuditContext::new(Actor::user("u_7")).sign(&keys, job)?;
///
/// // In the worker, with the payload as it arrived:
/// let context = signed.verify(&keys, job)?;
/// assert_eq!(context.actor.id.as_deref(), Some("u_7"));
/// assert!(signed.verify(&keys, br#"{"invoice": "inv_1"}"#).is_err());
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ContextKeys {
    signing: [u8; 32],
    accepted: Vec<[u8; 32]>,
}

impl ContextKeys {
    /// Creates keys that sign with `secret`: 32 random bytes, for example of
    /// [`TokenKeys::generate_secret`](crate::TokenKeys::generate_secret).
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self { signing: secret, accepted: Vec::new() }
    }

    /// Accepts contexts that `secret` signed, so that a key can be replaced while jobs wait.
    #[must_use]
    pub fn accepting(mut self, secret: [u8; 32]) -> Self {
        self.accepted.push(secret);
        self
    }
}

impl fmt::Debug for ContextKeys {
    /// Prints the number of keys, never the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = 1 + self.accepted.len();
        f.debug_struct("ContextKeys").field("keys", &keys).finish_non_exhaustive()
    }
}

/// A context with a signature: somebody who can write to a queue cannot change the actor in it, nor attach
/// it to another payload.
///
/// The signature does not expire, and does not stop a queue from delivering a job again; derive the
/// event's id from that of the job, so that it is recorded once. The context can be read by anyone.
///
/// As text, and in JSON: the context's JSON form and its HMAC-SHA-256 (RFC 2104), each in base64url
/// without padding (RFC 4648), with a dot between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedContext(String);

impl SignedContext {
    /// Wraps a text as it arrived. [`verify`](Self::verify) checks it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the context if one of `keys` signed it for this `payload`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if not, or if a later version wrote it in
    /// another form.
    pub fn verify(&self, keys: &ContextKeys, payload: &[u8]) -> Result<AuditContext> {
        let decode = |text| URL_SAFE_NO_PAD.decode(text).ok();
        let parts = self.0.split_once('.');
        let parts = parts.and_then(|(form, tag)| Some((decode(form)?, decode(tag)?)));
        let form = parts.and_then(|(form, tag)| {
            // Each comparison takes constant time.
            let is_of = |secret| mac(secret, &form, payload).verify_slice(&tag).is_ok();
            std::iter::once(&keys.signing).chain(&keys.accepted).any(is_of).then_some(form)
        });
        let form = form.ok_or_else(|| {
            Error::malformed("context", "signed with one of the keys, for this payload")
        })?;
        json::from_slice(&form).map_err(|error| error.below("context"))
    }
}

impl fmt::Display for SignedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AuditContext {
    /// Signs the context for `payload`: the job that it travels with, or no bytes. See
    /// [`ContextKeys`] for an example.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the context cannot be written as JSON.
    pub fn sign(&self, keys: &ContextKeys, payload: &[u8]) -> Result<SignedContext> {
        let form = serde_json::to_vec(self).map_err(|source| {
            Error::new(ErrorKind::Invalid).with_context("signing a context").with_source(source)
        })?;
        let tag = mac(&keys.signing, &form, payload).finalize().into_bytes();
        let [form, tag] = [&form[..], &tag[..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        Ok(SignedContext(format!("{form}.{tag}")))
    }
}

/// Returns the authentication code over the form and the payload. The length of the form precedes it,
/// so that no two pairs give the same input.
fn mac(secret: &[u8; 32], form: &[u8], payload: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64]; // the secret, padded with zeros to the block size of the hash
    block[..32].copy_from_slice(secret);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(b"audit context 1");
    mac.update(&(form.len() as u64).to_be_bytes());
    mac.update(form);
    mac.update(payload);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn context() -> AuditContext {
        let actor =
            Actor::api("key_1").session_id("s").on_behalf_of(Actor::user("u_1").name("Ana"));
        AuditContext::new(actor)
            .log(crate::OrganizationId::new())
            .organization(OrganizationRef::new("acme"))
            .reason("due")
            .request("POST", "/pay")
            .route("/{verb}")
            .request_id("req_1")
            .trace(
                Trace::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                    .unwrap(),
            )
            .change_set_id(ChangeSetId::new())
            .submitted_by("key_1")
    }

    #[test]
    fn a_context_goes_through_json_as_it_is() {
        for context in [context(), AuditContext::new(Actor::system())] {
            let text = serde_json::to_string(&context).unwrap();
            assert_eq!(serde_json::from_str::<AuditContext>(&text).unwrap(), context);
        }
        let system = serde_json::to_value(AuditContext::new(Actor::system())).unwrap();
        assert_eq!(system, json!({"v": 1, "actor": {"kind": "system"}}));
    }

    /// The bytes that a worker of another version, or in another language, reads. The code is that of another
    /// implementation of HMAC.
    #[test]
    fn the_bytes_of_a_signed_context_do_not_change() {
        let id =
            |last: u128| uuid::Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8000 + last);
        let actor = Actor::api("key_1").ip("203.0.113.9").session_id("s_1");
        let context = AuditContext::new(actor.on_behalf_of(Actor::user("u_7").name("Ana")))
            .log(crate::OrganizationId::from_uuid(id(0x57)))
            .organization(OrganizationRef::new("acme"))
            .reason("due")
            .request("POST", "/invoices/9/pay")
            .route("/invoices/{id}/pay")
            .request_id("req-1")
            .trace(
                Trace::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                    .unwrap(),
            )
            .change_set_id(ChangeSetId::from_uuid(id(0x58)))
            .submitted_by("key_1");
        let form = concat!(
            r#"{"v":1,"actor":{"kind":"api","id":"key_1","ip":"203.0.113.9","sessionId":"s_1","onBehalfOf":{"kind":"user","id":"u_7","name":"Ana"}},"#,
            r#""log":"01890a5d-ac96-774b-bcce-b302099a8057","organization":{"id":"acme"},"#,
            r#""reason":"due","request":{"method":"POST","path":"/invoices/9/pay","route":"/invoices/{id}/pay","id":"req-1"},"#,
            r#""trace":{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"},"#,
            r#""changeSetId":"01890a5d-ac96-774b-bcce-b302099a8058","submittedBy":"key_1"}"#,
        );
        let code = "KyfleMICNIKV20-zMrnrtR6uBOIPM2jW_I8cGU-mqag";
        let (keys, payload) = (ContextKeys::from_secret([7; 32]), br#"{"invoice":"inv_9"}"#);
        assert_eq!(serde_json::to_string(&context).unwrap(), form);
        let signed = context.sign(&keys, payload).unwrap();
        assert_eq!(signed.as_str(), format!("{}.{code}", URL_SAFE_NO_PAD.encode(form)));
        assert_eq!(signed.verify(&keys, payload).unwrap(), context);
    }

    #[test]
    fn another_form_and_an_unknown_field_are_errors() {
        let read = |value| serde_json::from_value::<AuditContext>(value).unwrap_err().to_string();
        let later = read(json!({"v": 2, "actor": {"kind": "user"}}));
        assert_eq!(later, "the context has the form 2, and this version reads the form 1");
        assert!(read(json!({"v": 1, "actor": {"kind": "user"}, "geo": 1})).contains("geo"));
        assert!(read(json!({"actor": {"kind": "user"}})).contains('v'));
    }

    #[test]
    fn a_signature_is_good_for_its_keys_and_its_payload_alone() {
        let (keys, payload) = (ContextKeys::from_secret([7; 32]), b"job 1".as_slice());
        let signed = context().sign(&keys, payload).unwrap();
        assert!(signed.verify(&keys, payload).is_ok());
        assert!(signed.verify(&keys, b"job 2").is_err());
        assert!(signed.verify(&keys, b"").is_err());
        let other = ContextKeys::from_secret([8; 32]);
        assert_eq!(signed.verify(&other, payload).unwrap_err().field(), Some("context"));
        assert!(signed.verify(&other.accepting([7; 32]), payload).is_ok());
        // A byte that moves between the form and the payload is noticed.
        let (form, tag) = signed.as_str().split_once('.').unwrap();
        let mut form = URL_SAFE_NO_PAD.decode(form).unwrap();
        form.push(b' ');
        let moved = SignedContext::new(format!("{}.{tag}", URL_SAFE_NO_PAD.encode(form)));
        assert!(moved.verify(&keys, &payload[1..]).is_err());
        assert!(format!("{keys:?}").contains("keys: 1"));
    }

    proptest! {
        #[test]
        fn no_altered_character_passes(at: proptest::sample::Index, with in "[ -~]") {
            let keys = ContextKeys::from_secret([7; 32]);
            let signed = AuditContext::new(Actor::user("u_7")).sign(&keys, b"job").unwrap();
            let mut text = signed.as_str().to_owned();
            let at = at.index(text.len());
            text.replace_range(at..=at, &with);
            let is_same = text == signed.as_str();
            prop_assert_eq!(SignedContext::new(text).verify(&keys, b"job").is_ok(), is_same);
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let keys = ContextKeys::from_secret([7; 32]);
            prop_assert!(SignedContext::new(text).verify(&keys, b"").is_err());
        }
    }
}
