//! Schemas for OpenAPI documents, of the types whose schema cannot be derived.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, extensions::Extensions};
use utoipa::{PartialSchema, ToSchema};

use crate::tree::NodeHash;
use crate::{
    Action, ActorKind, ApiKeyId, Attributes, ChangeSetId, EntityClass, EventId, LeafHash, Log,
    OrganizationId, OutcomeResult, RootHash, Sequence, Severity, SpanId, Surface, Target,
    Timestamp, TraceId,
};

/// The schema of a bound of a time range: see
/// [`Timestamp::parse_since`](crate::Timestamp::parse_since).
#[derive(Debug)]
pub struct TimeBound;

/// The schema of any JSON value that is kept exactly; see [`json`](crate::json).
#[derive(Debug)]
pub struct JsonValue;

/// The schema of any JSON object that is kept exactly; see [`json`](crate::json).
#[derive(Debug)]
pub struct JsonObject;

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
    ChangeSetId: uuid("The id of a change set: the events of one change that has several parts.");
    ApiKeyId: uuid("The id of an API key.");
    Timestamp: text("An instant in RFC 3339, to the nanosecond.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    TimeBound: AnyOfBuilder::new()
        .item(text("An instant in RFC 3339, to the nanosecond.")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))))
        .item(text("A date: the whole day in UTC.")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))))
        .description(Some("An instant in RFC 3339, or a date, which means the whole day in UTC."));
    Sequence: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .description(Some("The number of an event in its log, from 1; zero before the first."));
    LeafHash: hash("The hash of one record: SHA-256 of a zero byte and the record, in base64.");
    NodeHash: hash("The hash of a complete subtree: SHA-256 of a byte 1, left and right, in base64.");
    RootHash: hash("The hash of a whole log of some size, in base64.");
    Log: text("The log: the id of an organization, or `platform`.")
        .pattern(Some("^(platform|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"));
    Action: term("What was done, dotted from the general to the special: at most 256 bytes, and 16 \
        segments, the last of which is not `*`.", Action::KNOWN)
        .min_length(Some(1));
    ActorKind: term("What kind of party acted. At most 256 bytes.", ActorKind::KNOWN)
        .min_length(Some(1));
    EntityClass: term("The class of the entity that an actor is. At most 256 bytes.", EntityClass::KNOWN);
    OutcomeResult: term("The result of an action. At most 256 bytes.", OutcomeResult::KNOWN)
        .min_length(Some(1));
    Severity: term("How severe an event is, in the terms of OCSF. At most 256 bytes.", Severity::KNOWN)
        .min_length(Some(1));
    TraceId: hex("The id of a trace (W3C Trace Context): 16 bytes in hexadecimal, not all zero.", 32);
    SpanId: hex("The id of a span (W3C Trace Context): 8 bytes in hexadecimal, not all zero.", 16);
    Attributes: ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(Schema::from(text("The value. At most 1,024 bytes."))))
        .description(Some("Properties that the service defines and filters by: at most 32, each key \
            of 1 to 256 bytes."));
    Target: target();
    JsonValue: json_value();
    JsonObject: ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(JsonValue::reference()))
        .description(Some("Any JSON object, its numbers as those of any JSON value."));
    Surface: term("The product surface that an event belongs to. At most 256 bytes.", Surface::KNOWN);
}

impl JsonValue {
    fn reference() -> Ref {
        Ref::from_schema_name(Self::name())
    }
}

/// Returns the schema of any JSON without integers that would be rounded. A schema cannot distinguish
/// those from other numbers, so it states the bounds of integers for all. It does not refer to itself
/// for the values inside, because generators of clients fail at a recursive schema or drop what uses it.
fn json_value() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some(
            "Any JSON value. An integer is from -2^63 to 2^64 - 1, also inside arrays and objects.",
        ))
        .minimum(Some(isize::MIN))
        .maximum(Some(usize::MAX))
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn uuid(description: &str) -> ObjectBuilder {
    text(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

fn hash(description: &str) -> ObjectBuilder {
    text(description).pattern(Some("^[A-Za-z0-9+/]{43}=$"))
}

fn hex(description: &str, digits: usize) -> ObjectBuilder {
    text(description).pattern(Some(format!("^(?!0+$)[0-9A-Fa-f]{{{digits}}}$")))
}

/// Returns the schema of a term of an open vocabulary: lists the known terms and allows any other.
fn term<T: AsRef<str>>(description: &str, known: &[T]) -> ObjectBuilder {
    let known: Vec<_> = known.iter().map(AsRef::as_ref).collect();
    let extensions = Extensions::builder().add("x-known-values", known).build();
    text(description).extensions(Some(extensions))
}

/// Returns the schema of a target: at least one of type, id and name.
fn target() -> AllOfBuilder {
    const FIELDS: [(&str, &str); 3] = [
        ("type", "The type. At most 256 bytes."),
        ("id", "The id. At most 1,024 bytes."),
        ("name", "The name. At most 65,536 bytes. Personal."),
    ];
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    let described = FIELDS.iter().fold(
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("What was done to: any of type, id and name, but not none."))
            .additional_properties(Some(utoipa::openapi::schema::AdditionalProperties::FreeForm(
                false,
            ))),
        |object, (name, words)| {
            let field =
                ObjectBuilder::new().schema_type(nullable.clone()).description(Some(*words));
            object.property(*name, field)
        },
    );
    let given = FIELDS.iter().fold(AnyOfBuilder::new(), |any, (name, _)| {
        any.item(ObjectBuilder::new().property(*name, text("Given.")).required(*name))
    });
    AllOfBuilder::new().item(described).item(given)
}
