//! Types that say how their values are audited.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

use crate::{Error, ErrorKind, Result, Target};

/// A type whose values are the targets of actions. Derived by the crate `audit-derive`.
///
/// ```
/// use audit_core::{Audited, AuditedField, Change, Result};
///
/// // `#[derive(Audited)]` generates this.
/// struct Customer { id: i64, plan: &'static str, iban: &'static str }
///
/// impl Audited for Customer {
///     const TARGET: &'static str = "customer";
///
///     fn audit_id(&self) -> String {
///         self.id.to_string()
///     }
///
///     fn audit_fields(&self) -> Result<Vec<AuditedField>> {
///         let iban = AuditedField::new("iban", &self.iban)?.redacted();
///         Ok(vec![AuditedField::new("plan", &self.plan)?, iban])
///     }
/// }
///
/// let before = Customer { id: 7, plan: "basic", iban: "DE1" };
/// let change = Change::audited(&before, &Customer { plan: "pro", ..before })?;
/// assert_eq!(change.diff.len(), 1);
/// # Ok::<(), audit_core::Error>(())
/// ```
pub trait Audited {
    /// The type of the target: `invoice`.
    const TARGET: &'static str;

    /// The names of the fields that identify a person, for a record of what is processed.
    const PERSONAL: &'static [&'static str] = &[];

    /// Returns the id of the target.
    fn audit_id(&self) -> String;

    /// Returns the fields that a diff has, each with its value and its form.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a value cannot be written as JSON.
    fn audit_fields(&self) -> Result<Vec<AuditedField>>;

    /// Returns the target.
    fn target(&self) -> Target {
        Target::new(Self::TARGET, self.audit_id())
    }
}

/// A value that a diff can have: any that serde can write.
#[diagnostic::on_unimplemented(
    message = "the diff of an audited type cannot have a `{Self}`, which serde cannot write",
    note = "derive `serde::Serialize` for it, or leave the field out with `#[audit(skip)]`"
)]
pub trait AuditedValue: Serialize {}

impl<T: Serialize + ?Sized> AuditedValue for T {}

/// A field of an [`Audited`] value.
#[derive(Clone, PartialEq)]
pub struct AuditedField {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    pub(crate) form: Form,
    pub(crate) key: Option<&'static str>,
}

/// The form in which a field is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Shown,
    Redacted,
    Hashed,
}

impl AuditedField {
    /// Returns a field that is shown.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the name as the field if the value cannot be written as JSON.
    pub fn new(name: &'static str, value: &(impl AuditedValue + ?Sized)) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(|source| {
            Error::new(ErrorKind::Invalid).with_field(name).with_source(source)
        })?;
        Ok(Self { name, value, form: Form::Shown, key: None })
    }

    /// Masks the values: a diff shows that they changed.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        self.form = Form::Redacted;
        self
    }

    /// Replaces the values by keyed hashes, or masks them if a comparison has no [`FieldKey`].
    #[must_use]
    pub fn hashed(mut self) -> Self {
        self.form = Form::Hashed;
        self
    }

    /// Matches the items of a list by the value of their `member`.
    #[must_use]
    pub fn keyed(mut self, member: &'static str) -> Self {
        self.key = Some(member);
        self
    }
}

impl fmt::Debug for AuditedField {
    /// Prints no value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditedField")
            .field("name", &self.name)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// The key of the hashes of fields. With it, one can test a guess; without it, only equal values can be seen
/// to be equal.
///
/// The hash is HMAC-SHA-256 (RFC 2104) over the value as JSON, as base64url without padding
/// (RFC 4648) after `hmac:`.
#[derive(Clone)]
pub struct FieldKey([u8; 32]);

impl FieldKey {
    /// Returns the key of a secret: 32 random bytes, for example of
    /// [`TokenKeys::generate_secret`](crate::TokenKeys::generate_secret).
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Returns the hash of a value. That it is null hides nothing.
    pub(crate) fn hash(&self, value: &Value) -> Value {
        if value.is_null() {
            return Value::Null;
        }
        let mut block = [0; 64]; // the secret, padded with zeros to the block size of the hash
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(value.to_string().as_bytes());
        Value::from(format!("hmac:{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for FieldKey {
    /// Prints nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldKey")
    }
}
