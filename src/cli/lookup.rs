//! From what people type to what they mean: logins, identifiers, and names that only one thing has.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::app::SeenRow;
use super::backend::Backend;
use super::console::{Console, all};
use super::org::OrganizationRow;
use super::server::{Server, ServerError};
use crate::accounts::AccountError;
use crate::model::{ApplicationId, Email, Name, OrganizationId, User, UserId, Username};

/// The text does not say which thing is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookupError {
    #[error("there is no {kind} with the id or name `{text}`: `gatepost {command} list` shows all")]
    None { kind: &'static str, command: &'static str, text: String },
    #[error("{} {kind}s have the name `{text}`, give the id of one:\n  {}", .candidates.len(), .candidates.join("\n  "))]
    Several { kind: &'static str, text: String, candidates: Vec<String> },
    #[error("there is no {kind} with the username or id `{text}`")]
    NotAmong { kind: &'static str, text: String },
}

impl LookupError {
    /// Whether more than one thing could be meant.
    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Several { .. })
    }
}

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<Id> {
    pub(super) id: Id,
    pub(super) name: String,
    /// What tells it from others of the same name.
    about: String,
}

impl Backend {
    /// The application with this identifier, or the only one with this name.
    pub(super) fn application(&self, text: &str) -> Result<Found<ApplicationId>> {
        let kind = Kind { name: "application", command: "app" };
        match self {
            Self::Console(console) => kind.find(text, |id| console.application_by_id(id), || console.applications()),
            Self::Server(server) => kind.find(text, |id| server.application_by_id(id), || server.applications()),
        }
    }

    /// The organization with this identifier, or the only one with this name.
    pub(super) fn organization(&self, text: &str) -> Result<Found<OrganizationId>> {
        let kind = Kind { name: "organization", command: "org" };
        let everything = match self {
            Self::Console(console) => console.organizations()?,
            Self::Server(server) => server.organizations()?,
        };
        let by_id = |id| Ok(everything.iter().find(|each| each.id == id).cloned());
        kind.find(text, by_id, || Ok(everything.clone()))
    }
}

impl Console {
    /// The user with this username or address.
    pub(super) fn user(&self, login: &str) -> Result<User> {
        self.accounts().user_by_login(&self.actor, login).with_context(|| format!("cannot find `{login}`"))
    }

