//! From a body to a question. What is not known is ignored, as the specification demands; what is known must be of its
//! type.

use cedar_policy_core::jsonvalue::JsonValueWithNoDuplicateKeys;
use serde_json::Value;

use super::refusal::Refusal;
use crate::authz::inquiry::{Attributes, Inquiry, Party, Sought};

/// The longest type, identifier or name of an action, in bytes. They are written into the log.
const MAX_NAME_LEN: usize = 1024;

type Result<T> = std::result::Result<T, Refusal>;

/// The object that a body is.
pub(super) fn parse(body: &[u8]) -> Result<Attributes> {
    let malformed = |error: serde_json::Error| {
        // Its place is told, and nothing of what stands there.
        let cause = if error.is_data() { "a key stands twice in an object" } else { "it is not JSON" };
        Refusal::Malformed(format!("{cause}, at line {} column {}", error.line(), error.column()))
    };
    // A key that stands twice would count once, and readers disagree on which.
    let json: JsonValueWithNoDuplicateKeys = serde_json::from_slice(body).map_err(malformed)?;
    match Value::from(json) {
        Value::Object(fields) => Ok(fields),
        _ => Err(Refusal::Malformed("the body is not an object".to_owned())),
    }
}

/// The parts of a question, with those that stand in for what is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'b> {
    own: Whole<'b>,
    defaults: Whole<'b>,
}

/// What one object says.
#[derive(Debug, Clone, Copy, Default)]
struct Whole<'b> {
    subject: Option<&'b Attributes>,
    action: Option<&'b Attributes>,
    resource: Option<&'b Attributes>,
    context: Option<&'b Attributes>,
}

impl<'b> Whole<'b> {
    fn read(fields: &'b Attributes) -> Result<Self> {
        Ok(Self {
            subject: object(fields, "subject")?,
            action: object(fields, "action")?,
            resource: object(fields, "resource")?,
            context: object(fields, "context")?,
        })
    }
}

impl<'b> Parts<'b> {
    /// Of a request that stands for itself.
    pub(super) fn read(fields: &'b Attributes) -> Result<Self> {
        Ok(Self { own: Whole::read(fields)?, defaults: Whole::default() })
    }

    /// Of one of several evaluations, where these parts stand in for what is missing.
    pub(super) fn or_default(&self, item: &'b Value) -> Result<Self> {
        let fields =
            item.as_object().ok_or_else(|| Refusal::Malformed("the evaluation is not an object".to_owned()))?;
        Ok(Self { own: Whole::read(fields)?, defaults: self.own })
    }

    /// The question.
    pub(super) fn inquiry(&self) -> Result<Inquiry<'b>> {
        self.question(None)
    }

    /// The question in which something is searched for, which itself is left out.
    pub(super) fn search(&self, sought: Sought) -> Result<Inquiry<'b>> {
        self.question(Some(sought))
    }

    fn question(&self, sought: Option<Sought>) -> Result<Inquiry<'b>> {
        let Self { own, defaults } = *self;
        let (subject, resource) = (
            Part::new("subject", own.subject, defaults.subject),
            Part::new("resource", own.resource, defaults.resource),
        );
        let (action, action_properties) = match sought {
            Some(Sought::Actions) => ("", None),
            _ => {
                let action = Part::new("action", own.action, defaults.action);
                (action.text("name")?, action.properties()?)
            }
        };
        Ok(Inquiry {
            subject: subject.party(sought == Some(Sought::Subjects))?,
            action,
            action_properties,
            resource: resource.party(sought == Some(Sought::Resources))?,
            context: own.context.or(defaults.context),
        })
    }
}

/// A subject, an action or a resource: an object that counts as a whole, but for required members that it leaves out.
struct Part<'b> {
    name: &'static str,
    own: Option<&'b Attributes>,
    default: Option<&'b Attributes>,
}

impl<'b> Part<'b> {
    const fn new(name: &'static str, own: Option<&'b Attributes>, default: Option<&'b Attributes>) -> Self {
        Self { name, own, default }
    }

    fn party(&self, is_sought: bool) -> Result<Party<'b>> {
        let entity_type = self.text("type")?;
        if is_sought {
            // Whatever else is said of what is searched for.
            return Ok(Party { entity_type, id: "", properties: None });
        }
        Ok(Party { entity_type, id: self.text("id")?, properties: self.properties()? })
    }

    fn text(&self, member: &str) -> Result<&'b str> {
        let name = self.name;
        let (own, default) = (self.own.and_then(|own| own.get(member)), self.default.and_then(|own| own.get(member)));
        match own.or(default) {
            Some(Value::String(text)) if text.len() <= MAX_NAME_LEN => Ok(text),
            Some(Value::String(_)) => {
                Err(Refusal::Malformed(format!("`{name}.{member}` is longer than {MAX_NAME_LEN} bytes")))
            }
            Some(_) => Err(Refusal::Malformed(format!("`{name}.{member}` is not a string"))),
            None if self.own.or(self.default).is_none() => Err(Refusal::Malformed(format!("`{name}` is missing"))),
            None => Err(Refusal::Malformed(format!("`{name}.{member}` is missing"))),
        }
    }

    fn properties(&self) -> Result<Option<&'b Attributes>> {
        match self.own.or(self.default) {
            Some(whole) => object(whole, "properties"),
            None => Ok(None),
        }
    }
}

/// A member that is an object, if it is there.
pub(super) fn object<'b>(fields: &'b Attributes, name: &str) -> Result<Option<&'b Attributes>> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Refusal::Malformed(format!("`{name}` is not an object"))),
    }
}

#[cfg(test)]
mod tests;
