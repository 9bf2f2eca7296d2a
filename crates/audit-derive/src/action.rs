//! The implementation of `AuditAction`.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Ident, Member, Result, Variant};

use crate::action_attributes::{ActionAttributes, Count, FieldRole};
use crate::names;

/// A variant with its attributes.
struct Action<'a> {
    variant: &'a Variant,
    attributes: ActionAttributes,
    fields: Vec<ActionField<'a>>,
}

struct ActionField<'a> {
    field: &'a Field,
    member: Member,
    /// Its name in a pattern.
    binding: Ident,
    role: FieldRole,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(DataEnum { variants, .. }) = &input.data else {
        let why = "`AuditAction` is derived for an enum, whose variants are the actions";
        return Err(Error::new(input.ident.span(), why));
    };
    if variants.is_empty() {
        return Err(Error::new(input.ident.span(), "the enum has no action"));
    }
    let actions = variants.iter().map(Action::of).collect::<Result<Vec<_>>>()?;
    distinct(
        actions.iter().map(|action| (action.attributes.action.value(), &action.attributes.action)),
        "another action has this name",
    )?;
    let constants = actions.iter().map(Action::constant).collect::<Result<Vec<_>>>()?;
    let definitions = actions.iter().map(Action::definition);
    let indexes = actions.iter().enumerate().map(|(index, action)| {
        let variant = &action.variant.ident;
        quote!(Self::#variant { .. } => &<Self as ::audit_core::AuditAction>::DEFINITIONS[#index])
    });
    let arms = actions.iter().map(Action::arm);
    let name = &input.ident;
    let (parameters, arguments, clause) = input.generics.split_for_impl();
    // A service need not use each constant.
    Ok(quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #parameters #name #arguments #clause {
            #(#constants)*
        }

        #[automatically_derived]
        impl #parameters ::audit_core::AuditAction for #name #arguments #clause {
            const DEFINITIONS: &'static [::audit_core::ActionDefinition] = &[#(#definitions),*];

            fn definition(&self) -> &'static ::audit_core::ActionDefinition {
                match self { #(#indexes),* }
            }

            fn describe(self, event: ::audit_core::NewEvent) -> ::audit_core::NewEvent {
                match self { #(#arms),* }
            }
        }

        #[automatically_derived]
        impl #parameters ::audit_core::IntoEvent for #name #arguments #clause {
            fn into_event(self, context: ::audit_core::AuditContext) -> ::audit_core::NewEvent {
                let definition = ::audit_core::AuditAction::definition(&self);
                let mut event = context.new_event(definition.action());
                event.severity = definition.severity();
                ::audit_core::AuditAction::describe(self, event)
            }
        }
    })
}

impl<'a> Action<'a> {
    fn of(variant: &'a Variant) -> Result<Self> {
        let attributes = ActionAttributes::of(variant)?;
        let fields = match &variant.fields {
            Fields::Unit => Vec::new(),
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unnamed(fields) => {
                let why = "the targets and attributes of an action have names: use `{ … }`";
                return Err(Error::new(fields.span(), why));
            }
        };
        let fields = fields.into_iter().map(ActionField::of).collect::<Result<Vec<_>>>()?;
        for is_target in [true, false] {
            let of_role = fields.iter().filter(|field| field.role.is_target == is_target);
            let why = if is_target {
                "another field is a target of this type: make one of them a `Vec`"
            } else {
                "another field is this attribute"
            };
            distinct(of_role.map(|field| (field.role.name.value(), &field.field.ident)), why)?;
        }
        if fields.iter().filter(|field| !field.role.is_target).count() > names::MAX_ATTRIBUTES {
            let why = format!("an event has at most {} attributes", names::MAX_ATTRIBUTES);
            return Err(Error::new(variant.ident.span(), why));
        }
        Ok(Self { variant, attributes, fields })
    }

    /// Returns the constant of the action: `INVOICE_PAID`.
    fn constant(&self) -> Result<TokenStream> {
        let (variant, action) = (&self.variant.ident, &self.attributes.action);
        let name = screaming(&variant.unraw().to_string());
        let name = syn::parse_str::<Ident>(&name).map_err(|_| {
            Error::new(variant.span(), "no constant can have the name of this variant")
        })?;
        let name = Ident::new(&name.to_string(), variant.span());
        let doc = format!("The action `{}`: {}.", action.value(), self.attributes.summary);
        Ok(quote! {
            #[doc = #doc]
            pub const #name: ::audit_core::Action = ::audit_core::Action::from_static(#action);
        })
    }

