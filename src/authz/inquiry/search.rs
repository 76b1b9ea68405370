//! Searches: the subjects, resources or actions for which the policies permit it.
//!
//! Partial evaluation tells first whether there can be any, and where ([`prospect`](super::prospect)); each that could be
//! one is then decided as if it were asked about. So what is found is what a question would be answered with, whatever
//! partial evaluation makes of it.

use std::time::Instant;

use super::candidates::{Batch, Candidates};
use super::gather::LoadFacts;
use super::prospect::{Prospect, prospect};
use super::{Inquiry, InquiryError, Party, decide};
use crate::authz::generation::Generation;
use crate::store::{Read, StoreError};

/// How many are decided about for one page.
const MOST_DECIDED: usize = 2_000;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// Those who may do it. Of the question's subject, the type counts and nothing else.
    Subjects,
    /// What it may be done on. Of the question's resource, the type counts and nothing else.
    Resources,
    /// What may be done. Nothing of the question's action counts.
    Actions,
}

/// Which part of the result is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Where it begins: empty, or [`Found::next`] of the page before.
    pub after: &'a str,
    /// How many it has at most.
    pub limit: usize,
    /// When it must end, however few were found.
    pub until: Instant,
}

/// A page of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Identifiers, of actions names; in their order.
    pub ids: Vec<String>,
    /// Where the next page begins; nothing if this is the last.
    pub next: Option<String>,
}

impl Found {
    const NOTHING: Self = Self { ids: Vec::new(), next: None };
}

/// Searches, by this generation. What does not fit the schema finds nothing.
pub(in crate::authz) fn search(
    generation: &Generation,
    store: &dyn Read,
    load: LoadFacts<'_>,
    sought: Sought,
    inquiry: &Inquiry<'_>,
    page: &Page<'_>,
) -> Result<Found, StoreError> {
    let prospect = match prospect(generation, load, sought, inquiry) {
        Ok(prospect) => prospect,
        Err(InquiryError::Unfit(_)) => return Ok(Found::NOTHING),
        Err(InquiryError::Store(error)) => return Err(error),
    };
    let within = match prospect {
        Prospect::None => return Ok(Found::NOTHING),
        Prospect::Within(within) => Some(within),
        Prospect::Anywhere => None,
    };
    let Some(candidates) = Candidates::new(generation, store, sought, inquiry, within) else {
        return Ok(Found::NOTHING);
    };
    let is_disabled = |user| store.disabled_at(user).map(|since| since.is_some());
    let permitted = |id: &str| match decide(generation, &is_disabled, load, &about(sought, inquiry, id)) {
        Ok(decision) => Ok(decision.permit().is_some()),
        Err(InquiryError::Unfit(_)) => Ok(false),
        Err(InquiryError::Store(error)) => Err(error),
    };
    let mut found = Vec::new();
    // All up to there is told, or not permitted.
    let mut told = page.after.to_owned();
    let mut decided = 0;
    loop {
        let Batch { items, next } = candidates.after(&told)?;
        for (id, position) in items {
            if decided > 0 && (decided >= MOST_DECIDED || Instant::now() >= page.until) {
                return Ok(Found { ids: found, next: Some(told) });
            }
            decided += 1;
            if permitted(&id)? {
                if found.len() >= page.limit {
                    return Ok(Found { ids: found, next: Some(told) });
                }
                found.push(id);
            }
            told = position;
        }
        match next {
            None => return Ok(Found { ids: found, next: None }),
            Some(next) => told = next,
        }
        if Instant::now() >= page.until {
            return Ok(Found { ids: found, next: Some(told) });
        }
    }
}

/// The question about one that could be found.
fn about<'a>(sought: Sought, inquiry: &Inquiry<'a>, id: &'a str) -> Inquiry<'a> {
    let party = |entity_type| Party { entity_type, id, properties: None };
    match sought {
        Sought::Subjects => Inquiry { subject: party(inquiry.subject.entity_type), ..*inquiry },
        Sought::Resources => Inquiry { resource: party(inquiry.resource.entity_type), ..*inquiry },
        Sought::Actions => Inquiry { action: id, action_properties: None, ..*inquiry },
    }
}
