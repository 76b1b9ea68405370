//! One evaluation, or several in one request.

use std::time::Instant;

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::request::{Parts, object};
use super::{Asking, Conclusion};
use crate::authn::Verified;
use crate::authz::inquiry::{Attributes, Inquiry, InquiryError};
use crate::model::{DecisionId, Timestamp};
use crate::telemetry::{AskerRecord, Outcome, RouteRecord};

/// How many evaluations a request may have.
const MOST_EVALUATIONS: usize = 1_000;

/// When several evaluations end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn read(request: &Attributes) -> Result<Self, Refusal> {
        let options = object(request, "options")?;
        match options.and_then(|options| options.get("evaluations_semantic")).map(Value::as_str) {
            None | Some(Some("execute_all")) => Ok(Self::ExecuteAll),
            Some(Some("deny_on_first_deny")) => Ok(Self::DenyOnFirstDeny),
            Some(Some("permit_on_first_permit")) => Ok(Self::PermitOnFirstPermit),
            Some(_) => Err(Refusal::Malformed(
                "expected `options.evaluations_semantic` to be `execute_all`, `deny_on_first_deny` or \
                 `permit_on_first_permit`"
                    .to_owned(),
            )),
        }
    }

    /// What is said of the last evaluation, if it is this one and others are left.
    fn ends_with(self, decision: bool) -> Option<&'static str> {
        match (self, decision) {
            (Self::DenyOnFirstDeny, false) => Some("deny_on_first_deny"),
            (Self::PermitOnFirstPermit, true) => Some("permit_on_first_permit"),
            _ => None,
        }
    }
}

/// A decision as it is answered.
struct Answer {
    decision: bool,
    context: Attributes,
}

impl Answer {
    fn denied(id: DecisionId, message: &str) -> Self {
        let mut context = identified(id);
        context.insert("error".to_owned(), json!({"status": 400, "message": message}));
        Self { decision: false, context }
    }

    fn into_json(self) -> Value {
        json!({"decision": self.decision, "context": self.context})
    }
}

fn identified(id: DecisionId) -> Attributes {
    Attributes::from_iter([("decision_id".to_owned(), id.to_string().into())])
}

impl Asking<'_> {
    pub(super) fn evaluation(&self, request: &Attributes) -> Result<Value, Refusal> {
        let inquiry = Parts::read(request)?.inquiry()?;
        self.evaluate(&inquiry).map(Answer::into_json)
    }

    pub(super) fn evaluations(&self, request: &Attributes) -> Result<Value, Refusal> {
        let items = match request.get("evaluations") {
            None => return self.evaluation(request),
            Some(Value::Array(items)) if items.is_empty() => return self.evaluation(request),
            Some(Value::Array(items)) if items.len() <= MOST_EVALUATIONS => items,
            Some(Value::Array(_)) => {
                return Err(Refusal::Malformed(format!("there are more than {MOST_EVALUATIONS} evaluations")));
            }
            Some(_) => return Err(Refusal::Malformed("`evaluations` is not an array".to_owned())),
        };
        let (defaults, semantic) = (Parts::read(request)?, Semantic::read(request)?);
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            if Instant::now() >= self.until {
                return Err(Refusal::Unavailable("the evaluations took too long".to_owned()));
            }
            let mut answer = match defaults.or_default(item).and_then(|parts| parts.inquiry()) {
                Ok(inquiry) => self.evaluate(&inquiry)?,
                Err(refusal) => self.malformed(&refusal),
            };
            let end = semantic.ends_with(answer.decision);
            if let Some(reason) = end {
                answer.context.insert("reason".to_owned(), reason.into());
            }
            answers.push(answer.into_json());
            if end.is_some() {
                break;
            }
        }
        Ok(json!({"evaluations": answers}))
    }

    /// One of several that is not a question at all.
    fn malformed(&self, refusal: &Refusal) -> Answer {
        let began = self.authzen.gate.clock.now();
        let (id, cause) = (DecisionId::generate(began), refusal.to_string());
        self.authzen.record(&Conclusion {
            outcome: Outcome::Malformed,
            cause: Some(&cause),
            ..self.conclusion(began, id)
        });
        Answer::denied(id, &cause)
    }

    fn evaluate(&self, inquiry: &Inquiry<'_>) -> Result<Answer, Refusal> {
        let began = self.authzen.gate.clock.now();
        let id = DecisionId::generate(began);
        let route = RouteRecord::new(inquiry.action, inquiry.resource.entity_type);
        let asker = AskerRecord::of_principal(&principal(inquiry), self.caller.map(credential));
        let conclusion = Conclusion {
            asker: Some(&asker),
            route: Some((&route, inquiry.resource.id)),
            ..self.conclusion(began, id)
        };
        match self.authzen.gate.engine.inquire(self.generation, inquiry) {
            Ok(decision) => {
                let allowed = decision.permit().is_some();
                self.authzen.record(&Conclusion {
                    outcome: if allowed { Outcome::Allow } else { Outcome::Deny },
                    policies: decision.policies(),
                    errors: decision.errors(),
                    ..conclusion
                });
                Ok(Answer { decision: allowed, context: identified(id) })
            }
            Err(InquiryError::Unfit(unfit)) => {
                let cause = unfit.to_string();
                self.authzen.record(&Conclusion { cause: Some(&cause), ..conclusion });
                Ok(Answer::denied(id, &cause))
            }
            // The whole request is refused, and recorded.
            Err(InquiryError::Store(error)) => Err(Refusal::Unavailable(error.to_string())),
        }
    }

    fn conclusion<'c>(&self, began: Timestamp, id: DecisionId) -> Conclusion<'c> {
        Conclusion {
            began,
            id,
            generation: self.generation.number(),
            outcome: Outcome::Deny,
            asker: None,
            route: None,
            policies: &[],
            errors: &[],
            cause: None,
        }
    }
}

/// How the log calls a principal: users by their identifier, as everywhere, and others as Cedar writes them.
fn principal(inquiry: &Inquiry<'_>) -> String {
    let subject = &inquiry.subject;
    match subject.entity_type {
        "User" => subject.id.to_owned(),
        entity_type => format!("{entity_type}::\"{}\"", subject.id.escape_debug()),
    }
}

fn credential(verified: &Verified) -> (crate::model::CredentialKind, &str) {
    (verified.kind(), verified.id())
}
