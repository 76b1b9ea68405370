//! Lists, a page at a time: `?limit=…&cursor=…` in, `{"items": […], "next_cursor": …}` out.
//!
//! A cursor is the identifier after which the next page begins. To callers it is opaque: they send back what they got.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::problem::ApiError;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// Which page of a list of things with identifiers of type `I` is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging<I> {
    after: Option<I>,
    limit: u32,
}

/// A page of a list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    /// What to send for the next page; nothing if this is the last.
    next_cursor: Option<String>,
}

impl<I: FromStr, S: Send + Sync> FromRequestParts<S> for Paging<I> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse(parts.uri.query().unwrap_or_default())
    }
}

impl<I: Copy + Ord + Display> Paging<I> {
    /// The identifier that the page begins after.
    pub(super) fn after(&self) -> Option<I> {
        self.after
    }

    /// How many things to ask for: one more than the page holds tells that there is a next one.
    pub(super) fn ask(&self) -> u32 {
        self.limit + 1
    }

    /// The page, from things found with [`after`](Self::after) and [`ask`](Self::ask).
    pub(super) fn page<T, V>(&self, mut found: Vec<T>, id: impl Fn(&T) -> I, show: impl Fn(T) -> V) -> Page<V> {
        let limit = self.limit as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(id(last).to_string()));
        Page { items: found.into_iter().map(show).collect(), next_cursor }
    }

    /// The page, from all things that there are, ordered by identifier.
    pub(super) fn page_of_all<T, V>(&self, all: Vec<T>, id: impl Fn(&T) -> I, show: impl Fn(T) -> V) -> Page<V> {
        let rest = all.into_iter().filter(|thing| self.after.is_none_or(|after| after < id(thing)));
        self.page(rest.take(self.ask() as usize).collect(), id, show)
    }
}

/// Reads a query. Nothing in it needs percent-encoding, so an encoded character is a wrong one.
fn parse<I: FromStr>(query: &str) -> Result<Paging<I>, ApiError> {
    let (mut after, mut limit) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "limit" if limit.is_none() => limit = Some(parse_limit(value)?),
            "cursor" if after.is_none() => after = Some(parse_cursor(value)?),
            "limit" | "cursor" => return Err(invalid(name, "this parameter was sent twice")),
            _ => return Err(invalid(name, "there is no such parameter")),
        }
    }
    Ok(Paging { after, limit: limit.unwrap_or(DEFAULT_LIMIT) })
}

fn parse_limit(value: &str) -> Result<u32, ApiError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let limit = value.parse().ok().filter(|limit| digits && (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| invalid("limit", "expected a number from 1 to 100"))
}

fn parse_cursor<I: FromStr>(value: &str) -> Result<I, ApiError> {
    let id = URL_SAFE_NO_PAD.decode(value).ok().and_then(|id| String::from_utf8(id).ok()?.parse().ok());
    id.ok_or_else(|| invalid("cursor", "expected the `next_cursor` of the page before"))
}

fn invalid(field: &str, message: &str) -> ApiError {
    ApiError::Invalid { field: field.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, Timestamp};

    fn ids(number: i64) -> Vec<DeviceId> {
        (0..number).map(|n| DeviceId::generate(Timestamp::from_secs(n))).collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        for (number, limit) in [(0, 1), (1, 1), (2, 1), (5, 2), (6, 2), (100, 100), (101, 100)] {
            let all = ids(number);
            let (mut seen, mut query) = (Vec::new(), format!("limit={limit}"));
            loop {
                let paging: Paging<DeviceId> = parse(&query).unwrap();
                let page = paging.page_of_all(all.clone(), |id| *id, |id| id);
                assert!(page.items.len() <= limit);
                seen.extend(page.items);
                match page.next_cursor {
                    Some(cursor) => query = format!("cursor={cursor}&limit={limit}"),
                    None => break,
                }
            }
            assert_eq!(seen, all, "{number} by {limit}");
        }
    }

    #[test]
    fn a_query_may_be_left_out() {
        for query in ["", "&"] {
            assert_eq!(parse::<DeviceId>(query).unwrap(), Paging { after: None, limit: 50 });
        }
    }

    #[test]
    fn wrong_parameters_are_refused() {
        let id = URL_SAFE_NO_PAD.encode("x");
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=%31",
            "limit=+1",
            "limit=",
            "limit",
            "limit=99999999999999999999",
            "limit=1&limit=1",
            "cursor=",
            "cursor=x",
            "cursor=../..",
            &format!("cursor={id}"),
            "Limit=1",
            "user=01890a5d-ac96-774b-bcce-b302099a8057",
        ] {
            assert!(matches!(parse::<DeviceId>(query), Err(ApiError::Invalid { .. })), "{query}");
        }
    }
}
