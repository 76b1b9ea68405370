//! What is written to people.
//!
//! A letter is a few paragraphs and at most one link, from which both its plain text and its HTML are made, so that they
//! cannot differ. There are no images, no styles from elsewhere and nothing that tells who has read it.
//!
//! Strangers can have mail sent to any address, by signing up with it. So such mail holds nothing that a stranger chose:
//! a username such as `www.example.com` would become a link to wherever they like, under the sender's good name.

use std::fmt::Write as _;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::Message;
use crate::model::{Email, Timestamp, Username};
use crate::secret::Secret;

/// The portal's page to sign up.
pub const SIGN_UP_PAGE: &str = "/sign-up";

/// The portal's page that confirms an address; it is given the `token`.
pub const CONFIRM_PAGE: &str = "/sign-up/confirm";

/// The portal's page that asks for a link to set a new password.
pub const FORGOTTEN_PASSWORD_PAGE: &str = "/password";

/// The portal's page that sets a new password; it is given the `token`.
pub const NEW_PASSWORD_PAGE: &str = "/password/new";

/// What stays as it is in the query of a link (RFC 3986, section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes letters with links to one portal.
#[derive(Debug, Clone)]
pub struct Letters {
    portal: String,
}

impl Letters {
    /// With links to the portal at this origin: scheme, host and port, without a slash behind.
    pub fn new(portal: impl Into<String>) -> Self {
        Self { portal: portal.into() }
    }

    /// To whoever signed up: the link that confirms the address.
    pub fn sign_up(&self, to: &Email, token: &Secret, now: Timestamp, expires_at: Timestamp) -> Message {
        let letter = Letter::new("Confirm your address")
            .paragraph(format!("Somebody, hopefully you, signed up at {} with this address.", self.portal))
            .paragraph(format!("To confirm that the address is yours, open this link. {}", until(expires_at)))
            .link("Confirm the address", self.link(CONFIRM_PAGE, token))
            .paragraph("If it was not you, ignore this message: without the link, nothing happens.");
        letter.message(to, now, Some(expires_at))
    }

    /// To the address of an account, with which somebody signed up once more.
    pub fn address_in_use(&self, to: &Email, username: &Username, now: Timestamp) -> Message {
        let letter = Letter::new("You already have an account")
            .paragraph(format!("Somebody, hopefully you, wanted to sign up at {} with this address.", self.portal))
            .paragraph(format!("The address belongs to the account {} already.", quoted(username.as_str())))
            .paragraph("If the password is forgotten, a new one can be set here.")
            .link("Set a new password", self.page(FORGOTTEN_PASSWORD_PAGE))
            .paragraph("If it was not you, ignore this message: the account stays as it is.");
        letter.message(to, now, None)
    }

    /// To whoever signed up under a username that is not free.
    pub fn username_taken(&self, to: &Email, now: Timestamp) -> Message {
        let letter = Letter::new("Choose another username")
            .paragraph(format!("Somebody, hopefully you, wanted to sign up at {} with this address.", self.portal))
            .paragraph("Another account has the username already. You can sign up again with another one here.")
            .link("Sign up", self.page(SIGN_UP_PAGE))
            .paragraph("If it was not you, ignore this message.");
        letter.message(to, now, None)
    }

