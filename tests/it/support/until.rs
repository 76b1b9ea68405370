//! Waiting for what another thread or program will do in its own time.

use std::time::{Duration, Instant};

/// Asks again and again, with a short pause, until there is an answer; fails when that takes longer than `patience`.
pub fn until<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < patience, "waited for {what} for longer than {patience:?}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
