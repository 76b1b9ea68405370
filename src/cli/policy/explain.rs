//! `gatepost policy explain`: why a recorded decision fell as it did.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::FAILURE;
use crate::cli::check::explanation::Explanation;
use crate::cli::check::{Asked, Assumed, Caller, explain};
use crate::cli::console::Console;
use crate::cli::output::{aligned, printable};
use crate::cli::settings::Settings;
use crate::config::DecisionTarget;
use crate::http::path::target_of;
use crate::model::{CredentialKind, DecisionId, UserId};

/// Explain a recorded decision
///
/// Finds the decision in the decision log, and decides the same request again by the policies and the data of today: what
/// stood in the way of each policy that permits the action in general, and the least role that would do. The log does not
/// tell whether a second factor was given; none is assumed. For whoever has the machine: callers learn nothing of it.
///
/// Exit code: 0 the same today, 3 decided otherwise today, 1 failed, or it cannot be decided again, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy explain 01a20db8-448c-7d4f-828b-8352c25583c5
  gatepost policy explain 01a20db8-448c-7d4f-828b-8352c25583c5 --log /var/log/gatepost/decisions.log --output json")]
pub(in crate::cli) struct Explain {
    /// The decision's identifier, as `Gatepost-Decision` told it
    #[arg(value_name = "DECISION_ID")]
    id: DecisionId,
    /// The decision log [default: the file that `log.decisions` names]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// A line of the decision log, as far as it is looked at.
#[derive(Deserialize, Serialize)]
struct Record {
    time: String,
    id: String,
    generation: u64,
    principal: Option<String>,
    credential: Option<CredentialKind>,
    credential_id: Option<String>,
    action: Option<String>,
    decision: String,
    policies: Vec<String>,
    errors: Vec<String>,
    client: Option<IpAddr>,
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    cause: Option<String>,
}

/// What was recorded, and what is decided today.
#[derive(Serialize)]
struct Explained {
    recorded: Record,
    /// Nothing if it cannot be decided again.
    today: Option<Explanation>,
}

/// Found in the log, and the same today.
const SAME: u8 = 0;
/// Found in the log, and not the same today.
const OTHERWISE: u8 = 3;

impl Explain {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let log = match self.log {
            Some(path) => path,
            None => match settings.load(Vec::new())?.0.log.decisions {
                DecisionTarget::File(path) => path,
                _ => bail!("`log.decisions` names no file: name the decision log with --log"),
            },
        };
        let recorded = find(&log, &self.id.to_string())?;
        let console = Console::open_to_explain(settings)?;
        let today = again(&console, &recorded)?;
        let code = today.as_ref().map_or(FAILURE, |today| {
            if today.is_allowed() == (recorded.decision == "allow") { SAME } else { OTHERWISE }
        });
        let explained = Explained { recorded, today };
        settings.output().either(&explained, || explained.text())?;
        Ok(code.into())
    }
}

/// The line with this identifier.
fn find(log: &Path, id: &str) -> Result<Record> {
    let unreadable = || format!("cannot read `{}`", log.display());
    let mut lines = BufReader::new(File::open(log).with_context(unreadable)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).with_context(unreadable)? == 0 {
            bail!("there is no decision `{id}` in `{}`", log.display());
        }
        // A text search first: most lines are others.
        if memchr::memmem::find(&line, id.as_bytes()).is_none() {
            continue;
        }
        match serde_json::from_slice::<Record>(&line) {
            Ok(record) if record.id == id => return Ok(record),
            Ok(_) => {}
            // Another log in the same file, such as the shadow log, names decisions as well.
            Err(_)
                if serde_json::from_slice::<Value>(&line)
                    .is_ok_and(|other| other.get("id").is_none_or(|other| other != id)) => {}
            Err(error) => bail!("the decision `{id}` in `{}` cannot be read: {error}", log.display()),
        }
    }
}

/// The same request, decided today; nothing if the record does not tell what was asked, or of whom.
fn again(console: &Console, record: &Record) -> Result<Option<Explanation>> {
    let (Some(method), Some(host), Some(path)) = (&record.method, &record.host, &record.path) else { return Ok(None) };
    let caller = match &record.principal {
        None => Caller::Nobody,
        Some(principal) => {
            match principal.parse::<UserId>().ok().and_then(|id| caller(console, record, id).transpose()) {
                Some(caller) => caller?,
                None => return Ok(None),
            }
        }
    };
    let target = target_of(path);
    let asked = Asked { method, host, path: &target, client: record.client };
    explain(console, &caller, &asked).map(Some)
}

/// The user as the record tells; nothing if there is no such account any more.
fn caller(console: &Console, record: &Record, id: UserId) -> Result<Option<Caller>> {
    let Some(user) = console.app.store.user(id)? else { return Ok(None) };
    let kind = record.credential.unwrap_or(CredentialKind::Session);
    let credential = record.credential_id.clone().unwrap_or_default();
    let keys = console.accounts().api_keys(&console.actor, id)?;
    let scopes = keys.into_iter().find(|key| key.id.to_string() == credential).map(|key| key.scopes);
    let assumed = Assumed { kind, id: credential, scopes: scopes.unwrap_or_default() };
    Ok(Some(Caller::User(Box::new(user), assumed)))
}

impl Record {
    fn tells_request(&self) -> bool {
        self.method.is_some() && self.host.is_some() && self.path.is_some()
    }
}

impl Explained {
    fn text(&self) -> Result<String> {
        let Record { time, id, generation, decision, policies, errors, cause, action, .. } = &self.recorded;
        let list = |items: &[String]| if items.is_empty() { "-".to_owned() } else { items.join(", ") };
        let lines = [
            ("recorded:", format!("{decision} at {time}, by generation {generation}")),
            ("id:", id.clone()),
            ("action:", action.clone().unwrap_or_else(|| "-".to_owned())),
            ("policies:", list(policies)),
            ("errors:", list(errors)),
            ("cause:", cause.clone().unwrap_or_else(|| "-".to_owned())),
        ];
        let mut text = aligned(&lines.map(|(name, value)| vec![name.to_owned(), printable(&value)]));
        text.push_str("\ntoday:\n");
        match &self.today {
            Some(today) => text.push_str(&today.text()?),
            None if !self.recorded.tells_request() => text.push_str(
                "it cannot be decided again: the log has no request for it, as none could be read for certain\n",
            ),
            None => text.push_str("it cannot be decided again: the account that asked is not there any more\n"),
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_found_behind_a_line_of_another_log_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("all.log");
        let record = r#"{"time":"t","id":"a","generation":1,"principal":null,"credential":null,"credential_id":null,"action":null,"decision":"deny","policies":[],"errors":[],"client":null,"method":null,"host":null,"path":null,"cause":null}"#;
        std::fs::write(&log, format!("{{\"decision_id\":\"a\",\"change\":\"gains\"}}\n{record}\n")).unwrap();
        assert_eq!(find(&log, "a").unwrap().decision, "deny");
        for broken in [record.trim_end_matches('}'), r#"{"id":"a"}"#] {
            std::fs::write(&log, format!("{broken}\n")).unwrap();
            assert!(find(&log, "a").is_err_and(|error| error.to_string().contains("cannot be read")), "{broken}");
        }
    }
}
