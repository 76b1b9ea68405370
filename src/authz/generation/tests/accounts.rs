use super::*;

const APPLICATION: &str = r#"Application::"thermostat""#;
const ORGANIZATION: &str = r#"Organization::"acme""#;
const INSTALLATION: &str = r#"Installation::"local""#;
const CONSOLE: &str = r#"Console::"local""#;

fn on_member(member: &str, role: Option<&str>) -> Value {
    let member = json!({"member": {"__entity": {"type": "User", "id": member}}});
    role.map_or(member.clone(), |role| with(member, json!({"role": role})))
}

/// Whether it is denied, and if by a rule of its own, that rule's code.
fn outcome(world: &World, who: &str, action: &str, extra: Value) -> Result<(), Option<String>> {
    let (decision, reasons) = world.decide(&format!("User::\"{who}\""), action, APPLICATION, extra);
    let code = |id: &String| world.generation.code(id).map(str::to_owned);
    if decision == Decision::Allow { Ok(()) } else { Err(reasons.iter().find_map(code)) }
}

#[test]
fn the_developer_role_is_available_everywhere_and_the_others_on_paid_standard_applications() {
    for (plan, application_type, all) in [
        ("free", "starter", false),
        ("free", "standard", false),
        ("paid", "starter", false),
        ("paid", "standard", true),
    ] {
        let world = World::new(plan, application_type);
        for role in ["administrator", "developer", "operator", "observer", "owner", ""] {
            for action in ["AddMember", "ChangeMember"] {
                let expected =
                    if all || role == "developer" { Ok(()) } else { Err(Some("role_not_available".to_owned())) };
                let found = outcome(&world, "administrator", action, on_member("elsewhere", Some(role)));
                assert_eq!(found, expected, "{plan} {application_type} {action} {role}");
                if action == "AddMember" {
                    let resource = world.decide(CONSOLE, action, APPLICATION, on_member("elsewhere", Some(role))).0;
                    assert_eq!(resource == Decision::Allow, expected.is_ok(), "{plan} {application_type} {role}");
                }
            }
        }
        // A member keeps the role after a downgrade, and can always be removed.
        assert_eq!(outcome(&world, "operator", "SshAccess", json!({})), Ok(()));
        assert_eq!(outcome(&world, "administrator", "RemoveMember", on_member("operator", None)), Ok(()));
    }
}

#[test]
fn only_administrators_manage_members_even_with_the_developer_role() {
    let world = World::new("paid", "standard");
    for who in ["developer", "operator", "observer", "elsewhere", "organizer", "installer"] {
        for action in ["AddMember", "ChangeMember", "RemoveMember"] {
            let found = outcome(&world, who, action, on_member("elsewhere", Some("developer")));
            assert_eq!(found, Err(None), "{who} {action}");
        }
    }
}

#[test]
fn the_owner_stays_administrator_for_good() {
    let code = |code: &str| Err(Some(code.to_owned()));
    let world = World::new("paid", "standard");
    assert_eq!(outcome(&world, "owner", "LeaveApplication", json!({})), code("owner_cannot_leave"));
    for who in ["owner", "administrator"] {
        assert_eq!(outcome(&world, who, "RemoveMember", on_member("owner", None)), code("owner_cannot_be_removed"));
        for role in ["developer", "operator", "observer"] {
            let found = outcome(&world, who, "ChangeMember", on_member("owner", Some(role)));
            assert_eq!(found, code("owner_cannot_be_demoted"), "{who} {role}");
        }
        assert_eq!(outcome(&world, who, "ChangeMember", on_member("owner", None)), code("owner_cannot_be_demoted"));
        assert_eq!(outcome(&world, who, "ChangeMember", on_member("owner", Some("administrator"))), Ok(()));
        assert_eq!(outcome(&world, who, "RemoveMember", on_member("administrator", None)), Ok(()));
    }
    let (decision, _) = world.decide(CONSOLE, "RemoveMember", APPLICATION, on_member("owner", None));
    assert_eq!(decision, Decision::Deny);
}

#[test]
fn every_member_but_the_owner_may_leave_and_nobody_else() {
    let world = World::new("free", "starter");
    for who in ["administrator", "developer", "operator", "observer"] {
        assert_eq!(outcome(&world, who, "LeaveApplication", json!({})), Ok(()), "{who}");
    }
    for who in ["elsewhere", "organizer", "installer"] {
        assert_eq!(outcome(&world, who, "LeaveApplication", json!({})), Err(None), "{who}");
    }
}

#[test]
fn account_actions_are_permitted_to_exactly_these() {
    let world = World::new("paid", "standard");
    let everyone = ["administrator", "developer", "organizer", "installer"];
    for (action, resource, permitted) in [
        ("CreateApplication", ORGANIZATION, &["organizer"][..]),
        ("ManageOrganization", ORGANIZATION, &["organizer"]),
        ("SetPlan", ORGANIZATION, &["installer"]),
        ("CreateUser", INSTALLATION, &["installer"]),
        ("ManageInstallation", INSTALLATION, &["installer"]),
        ("CreateOrganization", INSTALLATION, &everyone),
        ("IntrospectCredential", INSTALLATION, &everyone),
        ("ViewAudit", APPLICATION, &["administrator"]),
        ("ViewAudit", r#"User::"developer""#, &["developer"]),
        ("ViewAccount", r#"User::"developer""#, &["developer"]),
        ("ManageApiKeys", r#"User::"developer""#, &["developer"]),
        ("ManageSessions", r#"User::"developer""#, &["developer"]),
        ("ManageSignIn", r#"User::"developer""#, &["developer"]),
        ("DeleteAccount", r#"User::"developer""#, &["developer"]),
    ] {
        for who in everyone {
            let allowed = world.allows(&format!("User::\"{who}\""), action, resource);
            assert_eq!(allowed, permitted.contains(&who), "{who} {action} {resource}");
        }
        // The console has no command for everything.
        if world.actions("Console", resource.split("::").next().unwrap()).contains(&action.to_owned()) {
            assert!(world.allows(CONSOLE, action, resource), "console {action} {resource}");
        }
    }
}

#[test]
fn the_console_manages_and_uses_nothing() {
    let world = World::new("paid", "standard");
    assert_eq!(
        world.actions("Console", "Application"),
        [
            "AddDevice",
            "AddMember",
            "ChangeMember",
            "DeleteApplication",
            "RemoveDevice",
            "RemoveMember",
            "View",
            "ViewAudit"
        ]
    );
    for (kind, resource) in [
        ("Application", APPLICATION),
        ("Device", r#"Device::"d1""#),
        ("Organization", ORGANIZATION),
        ("User", r#"User::"developer""#),
        ("Installation", INSTALLATION),
    ] {
        for action in world.actions("Console", kind) {
            assert!(world.allows(CONSOLE, &action, resource), "{action} {kind}");
        }
    }
}

#[test]
fn signing_up_is_for_those_without_an_account() {
    let world = World::new("free", "starter");
    assert!(world.allows(r#"Anonymous::"anonymous""#, "SignUp", INSTALLATION));
    assert_eq!(world.actions("Anonymous", "Installation"), ["SignUp"]);
    assert!(!world.actions("User", "Installation").contains(&"SignUp".to_owned()));
}
