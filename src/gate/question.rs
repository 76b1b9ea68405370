//! A proxy's question, by whichever way it came.

use std::net::IpAddr;

use hyper::HeaderMap;

use super::asked::{Asked, AskedError, method, secure};
use super::dialect::Dialect;
use super::lines::Lines;
use super::respond::Form;
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;

/// A question to decide.
#[derive(Debug)]
pub struct Question {
    /// Where it says what is asked.
    pub source: Source,
    /// The headers that came with it: of a [`Source::Headers`] the proxy's, otherwise those that the client sent.
    pub headers: HeaderMap,
}

/// Where a question says what is asked.
#[derive(Debug)]
pub enum Source {
    /// In headers.
    Headers(Dialect),
    /// In its protocol's own terms.
    Told(Told),
}

/// What a protocol tells in its own terms, so that no header can be taken for it. Nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The method.
    pub method: String,
    /// Path and query, raw.
    pub target: String,
    /// The host, maybe with a port.
    pub host: String,
    /// `http` or `https`, as the client came.
    pub proto: String,
    /// The client's address, if it is known for sure.
    pub client: Option<IpAddr>,
}

/// What a header line takes in memory besides its name and its value, in bytes; about.
const LINE_LEN: usize = 128;

impl Question {
    /// How many bytes it holds; about.
    pub(super) fn weight(&self) -> usize {
        let told = match &self.source {
            Source::Headers(_) => 0,
            Source::Told(Told { method, target, host, proto, client: _ }) => {
                [method, target, host, proto].map(String::len).into_iter().sum()
            }
        };
        let lines = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + LINE_LEN);
        lines.sum::<usize>() + told
    }
}

impl From<Dialect> for Source {
    fn from(dialect: Dialect) -> Self {
        Self::Headers(dialect)
    }
}

impl Source {
    /// Reads what is asked.
    pub(super) fn read<'a>(&'a self, lines: Lines<'a>) -> Result<Asked<'a>, AskedError> {
        match self {
            Self::Headers(dialect) => dialect.read(lines),
            Self::Told(told) => told.read(),
        }
    }

    /// The form of the answers that whoever asks can pass on.
    pub(super) const fn form(&self) -> Form {
        match self {
            Self::Headers(Dialect::Nginx) => Form::Nginx,
            Self::Headers(_) | Self::Told(_) => Form::Whole,
        }
    }
}

impl Told {
    fn read(&self) -> Result<Asked<'_>, AskedError> {
        Ok(Asked {
            method: method(&self.method)?,
            host: CanonicalHost::parse_text(&self.host)?,
            path: CanonicalPath::parse_text(&self.target)?,
            client: self.client,
            secure: Some(secure(&self.proto)?),
            target: &self.target,
        })
    }
}
