//! The attributes of a type and of its fields.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Attribute, DeriveInput, Error, Field, LitStr, Result};

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) is_id: bool,
    pub(crate) is_personal: bool,
    pub(crate) form: Form,
    pub(crate) rename: Option<LitStr>,
    pub(crate) key: Option<LitStr>,
}

/// The form in which the values of a field are recorded.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Shown,
    Skipped,
    Redacted,
    Hashed,
}

/// Returns the type of the target.
pub(crate) fn target(input: &DeriveInput) -> Result<LitStr> {
    let mut target = None;
    each(&input.attrs, |meta| {
        if !meta.path.is_ident("target") {
            return Err(unknown(&meta, "`target`"));
        }
        once(&mut target, &meta)
    })?;
    let missing = || {
        Error::new(
            input.ident.span(),
            "the type of the target is missing: add `#[audit(target = \"…\")]`",
        )
    };
    let target: LitStr = target.ok_or_else(missing)?;
    if target.value().is_empty() {
        return Err(Error::new(target.span(), "the type of the target must not be empty"));
    }
    Ok(target)
}

impl FieldAttributes {
    pub(crate) fn of(field: &Field) -> Result<Self> {
        let mut own = Self::default();
        each(&field.attrs, |meta| {
            let Some(name) = meta.path.get_ident().map(ToString::to_string) else {
                return Err(unknown(&meta, EXPECTED));
            };
            match &*name {
                "id" => own.is_id = true,
                "personal" => own.is_personal = true,
                "skip" => own.set(Form::Skipped, meta.path.span())?,
                "redact" => own.set(Form::Redacted, meta.path.span())?,
                "hash" => own.set(Form::Hashed, meta.path.span())?,
                "rename" => once(&mut own.rename, &meta)?,
                "key" => once(&mut own.key, &meta)?,
                _ => return Err(unknown(&meta, EXPECTED)),
            }
            Ok(())
        })?;
        own.check()?;
        Ok(own)
    }

    fn set(&mut self, form: Form, span: Span) -> Result<()> {
        if self.form != Form::Shown {
            return Err(Error::new(span, "a field has one of `skip`, `redact` and `hash`"));
        }
        self.form = form;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let unused = |name: &LitStr, why| Err(Error::new(name.span(), why));
        match (&self.rename, &self.key) {
            (Some(name), _) if self.form == Form::Skipped => {
                unused(name, "a field that is left out has no name: remove `rename` or `skip`")
            }
            (_, Some(key)) if self.form != Form::Shown => {
                unused(key, "only the items of a list that is shown are matched: remove `key`")
            }
            _ => Ok(()),
        }
    }
}

const EXPECTED: &str = "one of `id`, `skip`, `redact`, `hash`, `rename`, `personal` and `key`";

/// Calls `read` for each item of each `#[audit(…)]`.
pub(crate) fn each(
    attributes: &[Attribute],
    mut read: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    let mut own = attributes.iter().filter(|attribute| attribute.path().is_ident("audit"));
    own.try_for_each(|attribute| attribute.parse_nested_meta(&mut read))
}

/// Reads the text of an item that may be there once.
pub(crate) fn once(text: &mut Option<LitStr>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if text.replace(meta.value()?.parse()?).is_some() {
        return Err(meta.error("it is there twice"));
    }
    Ok(())
}

pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, expected: &str) -> Error {
    meta.error(format_args!("unknown attribute: expected {expected}"))
}
