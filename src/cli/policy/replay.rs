//! `gatepost policy replay`: recorded decisions, decided again by other policies.

mod report;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use self::report::{Change, Changed, Report};
use super::side::Side;
use crate::authz::analysis;
use crate::authz::generation::{Generation, Source};
use crate::authz::{Circumstances, Credential, Engine, EngineCapacity, Question, Resource, Subject};
use crate::cache::{Stamp, Versions};
use crate::cli::FAILURE;
use crate::cli::console::Console;
use crate::cli::settings::Settings;
use crate::cli::terminal;
use crate::http::path::{CanonicalPath, target_of};
use crate::model::{CredentialKind, Timestamp, User, UserId};
use crate::secret::Digest;

/// Decide recorded decisions again
///
/// Each request of the decision log is decided by the policies that --policies and --schema name, and by the data of today:
/// who would gain and who would lose, grouped, with examples. Compared is with what was recorded, which data that has changed
/// since explains as well, or with other policies by --baseline, which only policies explain. The log does not tell whether a
/// second factor was given; none is assumed.
///
/// Exit code: 0 nothing that --fail-on names, 1 something, or failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy replay --log decisions.log --policies candidate --baseline policies
  gatepost policy replay --log decisions.log --baseline generation:12
  gatepost policy replay --log decisions.log --policies candidate --fail-on gain --output json")]
pub(in crate::cli) struct Replay {
    /// The decision log
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Compare with the decisions of these policies, instead of those that were recorded: a folder, `generation:NUMBER`, or
    /// another form that `policy diff` takes
    #[arg(long, value_name = "POLICIES")]
    baseline: Option<String>,
    /// How many examples to show of each group
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    examples: usize,
    /// What makes the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "CHANGE")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Nothing
    #[default]
    Nothing,
    /// What was denied is allowed
    Gain,
    /// What was allowed is denied
    Loss,
    /// Either
    Any,
}

/// A line of the decision log, as far as it is looked at.
#[derive(Deserialize)]
struct Record<'l> {
    #[serde(borrow)]
    id: std::borrow::Cow<'l, str>,
    #[serde(borrow)]
    principal: Option<std::borrow::Cow<'l, str>>,
    credential: Option<CredentialKind>,
    #[serde(borrow)]
    credential_id: Option<std::borrow::Cow<'l, str>>,
    #[serde(borrow)]
    decision: std::borrow::Cow<'l, str>,
    client: Option<IpAddr>,
    #[serde(borrow)]
    method: Option<std::borrow::Cow<'l, str>>,
    #[serde(borrow)]
    host: Option<std::borrow::Cow<'l, str>>,
    #[serde(borrow)]
    path: Option<std::borrow::Cow<'l, str>>,
}

/// The policies that decide, and what they need.
struct Deciding {
    engine: Engine,
    generation: Arc<Generation>,
}

/// What a request is decided to be.
#[derive(Clone, PartialEq, Eq)]
struct Verdict {
    allowed: bool,
    action: String,
    resource_type: String,
    policies: Vec<Arc<str>>,
}

/// People and the scopes of keys, each asked of the store once.
struct People<'c> {
    console: &'c Console,
    users: HashMap<UserId, Option<Known>>,
}

/// An account that is there.
struct Known {
    user: User,
    /// Of its keys, by their identifiers.
    scopes: HashMap<String, Vec<String>>,
}

impl Replay {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        let (config, _) = settings.load(Vec::new())?;
        let source = Source { policies: config.policy.policies, schema: config.policy.schema, tests: false };
        let baseline = self.baseline.as_ref().map(|name| Side::read(name, &source, settings)).transpose()?;
        let new = Deciding::start(analysis::load(&source)?, &source, &console);
        let old = baseline.map(|side| anyhow::Ok(Deciding::start(side.load()?, &source, &console))).transpose()?;
        let report = self.replay(&console, &new, old.as_ref())?;
        settings.output().either(&report, || Ok(report.text()))?;
        let fails = match self.fail_on {
            FailOn::Nothing => false,
            FailOn::Gain => report.count(Change::Gain) > 0,
            FailOn::Loss => report.count(Change::Loss) > 0,
            FailOn::Any => report.count(Change::Gain) + report.count(Change::Loss) > 0,
        };
        Ok(if fails { FAILURE.into() } else { ExitCode::SUCCESS })
    }

    fn replay(&self, console: &Console, new: &Deciding, old: Option<&Deciding>) -> Result<Report> {
        let unreadable = || format!("cannot read `{}`", self.log.display());
        let file = File::open(&self.log).with_context(unreadable)?;
        let length = file.metadata().with_context(unreadable)?.len();
        let bar = terminal::progress(length, "{wide_bar} {bytes}/{total_bytes}, {eta} left");
        let mut lines = BufReader::with_capacity(1 << 20, file);
        let mut people = People { console, users: HashMap::new() };
        let mut report = Report::new(self.examples);
        let mut line = Vec::new();
        let now = console.app.clock.now();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line).with_context(unreadable)?;
            if read == 0 {
                break;
            }
            bar.inc(read as u64);
            let Ok(record) = serde_json::from_slice::<Record<'_>>(&line) else {
                report.unreadable += 1;
                continue;
            };
            report.records += 1;
            let Some(after) = new.decide(&record, &mut people, now)? else {
                report.left_out += 1;
                continue;
            };
            let before = match old {
                None => record.decision == "allow",
                Some(old) => old.decide(&record, &mut people, now)?.is_some_and(|verdict| verdict.allowed),
            };
            report.add(before, &after, || Changed {
                decision: record.id.clone().into_owned(),
                principal: people.name(record.principal.as_deref()),
                method: record.method.as_deref().unwrap_or_default().to_owned(),
                path: record.path.as_deref().unwrap_or_default().to_owned(),
            });
        }
        bar.finish_and_clear();
        Ok(report)
    }
}

