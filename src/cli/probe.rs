//! `gatepost probe`: what gets through one's own proxy.
//!
//! The published cases are sent through it, one after the other. Each is held against what the client got, what was
//! decided and what an application behind the proxy would have seen.

mod arguments;
mod cases;
mod client;
mod decisions;
mod fault;
mod head;
mod judge;
mod report;
mod run;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::runtime;

use self::arguments::Others;
use self::cases::{Given, Meanings};
use self::decisions::DecisionLog;
use self::report::{LookedInto, Report};
use self::run::Run;
use self::upstream::Upstream;
use super::FAILURE;
use super::endpoint::{CredentialArguments, Target, Transport};
use super::failure::UsageError;
use super::settings::Settings;
use crate::gate::presented::SESSION_COOKIE;

/// Holds the credential, where no option does.
const KEY_VARIABLE: &str = "GATEPOST_PROBE_KEY";

/// Find out what gets through a proxy
///
/// Sends some hundred odd requests through the proxy at URL, each on a connection of its own: paths that can be read in two
/// ways, headers that only a proxy may set, forged identities, two hosts, two credentials, messages that hide another one.
/// Each must be refused, or reach the application as the very request that was decided about. All are GET or as harmless,
/// and ask for PATH, for what is below it, or for what is not there; no redirect is followed. The cases are
/// tests/cases/requests.json of Gatepost's sources, for other products, too.
///
/// What the application would see is known if the probe is the application: give --listen-upstream an address, point the
/// proxy's route to it, and nobody else's requests. What was decided is known from the decision log, as a file on this
/// machine. Without these, only what is served although it must be refused is found.
///
/// Take a key that may read PATH and little else, and revoke it afterwards.
///
/// Exit code: 0 nothing got through, 1 something did or nothing can be told, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost probe https://app.example.com --allowed-path /applications/019ab… --key-file key.txt
  gatepost probe http://127.0.0.1 --allowed-path /applications/019ab… --key-file key.txt \\
      --listen-upstream 127.0.0.1:8080 --decision-log /var/log/gatepost/decisions.log
  gatepost probe http://127.0.0.1 --allowed-path /applications/019ab… --key-file key.txt --case path --all")]
pub(super) struct Probe {
    /// The proxy, like `https://app.example.com` or `http://127.0.0.1:8000`
    #[arg(value_name = "URL")]
    target: String,
    /// A path that the key may GET, and that needs a credential; without a slash at its end
    #[arg(long, value_name = "PATH", value_parser = arguments::path)]
    allowed_path: String,
    /// A path that the key may not reach, nor any other that begins with it
    #[arg(long, value_name = "PATH", value_parser = arguments::path, default_value = "/gatepost-probe-denied")]
    denied_path: String,
    /// The host, and port, that the proxy knows the application by [default: those of URL]
    #[arg(long, value_parser = arguments::host)]
    host: Option<String>,
    #[command(flatten)]
    credential: CredentialArguments,
    #[command(flatten)]
    others: Others,
    /// Gatepost's decision log, `log.decisions`
    #[arg(long, value_name = "FILE")]
    decision_log: Option<PathBuf>,
    /// Be the application behind the proxy: answer on this address, like 127.0.0.1:8080, and see what arrives
    #[arg(long, value_name = "ADDRESS")]
    listen_upstream: Option<SocketAddr>,
    /// Send only these cases: a class, like `path`, or one, like `path/dot-dot-inside`
    #[arg(long = "case", value_name = "CASE")]
    chosen: Vec<String>,
    /// How long to wait for an answer, a minute at most
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = arguments::timeout)]
    timeout: Duration,
    /// Tell of each case what came of it
    #[arg(long)]
    all: bool,
}

impl Probe {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        let target = Target::parse(&self.target)?;
        if target.path_and_query() != "/" {
            return Err(UsageError::new("name the path with --allowed-path, and not in the URL").into());
        }
        target.must_keep_secrets(settings.permits_plain_http())?;
        let key = self.credential.read(KEY_VARIABLE)?.ok_or_else(|| {
            UsageError::new("a key is missing: name a file that holds it with --key-file, or set GATEPOST_PROBE_KEY")
        })?;
        let (other, session, other_session) = self.others.read()?;
        let given = Given {
            authority: self.host.as_deref().unwrap_or(&target.authority),
            path: &self.allowed_path,
            denied: &self.denied_path,
            cookie_name: SESSION_COOKIE,
            key: key.expose(),
            other: other.as_ref().map(|secret| secret.expose()),
            session: session.as_ref().map(|secret| secret.expose()),
            other_session: other_session.as_ref().map(|secret| secret.expose()),
            key_in_query: self.others.danger_key_in_query,
        };
        let cases = run::chosen(cases::published()?, &self.chosen)?;
        let log = self.decision_log.as_deref().map(DecisionLog::open).transpose()?;
        let looked_into = LookedInto { decisions: log.is_some(), application: self.listen_upstream.is_some() };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        let entries = runtime.block_on(async {
            let upstream = match self.listen_upstream {
                Some(address) => Some(Upstream::listen(address).await?),
                None => None,
            };
            let transport = Transport::find(&target, settings.ca_file()).await;
            let transport = transport.with_context(|| format!("cannot reach `{target}`"))?;
            let (meanings, patience) = (Meanings::new(&given), self.timeout);
            let (look, decided, late) = (run::LOOK, Vec::new(), Vec::new());
            let run = Run { transport, meanings, upstream, log, patience, look, decided, late };
            run.all(&cases, &given).await
        })?;
        let report = Report::new(target.to_string(), looked_into, entries);
        settings.output().either(&report, || Ok(report.text(self.all)))?;
        Ok(if report.is_well() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}
