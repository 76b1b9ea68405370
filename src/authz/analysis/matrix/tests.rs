use std::fs;
use std::path::Path;

use super::*;
use crate::authz::analysis::load;
use crate::authz::generation::Source;
use crate::config::Folder;

fn shipped() -> Generation {
    load(&Source { policies: Folder::BuiltIn, schema: Folder::BuiltIn, tests: false }).unwrap()
}

/// The shipped policies and more.
fn with(more: &str) -> Generation {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar"] {
        fs::copy(shipped.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("more.cedar"), more).unwrap();
    load(&Source { policies: folder.path().to_owned().into(), schema: Folder::BuiltIn, tests: false }).unwrap()
}

fn row<'m>(matrix: &'m Matrix, action: &str, on: &str) -> &'m Row {
    matrix.rows.iter().find(|row| row.action == action && row.on.iter().any(|of| of == on)).unwrap()
}

fn cell<'m>(matrix: &'m Matrix, action: &str, on: &str, column: Column) -> &'m Cell {
    let at = Column::ALL.into_iter().position(|known| known == column).unwrap();
    &row(matrix, action, on).cells[at]
}

/// The table of the specification, and its prose, by hand: who may, of administrators, developers, operators, observers,
/// those who are members of nothing, and those who are nobody.
const SPECIFICATION: [(&str, &str, [bool; 6]); 17] = [
    ("View", "View", [true, true, true, true, false, false]),
    ("AddMembers", "AddMember", [true, false, false, false, false, false]),
    ("AddMembers", "ChangeMember", [true, false, false, false, false, false]),
    ("AddMembers", "RemoveMember", [true, false, false, false, false, false]),
    ("DeleteApplication", "DeleteApplication", [true, false, false, false, false, false]),
    ("ManageDevices", "AddDevice", [true, true, true, false, false, false]),
    ("ManageDevices", "RemoveDevice", [true, true, true, false, false, false]),
    ("DeviceActions", "DeviceAction", [true, true, true, false, false, false]),
    ("Tags", "SetDeviceTag", [true, true, true, false, false, false]),
    ("Variables", "SetDeviceVariable", [true, true, true, false, false, false]),
    ("SshAccess", "SshAccess", [true, true, true, false, false, false]),
    ("Push", "Push", [true, true, false, false, false, false]),
    ("Configuration", "Configure", [true, true, false, false, false, false]),
    ("FleetActions", "FleetAction", [true, true, false, false, false, false]),
    ("FleetActions", "SetFleetVariable", [true, true, false, false, false, false]),
    ("FleetActions", "SetFleetTag", [true, true, false, false, false, false]),
    ("FleetActions", "DownloadImage", [true, true, false, false, false, false]),
];

#[test]
fn the_matrix_of_the_shipped_policies_is_that_of_the_specification() {
    let matrix = compute(&shipped());
    for (group, action, expected) in SPECIFICATION {
        for row in matrix.rows.iter().filter(|row| row.action == action) {
            assert_eq!(row.group, group, "{action}");
            for (cell, may) in row.cells.iter().zip(expected) {
                // What depends on plans and owners takes away from what the table gives.
                let says = matches!(cell.may, May::Yes) || (cell.may == May::Depends && cell.permits.is_empty());
                assert_eq!(says, may, "{action}: {cell:?}");
                let depends = cell.may == May::Depends;
                assert_eq!(depends, may && group == "AddMembers", "{action}: {cell:?}");
            }
        }
    }
    let of_table = matrix.rows.iter().filter(|row| COLUMNS.contains(&row.group.as_str()));
    let mut actions: Vec<&str> = of_table.map(|row| row.action.as_str()).collect();
    actions.dedup();
    let mut expected: Vec<&str> = SPECIFICATION.iter().map(|(_, action, _)| *action).collect();
    actions.sort_unstable();
    expected.sort_unstable();
    assert_eq!(actions, expected, "no column is missing, and none is there that the specification does not have");
    assert_eq!(matrix.others, Vec::<String>::new());
}

#[test]
fn whoever_sees_an_application_sees_its_devices() {
    let matrix = compute(&shipped());
    for action in ["View", "RemoveDevice", "DeviceAction", "SetDeviceTag", "SetDeviceVariable", "SshAccess"] {
        assert_eq!(row(&matrix, action, "Device").on, ["Application", "Device"], "{action}");
    }
}

