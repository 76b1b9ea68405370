//! An explanation of a decision: what each step gave, and how that is shown.

use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::accounts::with_article;
use crate::authz::analysis::explain::{Explained, Miss};
use crate::authz::{self, routes};
use crate::cli::output::{aligned, printable, to_line};
use crate::model::{CredentialKind, Role, UserId, Username};

/// What was decided, and what it was decided from.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Explanation {
    decision: &'static str,
    /// What the proxy would be answered.
    status: u16,
    cause: String,
    request: Request,
    pub(super) principal: Principal,
    pub(super) credential: CredentialUsed,
    pub(super) route: Option<Route>,
    pub(super) resource: Option<Resource>,
    role: Option<Role>,
    policies: Vec<String>,
    errors: Vec<String>,
    /// What stood in the way of each policy that permits the action in general.
    misses: Vec<Miss>,
    /// The least role with which it would be permitted.
    least_role: Option<Role>,
    pub(super) generation: u64,
    pub(super) entities: Value,
}

#[derive(Debug, Serialize)]
struct Request {
    method: String,
    host: String,
    path: String,
    client: Option<IpAddr>,
}

/// Who asks, in Cedar's words.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum Principal {
    User { id: UserId, username: Username },
    Anonymous,
}

/// What the request is taken to be authenticated with.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum CredentialUsed {
    None,
    Invalid,
    /// Whatever it were, the account that it is of is disabled.
    Disabled,
    Assumed {
        kind: CredentialKind,
    },
    Verified {
        kind: CredentialKind,
        id: String,
    },
}

/// The route that matched.
#[derive(Debug, Serialize)]
pub(super) struct Route {
    file: String,
    line: usize,
    host: Option<String>,
    methods: Vec<String>,
    path: String,
    action: String,
}

/// What it is to be done on.
#[derive(Debug, Serialize)]
pub(super) struct Resource {
    #[serde(rename = "type")]
    entity_type: String,
    id: String,
}

/// The last step that was taken.
pub(super) enum Step {
    Malformed(String),
    NoRoute,
    Decided(Explained),
}

impl Route {
    pub(super) fn new(file: &str, route: &routes::Route) -> Self {
        Self {
            file: file.to_owned(),
            line: route.line,
            host: route.host.as_deref().map(str::to_owned),
            methods: route.methods.iter().map(ToString::to_string).collect(),
            path: route.path.to_string(),
            action: route.action.to_string(),
        }
    }
}

impl From<&authz::Resource> for Resource {
    fn from(resource: &authz::Resource) -> Self {
        Self { entity_type: resource.entity_type().to_owned(), id: resource.id() }
    }
}

impl Explanation {
    /// The explanation of a request that has not gone a step yet.
    pub(super) fn new(method: &str, host: &str, path: &str, client: Option<IpAddr>) -> Self {
        let request = Request { method: method.to_owned(), host: host.to_owned(), path: path.to_owned(), client };
        Self {
            decision: "deny",
            status: 503,
            cause: String::new(),
            request,
            principal: Principal::Anonymous,
            credential: CredentialUsed::None,
            route: None,
            resource: None,
            role: None,
            policies: Vec::new(),
            errors: Vec::new(),
            misses: Vec::new(),
            least_role: None,
            generation: 0,
            entities: Value::Array(Vec::new()),
        }
    }

    pub(in crate::cli) fn is_allowed(&self) -> bool {
        self.decision == "allow"
    }

    /// Host and path are these, in canonical form.
    pub(super) fn canonical(&mut self, host: &str, path: &str) {
        self.request.host = host.to_owned();
        self.request.path = path.to_owned();
    }

    /// The explanation, with how it ended.
    pub(super) fn conclude(mut self, step: Step) -> Self {
        let is_anonymous = matches!(self.principal, Principal::Anonymous);
        let (status, cause) = match step {
            Step::Malformed(cause) => (400, cause),
            Step::NoRoute => (403, "no route matches".to_owned()),
            Step::Decided(Explained { decision, misses, least_role }) => {
                (self.misses, self.least_role) = (misses, least_role);
                self.role = decision.role();
                self.policies = decision.policies().iter().map(ToString::to_string).collect();
                self.errors = decision.errors().iter().map(ToString::to_string).collect();
                if decision.permit().is_some() {
                    self.decision = "allow";
                    (200, "a policy permits it".to_owned())
                } else {
                    let cause = match (self.errors.is_empty(), self.policies.is_empty()) {
                        (false, _) => "the evaluation failed, and any error denies",
                        (true, false) => "a policy forbids it",
                        (true, true) => "no policy permits it",
                    };
                    (if is_anonymous { 401 } else { 403 }, cause.to_owned())
                }
            }
        };
        self.status = status;
        self.cause = match self.credential {
            CredentialUsed::Invalid if status != 400 => format!("{cause}; the token is not valid"),
            CredentialUsed::Disabled if status != 400 => format!("{cause}; the account is disabled"),
            _ => cause,
        };
        self
    }