    /// To the address of an account: the link that sets a new password.
    pub fn password_reset(
        &self,
        to: &Email,
        username: &Username,
        token: &Secret,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Message {
        let account = quoted(username.as_str());
        let letter = Letter::new("Set a new password")
            .paragraph(format!(
                "Somebody, hopefully you, wants to set a new password for the account {account} at {}.",
                self.portal
            ))
            .paragraph(format!("To set it, open this link. {}", until(expires_at)))
            .link("Set a new password", self.link(NEW_PASSWORD_PAGE, token))
            .paragraph("If it was not you, ignore this message: the password stays as it is.");
        letter.message(to, now, Some(expires_at))
    }

    /// To the address of an account whose password an administrator has taken: the link that sets a new one.
    pub fn password_taken(
        &self,
        to: &Email,
        username: &Username,
        token: &Secret,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Message {
        let account = quoted(username.as_str());
        let letter = Letter::new("Set a new password")
            .paragraph(format!(
                "An administrator has reset the password of the account {account} at {}. The old one can no longer be \
                 used, and all sessions have ended.",
                self.portal
            ))
            .paragraph(format!("To set a new one, open this link. {}", until(expires_at)))
            .link("Set a new password", self.link(NEW_PASSWORD_PAGE, token))
            .paragraph("If that is too late, ask for another link where you log in.");
        letter.message(to, now, Some(expires_at))
    }

    /// To the address of an account whose password is not what it was.
    pub fn password_changed(&self, to: &Email, username: &Username, now: Timestamp) -> Message {
        let (account, when) = (quoted(username.as_str()), readable(now));
        let letter = Letter::new("Your password was changed")
            .paragraph(format!("The password of the account {account} at {} was changed on {when}.", self.portal))
            .paragraph("If it was you, there is nothing to do. If it was not, set a new password at once.")
            .link("Set a new password", self.page(FORGOTTEN_PASSWORD_PAGE));
        letter.message(to, now, None)
    }

    fn page(&self, page: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{page}", self.portal))
    }

    fn link(&self, page: &str, token: &Secret) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{page}?token={}", self.portal, utf8_percent_encode(token.expose(), QUERY)))
    }
}

/// What both parts of a message are made from.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ subject }}</title>
</head>
<body style="max-width: 40em; margin: 0 auto; padding: 1em; font: 1em/1.5 sans-serif">
{%- for part in parts %}
{%- match part %}
{%- when Part::Paragraph(text) %}
<p>{{ text }}</p>
{%- when Part::Link { label, url } %}
<p>
<a href="{{ url.as_str() }}">{{ label }}</a>
</p>
{%- endmatch %}
{%- endfor %}
</body>
</html>
"#
)]
struct Letter {
    subject: &'static str,
    parts: Vec<Part>,
}

enum Part {
    Paragraph(String),
    Link { label: &'static str, url: Zeroizing<String> },
}

impl Letter {
    const fn new(subject: &'static str) -> Self {
        Self { subject, parts: Vec::new() }
    }

    fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Paragraph(text.into()));
        self
    }

    fn link(mut self, label: &'static str, url: Zeroizing<String>) -> Self {
        self.parts.push(Part::Link { label, url });
        self
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for part in &self.parts {
            let content = match part {
                Part::Paragraph(text) => text,
                Part::Link { url, .. } => url,
            };
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{gap}{content}");
        }
        text
    }

    fn message(self, to: &Email, now: Timestamp, expires_at: Option<Timestamp>) -> Message {
        Message {
            to: to.clone(),
            subject: self.subject.into(),
            text: self.text(),
            html: Zeroizing::new(self.to_string()),
            written_at: now,
            expires_at,
        }
    }
}

/// A name in quotes. Whatever could end its line, hide, or turn the direction of writing is shown as U+FFFD, so that a
/// name cannot look like more than a name; usernames hold nothing of the kind.
fn quoted(name: &str) -> String {
    let shown = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { char::REPLACEMENT_CHARACTER };
    format!("“{}”", name.chars().map(shown).collect::<String>())
}

fn until(expires_at: Timestamp) -> String {
    format!("It works once, until {}.", readable(expires_at))
}

