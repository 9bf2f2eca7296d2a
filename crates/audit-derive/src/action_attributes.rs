//! The attributes of the variants of an enum of actions, and of their fields.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, Expr, ExprLit, Field, GenericArgument, Lit, LitInt, LitStr, Meta,
    PathArguments, Result, Token, Type, Variant,
};

use crate::attributes::{each, once, unknown};
use crate::names;

/// The attributes of a variant.
pub(crate) struct ActionAttributes {
    pub(crate) action: LitStr,
    pub(crate) summary: String,
    pub(crate) severity: Option<LitStr>,
    pub(crate) since: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) ocsf: Option<LitInt>,
}

/// The role of a field of a variant.
pub(crate) struct FieldRole {
    pub(crate) is_target: bool,
    /// The type of the target, or the key of the attribute.
    pub(crate) name: LitStr,
    pub(crate) summary: Option<String>,
    pub(crate) count: Count,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    One,
    Optional,
    Many,
}

const OF_VARIANT: &str = "one of `action`, `summary`, `severity`, `since`, `version` and `ocsf`";
const OF_FIELD: &str = "`target = \"…\"`, `attribute` or `attribute = \"…\"`";

impl ActionAttributes {
    pub(crate) fn of(variant: &Variant) -> Result<Self> {
        let (mut action, mut summary, mut severity, mut since) = (None, None, None, None);
        let (mut version, mut ocsf) = (None, None);
        each(&variant.attrs, |meta| {
            let name = meta.path.get_ident().map(ToString::to_string);
            match name.as_deref() {
                Some("action") => once(&mut action, &meta),
                Some("summary") => once(&mut summary, &meta),
                Some("severity") => once(&mut severity, &meta),
                Some("since") => once(&mut since, &meta),
                Some("version") => number(&mut version, &meta),
                Some("ocsf") => number(&mut ocsf, &meta),
                _ => Err(unknown(&meta, OF_VARIANT)),
            }
        })?;
        let at_variant = |why: &str| Error::new(variant.ident.span(), why);
        let action: LitStr = action.ok_or_else(|| {
            at_variant("the action is missing: add `#[audit(action = \"…\")]`, the name in the log")
        })?;
        if let Some(why) = names::action_fault(&action.value()) {
            return Err(Error::new(action.span(), why));
        }
        let summary = summary.map(|text: LitStr| text.value()).or_else(|| doc(&variant.attrs));
        let summary = summary.filter(|text| !text.is_empty()).ok_or_else(|| {
            at_variant("the summary is missing: add a doc comment, or `#[audit(summary = \"…\")]`")
        })?;
        if let Some(severity) = &severity
            && !names::SEVERITIES.contains(&severity.value().as_str())
        {
            let why = format!("unknown severity: expected one of {}", names::SEVERITIES.join(", "));
            return Err(Error::new(severity.span(), why));
        }
        Ok(Self { action, summary, severity, since, version, ocsf })
    }
}

impl FieldRole {
    pub(crate) fn of(field: &Field) -> Result<Self> {
        let mut roles = Vec::new();
        each(&field.attrs, |meta| {
            let is_target = meta.path.is_ident("target");
            if !is_target && !meta.path.is_ident("attribute") {
                return Err(unknown(&meta, OF_FIELD));
            }
            let name = if is_target || meta.input.peek(Token![=]) {
                meta.value()?.parse()?
            } else {
                own_name(field)
            };
            roles.push((is_target, name));
            Ok(())
        })?;
        let mut roles = roles.into_iter();
        let (is_target, name) = roles.next().ok_or_else(|| {
            Error::new(field.span(), format!("say what the field is: expected {OF_FIELD}"))
        })?;
        if roles.next().is_some() {
            return Err(Error::new(field.span(), "a field is a target or an attribute, once"));
        }
        if let Some(why) = names::text_fault(&name.value()) {
            return Err(Error::new(name.span(), why));
        }
        let count = count(&field.ty);
        if count == Count::Many && !is_target {
            let why = "an attribute has one value: make it a text, or several targets";
            return Err(Error::new(field.ty.span(), why));
        }
        Ok(Self { is_target, name, summary: doc(&field.attrs), count })
    }
}

fn own_name(field: &Field) -> LitStr {
    use syn::ext::IdentExt as _;
    let name = field.ident.as_ref().map_or_else(String::new, |ident| ident.unraw().to_string());
    LitStr::new(&name, field.span())
}

/// Returns how many values a field has, by the name of its type.
fn count(ty: &Type) -> Count {
    let Type::Path(path) = ty else { return Count::One };
    let Some(last) = path.path.segments.last() else { return Count::One };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Count::One };
    let types = arguments.args.iter().filter(|arg| matches!(arg, GenericArgument::Type(_)));
    match (types.count(), last.ident.to_string().as_str()) {
        (1, "Option") => Count::Optional,
        (1, "Vec") => Count::Many,
        _ => Count::One,
    }
}

/// Reads a number that may be there once.
fn number(number: &mut Option<LitInt>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    let literal: LitInt = meta.value()?.parse()?;
    if literal.base10_parse::<u32>().is_ok_and(|value| value == 0) {
        return Err(Error::new(literal.span(), "it begins with 1"));
    }
    // The compiler checks the rest.
    if number.replace(literal).is_some() {
        return Err(meta.error("it is there twice"));
    }
    Ok(())
}

/// Returns the first paragraph of a doc comment as one line, without its last full stop.
fn doc(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
    let paragraph: Vec<_> =
        lines.iter().take_while(|line| !line.is_empty()).map(String::as_str).collect();
    let text = paragraph.join(" ");
    let text = text.strip_suffix('.').map_or(text.clone(), ToOwned::to_owned);
    (!text.is_empty()).then_some(text)
}
