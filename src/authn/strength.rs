//! How hard a new password is to guess, by zxcvbn: no rules about digits and capitals, which only make it harder to
//! remember (NIST SP 800-63B, section 3.1.1.2).

use zeroize::Zeroizing;
use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

use super::password;
use crate::model::{Email, Username};
use crate::secret::Secret;

/// How much of a password is judged: the time that it takes grows faster than its length.
const JUDGED_CHARS: usize = 100;
/// "Safely unguessable: moderate protection from an offline attack on a slow hash", 10^8 guesses and more.
const NEEDED: Score = Score::Three;
/// Pieces of a name that are shorter tell nothing about a password.
const MIN_PIECE_CHARS: usize = 3;

/// A new password is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrengthError {
    /// It has too few or too many characters.
    #[error("a password has 8 to 1,024 characters")]
    Length,
    /// It is easily guessed; with what to do about it, which tells nothing of the password.
    #[error("the password is easy to guess: {0}")]
    Weak(String),
}

/// Whether the password may be set for the account with these names. Takes milliseconds, more for a password that is
/// made to.
pub fn check_strength(password: &Secret, username: &Username, email: &Email) -> Result<(), StrengthError> {
    let password = password::normalized(password);
    if !password::has_good_length(&password) {
        return Err(StrengthError::Length);
    }
    let judged = Zeroizing::new(password.chars().take(JUDGED_CHARS).collect::<String>());
    let known = known_words(username.canonical(), email.canonical());
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let judgement = zxcvbn(&judged, &known);
    if judgement.score() >= NEEDED {
        return Ok(());
    }
    Err(StrengthError::Weak(judgement.feedback().map(advice).unwrap_or_default()))
}

/// What an attacker tries first: the names, whole, in pieces, and with the pieces run together.
fn known_words(username: &str, email: &str) -> Vec<String> {
    let local = email.split('@').next().unwrap_or_default();
    let mut words = vec!["gatepost".to_owned()];
    for name in [username, email, local] {
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
    let clauses = sentences.map(|sentence| {
        let mut characters = sentence.trim_end_matches('.').chars();
        characters.next().into_iter().flat_map(char::to_lowercase).chain(characters).collect::<String>()
    });
    clauses.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(password: &str) -> Result<(), StrengthError> {
        let username = Username::parse("ada.lovelace").unwrap();
        let email = Email::parse("countess+work@analytical-engine.example").unwrap();
        check_strength(&Secret::new(password.to_owned()), &username, &email)
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
        assert_eq!(check("xK9#mQ2"), Err(StrengthError::Length));
        assert_eq!(check(&"e\u{301}".repeat(7)), Err(StrengthError::Length));
        assert_eq!(check(&"x".repeat(1_025)), Err(StrengthError::Length));
        assert_ne!(check(&"x".repeat(1_024)), Err(StrengthError::Length));
        assert_eq!(check(""), Err(StrengthError::Length));
    }

    #[test]
    fn the_refusal_tells_what_to_do() {
        let refused = check("qwertyuiop").unwrap_err().to_string();
        insta::assert_snapshot!(refused, @"");
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
