//! A program in place of the solver, which answers as a test says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::until;

/// What it does with a question is read when it starts, so it may change from process to process.
const SCRIPT: &str = r#"#!/bin/sh
here=${0%/*}
read -r way < "$here/way"
[ "$way" = silent ] && exec sleep 1000
[ "$1" = --version ] && { echo "This is cvc5 version 0.0 [fake]"; exit 0; }
echo $PPID > "$here/asked-by"
echo $$ >> "$here/started"
case "$way" in
dies) exit 3 ;;
hangs) exec sleep 1000 ;;
esac
while read -r line; do
    case "$way $line" in
    proves*"(check-sat)"*) echo unsat ;;
    cannot*"(check-sat)"*) echo unknown ;;
    babbles*"(check-sat)"*) echo "good morning" ;;
    breaks*"(check-sat)"*) exit 3 ;;
    replays*"(check-sat)"*) echo sat ;;
    replays*"(get-model)"*) echo "("; echo "(define-fun another () Bool true)"; echo ")" ;;
    esac
done
"#;

/// The ways in which it gives no answer that counts. The last one answers with a request for another question.
pub const BAD_WAYS: [&str; 6] = ["dies", "hangs", "cannot", "babbles", "breaks", "replays"];

/// The program in a folder of its own.
pub struct FakeSolver {
    folder: TempDir,
}

impl FakeSolver {
    /// One that answers in this way.
    pub fn that(way: &str) -> Self {
        let fake = Self { folder: tempfile::tempdir().unwrap() };
        fake.now(way);
        // No process that the test starts meanwhile may have it open for writing, so another one writes it.
        let write = r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#;
        let written = Command::new("/bin/sh").args(["-c", write]).arg(fake.program()).arg(SCRIPT).status().unwrap();
        assert!(written.success());
        fake
    }

    /// The path of the program.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("cvc5")
    }

    /// From now on new processes answer in this way.
    pub fn now(&self, way: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{way}\n")).unwrap();
        fs::rename(next, self.folder.path().join("way")).unwrap();
    }

    /// The processes that were started, and asked something.
    pub fn started(&self) -> Vec<u32> {
        let started = fs::read_to_string(self.folder.path().join("started")).unwrap_or_default();
        started.lines().map(|id| id.parse().unwrap()).collect()
    }

    /// The program that has started the last one.
    pub fn asked_by(&self) -> u32 {
        fs::read_to_string(self.folder.path().join("asked-by")).unwrap().trim().parse().unwrap()
    }

    /// Fails unless all that were started are gone.
    pub fn assert_gone(&self) {
        for process in self.started() {
            let path = PathBuf::from(format!("/proc/{process}"));
            until(Duration::from_secs(10), "the end of a solver", || is_gone(&path).then_some(()));
        }
    }
}

/// A process that nobody has waited for yet is gone as well: it does nothing any more.
fn is_gone(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status"));
    status.map_or(true, |status| status.contains("State:\tZ"))
}
