//! Logging in and out, and the token that is kept meanwhile.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use super::Client;

const TOKENS: &str = ".config/gatepost/tokens.json";

impl Client {
    fn stored(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.program.folder().join(TOKENS)).unwrap()).unwrap()
    }
}

#[test]
fn a_login_is_kept_for_the_commands_to_come() {
    let client = Client::new();
    client.fails(&["whoami"], 4, &format!("error: not logged in at `{}`\n  help: log in", client.server()));
    let password = &client.world.person("devi").password;
    let login = ["login", "devi@example.com", "--password-stdin", "--output", "json"];
    let run = client.program.run_with(&login, password);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let document = run.json();
    assert_eq!(document["server"], json!(client.server()));
    let stored = client.stored();
    let session = &stored[client.server()];
    assert_eq!(session["expires_at"], document["expires_at"]);
    assert!(!run.out.contains(session["token"].as_str().unwrap()));
    let file = client.program.folder().join(TOKENS);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);

    let me = client.json(&["whoami"]);
    assert_eq!((&me["username"], &me["credential"]["kind"]), (&json!("devi"), &json!("session")));
    assert!(client.run(&["whoami"]).out.contains("credential kind:        session\n"));

    assert_eq!(client.json(&["logout"])["forgotten"], json!(true));
    assert_eq!(client.stored(), json!({}));
    assert_eq!(client.json(&["logout"])["forgotten"], json!(false));
    assert_eq!(client.run(&["whoami"]).code, 4);
}

#[test]
fn a_wrong_password_is_not_authenticated_and_keeps_nothing() {
    let client = Client::new();
    let run = client.program.run_with(&["login", "devi", "--password-stdin"], "not her password");
    assert_eq!((run.code, run.out.as_str()), (4, ""));
    assert_eq!(run.err, "error: the login or the password is wrong (invalid_credentials)\n");
    assert!(!client.program.folder().join(TOKENS).exists());
    let nobody_to_ask = client.program.run(&["login", "devi"]);
    assert_eq!(nobody_to_ask.code, 1);
}

#[test]
fn a_refreshed_session_takes_the_place_of_the_one_before() {
    let mut client = Client::new();
    client.log_in("devi");
    let before = client.stored();
    let refreshed = client.json(&["session", "refresh"]);
    let after = client.stored();
    assert_ne!(after, before);
    assert_eq!(after[client.server()]["expires_at"], refreshed["expires_at"]);
    client.json(&["whoami"]);
    client.be("devi");
    assert_eq!(client.run(&["session", "refresh"]).code, 2);
    assert_eq!(client.stored(), after);
}

#[test]
fn signing_out_everywhere_ends_the_sessions_and_not_the_keys() {
    let mut client = Client::new();
    client.log_in("devi");
    let other = client.world.person("devi").session.clone();
    assert_eq!(client.world.api("GET", "/v1/whoami", Some(&other), "").status, 200);
    assert_eq!(client.json(&["logout", "--everywhere"])["everywhere"], json!(true));
    assert_eq!(client.world.api("GET", "/v1/whoami", Some(&other), "").status, 401);
    client.be("devi");
    assert_eq!(client.json(&["session", "end-all"])["ended"], json!(client.world.person("devi").id));
    client.json(&["whoami"]);
}

#[test]
fn the_environment_beats_what_is_stored() {
    let mut client = Client::new();
    client.log_in("devi");
    client.be("olga");
    assert_eq!(client.json(&["whoami"])["username"], json!("olga"));
    client.program.set("GATEPOST_TOKEN", "gp_nonsense");
    client.fails(&["whoami"], 4, "error: ");
    client.program.unset("GATEPOST_TOKEN");
    assert_eq!(client.json(&["whoami"])["username"], json!("devi"));
}

#[test]
fn tokens_that_others_can_read_are_not_used() {
    let client = Client::new();
    client.log_in("devi");
    let file = client.program.folder().join(TOKENS);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    client.fails(&["whoami"], 1, "error: others can read the tokens in `");
}
