//! What was decided meanwhile, read from the end of Gatepost's decision log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// A line is written a moment after the answer was given.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// What the log says of a decision.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) decision: String,
    pub(super) principal: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) client: Option<String>,
    pub(super) method: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) resource: Value,
    pub(super) cause: Option<String>,
}

/// The log, from where it ended when it was opened.
pub(super) struct DecisionLog {
    file: File,
    path: PathBuf,
    /// A line that is not all there.
    rest: Vec<u8>,
}

impl Record {
    pub(super) fn is_allow(&self) -> bool {
        self.decision == "allow"
    }
}

impl DecisionLog {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
        let file = opened.with_context(|| format!("cannot read the decision log `{}`", path.display()))?;
        Ok(Self { file, path: path.to_owned(), rest: Vec::new() })
    }

    /// What is new.
    pub(super) fn read(&mut self) -> Result<Vec<Record>> {
        let read = self.file.read_to_end(&mut self.rest);
        read.with_context(|| format!("cannot read the decision log `{}`", self.path.display()))?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        // Other lines may be in the same file.
        Ok(lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Adds what is new to `records` until `is_enough`, or it has taken too long.
    pub(super) async fn read_until(
        &mut self,
        records: &mut Vec<Record>,
        patience: Option<Duration>,
        is_enough: impl Fn(&[Record]) -> bool,
    ) -> Result<()> {
        let reading = async {
            loop {
                records.extend(self.read()?);
                if is_enough(records) {
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(patience.unwrap_or(PATIENCE), reading).await.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_whole_lines_that_are_new_are_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = |id: &str| format!("{{\"id\":\"{id}\",\"decision\":\"allow\",\"path\":\"/x\",\"latency_us\":1}}\n");
        file.write_all(line("old").as_bytes()).unwrap();
        let mut log = DecisionLog::open(file.path()).unwrap();
        assert!(log.read().unwrap().is_empty());
        let (first, second) = (line("1"), line("2"));
        let (begun, ended) = second.split_at(10);
        file.write_all(format!("{first}not a record\n{begun}").as_bytes()).unwrap();
        let ids = |log: &mut DecisionLog| log.read().unwrap().into_iter().map(|record| record.id).collect::<Vec<_>>();
        assert_eq!(ids(&mut log), ["1"]);
        file.write_all(ended.as_bytes()).unwrap();
        assert_eq!(ids(&mut log), ["2"]);
    }
}