#[test]
fn a_role_depends_on_the_plan_and_the_owner() {
    let matrix = compute(&shipped());
    let administrator = Column::Role(Role::Administrator);
    let forbids = |action| {
        let cell = cell(&matrix, action, "Application", administrator);
        assert_eq!((cell.may, cell.policies.as_slice()), (May::Depends, ["administrator".to_owned()].as_slice()));
        cell.forbids.iter().map(|left| (left.policy.as_str(), left.condition.as_str())).collect::<Vec<_>>()
    };
    insta::assert_debug_snapshot!(["AddMember", "ChangeMember", "RemoveMember"].map(forbids), @r#"
    [
        [
            (
                "owner-brings-back",
                "(context has returning) && context.returning && (!(resource.owner == principal))",
            ),
            (
                "roles-by-plan",
                "(context has role) && (!(context.role == \"developer\")) && (!((resource.type == \"standard\") && (resource.organization.plan == \"paid\")))",
            ),
        ],
        [
            (
                "owner-is-not-demoted",
                "(context has member) && (resource.owner == context.member) && (!((context has role) && (context.role == \"administrator\")))",
            ),
            (
                "roles-by-plan",
                "(context has role) && (!(context.role == \"developer\")) && (!((resource.type == \"standard\") && (resource.organization.plan == \"paid\")))",
            ),
        ],
        [
            (
                "owner-is-not-removed",
                "(context has member) && (resource.owner == context.member)",
            ),
        ],
    ]
    "#);
}

#[test]
fn an_account_is_its_users() {
    let matrix = compute(&shipped());
    let cell = cell(&matrix, "DeleteAccount", "User", Column::Nobody);
    assert_eq!(cell.may, May::Depends);
    let [permit] = cell.permits.as_slice() else { panic!("{cell:?}") };
    assert_eq!((permit.policy.as_str(), permit.condition.as_str()), ("own-account", "principal == resource"));
}

#[test]
fn what_a_cell_depends_on_is_told_in_the_words_of_policies() {
    let operator = Column::Role(Role::Operator);
    for (more, expected) in [
        (
            r#"@id("x") forbid (principal is User, action == Action::"SshAccess", resource) unless { context has credential && context.credential.mfa };"#,
            "!context.credential.mfa",
        ),
        (
            r#"@id("x") forbid (principal, action == Action::"SshAccess", resource is Device)
               unless { context has client && context.client.isInRange(ip("10.0.0.0/8")) };"#,
            r#"!((context has client) && context.client.isInRange(ip("10.0.0.0/8")))"#,
        ),
        (
            r#"@id("x") forbid (principal is User, action == Action::"SshAccess", resource is Device)
               when { resource has application && resource.application has organization && resource.application.organization has plan && resource.application.organization.plan == "free" };"#,
            r#"resource.application.organization.plan == "free""#,
        ),
        (
            r#"@id("x") forbid (principal == User::"eve", action == Action::"SshAccess", resource);"#,
            r#"principal == User::"eve""#,
        ),
        (
            r#"@id("x") forbid (principal is User, action, resource is Device) when { [User::"eve"].contains(principal) };"#,
            r#"[User::"eve"].contains(principal)"#,
        ),
        (
            r#"@id("x") forbid (principal is User, action == Action::"SshAccess", resource is Device)
               when { resource has application && resource.application has organization && principal in resource.application.organization.administrators };"#,
            "principal in resource.application.organization.administrators",
        ),
    ] {
        let matrix = compute(&with(more));
        let cell = cell(&matrix, "SshAccess", "Device", operator);
        assert_eq!(cell.may, May::Depends, "{more}");
        let [forbid] = cell.forbids.as_slice() else { panic!("{more}: {cell:?}") };
        assert_eq!((forbid.policy.as_str(), forbid.condition.as_str()), ("x", expected), "{more}");
    }
}

#[test]
fn a_policy_that_forbids_whatever_else_closes_the_cell() {
    let matrix = compute(&with(r#"@id("x") forbid (principal, action == Action::"Push", resource);"#));
    let administrator = Column::Role(Role::Administrator);
    let push = cell(&matrix, "Push", "Application", administrator);
    assert_eq!((push.may, push.policies.as_slice()), (May::No, ["x".to_owned()].as_slice()));
    assert_eq!(cell(&matrix, "Configure", "Application", administrator).may, May::Yes);
}

#[test]
fn what_is_not_registered_has_a_row_where_it_is_not_denied() {
    let matrix = compute(&with(
        r#"@id("x") permit (principal is Anonymous, action == Action::"View", resource) unless { resource has owner };"#,
    ));
    let unregistered = row(&matrix, "View", "Application (unregistered)");
    assert_eq!(unregistered.cells[5].may, May::Yes);
    assert_eq!(cell(&matrix, "View", "Application", Column::Anonymous).may, May::No);
    assert!(compute(&shipped()).rows.iter().all(|row| {
        !COLUMNS.contains(&row.group.as_str()) || row.on.iter().all(|on| !on.ends_with("(unregistered)"))
    }));
}
