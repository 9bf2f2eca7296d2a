//! Derives how the values of a type are audited.
//!
//! | file | noun |
//! |---|---|
//! | `audited.rs` | the implementation of `Audited` |
//! | `attributes.rs` | the attributes of a type and of its fields |

mod attributes;
mod audited;

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
