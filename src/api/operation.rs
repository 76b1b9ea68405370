//! One declaration of an operation, from which it is served and documented: its path and method, its handler, and what
//! the handler's signature tells of its input and its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::ApiState;
use super::code::Code;
use super::problem::ApiError;

/// An operation of the API.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Its name in generated clients.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: Option<&'static str>,
    pub(super) contract: Contract,
    pub(super) route: MethodRouter<ApiState, Infallible>,
}

/// What an operation takes and gives.
#[derive(Default)]
pub(super) struct Contract {
    pub(super) needs_credential: bool,
    /// Whether the credential may come as the password of Basic, too.
    pub(super) takes_basic: bool,
    /// The parameters of its query, as OpenAPI writes them.
    pub(super) query: Vec<Value>,
    /// The type and the schema of its body.
    pub(super) body: Option<(&'static str, Value)>,
    /// Its answers by status: the type and the schema of their body.
    pub(super) answers: BTreeMap<u16, Option<(&'static str, Value)>>,
    /// The problems that it may have.
    pub(super) codes: BTreeSet<Code>,
    /// The schemas that the others refer to.
    pub(super) schemas: Vec<(String, Value)>,
}

impl Contract {
    /// A reference to the schema of a type, which is collected with those that it refers to.
    pub(super) fn schema<T: ToSchema>(&mut self) -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        self.schemas.extend(schemas.into_iter().map(|(name, schema)| (name, json!(schema))));
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }

    fn answer<T: ToSchema>(&mut self, status: StatusCode) {
        let schema = self.schema::<T>();
        self.answers.insert(status.as_u16(), Some(("application/json", schema)));
    }
}

/// What a handler takes from a request.
pub(super) trait Takes {
    /// Adds it to the operation's contract.
    fn describe(contract: &mut Contract);
}

/// What a handler answers.
pub(super) trait Gives {
    /// Adds it to the operation's contract.
    fn describe(contract: &mut Contract);
}

/// A handler's signature: what it takes and what it gives.
pub(super) trait Signature<Taken> {
    /// The contract that it makes.
    fn contract() -> Contract;
}

macro_rules! signature {
    ($($taken:ident)*) => {
        impl<H, Answering, Given, $($taken),*> Signature<($($taken,)*)> for H
        where
            H: Fn($($taken),*) -> Answering,
            Answering: Future<Output = Given>,
            Given: Gives,
            $($taken: Takes),*
        {
            fn contract() -> Contract {
                let mut contract = Contract::default();
                $($taken::describe(&mut contract);)*
                Given::describe(&mut contract);
                contract
            }
        }
    };
}

signature!();
signature!(A);
signature!(A B);
signature!(A B C);
signature!(A B C D);

macro_rules! methods {
    ($($name:ident $filter:ident,)*) => {
        impl Operation {
            $(pub(super) fn $name<H, T: 'static, Taken>(
                path: &'static str,
                id: &'static str,
                summary: &'static str,
                handler: H,
            ) -> Self
            where
                H: Handler<T, ApiState> + Signature<Taken>,
            {
                let (method, route) = (stringify!($name), on(MethodFilter::$filter, handler));
                Self { method, path, id, summary, about: None, contract: H::contract(), route }
            })*
        }
    };
}

methods! {
    get GET,
    post POST,
    put PUT,
    patch PATCH,
    delete DELETE,
}

impl Operation {
    /// What else there is to know.
    pub(super) fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
    }

    /// The problems that its signature does not tell of.
    pub(super) fn refuses(mut self, codes: &[Code]) -> Self {
        self.contract.codes.extend(codes);
        self
    }
}

/// 201.
pub(super) struct Created<T>(pub(super) T);

/// 202.
pub(super) struct Accepted;

/// 204.
pub(super) struct NoContent;

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Takes for State<ApiState> {
    fn describe(_: &mut Contract) {}
}

impl<T: ToSchema> Gives for Json<T> {
    fn describe(contract: &mut Contract) {
        contract.answer::<T>(StatusCode::OK);
    }
}

impl<T: ToSchema> Gives for Created<T> {
    fn describe(contract: &mut Contract) {
        contract.answer::<T>(StatusCode::CREATED);
    }
}

impl Gives for Accepted {
    fn describe(contract: &mut Contract) {
        contract.answers.insert(StatusCode::ACCEPTED.as_u16(), None);
    }
}

impl Gives for NoContent {
    fn describe(contract: &mut Contract) {
        contract.answers.insert(StatusCode::NO_CONTENT.as_u16(), None);
    }
}

impl<T: Gives> Gives for Result<T, ApiError> {
    fn describe(contract: &mut Contract) {
        T::describe(contract);
        contract.codes.extend([Code::Internal, Code::Unavailable]);
    }
}
