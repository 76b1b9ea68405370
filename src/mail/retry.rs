//! When a message that could not be handed over is tried again.

use std::time::Duration;

use super::Message;
use crate::model::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// How long to wait after the first, second, … failure, and after each one behind these.
const WAITS: [Duration; 3] = [MINUTE, MINUTE.saturating_mul(5), MINUTE.saturating_mul(15)];
const LAST_WAIT: Duration = MINUTE.saturating_mul(60);

/// How long a message is tried for.
const GIVE_UP_AFTER: Duration = MINUTE.saturating_mul(24 * 60);

/// As many attempts as these waits leave room for, so that a clock that steps back does not prolong them.
const MAX_ATTEMPTS: u32 = 27;

/// When to try the message again after this many attempts, the last of which has failed now; `None` if it is to be given
/// up, because a day has passed or its link will have ended.
pub fn next_attempt(message: &Message, attempts: u32, now: Timestamp) -> Option<Timestamp> {
    let failures_before = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let next = now.plus(*WAITS.get(failures_before).unwrap_or(&LAST_WAIT));
    let in_time = next <= message.written_at.plus(GIVE_UP_AFTER) && message.expires_at.is_none_or(|end| next < end);
    (attempts < MAX_ATTEMPTS && in_time).then_some(next)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::model::Email;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn message(expires_at: Option<Timestamp>) -> Message {
        Message {
            to: Email::parse("ada@example.com").unwrap(),
            subject: "".into(),
            text: Zeroizing::default(),
            html: Zeroizing::default(),
            written_at: START,
            expires_at,
        }
    }

    /// The minutes since the message was written at which it is tried, if each attempt fails at once.
    fn schedule(message: &Message) -> Vec<u64> {
        let (mut attempts, mut now, mut minutes) = (0, START, vec![0]);
        while let Some(next) = {
            attempts += 1;
            next_attempt(message, attempts, now)
        } {
            now = next;
            minutes.push(now.since(START).as_secs() / 60);
        }
        minutes
    }

    #[test]
    fn the_waits_grow_to_an_hour_and_end_with_the_day() {
        let minutes = schedule(&message(None));
        assert_eq!(minutes[..6], [0, 1, 6, 21, 81, 141]);
        assert_eq!((minutes.len(), minutes.last()), (27, Some(&1401)));
    }

    #[test]
    fn a_link_is_not_sent_after_its_end() {
        assert_eq!(schedule(&message(Some(START.plus(MINUTE * 60)))), [0, 1, 6, 21]);
        assert_eq!(schedule(&message(Some(START.plus(MINUTE * 21)))), [0, 1, 6]);
        assert_eq!(next_attempt(&message(Some(START)), 1, START), None);
    }

    #[test]
    fn a_clock_that_steps_does_not_keep_a_message_for_ever() {
        let past = START.minus(MINUTE * 60 * 24 * 365);
        assert_eq!(next_attempt(&message(None), 1, past), Some(past.plus(MINUTE)));
        assert_eq!(next_attempt(&message(None), 26, past), Some(past.plus(MINUTE * 60)));
        for attempts in [27, 28, u32::MAX] {
            assert_eq!(next_attempt(&message(None), attempts, past), None);
        }
        assert_eq!(next_attempt(&message(None), 1, START.plus(GIVE_UP_AFTER)), None);
    }
}
