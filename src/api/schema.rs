//! The JSON schemas (draft 2020-12) of what the model's types look like in JSON. Each is at most as strict as the type.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use super::page::Page;
use crate::model::{
    ApiKeyId, ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, EventId, Name, OrganizationId, Plan,
    Role, Timestamp, UserId, Username,
};
use crate::secret::Secret;

macro_rules! schema {
    ($($type:ty as $name:literal = $object:expr;)*) => {
        $(impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let object: ObjectBuilder = $object;
                RefOr::T(Schema::Object(object.build()))
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        })*
    };
}

schema! {
    UserId as "Id" = id();
    OrganizationId as "Id" = id();
    ApplicationId as "Id" = id();
    DeviceId as "Id" = id();
    ApiKeyId as "Id" = id();
    EventId as "Id" = id();

    Timestamp as "Time" = text("A time as RFC 3339, in UTC in answers.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples([json!("2026-11-24T08:00:00.000000Z")]);

    Name as "Name" = text("A name to show: no control characters, no space at either end.")
        .min_length(Some(1))
        .max_length(Some(100))
        .pattern(Some(r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"))
        .examples([json!("thermostat")]);
    Username as "Username" = text(
        "Letters, digits, `-`, `_` and `.`, with a letter or digit at either end. Case does not tell users apart.",
    )
    .min_length(Some(1))
    .max_length(Some(64))
    .examples([json!("ada")]);
    Email as "Email" = text("An address. Case does not tell addresses apart.")
    .pattern(Some(r"^[^@\s]+@[^@\s]+$"))
        .min_length(Some(3))
        .max_length(Some(254))
        .examples([json!("ada@example.com")]);
    Secret as "Secret" = text("Not to be stored in the clear.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));

    Role as "Role" = one_of("A role on an application.", Role::ALL.map(Role::as_str));
    Plan as "Plan" = one_of("What an organization pays for.", [Plan::Free, Plan::Paid].map(Plan::as_str));
    ApplicationType as "ApplicationType" = one_of(
        "The type of an application. Those of type `starter` have no roles but developers beside their owner.",
        [ApplicationType::Starter, ApplicationType::Standard].map(ApplicationType::as_str),
    );
    CredentialKind as "CredentialKind" = one_of(
        "The kind of a credential.",
        [CredentialKind::Session, CredentialKind::ApiKey].map(CredentialKind::as_str),
    );
}

fn text(description: &str) -> ObjectBuilder {
    Object::builder().schema_type(Type::String).description(Some(description))
}

fn id() -> ObjectBuilder {
    text("A UUID in lower case with hyphens.")
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .pattern(Some("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"))
        .examples([json!("01890a5d-ac96-774b-bcce-b302099a8057")])
}

fn one_of<const N: usize>(description: &str, names: [&str; N]) -> ObjectBuilder {
    text(description).enum_values(Some(names))
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let item = utoipa::openapi::Ref::from_schema_name(T::name());
        let cursor = Object::builder()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("The `cursor` of the next page; nothing if this is the last."));
        let page = Object::builder()
            .property("items", utoipa::openapi::schema::Array::new(item))
            .property("next_cursor", cursor)
            .required("items")
            .required("next_cursor");
        RefOr::T(Schema::Object(page.build()))
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