    fn application_by_id(&self, id: ApplicationId) -> Result<Option<Found<ApplicationId>>> {
        match self.accounts().application(&self.actor, id) {
            Ok(seen) => Ok(Some(application(seen.into()))),
            Err(AccountError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn applications(&self) -> Result<Vec<Found<ApplicationId>>> {
        let all = all(|after, limit| self.accounts().applications(&self.actor, after, limit), |each| each.id)?;
        let about = |organization| format!("in the organization {organization}");
        let found = all.into_iter().map(|each| Found {
            id: each.id,
            name: each.name.to_string(),
            about: about(each.organization),
        });
        Ok(found.collect())
    }

    fn organizations(&self) -> Result<Vec<Found<OrganizationId>>> {
        let all = all(|after, limit| self.accounts().organizations(&self.actor, after, limit), |each| each.id)?;
        Ok(all.into_iter().map(|each| organization(each.into())).collect())
    }
}

impl Server {
    /// Who of those that a server shows, by username and identifier, is meant. Addresses it does not show, but for the
    /// caller's own.
    pub(super) fn user_among(
        &self,
        text: &str,
        known: impl IntoIterator<Item = (UserId, String)>,
        kind: &'static str,
    ) -> Result<(UserId, String)> {
        let canonical = |text: &str| Username::parse(text).ok().map(|name| name.canonical().to_owned());
        let (mut id, wanted) = (text.parse::<UserId>().ok(), canonical(text));
        if text.contains('@') {
            let me = self.whoami()?;
            let is_me = Email::parse(&me.email)
                .is_ok_and(|mine| Email::parse(text).is_ok_and(|it| it.canonical() == mine.canonical()));
            id = is_me.then_some(me.id);
        }
        let is_meant = |(known, username): &(UserId, String)| {
            id.map_or_else(|| wanted.is_some() && wanted == canonical(username), |id| id == *known)
        };
        let none = || LookupError::NotAmong { kind, text: text.to_owned() };
        Ok(known.into_iter().find(is_meant).ok_or_else(none)?)
    }

    fn application_by_id(&self, id: ApplicationId) -> Result<Option<Found<ApplicationId>>> {
        match self.get(&format!("/v1/applications/{id}")) {
            Ok(seen) => Ok(Some(application(seen))),
            Err(ServerError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn applications(&self) -> Result<Vec<Found<ApplicationId>>> {
        Ok(self.list("/v1/applications", usize::MAX)?.into_iter().map(application).collect())
    }

    fn organizations(&self) -> Result<Vec<Found<OrganizationId>>> {
        Ok(self.list("/v1/organizations", usize::MAX)?.into_iter().map(organization).collect())
    }
}

fn application(row: SeenRow) -> Found<ApplicationId> {
    let SeenRow { id, name, organization, .. } = row;
    Found { id, name, about: format!("in the organization {organization}") }
}

fn organization(row: OrganizationRow) -> Found<OrganizationId> {
    let OrganizationRow { id, name, plan, personal, .. } = row;
    let personal = if personal { ", personal" } else { "" };
    Found { id, name, about: format!("on the {} plan{personal}", plan.as_str()) }
}

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    command: &'static str,
}

impl Kind {
    /// What has the identifier `text`, and otherwise the only thing that has the name `text`.
    fn find<Id: FromStr + Display>(
        self,
        text: &str,
        by_id: impl FnOnce(Id) -> Result<Option<Found<Id>>>,
        everything: impl FnOnce() -> Result<Vec<Found<Id>>>,
    ) -> Result<Found<Id>> {
        if let Ok(id) = text.parse()
            && let Some(thing) = by_id(id)?
        {
            return Ok(thing);
        }
        // What cannot be a name is nobody's.
        let wanted = Name::parse(text).ok();
        let is_wanted = |thing: &Found<Id>| wanted.as_ref().is_some_and(|wanted| wanted.as_str() == thing.name);
        let things = everything()?.into_iter().filter(is_wanted).collect();
        Ok(self.only(text, things)?)
    }

    fn only<Id: Display>(self, text: &str, things: Vec<Found<Id>>) -> Result<Found<Id>, LookupError> {
        if things.len() > 1 {
            let candidates = things.iter().map(|thing| format!("{}  {}", thing.id, thing.about)).collect();
            return Err(LookupError::Several { kind: self.name, text: text.to_owned(), candidates });
        }
        let none = || LookupError::None { kind: self.name, command: self.command, text: text.to_owned() };
        things.into_iter().next().ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { name: "application", command: "app" };

    fn find(text: &str) -> Result<Found<u8>> {
        let thing = |id, name: &str| Found { id, name: name.to_owned(), about: "here".to_owned() };
        let things = vec![thing(1, "one"), thing(2, "two"), thing(3, "two"), thing(4, "1"), thing(5, "caf\u{e9}")];
        KIND.find(text, |id| Ok(things.iter().find(|thing| thing.id == id).cloned()), || Ok(things.clone()))
    }

    #[test]
    fn a_name_that_one_thing_has_is_enough() {
        assert_eq!(find("one").unwrap().id, 1);
        assert_eq!(find("cafe\u{301}").unwrap().id, 5);
    }

    #[test]
    fn an_identifier_beats_a_name() {
        assert_eq!(find("3").unwrap().id, 3);
        assert_eq!(find("1").unwrap().id, 1);
    }

    #[test]
    fn a_name_that_several_have_names_them() {
        let error = find("two").unwrap_err().downcast::<LookupError>().unwrap();
        let candidates = vec!["2  here".into(), "3  here".into()];
        assert_eq!(error, LookupError::Several { kind: "application", text: "two".into(), candidates });
        assert_eq!(error.to_string(), "2 applications have the name `two`, give the id of one:\n  2  here\n  3  here");
    }

    #[test]
    fn what_nobody_has_is_an_error() {
        for text in ["three", "9", "", " one", "one\n"] {
            let error = find(text).unwrap_err().downcast::<LookupError>().unwrap();
            assert!(matches!(error, LookupError::None { .. }), "{text}");
        }
    }
}
