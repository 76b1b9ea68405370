//! From what people type to what they mean: logins, identifiers, and names that only one thing has.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::console::{Console, all};
use crate::accounts::AccountError;
use crate::model::{Application, ApplicationId, Name, Organization, OrganizationId, User};

/// The text does not say which thing is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum LookupError {
    #[error("there is no {kind} with the id or name `{text}`: `gatepost {command} list` shows all")]
    None { kind: &'static str, command: &'static str, text: String },
    #[error("{} {kind}s have the name `{text}`, give the id of one:\n  {}", .candidates.len(), .candidates.join("\n  "))]
    Several { kind: &'static str, text: String, candidates: Vec<String> },
}

impl Console {
    /// The user with this username or address.
    pub(super) fn user(&self, login: &str) -> Result<User> {
        self.accounts().user_by_login(&self.actor, login).with_context(|| format!("cannot find `{login}`"))
    }

    /// The application with this identifier, or the only one with this name.
    pub(super) fn application(&self, text: &str) -> Result<Application> {
        let (accounts, actor) = (self.accounts(), &self.actor);
        let by_id = |id| found(accounts.application(actor, id)).map(|seen| seen.map(|seen| seen.application));
        let everything = || all(|after, limit| accounts.applications(actor, after, limit), |each| each.id);
        let describe = |each: &Application| format!("{}  in the organization {}", each.id, each.organization);
        let kind = Kind { name: "application", command: "app" };
        kind.find(text, by_id, everything, |application| &application.name, describe)
    }

    /// The organization with this identifier, or the only one with this name.
    pub(super) fn organization(&self, text: &str) -> Result<Organization> {
        let (accounts, actor) = (self.accounts(), &self.actor);
        let everything = || all(|after, limit| accounts.organizations(actor, after, limit), |each| each.id);
        let by_id = |id: OrganizationId| Ok(everything()?.into_iter().find(|each| each.id == id));
        let describe = |each: &Organization| {
            let personal = if each.personal_to.is_some() { ", personal" } else { "" };
            format!("{}  on the {} plan{personal}", each.id, each.plan.as_str())
        };
        let kind = Kind { name: "organization", command: "org" };
        kind.find(text, by_id, everything, |organization| &organization.name, describe)
    }

    /// The identifier of the application that `text` means.
    pub(super) fn application_id(&self, text: &str) -> Result<ApplicationId> {
        self.application(text).map(|application| application.id)
    }
}

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    command: &'static str,
}

impl Kind {
    /// What has the identifier `text`, and otherwise the only thing that has the name `text`.
    fn find<T, Id: FromStr>(
        self,
        text: &str,
        by_id: impl FnOnce(Id) -> Result<Option<T>, AccountError>,
        everything: impl FnOnce() -> Result<Vec<T>, AccountError>,
        name: impl Fn(&T) -> &Name,
        describe: impl Fn(&T) -> String,
    ) -> Result<T> {
        if let Ok(id) = text.parse()
            && let Some(thing) = by_id(id)?
        {
            return Ok(thing);
        }
        // What cannot be a name is nobody's.
        let wanted = Name::parse(text).ok();
        let things = everything()?.into_iter().filter(|thing| wanted.as_ref() == Some(name(thing))).collect();
        Ok(self.only(text, things, describe)?)
    }

    fn only<T, D: Display>(self, text: &str, things: Vec<T>, describe: impl Fn(&T) -> D) -> Result<T, LookupError> {
        let several = things.len() > 1;
        if several {
            let candidates = things.iter().map(|thing| describe(thing).to_string()).collect();
            return Err(LookupError::Several { kind: self.name, text: text.to_owned(), candidates });
        }
        let none = || LookupError::None { kind: self.name, command: self.command, text: text.to_owned() };
        things.into_iter().next().ok_or_else(none)
    }
}

fn found<T>(result: Result<T, AccountError>) -> Result<Option<T>, AccountError> {
    match result {
        Ok(thing) => Ok(Some(thing)),
        Err(AccountError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { name: "application", command: "app" };

    fn find(text: &str) -> Result<(u8, Name)> {
        let thing = |id, name| (id, Name::parse(name).unwrap());
        let things = vec![thing(1, "one"), thing(2, "two"), thing(3, "two"), thing(4, "1"), thing(5, "caf\u{e9}")];
        let by_id = |id: u8| Ok(things.iter().find(|(own, _)| *own == id).cloned());
        KIND.find(text, by_id, || Ok(things.clone()), |(_, name)| name, |(id, _)| id.to_string())
    }

    #[test]
    fn a_name_that_one_thing_has_is_enough() {
        assert_eq!(find("one").unwrap().0, 1);
        assert_eq!(find("cafe\u{301}").unwrap().0, 5);
    }

    #[test]
    fn an_identifier_beats_a_name() {
        assert_eq!(find("3").unwrap().0, 3);
        assert_eq!(find("1").unwrap().0, 1);
    }

    #[test]
    fn a_name_that_several_have_names_them() {
        let error = find("two").unwrap_err().downcast::<LookupError>().unwrap();
        assert_eq!(
            error,
            LookupError::Several { kind: "application", text: "two".into(), candidates: vec!["2".into(), "3".into()] }
        );
        assert_eq!(error.to_string(), "2 applications have the name `two`, give the id of one:\n  2\n  3");
    }

    #[test]
    fn what_nobody_has_is_an_error() {
        for text in ["three", "9", "", " one", "one\n"] {
            let error = find(text).unwrap_err().downcast::<LookupError>().unwrap();
            assert!(matches!(error, LookupError::None { .. }), "{text}");
        }
    }
}