impl Deciding {
    fn start(generation: Generation, source: &Source, console: &Console) -> Self {
        let capacity = EngineCapacity { facts: 100_000, decisions: 100_000 };
        let (store, versions) = (Arc::clone(&console.app.store), Arc::new(Versions::default()));
        let engine = Engine::on(generation, source.clone(), store, versions, capacity);
        let generation = Arc::clone(&engine.generation());
        Self { engine, generation }
    }

    /// What the request is decided to be; nothing if the record does not tell enough of it, or its user is gone.
    fn decide(&self, record: &Record<'_>, people: &mut People<'_>, now: Timestamp) -> Result<Option<Verdict>> {
        let (Some(method), Some(host), Some(path)) = (&record.method, &record.host, &record.path) else {
            return Ok(None);
        };
        let target = target_of(path);
        let Ok(path) = CanonicalPath::parse(target.as_bytes()) else { return Ok(None) };
        let known = match record.principal.as_deref().map(str::parse::<UserId>) {
            None => None,
            Some(Err(_)) => return Ok(None),
            Some(Ok(id)) => match people.find(id)? {
                Some(known) => Some(known),
                None => return Ok(None),
            },
        };
        let Some(found) = self.generation.routes().find(host, method, &path) else {
            let policies = Vec::new();
            return Ok(Some(Verdict { allowed: false, action: String::new(), resource_type: String::new(), policies }));
        };
        let id = record.credential_id.as_deref().unwrap_or_default();
        let subject = known.map_or(Subject::Anonymous, |Known { user, scopes }| Subject::User {
            user,
            credential: Credential {
                kind: record.credential.unwrap_or(CredentialKind::Session),
                id,
                digest: Digest::of(id.as_bytes()),
                mfa: false,
                scopes: scopes.get(id).map_or(&[], Vec::as_slice),
                issued_at: now,
            },
        });
        let resource = Resource::from_parts(&found.route.resource_type, found.resource_id);
        let circumstances = Circumstances {
            now,
            client: record.client,
            method,
            host,
            path: path.as_str(),
            member: None,
            role: None,
            returning: false,
        };
        let question = Question {
            subject,
            subject_stamp: Stamp::default(),
            action: found.route.action_index,
            resource: &resource,
            circumstances,
        };
        let decision = self.engine.decide(&self.generation, &question)?;
        Ok(Some(Verdict {
            allowed: decision.permit().is_some(),
            action: found.route.action.to_string(),
            resource_type: found.route.resource_type.to_string(),
            policies: decision.policies().to_vec(),
        }))
    }
}

impl People<'_> {
    fn find(&mut self, id: UserId) -> Result<Option<&Known>> {
        if !self.users.contains_key(&id) {
            let known = match self.console.app.store.user(id)? {
                None => None,
                Some(user) => {
                    let keys = self.console.accounts().api_keys(&self.console.actor, id)?;
                    Some(Known { user, scopes: keys.into_iter().map(|key| (key.id.to_string(), key.scopes)).collect() })
                }
            };
            self.users.insert(id, known);
        }
        Ok(self.users.get(&id).and_then(Option::as_ref))
    }

    /// How the report calls a principal.
    fn name(&self, principal: Option<&str>) -> String {
        let Some(principal) = principal else { return "anonymous".to_owned() };
        let known = principal.parse().ok().and_then(|id: UserId| self.users.get(&id)).and_then(Option::as_ref);
        known.map_or_else(|| principal.to_owned(), |known| known.user.username.as_str().to_owned())
    }
}
