//! `gatepost policy shadow`: what the candidate has made of live traffic, summed up from the shadow log.

mod line;
mod places;
mod report;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use self::line::Line;
use self::places::Places;
use self::report::{Report, Sum};
use crate::cli::settings::Settings;

/// Something differs.
const DIFFERS: u8 = 3;

/// Sum up the shadow log: what the candidate would change
///
/// How many decisions were compared and how many differ; those that differ grouped by what changes, for whom, which action
/// on what, and by which policies, with file and line and examples. Only one candidate is summed up, as an edit makes another
/// one. Files may be given in any order; lines of other logs in them are passed over, and so is a last line that was cut off.
///
/// Where the policies stand is looked up in the history of this machine's database and in `policy.shadow`, as far as those
/// still have what was compared.
///
/// Exit code: 0 nothing differs, 3 something does, 1 failed, or nothing was compared, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy shadow /var/log/gatepost/shadow.log
  gatepost policy shadow shadow.log shadow.log-* --candidate 76f8bf77
  zcat shadow.log-*.gz | gatepost policy shadow - shadow.log --output json")]
pub(in crate::cli) struct Shadow {
    /// The shadow log, and what was rotated away of it; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The candidate, by the beginning of its digest [default: the one that was asked last]
    #[arg(long, value_name = "DIGEST")]
    candidate: Option<String>,
    /// How many examples to show of each group
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    examples: usize,
}

/// What was read.
#[derive(Default)]
struct Read {
    /// By the digests of the candidates.
    sums: BTreeMap<String, Sum>,
    /// Lines of other logs.
    others: u64,
    /// Lines that nothing can be made of.
    unreadable: u64,
}

impl Shadow {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let mut read = Read::default();
        for file in &self.files {
            read.add_file(file, self.examples).with_context(|| format!("cannot read `{}`", file.display()))?;
        }
        let candidate = read.candidate(self.candidate.as_deref())?;
        let Read { mut sums, others, unreadable } = read;
        let Some(sum) = sums.remove(&candidate) else { bail!("there is no line about the candidate `{candidate}`") };
        let others_of = sums.iter().map(|(candidate, sum)| (candidate.clone(), sum.lines)).collect();
        let places = Places::of(&candidate, &sum.generations, settings)?;
        let report = Report::new(candidate, sum, others_of, others, unreadable, &places);
        settings.output().either(&report, || Ok(report.text()))?;
        Ok(if report.differs() { DIFFERS.into() } else { ExitCode::SUCCESS })
    }
}

impl Read {
    fn add_file(&mut self, file: &Path, examples: usize) -> io::Result<()> {
        let input: Box<dyn io::Read> = match file.to_str() {
            Some("-") => Box::new(io::stdin()),
            _ => Box::new(File::open(file)?),
        };
        let mut lines = BufReader::with_capacity(1 << 20, input);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice::<Line>(&line) {
                Ok(read) => self.sums.entry(read.candidate.clone()).or_default().add(read, examples),
                // The decision log may go to the same file.
                Err(_)
                    if serde_json::from_slice::<Value>(&line).is_ok_and(|other| other.get("candidate").is_none()) =>
                {
                    self.others += 1;
                }
                Err(_) => self.unreadable += 1,
            }
            line.clear();
        }
        Ok(())
    }

    /// The digest of the candidate that is meant.
    fn candidate(&self, prefix: Option<&str>) -> Result<String> {
        let newest = self.sums.iter().max_by(|(_, a), (_, b)| a.until.cmp(&b.until));
        let Some((newest, _)) = newest else {
            bail!(
                "nothing was compared with a candidate in {} lines of other logs and {} that cannot be read: is \
                 `policy.shadow` set, and is this the file of `log.shadow`?",
                self.others,
                self.unreadable
            );
        };
        let Some(prefix) = prefix else { return Ok(newest.clone()) };
        let mut matching = self.sums.keys().filter(|candidate| candidate.starts_with(prefix));
        match (matching.next(), matching.next()) {
            (Some(found), None) => Ok(found.clone()),
            (Some(_), Some(_)) => bail!("more than one candidate begins with `{prefix}`"),
            (None, _) => {
                let known: Vec<&str> = self.sums.keys().map(String::as_str).collect();
                bail!("there is no line about a candidate `{prefix}`, but about {}", known.join(", "))
            }
        }
    }
}
