//! One's own account, through a server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use gatepost::clock::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::Client;

const NEW: &str = "an entirely other sentence 7";

/// An authenticator and a server by the same clock, which moves only when it is told to.
struct Setting {
    client: Client,
    clock: Arc<ManualClock>,
}

impl Setting {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        Self { client: Client::by(clock.clone()), clock }
    }

    fn password(&self) -> String {
        self.client.world.person("devi").password.clone()
    }

    /// Waits for the next code, and gives it.
    fn code(&self, secret: &str) -> String {
        self.clock.advance(Duration::from_secs(30));
        let secret = Secret::try_from_base32(secret).unwrap();
        let now = u64::try_from(self.clock.now().as_secs()).unwrap();
        Builder::new().with_secret(secret).build_noncompliant().generate(now).to_string()
    }

    /// Runs it with this on standard input; it must succeed.
    fn json(&self, arguments: &[&str], input: &str) -> Value {
        let run = self.client.program.run_with(&[arguments, &["--output", "json"]].concat(), input);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
        run.json()
    }

    /// Runs it with this on standard input; it must fail with this exit code, and say this.
    fn fails(&self, arguments: &[&str], input: &str, code: i32, expected: &str) {
        let run = self.client.program.run_with(arguments, input);
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{arguments:?}: {run:?}");
        assert!(run.err.starts_with(expected), "{arguments:?}: {run:?}");
    }
}

#[test]
fn a_changed_password_ends_the_session_that_is_stored() {
    let setting = Setting::new();
    setting.client.log_in("devi");
    let change = ["account", "password", "--password-stdin"];
    setting.fails(&change, &format!("wrong one\n{NEW}\n"), 4, "error: the login or the password is wrong");
    setting.fails(&change, &format!("{}\npassword\n", setting.password()), 7, "error: `password`: ");
    setting.json(&change, &format!("{}\n{NEW}\n", setting.password()));
    setting.client.fails(&["whoami"], 4, "error: not logged in");
    setting.clock.advance(Duration::from_secs(1));
    setting.fails(&["login", "devi", "--password-stdin"], &setting.password(), 4, "error: ");
    setting.json(&["login", "devi", "--password-stdin"], NEW);
}

#[test]
fn two_factor_authentication_is_enabled_used_and_disabled() {
    let setting = Setting::new();
    let password = setting.password();
    setting.client.log_in("devi");
    let enable = ["account", "totp", "enable", "--password-stdin", "--qr", "totp.png"];
    let pairing = setting.json(&enable, &password);
    let secret = pairing["secret"].as_str().unwrap();
    assert!(pairing["uri"].as_str().unwrap().contains(&format!("secret={secret}")));
    let picture = setting.client.program.folder().join("totp.png");
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(fs::metadata(&picture).unwrap().mode() & 0o777, 0o600);
    setting.fails(&enable, &password, 1, "error: `totp.png` exists");
    setting.fails(&["account", "totp", "confirm", "000000"], "", 4, "error: the code is wrong");
    let confirmed = setting.json(&["account", "totp", "confirm", &setting.code(secret)], "");
    let codes = confirmed["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);

    let login = ["login", "devi", "--password-stdin"];
    let needed = "error: a code of the authenticator, or a recovery code, is needed as well (totp_required)\n  help: ";
    setting.fails(&login, &password, 4, needed);
    setting.json(&[&login[..], &["--code", &setting.code(secret)]].concat(), &password);
    setting.json(&[&login[..], &["--code", codes[0].as_str().unwrap()]].concat(), &password);
    setting.fails(
        &[&login[..], &["--code", codes[0].as_str().unwrap()]].concat(),
        &password,
        4,
        "error: the code is wrong, or was used before (invalid_code)",
    );
    let replaced = setting.client.program.run_with(&["account", "recovery-codes", "--password-stdin"], &password);
    assert_eq!((replaced.code, replaced.out.lines().count()), (0, 10), "{replaced:?}");
    assert!(!replaced.out.contains(codes[1].as_str().unwrap()));

    setting.fails(&["account", "totp", "disable", "--password-stdin"], "wrong one", 4, "error: ");
    setting.json(&["account", "totp", "disable", "--password-stdin"], &password);
    assert_eq!(setting.client.json(&["whoami"])["totp_enabled"], json!(false));
}

#[test]
fn the_export_is_one_document_without_secrets() {
    let client = Client::with_key("devi");
    let run = client.run(&["account", "export"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let document = run.json();
    assert_eq!(document["account"]["username"], json!("devi"));
    assert!(!run.out.contains(&client.world.person("devi").api_key));
}

#[test]
fn a_deleted_account_needs_its_password_and_is_gone() {
    let setting = Setting::new();
    setting.client.log_in("devi");
    let delete = ["account", "delete", "--password-stdin"];
    setting.fails(&delete, "wrong one", 4, "error: the login or the password is wrong (invalid_credentials)\n");
    let deleted = setting.json(&delete, &setting.password());
    assert_eq!(deleted["deleted"], json!(setting.client.world.person("devi").id));
    setting.client.fails(&["whoami"], 4, "error: not logged in");
    setting.fails(&["login", "devi", "--password-stdin"], &setting.password(), 4, "error: ");
}
