//! The implementation of `Audited`.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Result};

use crate::attributes::{self, FieldAttributes, Form};

/// A field with its attributes and its name in the diff.
struct Audited<'a> {
    field: &'a Field,
    ident: &'a Ident,
    name: String,
    attributes: FieldAttributes,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let target = attributes::target(input)?;
    let fields = fields(input)?;
    let id = id(input, &fields)?;
    let personal = fields.iter().filter(|field| field.attributes.is_personal).map(|f| &f.name);
    let audited = fields
        .iter()
        .filter(|field| !field.attributes.is_id && field.attributes.form != Form::Skipped);
    let values = audited.clone().map(value);

    let name = &input.ident;
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        let types = audited.map(|field| &field.field.ty);
        let bounds: Vec<syn::WherePredicate> =
            types.map(|ty| syn::parse_quote!(#ty: ::audit_core::AuditedValue)).collect();
        generics.make_where_clause().predicates.extend(bounds);
    }
    let (parameters, arguments, clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::audit_core::Audited for #name #arguments #clause {
            const TARGET: &'static str = #target;
            const PERSONAL: &'static [&'static str] = &[#(#personal),*];

            fn audit_id(&self) -> ::std::string::String {
                #id
            }

            fn audit_fields(
                &self,
            ) -> ::audit_core::Result<::std::vec::Vec<::audit_core::AuditedField>> {
                ::core::result::Result::Ok(::std::vec![#(#values),*])
            }
        }
    })
}

fn fields(input: &DeriveInput) -> Result<Vec<Audited<'_>>> {
    let Data::Struct(syn::DataStruct { fields: Fields::Named(named), .. }) = &input.data else {
        let why = "`Audited` can be derived for structs with named fields";
        return Err(Error::new(input.ident.span(), why));
    };
    let mut names = BTreeSet::new();
    let mut fields = Vec::new();
    for field in &named.named {
        let Some(ident) = &field.ident else { continue };
        let attributes = FieldAttributes::of(field)?;
        let rename = attributes.rename.as_ref().map(syn::LitStr::value);
        let name = rename.unwrap_or_else(|| ident.unraw().to_string());
        if attributes.form != Form::Skipped && !names.insert(name.clone()) {
            let why = format!("another field has the name `{name}` in the diff");
            return Err(Error::new(ident.span(), why));
        }
        fields.push(Audited { field, ident, name, attributes });
    }
    Ok(fields)
}

/// Returns the text of the field that is the id.
fn id(input: &DeriveInput, fields: &[Audited<'_>]) -> Result<TokenStream> {
    let mut ids = fields.iter().filter(|field| field.attributes.is_id);
    let Some(Audited { field, ident, .. }) = ids.next() else {
        let why = "no field is the id of the target: add `#[audit(id)]` to one";
        return Err(Error::new(input.ident.span(), why));
    };
    if let Some(other) = ids.next() {
        return Err(Error::new(
            other.ident.span(),
            "another field is the id of the target already",
        ));
    }
    Ok(quote_spanned! { field.ty.span() => ::std::string::ToString::to_string(&self.#ident) })
}

/// Returns the expression of the value of a field.
fn value(field: &Audited<'_>) -> TokenStream {
    let Audited { field: Field { ty, .. }, ident, name, attributes } = field;
    let form = match attributes.form {
        Form::Redacted => quote!(.redacted()),
        Form::Hashed => quote!(.hashed()),
        Form::Shown | Form::Skipped => quote!(),
    };
    let key = attributes.key.as_ref().map(|key| quote!(.keyed(#key)));
    quote_spanned! { ty.span() =>
        ::audit_core::AuditedField::new(#name, &self.#ident)? #form #key
    }
}
