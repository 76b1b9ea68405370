//! `gatepost bench`: how fast a deployment answers.
//!
//! One question is asked again and again, of the one address that was named. What is measured is the deployment's, so
//! the load is sent by the means of this program alone, and nothing of it is made up: who asks, and what, is given.

mod arguments;
mod client;
mod histogram;
mod load;
mod pace;
mod question;
mod report;
mod tally;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hyper::StatusCode;
use tokio::runtime;

use self::arguments::LoadArguments;
use self::client::Client;
use self::question::QuestionArguments;
use self::report::Report;
use super::FAILURE;
use super::endpoint::{CredentialArguments, Target};
use super::settings::Settings;

/// Holds the credential, where no option does.
const KEY_VARIABLE: &str = "GATEPOST_BENCH_KEY";

/// Measure how fast a deployment answers
///
/// Asks one question again and again, over kept-alive connections and HTTP/1.1, and tells requests per second, latencies
/// and statuses. The load goes to URL and nowhere else: no redirect is followed, and no proxy of the environment is used.
///
/// With --rate, requests are due at fixed times, and latency counts from when a request was due: if the server stalls,
/// whatever was due meanwhile has waited, and the percentiles say so (open loop). Without it each connection asks again
/// as soon as it is answered: that finds the most requests per second, but a server that stalls is asked less, so
/// percentiles look better than what a client would see (closed loop, "coordinated omission").
///
/// Exit code: 0 every answer was the expected one, 1 some were not or there were none, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost bench http://127.0.0.1:7180/check/nginx --method POST --path /applications/019ab…/releases --key-file key.txt
  gatepost bench unix:/run/gatepost/decision.sock --dialect nginx --path /applications/019ab… --rate 5000
  gatepost bench https://app.example.com/applications/019ab… -H 'Accept: text/html' -H @cookie.txt --expect 200")]
pub(super) struct Bench {
    /// The decision listener, like http://127.0.0.1:7180/check/nginx or unix:/run/gatepost/decision.sock, or anything
    /// behind your proxy; a path on a Unix socket is `unix:/run/app.sock:/status`
    #[arg(value_name = "URL")]
    target: String,
    #[command(flatten)]
    question: QuestionArguments,
    #[command(flatten)]
    credential: CredentialArguments,
    #[command(flatten)]
    load: LoadArguments,
    /// The status that every answer must have [default: that of the first answer]
    #[arg(long, value_name = "STATUS", value_parser = arguments::status)]
    expect: Option<StatusCode>,
    /// Write the distribution of latencies, in milliseconds, as HdrHistogram's tools read it
    #[arg(long, value_name = "FILE")]
    histogram: Option<PathBuf>,
}

impl Bench {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        let plan = self.load.plan()?;
        let mut target = Target::parse(&self.target)?;
        let key = self.credential.read(KEY_VARIABLE)?;
        let question = self.question.ask(&mut target, key.as_ref())?;
        if question.is_secret() {
            target.must_keep_secrets(settings.permits_plain_http())?;
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        let client = runtime.block_on(Client::reach(&target, &question, settings.ca_file()))?;
        let first = runtime.block_on(client.ask_once(plan.timeout))?;
        let expected = self.expect.unwrap_or(first);
        if first != expected {
            bail!("the first answer was {first}, and {expected} was expected: no load was sent");
        }
        let outcome = load::run(&client, &plan)?;
        let report = Report::new(&target, &question, &plan, expected, &outcome);
        settings.output().either(&report, || Ok(report.text()))?;
        if let Some(path) = &self.histogram {
            let written = fs::write(path, histogram::text(&outcome.tally.latency));
            written.with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(if report.is_as_expected() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}
