//! What goes for good is asked about: by whoever sits at a terminal, and otherwise by `--yes`.

use super::program::Program;

/// Everything that `with_application` has, and a key, a device and a member.
fn program() -> (Program, String, String) {
    let program = Program::with_application();
    let key = program.json(&["key", "create", "--user", "devi", "--name", "ci"])["id"].as_str().unwrap().to_owned();
    let device = program.json(&["device", "add", "--app", "thermostat", "hallway"]);
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    (program, key, device["id"].as_str().unwrap().to_owned())
}

#[test]
fn without_a_terminal_nothing_goes_that_nobody_is_certain_of() {
    let (program, key, device) = program();
    for (command, told) in [
        (
            &["user", "delete", "ada"][..],
            &["the user ada", "organizations: ada, acme", "members: thermostat", "rights"][..],
        ),
        (&["org", "delete", "acme"], &["the organization acme", "with their devices and members: thermostat"]),
        (&["app", "delete", "thermostat"], &["the application thermostat", "devices: 1", "members: ada, devi"]),
        (&["key", "revoke", &key], &["revokes 1 API key: ci of devi"]),
        (&["device", "remove", "--app", "thermostat", &device], &["the device hallway", "application thermostat"]),
        (&["session", "rotate-keys", "--forget-others"], &["ends all session tokens of all users"]),
    ] {
        program.json(&["user", "set-admin", "ada"]);
        let run = program.run_with(command, "y\n");
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{command:?}: {run:?}");
        assert!(run.err.starts_with("error: there is no terminal to ask on, so this needs --yes: this "), "{run:?}");
        assert!(told.iter().all(|told| run.err.contains(told)), "{command:?}: {run:?}");
    }
    let count = |list: &[&str]| program.json(list).as_array().unwrap().len();
    assert_eq!((count(&["user", "list"]), count(&["app", "list"])), (3, 1));
    assert_eq!((count(&["key", "list", "--user", "devi"]), count(&["device", "list", "--app", "thermostat"])), (1, 1));
    // What does not exist is told first.
    assert_eq!(program.run(&["user", "delete", "nobody"]).code, 6);
    assert_eq!(program.run(&["key", "revoke", "01890a5d-ac96-774b-bcce-b302099a8057"]).code, 6);
    for certain in [
        &["device", "remove", "--app", "thermostat", &device, "--yes"][..],
        &["key", "revoke", &key, "--yes"],
        &["session", "rotate-keys", "--forget-others", "--yes"],
        &["session", "rotate-keys"],
        &["user", "delete", "devi", "--yes"],
    ] {
        program.json(certain);
    }
}

#[test]
fn on_a_terminal_it_is_asked_and_only_yes_is_yes() {
    let program = Program::with_application();
    for (answer, code) in [("\n", 1), ("n\n", 1), ("yess\n", 1), ("Y\n", 0)] {
        let run = program.on_terminal(&["user", "delete", "devi"], answer);
        assert_eq!(run.code, code, "{answer:?}: {run:?}");
        assert!(run.out.contains("this deletes the user devi (") && run.out.contains("organizations: devi"), "{run:?}");
        assert!(run.out.contains("Go on? [y/N]: "), "{run:?}");
        assert_eq!(run.out.contains("error: nothing was changed"), code == 1, "{run:?}");
        assert_eq!(program.run(&["audit", "--user", "devi"]).code, if code == 0 { 6 } else { 0 }, "{run:?}");
    }
}
