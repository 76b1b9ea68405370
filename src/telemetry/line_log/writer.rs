//! The thread that writes a log.

use std::io;
use std::time::Duration;

use memchr::{memchr_iter, memrchr};
use prometheus_client::metrics::counter::Counter;

use super::Name;
use crate::telemetry::queue::Queue;

/// How long lines gather before they are written together, unless there are enough for one write.
const GATHERING: Duration = Duration::from_millis(10);

/// As many bytes are written at once, at most; one line at least. Fewer take file systems more time for each.
pub(super) const BATCH_BYTES: usize = 256 * 1_024;

/// As much memory is kept for what comes next.
const KEPT_BYTES: usize = 512 * 1_024;

/// Writes whole lines.
pub(super) struct Writer<W> {
    name: Name,
    output: W,
    renew: fn(&mut W) -> bool,
    dropped: Counter,
    has_failed: bool,
}

impl<W: io::Write> Writer<W> {
    /// Writes to `output`, and counts what is lost. `renew` looks at the output before each write, and gives whether it is
    /// another since.
    pub(super) fn new(name: Name, output: W, renew: fn(&mut W) -> bool, dropped: Counter) -> Self {
        Self { name, output, renew, dropped, has_failed: false }
    }

    /// Writes lines until nobody can send any more, and all are written.
    pub(super) fn write(mut self, queue: &Queue<u8>) {
        let mut lines = Vec::new();
        while queue.take(&mut lines) {
            let mut rest = lines.as_slice();
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(batch_len(rest));
                self.write_batch(batch);
                rest = after;
            }
            lines.clear();
            lines.shrink_to(KEPT_BYTES);
            queue.gather(GATHERING);
        }
    }

    fn write_batch(&mut self, lines: &[u8]) {
        if (self.renew)(&mut self.output) {
            // No part of a line is in another file.
            self.has_failed = false;
        }
        // After a failure, part of a line may have been written: what follows begins on a new one.
        let begin = if self.has_failed { self.output.write_all(b"\n") } else { Ok(()) };
        match begin.and_then(|()| self.output.write_all(lines)).and_then(|()| self.output.flush()) {
            Ok(()) => self.has_failed = false,
            Err(cause) => {
                self.dropped.inc_by(u64::try_from(memchr_iter(b'\n', lines).count()).unwrap_or(u64::MAX));
                if !self.has_failed {
                    tracing::error!(%cause, "the {} cannot be written: lines are missing from it", self.name);
                }
                self.has_failed = true;
            }
        }
    }
}

/// How many bytes of these lines are written together.
fn batch_len(lines: &[u8]) -> usize {
    let most = lines.get(..BATCH_BYTES).unwrap_or(lines);
    let end = memrchr(b'\n', most).or_else(|| memchr::memchr(b'\n', lines));
    end.map_or(lines.len(), |end| end + 1)
}
