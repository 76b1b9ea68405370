//! How hard a new password is to guess, by zxcvbn: no rules about digits and capitals, which only make it harder to
//! remember (NIST SP 800-63B, section 3.1.1.2).

use zeroize::Zeroizing;
use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

use super::password::{self, PasswordError, Passwords};
use crate::model::{Email, Username};
use crate::secret::Secret;

/// How much of a password is judged. The time that it takes grows faster than its length and with the number of
/// different symbols that may stand for letters: at worst 0.3 s for this much, but 2 s for 100 characters.
const JUDGED_CHARS: usize = 40;
/// "Safely unguessable: moderate protection from offline slow-hash scenario", at 10^8 guesses and more.
const NEEDED: Score = Score::Three;
/// Pieces of a name that are shorter tell nothing about a password.
const MIN_PIECE_CHARS: usize = 3;

/// A new password is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrengthError {
    /// It is easily guessed; with what to do about it, which tells nothing of the password.
    #[error("the password is easy to guess: {0}")]
    Weak(String),
    /// It has too few or too many characters, or too many passwords are being checked.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

impl Passwords {
    /// Whether the password may be set for the account with these names. Blocks for milliseconds, or longer for a
    /// password that is made to; so it waits for its turn like all that is done with passwords.
    pub fn check_strength(&self, password: &Secret, username: &Username, email: &Email) -> Result<(), StrengthError> {
        let password = password::normalized(password);
        password::check_length(&password)?;
        let judged = Zeroizing::new(password.chars().take(JUDGED_CHARS).collect::<String>());
        let known = known_words(username.canonical(), email.canonical());
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        let judgement = self.turns.take(|| zxcvbn(&judged, &known))?;
        if judgement.score() >= NEEDED {
            return Ok(());
        }
        Err(StrengthError::Weak(judgement.feedback().map(advice).unwrap_or_default()))
    }
}

/// What an attacker tries first: the names, whole, in pieces, and with the pieces run together.
fn known_words(username: &str, email: &str) -> Vec<String> {
    let mut words = vec!["gatepost".to_owned()];
    for name in [username, email].into_iter().chain(email.split(['@', '.'])) {
        let pieces: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).collect();
        words.extend([name.to_owned(), pieces.concat()]);
        words.extend(pieces.into_iter().filter(|piece| piece.chars().count() >= MIN_PIECE_CHARS).map(str::to_owned));
    }
    words
}

/// The judgement in this program's style: clauses without a final period.
fn advice(feedback: &Feedback) -> String {
    let sentences = feedback.warning().map(|warning| warning.to_string());
    let sentences = sentences.into_iter().chain(feedback.suggestions().iter().map(ToString::to_string));
    let clauses = sentences.flat_map(|sentences| {
        let clauses = sentences.trim_end_matches('.').split(". ");
        clauses.map(uncapitalized).collect::<Vec<_>>()
    });
    clauses.collect::<Vec<_>>().join("; ")
}

fn uncapitalized(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().into_iter().flat_map(char::to_lowercase).chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const LENGTH: Result<(), StrengthError> = Err(StrengthError::Password(PasswordError::Length));
    static PASSWORDS: LazyLock<Passwords> = LazyLock::new(|| Passwords::new(2).unwrap());

    fn check(password: &str) -> Result<(), StrengthError> {
        let username = Username::parse("ada.lovelace").unwrap();
        let email = Email::parse("countess+work@analytical-engine.example").unwrap();
        PASSWORDS.check_strength(&Secret::new(password.to_owned()), &username, &email)
    }

    #[test]
    fn passwords_that_are_hard_to_guess_are_taken() {
        for password in [
            "correct horse battery staple",
            "xK9#mQ2$vL",
            "Nebel über dem Moor um vier",
            "密码安全性非常重要的一句话",
            &"zebra trombone ".repeat(68),
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn common_ones_patterns_and_the_account_s_own_names_are_refused() {
        for password in [
            "password",
            "Passw0rd!",
            "P@ssw0rd123",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaaaaaa",
            "20011990",
            "iloveyou2",
            "ada.lovelace",
            "AdaLovelace1",
            "lovelace1815",
            "countess+work",
            "analytical-engine",
            "countess+work@analytical-engine.example",
            "gatepost1",
        ] {
            assert!(matches!(check(password), Err(StrengthError::Weak(_))), "{password}");
        }
    }

    #[test]
    fn the_length_counts_characters_in_normal_form() {
        assert_eq!(check("xK9#mQ2"), LENGTH);
        assert_eq!(check(&"e\u{301}".repeat(7)), LENGTH);
        assert_eq!(check(&"x".repeat(1_025)), LENGTH);
        assert_ne!(check(&"x".repeat(1_024)), LENGTH);
        assert_eq!(check(""), LENGTH);
    }

    #[test]
    fn the_refusal_tells_what_to_do() {
        let refused = check("qwertyuiop").unwrap_err().to_string();
        insta::assert_snapshot!(refused, @"the password is easy to guess: this is a top-100 common password; add another word or two; uncommon words are better");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_password_is_judged(password in "\\PC{8,200}") {
            let _ = check(&password);
        }

        #[test]
        fn any_mixture_of_what_is_looked_for_is_judged(
            parts in proptest::collection::vec("password|1990-12-01|qwerty|aaaa|4@8\\(\\{|p4ssw0rd|ada|lovelace|\u{e9}|abcdef|9876", 1..30),
        ) {
            let _ = check(&parts.concat());
        }
    }
}
