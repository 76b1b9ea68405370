//! Sign-up, with mail and without.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Api, PASSWORD};

fn ada() -> Value {
    json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD})
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[tokio::test]
async fn without_mail_an_account_can_be_used_at_once() {
    let api = Api::new();
    let created = api.post("", "/v1/users", ada()).await.expect(201);
    let id = created.text("id");
    assert_eq!(created.body, json!({"id": id, "username": "ada", "email": "ada@example.com"}));
    let token = api.post("", "/v1/sessions", json!({"login": "ada", "password": PASSWORD})).await.text("token");
    let me = api.get(&token, "/v1/whoami").await.expect(200);
    assert_eq!((me.text("id"), &me.body["has_password"], &me.body["totp_enabled"]), (id, &json!(true), &json!(false)));
    let organizations = api.get(&token, "/v1/organizations").await.expect(200);
    let [personal] = organizations.items() else { panic!("{organizations:?}") };
    assert_eq!((&personal["name"], &personal["personal"]), (&json!("ada"), &json!(true)));
}

#[tokio::test]
async fn usernames_and_addresses_are_taken_in_any_spelling() {
    let api = Api::new();
    api.post("", "/v1/users", ada()).await.expect(201);
    for (username, email) in [
        ("ADA", "other@example.com"),
        ("\u{FF41}da", "another@example.com"),
        ("bob", "Ada@EXAMPLE.com"),
        ("cyd", "\u{FF41}da@example.com"),
    ] {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        api.post("", "/v1/users", body).await.expect_error(409, "already_exists");
    }
}

#[tokio::test]
async fn an_account_is_made_from_three_values_and_nothing_else() {
    for api in [Api::new(), Api::with_mail()] {
        for (member, value) in [
            ("username", json!("a b")),
            ("username", json!("")),
            ("username", json!("a".repeat(65))),
            ("username", json!("a@b")),
            ("email", json!("ada")),
            ("email", json!("a@b@example.com")),
            ("email", json!("a@example.com\r\nBcc: b@example.com")),
            ("password", json!("short")),
            ("password", json!("12345678")),
            ("password", json!("ada@example.com")),
            ("password", json!("a".repeat(1_025))),
            ("password", json!(["hunter2"])),
            ("installation_administrator", json!(true)),
            ("plan", json!("paid")),
            ("id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
            ("role", json!("administrator")),
        ] {
            let answer = api.post("", "/v1/users", with(ada(), member, value)).await.expect_invalid(member);
            assert!(!answer.text("detail").contains("hunter2"));
        }
        assert!(api.app.store.users(None, 10).unwrap().is_empty());
    }
}

#[tokio::test]
async fn with_mail_an_account_waits_for_its_link() {
    let api = Api::with_mail();
    let answer = api.post("", "/v1/users", ada()).await.expect(202);
    assert!(answer.body.is_null());
    let log_in = json!({"login": "ada", "password": PASSWORD});
    api.post("", "/v1/sessions", log_in.clone()).await.expect_error(401, "invalid_credentials");
    let token = api.mailed_token();
    api.post("", "/v1/sessions", log_in.clone()).await.expect_error(401, "invalid_credentials");
    let created = api.post("", "/v1/users/confirm", json!({"token": token})).await.expect(201);
    assert_eq!((&created.body["username"], &created.body["email"]), (&json!("ada"), &json!("ada@example.com")));
    api.post("", "/v1/sessions", log_in).await.expect(201);
    api.post("", "/v1/users/confirm", json!({"token": token})).await.expect_error(422, "invalid_link");
}

#[tokio::test]
async fn with_mail_known_and_new_addresses_are_answered_alike() {
    let api = Api::with_mail();
    api.person("ada");
    let mut answers = Vec::new();
    for (username, email, subject) in [
        ("new", "new@example.com", "Confirm your address"),
        ("bob", "Ada@example.com", "You already have an account"),
        ("ada", "bob@example.com", "Choose another username"),
    ] {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        answers.push(api.post("", "/v1/users", body).await.expect(202));
        let letters = api.letters();
        let [[to, about, _]] = letters.as_slice() else { panic!("{letters:?}") };
        assert!(to.eq_ignore_ascii_case(email), "{to}");
        assert_eq!(about, subject);
    }
    for answer in &answers {
        assert_eq!((&answer.body, &answer.headers), (&answers[0].body, &answers[0].headers));
    }
    assert_eq!(api.app.store.users(None, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_ends_after_a_day_and_cannot_be_guessed() {
    let api = Api::with_mail();
    for token in ["", "x", "../..", &"a".repeat(43), &"a".repeat(10_000)] {
        api.post("", "/v1/users/confirm", json!({"token": token})).await.expect_error(422, "invalid_link");
    }
    api.post("", "/v1/users/confirm", json!({})).await.expect_invalid("token");
    api.post("", "/v1/users/confirm", json!({"token": "x", "username": "eve"})).await.expect_invalid("username");
    api.post("", "/v1/users", ada()).await.expect(202);
    let token = api.mailed_token();
    api.clock.advance(Duration::from_secs(24 * 3_600));
    api.post("", "/v1/users/confirm", json!({"token": token})).await.expect_error(422, "invalid_link");
}

#[tokio::test]
async fn of_two_who_wait_for_one_name_the_first_to_confirm_gets_it() {
    let api = Api::with_mail();
    let mut tokens = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        api.post("", "/v1/users", with(ada(), "email", json!(email))).await.expect(202);
        tokens.push(api.mailed_token());
    }
    let created = api.post("", "/v1/users/confirm", json!({"token": tokens[1]})).await.expect(201);
    assert_eq!(created.body["email"], "two@example.com");
    api.post("", "/v1/users/confirm", json!({"token": tokens[0]})).await.expect_error(409, "already_exists");
}

#[tokio::test]
async fn an_installation_can_be_closed_to_new_accounts() {
    let policies = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")).unwrap().map(Result::unwrap) {
        if file.path().extension().is_some_and(|extension| extension == "cedar") {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let open = "permit (\n  principal is Anonymous,\n  action == Action::\"SignUp\"";
            std::fs::write(
                policies.path().join(file.file_name()),
                text.replace(open, &open.replace("permit", "forbid")),
            )
            .unwrap();
        }
    }
    let api = Api::with(&[("policy.policies", policies.path().to_str().unwrap())]);
    api.post("", "/v1/users", ada()).await.expect_error(403, "forbidden");
    api.post("", "/v1/users/confirm", json!({"token": "x"})).await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn nobody_floods_an_address_with_sign_ups() {
    let api = Api::with_mail();
    for _ in 0..6 {
        api.post("", "/v1/users", ada()).await.expect(202);
    }
    let answer = api.post("", "/v1/users", ada()).await.expect_error(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), "1");
    // Whoever waits as long as told is not told to wait again.
    api.clock.advance(Duration::from_secs(1));
    api.post("", "/v1/users", ada()).await.expect(202);
    api.post("", "/v1/users", with(ada(), "email", json!("other@example.com"))).await.expect(202);
}
