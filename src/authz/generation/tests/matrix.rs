use super::*;

const APPLICATION: &str = r#"Application::"thermostat""#;
const DEVICE: &str = r#"Device::"d1""#;

/// Who: an administrator, a developer, an operator, an observer, and somebody with all roles on another application.
const WHO: [&str; 5] = ["administrator", "developer", "operator", "observer", "elsewhere"];

/// The specification's table, each column with its actions; and whether the action applies to a device, too.
const MATRIX: [(&str, [&str; 5], bool); 17] = [
    //                   administrator  developer  operator  observer  elsewhere
    ("View", ["yes", "yes", "yes", "yes", "no"], true),
    ("AddMember", ["yes", "no", "no", "no", "no"], false),
    ("ChangeMember", ["yes", "no", "no", "no", "no"], false),
    ("RemoveMember", ["yes", "no", "no", "no", "no"], false),
    ("DeleteApplication", ["yes", "no", "no", "no", "no"], false),
    ("AddDevice", ["yes", "yes", "yes", "no", "no"], false),
    ("RemoveDevice", ["yes", "yes", "yes", "no", "no"], true),
    ("DeviceAction", ["yes", "yes", "yes", "no", "no"], true),
    ("SetDeviceTag", ["yes", "yes", "yes", "no", "no"], true),
    ("SetDeviceVariable", ["yes", "yes", "yes", "no", "no"], true),
    ("SshAccess", ["yes", "yes", "yes", "no", "no"], true),
    ("Push", ["yes", "yes", "no", "no", "no"], false),
    ("Configure", ["yes", "yes", "no", "no", "no"], false),
    ("FleetAction", ["yes", "yes", "no", "no", "no"], false),
    ("SetFleetVariable", ["yes", "yes", "no", "no", "no"], false),
    ("SetFleetTag", ["yes", "yes", "no", "no", "no"], false),
    ("DownloadImage", ["yes", "yes", "no", "no", "no"], false),
];

#[test]
fn every_cell_of_the_matrix_is_as_the_specification_says() {
    let world = World::new("free", "starter");
    for (action, cells, on_devices) in MATRIX {
        for (who, cell) in WHO.into_iter().zip(cells) {
            let resources = if on_devices { &[APPLICATION, DEVICE][..] } else { &[APPLICATION] };
            for resource in resources {
                let (decision, reasons) = world.decide(&format!("User::\"{who}\""), action, resource, json!({}));
                let expected =
                    if cell == "yes" { (Decision::Allow, vec![who.to_owned()]) } else { (Decision::Deny, vec![]) };
                assert_eq!((decision, reasons), expected, "{who} {action} {resource}");
            }
        }
    }
}

#[test]
fn the_table_has_every_action_on_applications_and_devices() {
    let world = World::new("free", "starter");
    let mut on_applications: Vec<&str> = MATRIX.iter().map(|(action, ..)| *action).collect();
    on_applications.extend(["LeaveApplication", "ViewAudit"]);
    on_applications.sort_unstable();
    assert_eq!(world.actions("User", "Application"), on_applications);
    let mut on_devices: Vec<&str> = MATRIX.iter().filter(|(.., on)| *on).map(|(action, ..)| *action).collect();
    on_devices.sort_unstable();
    assert_eq!(world.actions("User", "Device"), on_devices);
}

#[test]
fn nobody_may_do_anything_on_what_is_not_registered() {
    let world = World::new("paid", "standard");
    let users = ["owner", "administrator", "developer", "operator", "observer", "elsewhere", "organizer", "installer"];
    for kind in ["Application", "Device"] {
        let resource = format!("{kind}::\"unknown\"");
        for action in world.actions("User", kind) {
            for who in users {
                assert!(!world.allows(&format!("User::\"{who}\""), &action, &resource), "{who} {action} {kind}");
            }
        }
        for action in world.actions("Anonymous", kind) {
            assert!(!world.allows(r#"Anonymous::"anonymous""#, &action, &resource), "{action} {kind}");
        }
    }
    for action in world.actions("User", "Organization") {
        let allowed = world.allows(r#"User::"organizer""#, &action, r#"Organization::"unknown""#);
        assert!(!allowed, "{action}");
    }
    let member = json!({"member": {"__entity": {"type": "User", "id": "owner"}}, "role": "developer"});
    for action in ["AddMember", "ChangeMember", "RemoveMember"] {
        let (decision, _) =
            world.decide(r#"User::"administrator""#, action, r#"Application::"unknown""#, member.clone());
        assert_eq!(decision, Decision::Deny, "{action}");
    }
}

#[test]
fn without_a_credential_nothing_is_permitted() {
    let world = World::new("paid", "standard");
    for (kind, resource) in [("Application", APPLICATION), ("Device", DEVICE)] {
        let actions = world.actions("Anonymous", kind);
        assert!(actions.contains(&"View".to_owned()));
        for action in actions {
            assert!(!world.allows(r#"Anonymous::"anonymous""#, &action, resource), "{action} {kind}");
        }
    }
}
