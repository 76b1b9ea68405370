//! `/v1/audit`: account events, newest first: of the caller, or of an application that the caller administers.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ApiState;
use super::caller::Caller;
use super::code::Code;
use super::operation::{Contract, Operation, Takes};
use super::page::{Page, Paging, invalid, parameters, parse};
use super::problem::ApiError;
use crate::accounts::{Event, History};
use crate::model::{ApplicationId, EventId, OrganizationId, Timestamp, UserId};

/// Which events, and which page of them.
pub(super) struct Query {
    application: Option<ApplicationId>,
    /// By the position of events.
    paging: Paging<i64>,
}

/// An account event, as somebody sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct Seen {
    id: EventId,
    at: Timestamp,
    /// Who did it; nobody if it was done on the machine's console.
    actor: Option<UserId>,
    /// What it was done with, such as `session`, `api_key`, `password` or `console`.
    credential_kind: String,
    /// The identifier of the credential.
    credential_id: Option<String>,
    /// The address that it was done from.
    client: Option<String>,
    /// What was done, such as `member_added`.
    action: String,
    /// To whom.
    user: Option<UserId>,
    application: Option<ApplicationId>,
    organization: Option<OrganizationId>,
    /// What else there is to tell, such as the role.
    detail: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let (of, page): (Vec<_>, Vec<_>) = parameters(query).partition(|(name, _)| *name == "application");
        let application = match of.as_slice() {
            [] => None,
            [(name, id)] => Some(id.parse().map_err(|_| invalid(name, "expected the identifier of an application"))?),
            [(name, _), ..] => return Err(invalid(name, "this parameter was sent twice")),
        };
        Ok(Self { application, paging: parse(page.into_iter())? })
    }
}

impl Takes for Query {
    fn describe(contract: &mut Contract) {
        let id = contract.schema::<ApplicationId>();
        contract.query.push(json!({
            "name": "application",
            "in": "query",
            "description": "Of this application; of the caller if it is left out.",
            "schema": id,
        }));
        Paging::<i64>::describe(contract);
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/audit", "list_events", "List account events, newest first", list)
            .about(
                "Of the caller: what it did, and what was done to it; from where others have acted is left out. Or of an \
                 application, for its administrators.",
            )
            .refuses(&[Code::NotFound]),
    ]
}

/// `GET /v1/audit`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query { application, paging }: Query,
) -> Result<Json<Page<Seen>>, ApiError> {
    let user = caller.user_id();
    let of = application.map_or(History::Of(user), History::In);
    let (before, ask) = (paging.after(), paging.ask());
    let events = state.call(move |accounts| accounts.history(&caller.actor, of, before, ask)).await?;
    let seen = |event| match of {
        History::Of(user) => seen_by(user, event),
        History::In(_) | History::InOrganization(_) | History::Everything => seen(event),
    };
    Ok(Json(paging.page(events, |event| event.seq, seen)))
}

/// An event that concerns a user, as the user may see it: from where and with what others have acted is theirs.
pub(super) fn seen_by(user: UserId, event: Event) -> Seen {
    let mut seen = seen(event);
    if seen.actor != Some(user) {
        (seen.credential_id, seen.client) = (None, None);
    }
    seen
}

fn seen(event: Event) -> Seen {
    let Event {
        id,
        at,
        actor,
        credential_kind,
        credential_id,
        client,
        action,
        user,
        application,
        organization,
        detail,
        ..
    } = event;
    Seen { id, at, actor, credential_kind, credential_id, client, action, user, application, organization, detail }
}