/// A time for people, such as `3 February 2026, 14:05 UTC`.
fn readable(time: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(time.as_micros()) {
        Ok(time) => time.strftime("%-d %B %Y, %H:%M UTC").to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_770_127_500);
    const END: Timestamp = Timestamp::from_secs(1_770_131_100);

    fn all(username: &Username) -> [Message; 6] {
        let (to, token) = (Email::parse("ada@example.com").unwrap(), Secret::new("a_-Z09".into()));
        let letters = Letters::new("https://id.example.com");
        [
            letters.sign_up(&to, &token, NOW, END),
            letters.address_in_use(&to, username, NOW),
            letters.username_taken(&to, NOW),
            letters.password_reset(&to, username, &token, NOW, END),
            letters.password_changed(&to, username, NOW),
            letters.password_taken(&to, username, &token, NOW, END),
        ]
    }

    #[test]
    fn letters_read_as_they_should() {
        let ada = Username::parse("ada").unwrap();
        let text = all(&ada).map(|letter| format!("Subject: {}\n\n{}", letter.subject(), letter.expose_text()));
        insta::assert_snapshot!(text.join("\n----\n\n"));
        insta::assert_snapshot!(all(&ada)[3].expose_html());
    }

    #[test]
    fn both_parts_say_the_same_and_a_link_has_a_line_of_its_own() {
        for letter in all(&Username::parse("ada").unwrap()) {
            let lines: Vec<_> = letter.expose_text().lines().filter(|line| !line.is_empty()).collect();
            let links: Vec<_> = lines.iter().filter(|line| line.starts_with("https://id.example.com/")).collect();
            assert_eq!(links.len(), 1, "{}", letter.expose_text());
            let html = letter.expose_html().replace("&#38;", "&");
            for line in &lines {
                let found =
                    html.contains(&format!("<p>{line}</p>")) || html.contains(&format!("\n<a href=\"{line}\">"));
                assert!(found, "{line:?} is not in {html}");
            }
            assert_eq!(html.matches("<p>").count(), lines.len());
        }
    }

    #[test]
    fn letters_load_nothing() {
        for letter in all(&Username::parse("ada").unwrap()) {
            for loads in
                ["<img", "<link", "<script", "<style", "url(", "src=", "@import", "http-equiv", "<form", "<base"]
            {
                assert!(!letter.expose_html().contains(loads), "{loads}");
            }
        }
    }

    #[test]
    fn only_letters_with_a_token_end() {
        let ends = all(&Username::parse("ada").unwrap()).map(|letter| letter.expires_at());
        assert_eq!(ends, [Some(END), None, None, Some(END), None, Some(END)]);
    }

    #[test]
    fn what_strangers_can_have_sent_to_anybody_holds_nothing_that_they_chose() {
        let [sign_up, _, username_taken, ..] = all(&Username::parse("www.evil.example").unwrap());
        for letter in [sign_up, username_taken] {
            assert!(!letter.expose_text().contains("evil") && !letter.expose_html().contains("evil"));
        }
    }

    #[test]
    fn a_name_cannot_look_like_more_than_a_name() {
        for hostile in [
            "<script>alert(1)</script>",
            "\"><a href=https://evil.example>",
            "ada\r\nBcc: victim@example.com\r\n\r\nhttps://evil.example",
            "ada\u{202E}\u{2066}moc.live\u{2028}\u{200B}\0",
            "ada”. Open https://evil.example “",
            "&lt;b&gt;",
        ] {
            let shown = quoted(hostile);
            let inner = shown.strip_prefix('“').and_then(|shown| shown.strip_suffix('”')).unwrap();
            assert!(inner.chars().all(|c| c.is_alphanumeric() || "-_.\u{FFFD}".contains(c)), "{shown}");
        }
        assert_eq!(quoted("Žofie_1.b-c"), "“Žofie_1.b-c”");
    }

    #[test]
    fn markup_is_text_in_every_part_of_the_html() {
        let letter = Letter::new("<b>&\"'")
            .paragraph("<script>alert('1')</script> & \"x\"")
            .link("<i>label</i>", Zeroizing::new("https://id.example.com/?a=\"><script>&b='".to_owned()));
        let html = letter.to_string();
        for raw in ["<script", "<b>", "<i>", "\"><", "'1'"] {
            assert!(!html.contains(raw), "{raw} is in {html}");
        }
        assert!(letter.text().contains("<script>alert('1')</script> & \"x\""), "plain text is left as it is");
    }

    #[test]
    fn a_token_stays_within_its_parameter() {
        let token = Secret::new("a&b=c#d/../?\"<\r\n é".into());
        let link = Letters::new("https://id.example.com").link(NEW_PASSWORD_PAGE, &token);
        assert_eq!(
            link.as_str(),
            "https://id.example.com/password/new?token=a%26b%3Dc%23d%2F..%2F%3F%22%3C%0D%0A%20%C3%A9"
        );
    }
}