    fn definition(&self) -> TokenStream {
        let ActionAttributes { action, summary, severity, since, version, ocsf } = &self.attributes;
        let severity = severity.iter().map(|text| quote!(.with_severity(#text)));
        let since = since.iter().map(|text| quote!(.with_since(#text)));
        let version = version.iter().map(|number| quote!(.with_version(#number)));
        let ocsf = ocsf.iter().map(|number| quote!(.with_ocsf_class(#number)));
        let definitions = |is_target| {
            let fields = self.fields.iter().filter(move |field| field.role.is_target == is_target);
            fields.map(ActionField::definition)
        };
        let (targets, attributes) = (definitions(true), definitions(false));
        quote! {
            ::audit_core::ActionDefinition::new(#action, #summary)
                #(#severity)* #(#since)* #(#version)* #(#ocsf)*
                .with_targets(&[#(#targets),*])
                .with_attributes(&[#(#attributes),*])
        }
    }

    /// Returns the arm that describes an event.
    fn arm(&self) -> TokenStream {
        let variant = &self.variant.ident;
        let patterns =
            self.fields.iter().map(|ActionField { member, binding, .. }| quote!(#member: #binding));
        let steps = self.fields.iter().map(ActionField::step);
        quote! {
            Self::#variant { #(#patterns),* } => {
                #(#steps)*
                event
            }
        }
    }
}

impl<'a> ActionField<'a> {
    fn of(field: &'a Field) -> Result<Self> {
        let ident = field.ident.clone().unwrap_or_else(|| Ident::new("_0", Span::call_site()));
        let binding = format_ident!("value_of_{}", ident.unraw());
        Ok(Self { field, member: Member::Named(ident), binding, role: FieldRole::of(field)? })
    }

    fn definition(&self) -> TokenStream {
        let FieldRole { name, summary, count, .. } = &self.role;
        let summary = summary.iter().map(|text| quote!(.with_summary(#text)));
        let count = match count {
            Count::One => quote!(),
            Count::Optional => quote!(.with_count(::audit_core::FieldCount::Optional)),
            Count::Many => quote!(.with_count(::audit_core::FieldCount::Many)),
        };
        quote!(::audit_core::FieldDefinition::new(#name) #count #(#summary)*)
    }

    /// Returns the statement that adds the value to an event.
    fn step(&self) -> TokenStream {
        let Self { field, binding, role: FieldRole { is_target, name, count, .. }, .. } = self;
        let add = if *is_target { quote!(target) } else { quote!(attribute) };
        // The compiler points at the type if it has no text.
        let text = quote_spanned! { field.ty.span() => ::std::string::ToString::to_string(&value) };
        let one = quote!(let event = event.#add(#name, #text););
        match count {
            Count::One => quote!(let value = #binding; #one),
            Count::Optional => quote! {
                let event = match #binding {
                    ::core::option::Option::Some(value) => { #one event }
                    ::core::option::Option::None => event,
                };
            },
            Count::Many => quote! {
                let mut event = event;
                for value in #binding {
                    event = { #one event };
                }
            },
        }
    }
}

/// Fails at the first place whose name another has.
fn distinct<'a, T: quote::ToTokens + 'a>(
    named: impl Iterator<Item = (String, &'a T)>,
    why: &str,
) -> Result<()> {
    let mut names = BTreeSet::new();
    for (name, place) in named {
        if !names.insert(name) {
            return Err(Error::new_spanned(place, why));
        }
    }
    Ok(())
}

/// Returns the name of a constant: `INVOICE_PAID` for `InvoicePaid`, `API_KEY` for `APIKey`.
fn screaming(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut constant = String::new();
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| characters[index]);
        let after = characters.get(index + 1);
        let begins = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        if begins {
            constant.push('_');
        }
        constant.extend(character.to_uppercase());
    }
    constant
}

#[cfg(test)]
mod tests {
    use super::screaming;

    #[test]
    fn a_constant_is_named_after_its_variant() {
        let many = [
            ("InvoicePaid", "INVOICE_PAID"),
            ("Paid", "PAID"),
            ("APIKeyRevoked", "API_KEY_REVOKED"),
            ("Oauth2Login", "OAUTH2_LOGIN"),
            ("X", "X"),
        ];
        for (variant, constant) in many {
            assert_eq!(screaming(variant), constant);
        }
    }
}