    /// The explanation for people.
    pub(in crate::cli) fn text(&self) -> Result<String> {
        let Request { method, host, path, client } = &self.request;
        let client = client.map(|client| format!(" from {client}")).unwrap_or_default();
        let principal = match &self.principal {
            Principal::User { id, username } => format!("User {username} ({id})"),
            Principal::Anonymous => "Anonymous".to_owned(),
        };
        let credential = match &self.credential {
            CredentialUsed::None => "-".to_owned(),
            CredentialUsed::Invalid => "a token that is not valid".to_owned(),
            CredentialUsed::Disabled => "none counts, as the account is disabled".to_owned(),
            CredentialUsed::Assumed { kind } => format!("{}, assumed", with_article(kind.as_str())),
            CredentialUsed::Verified { kind, id } => format!("{} {id}", kind.as_str()),
        };
        let route = self.route.as_ref().map(|Route { file, line, host, methods, path, action }| {
            let host = host.as_deref().map(|host| format!(" {host}")).unwrap_or_default();
            format!("{file}:{line}: {}{host} {path} is {action}", methods.join(", "))
        });
        let resource = self.resource.as_ref().map(|resource| format!("{} {}", resource.entity_type, resource.id));
        let none = || "-".to_owned();
        let list = |items: &[String]| if items.is_empty() { none() } else { items.join(", ") };
        let lines = [
            ("decision:", format!("{} ({}): {}", self.decision, self.status, self.cause)),
            ("request:", format!("{method} {host} {path}{client}")),
            ("principal:", principal),
            ("credential:", credential),
            ("route:", route.unwrap_or_else(none)),
            ("resource:", resource.unwrap_or_else(none)),
            ("role:", self.role.map_or_else(none, |role| role.to_string())),
            ("policies:", list(&self.policies)),
            ("errors:", list(&self.errors)),
        ];
        let more = [("would do:", self.least_role.map(|role| format!("the role {role}")))];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let misses = self.misses.iter().map(|miss| ("not by:", miss_in_words(miss)));
        let lines = lines.into_iter().chain(misses).chain(more);
        let lines: Vec<_> = lines.map(|(name, value)| vec![name.to_owned(), printable(&value)]).collect();
        let mut text = aligned(&lines);
        // In Cedar's format, so that it can be pasted into a file; an entity on each line.
        let entities = self.entities.as_array().into_iter().flatten().map(to_line).collect::<Result<Vec<_>>>()?;
        if !entities.is_empty() {
            text.push_str(&format!("entities:\n[\n  {}\n]\n", entities.join(",\n  ")));
        }
        Ok(text)
    }
}

/// `developer: principal in resource.developers is false, with …`
fn miss_in_words(Miss { policy, clause, error, values }: &Miss) -> String {
    let came_to = error.as_deref().map_or_else(|| "is false".to_owned(), |error| format!("fails: {error}"));
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| match name.strip_suffix(" is in") {
            Some(name) => format!("{name} is in {value}"),
            None => format!("{name} = {value}"),
        })
        .collect();
    let values = if values.is_empty() { String::new() } else { format!(", with {}", values.join(" and ")) };
    format!("{policy}: `{clause}` {came_to}{values}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(credential: CredentialUsed, step: Step) -> Explanation {
        let mut explanation = Explanation::new("GET", "localhost", "/a", None);
        explanation.credential = credential;
        explanation.conclude(step)
    }

    #[test]
    fn what_was_not_decided_is_denied() {
        let malformed = explanation(CredentialUsed::None, Step::Malformed("odd".to_owned()));
        assert_eq!((malformed.status, malformed.is_allowed(), malformed.cause.as_str()), (400, false, "odd"));
        let lost = explanation(CredentialUsed::Invalid, Step::NoRoute);
        assert_eq!((lost.status, lost.is_allowed()), (403, false));
        assert_eq!(lost.cause, "no route matches; the token is not valid");
    }

    #[test]
    fn no_part_of_a_request_can_forge_a_line() {
        let mut explanation = explanation(CredentialUsed::None, Step::NoRoute);
        explanation.canonical("localhost", "/a\ndecision: allow\u{1b}[2K");
        let text = explanation.text().unwrap();
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
