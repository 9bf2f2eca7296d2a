//! The schemas of the types that are one JSON text or number, for OpenAPI documents.

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{RefOr, extensions::Extensions};
use utoipa::{PartialSchema, ToSchema};

use crate::limits::NAME;
use crate::{
    Action, ActorKind, ApiKeyId, ChangeSetId, EntityClass, EventId, Log, OrganizationId, Sequence,
    Surface, Timestamp,
};

macro_rules! schemas {
    ($($name:ident: $schema:expr;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::from($schema))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

schemas! {
    EventId: uuid("The id of an event, unique within its log.");
    OrganizationId: uuid("The id of an organization.");
    ChangeSetId: uuid("The id that joins the events of one change made in several places.");
    ApiKeyId: uuid("The id of an API key.");
    Timestamp: text("An instant in RFC 3339, to the microsecond.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    Sequence: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .description(Some("The number of an event in its log, from 1; zero before the first."));
    Log: text("The log: the id of an organization, or `platform`.")
        .pattern(Some("^(platform|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"));
    Action: term("What was done, dotted from the general to the special.", Action::KNOWN);
    ActorKind: term("What kind of party acted.", ActorKind::KNOWN);
    EntityClass: term("The class of the entity that an actor is.", EntityClass::KNOWN);
    Surface: term("The product surface that an event belongs to.", Surface::KNOWN);
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn uuid(description: &str) -> ObjectBuilder {
    text(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

/// A term of an open vocabulary: the known ones are told, and no other is refused.
fn term<T: AsRef<str>>(description: &str, known: &[T]) -> ObjectBuilder {
    let known: Vec<_> = known.iter().map(AsRef::as_ref).collect();
    let extensions = Extensions::builder().add("x-known-values", known).build();
    text(description).max_length(Some(NAME)).extensions(Some(extensions))
}
