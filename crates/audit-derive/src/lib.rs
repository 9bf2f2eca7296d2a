//! Derives how the values of a type are audited, and the actions that a service records.
//!
//! | file | noun |
//! |---|---|
//! | `audited.rs` | the implementation of `Audited` |
//! | `attributes.rs` | the attributes of a type and of its fields |
//! | `action.rs` | the implementation of `AuditAction` |
//! | `action_attributes.rs` | the attributes of the variants of an enum of actions, and of their fields |
//! | `names.rs` | the rules of names |

mod action;
mod action_attributes;
mod attributes;
mod audited;
mod names;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements [`Audited`](https://docs.rs/audit-core) for a struct with named fields.
///
/// | on the type | |
/// |---|---|
/// | `#[audit(target = "invoice")]` | the type of the target; required |
///
/// | on a field | |
/// |---|---|
/// | `#[audit(id)]` | its text is the id of the target, and it is not part of the diff; required once |
/// | `#[audit(skip)]` | left out: a change of it alone is no change |
/// | `#[audit(redact)]` | masked: the diff shows that it changed, not its values |
/// | `#[audit(hash)]` | its values are replaced by keyed hashes, so that equal ones can be seen to be equal; masked if the comparison has no key |
/// | `#[audit(rename = "amount")]` | its name in the diff |
/// | `#[audit(personal)]` | identifies a person; listed in `Audited::PERSONAL` |
/// | `#[audit(key = "id")]` | a list whose items are matched by this member |
///
/// Other fields are compared as serde writes them, and masked if their names, at any depth, are those of secrets.
///
/// ```
/// use audit_core::{Audited as _, Change, Target};
/// use audit_derive::Audited;
///
/// #[derive(Audited)]
/// #[audit(target = "customer")]
/// struct Customer {
///     #[audit(id)]
///     id: i64,
///     plan: &'static str,
///     #[audit(redact)]
///     iban: &'static str,
/// }
///
/// let before = Customer { id: 7, plan: "basic", iban: "DE1" };
/// let after = Customer { id: 7, plan: "pro", iban: "DE2" };
/// let change = Change::audited(&before, &after)?;
/// assert_eq!(after.target(), Target::new("customer", "7"));
/// assert_eq!(change.diff[0].new, Some("[redacted]".into()));
/// assert_eq!(change.diff[1].new, Some("pro".into()));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[proc_macro_derive(Audited, attributes(audit))]
pub fn derive_audited(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    audited::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements [`AuditAction`](https://docs.rs/audit-core) for an enum whose variants are the actions of a
/// service. A value is accepted wherever the name of an action is, and has its targets and attributes
/// with it.
///
/// | on a variant | |
/// |---|---|
/// | `#[audit(action = "invoice.paid")]` | the name in the log; required, because a variant can be renamed and a log cannot |
/// | a doc comment, or `#[audit(summary = "…")]` | its meaning; required |
/// | `#[audit(severity = "high")]` | the severity of its events unless they state another |
/// | `#[audit(since = "1.2")]` | the version of the service that first recorded it |
/// | `#[audit(version = 2)]` | the version of the definition and of its JSON schema; 1 by default |
/// | `#[audit(ocsf = 6003)]` | its class in OCSF |
///
/// | on a field | |
/// |---|---|
/// | `#[audit(target = "invoice")]` | its text is the id of a target of this type |
/// | `#[audit(attribute)]`, `#[audit(attribute = "payment.method")]` | its text is an attribute; attributes are no place for personal data, because they are not erased |
///
/// A field that is an `Option` may be absent; a target that is a `Vec` may be there any number of times.
/// Each variant also has a constant for filters and tests: `Billing::INVOICE_PAID`.
///
/// ```
/// use audit_core::{Actor, AuditAction as _, NewEvent};
/// use audit_derive::AuditAction;
///
/// #[derive(AuditAction)]
/// enum Billing {
///     /// A customer paid an invoice.
///     #[audit(action = "invoice.paid", severity = "informational", since = "1.2", ocsf = 6003)]
///     InvoicePaid {
///         #[audit(target = "invoice")]
///         invoice: u64,
///         #[audit(attribute)]
///         method: Option<&'static str>,
///     },
/// }
///
/// let paid = Billing::InvoicePaid { invoice: 9, method: Some("card") };
/// let event = NewEvent::new(paid, Actor::user("u_7"));
/// assert_eq!(event.action, Billing::INVOICE_PAID);
/// assert_eq!(event.targets[0].id.as_deref(), Some("9"));
/// assert_eq!(event.attributes.get("method"), Some("card"));
/// assert_eq!(Billing::DEFINITIONS[0].summary(), "A customer paid an invoice");
/// ```
#[proc_macro_derive(AuditAction, attributes(audit))]
pub fn derive_audit_action(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    action::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
