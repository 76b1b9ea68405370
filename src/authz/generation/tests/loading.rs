use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use cedar_policy::Entity;

use super::*;
use crate::authz::reads::ContextParts;

const POLICY: &str = "@id(\"a\") permit (principal, action == Action::\"View\", resource);\n";

/// Folders for policies and schema, the shipped ones at first.
struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("policies/matrix.cedar", include_str!("../../../../policies/matrix.cedar")),
            ("policies/accounts.cedar", include_str!("../../../../policies/accounts.cedar")),
            ("policies/scopes.cedar", include_str!("../../../../policies/scopes.cedar")),
            ("schema/gatepost.cedarschema", include_str!("../../../../schema/gatepost.cedarschema")),
            ("schema/routes.toml", include_str!("../../../../schema/routes.toml")),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(path), text).unwrap();
        self
    }

    fn remove(self, path: &str) -> Self {
        fs::remove_file(self.path(path)).unwrap();
        self
    }

    fn edit(self, path: &str, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from));
        self.write(path, text.replacen(from, to, 1))
    }

    fn source(&self) -> Source {
        Source { policies: self.path("policies").into(), schema: self.path("schema").into(), tests: true }
    }

    fn load(&self) -> Result<Generation, LoadError> {
        load(&self.source(), 7, &[])
    }

    /// The problems, each as `file:line: message`, without the folder.
    fn problems(&self) -> Vec<String> {
        let error = self.load().map(|_| "loaded").unwrap_err();
        let prefix = format!("{}/", self.root.path().display());
        let short = |problem: &Problem| {
            let line = problem.line().map(|line| format!("{line}:")).unwrap_or_default();
            format!("{}:{line} {}", problem.file(), problem.message()).replace(&prefix, "")
        };
        error.problems().iter().map(short).collect()
    }
}

#[test]
fn the_shipped_files_are_in_order_and_built_in() {
    let folders = Folders::new();
    let (read, built_in) = (folders.load().unwrap(), built_in());
    assert_eq!(read.policies(), built_in.policies());
    assert_eq!((read.number(), read.policies_origin(), read.schema_origin()), (7, Origin::Folder, Origin::Folder));
    assert_eq!((built_in.policies_origin(), built_in.schema_origin()), (Origin::BuiltIn, Origin::BuiltIn));
    assert_eq!(read.routes().as_slice().len(), built_in.routes().as_slice().len());
    assert_eq!(
        built_in.files(),
        [
            "built-in policies/accounts.cedar",
            "built-in policies/matrix.cedar",
            "built-in policies/scopes.cedar",
            "built-in schema/gatepost.cedarschema",
            "built-in schema/routes.toml"
        ]
    );
}

#[test]
fn policies_are_known_by_their_id_and_else_by_file_and_position() {
    let folders = Folders::new()
        .write("policies/more.cedar", format!("permit (principal == User::\"a\", action, resource);\n{POLICY}forbid (principal == User::\"b\", action, resource);"));
    let generation = folders.load().unwrap();
    let mut ids: Vec<String> = generation.policies().policies().map(|policy| policy.id().to_string()).collect();
    ids.retain(|id| id.starts_with("more") || id == "a" || id == "operator");
    ids.sort();
    assert_eq!(ids, ["a", "more#1", "more#3", "operator"]);
    assert_eq!(generation.code("owner-stays"), Some("owner_cannot_leave"));
    assert_eq!(generation.code("operator"), None);
}

#[test]
fn tests_hidden_files_and_other_files_are_not_policies() {
    let folders = Folders::new();
    fs::create_dir(folders.path("policies/tests")).unwrap();
    let folders = folders
        .write("policies/tests/bad.cedar", "not cedar")
        .write("policies/.#matrix.cedar", "not cedar")
        .write("policies/README.md", "not cedar");
    assert!(folders.load().is_ok());
}

#[test]
fn seeded_mistakes_are_refused_with_file_and_line() {
    let matrix = "policies/matrix.cedar";
    for (folders, expected) in [
        (
            Folders::new().edit(matrix, "permit (", "permti ("),
            "policies/matrix.cedar:10: invalid policy effect: permti",
        ),
        (
            Folders::new().edit(matrix, "resource.operators", "resource.operator"),
            "policies/matrix.cedar:57: for policy `operator`, attribute `operator` on entity type `Application` not found (and 1 more",
        ),
        (
            Folders::new().edit(matrix, "\"SshAccess\"", "\"SshAcces\""),
            "policies/matrix.cedar:20: for policy `administrator`, unrecognized action `Action::\"SshAcces\"`",
        ),
        (
            Folders::new().edit(matrix, "resource.observers", "resource.observers && 1 == \"a\""),
            "policies/matrix.cedar:59: for policy `observer`, policy is impossible",
        ),
        (
            Folders::new().edit(matrix, "resource.observers", "resource.observers && false"),
            "policies/matrix.cedar:59: for policy `observer`, policy is impossible",
        ),
        (
            Folders::new().edit(matrix, "@id(\"observer\")", "@id(\"operator\")"),
            "policies/matrix.cedar:59: a second policy has the id `operator`",
        ),
        (
            Folders::new().edit(matrix, "@id(\"observer\")", "@id(\"leave\")"),
            "policies/matrix.cedar:59: a second policy has the id `leave`",
        ),
        (
            Folders::new().edit(matrix, "@id(\"observer\")", "@id(\"\")"),
            "policies/matrix.cedar:59: the policy's `@id` is empty",
        ),
        (
            Folders::new().edit(matrix, "principal,\n  action ==", "principal == ?principal,\n  action =="),
            "policies/matrix.cedar:59: a template with slots",
        ),
        (
            Folders::new().edit(matrix, "principal in resource.observers", "resource.owner == principal"),
            "policies/matrix.cedar:65: for policy `observer`, attribute `owner` on entity type `Device` not found (and 1 more at this place)",
        ),
        (Folders::new().write(matrix, b"// caf\xe9\n"), "policies/matrix.cedar:1: the file is not UTF-8"),
        (
            Folders::new().write(
                "policies/x.cedar",
                "permit (principal, action, resource) when { context.client.isLoopback() };",
            ),
            "policies/x.cedar:1: for policy `x#1`, unable to guarantee safety of access to optional attribute `client`",
        ),
        (Folders::new().write("policies/x.cedar", "\n\nfrobid"), "policies/x.cedar:3: "),
        (
            Folders::new().edit("schema/gatepost.cedarschema", "entity Team;", "entity Team"),
            "schema/gatepost.cedarschema:14: ",
        ),
        (
            Folders::new().edit("schema/gatepost.cedarschema", "operators: Team,", "operators: Taem,"),
            "schema/gatepost.cedarschema:47: failed to resolve type: Taem",
        ),
        (
            Folders::new().edit("schema/gatepost.cedarschema", "  operators: Team,\n", ""),
            "policies/matrix.cedar:57: for policy `operator`, attribute `operators`",
        ),
        (
            Folders::new().edit("schema/routes.toml", "\"DownloadImage\"", "\"DownlodImage\""),
            "schema/routes.toml:112: the schema has no action `DownlodImage`",
        ),
        (
            Folders::new().edit("schema/gatepost.cedarschema", "entity Team;", "entity Team; external entity Other;"),
            "schema: the schema refers to external types or actions that nothing defines",
        ),
        (Folders::new().remove("schema/routes.toml"), "schema/routes.toml: cannot read the file"),
        (Folders::new().remove("schema/gatepost.cedarschema"), "schema: the folder has no `*.cedarschema` file"),
        (
            Folders::new().remove(matrix).remove("policies/accounts.cedar").remove("policies/scopes.cedar"),
            "policies: the folder has no `*.cedar` file",
        ),
        (
            Folders::new()
                .write(matrix, "// nothing\n")
                .remove("policies/accounts.cedar")
                .remove("policies/scopes.cedar"),
            "policies: there is no policy",
        ),
    ] {
        let problems = folders.problems();
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
}

#[test]
fn a_policy_file_that_cannot_be_read_is_a_problem() {
    let folders = Folders::new();
    fs::create_dir(folders.path("policies/folder.cedar")).unwrap();
    assert!(folders.problems()[0].starts_with("policies/folder.cedar: this is no file"));
    let folders = Folders::new();
    std::os::unix::fs::symlink("nowhere", folders.path("policies/dangling.cedar")).unwrap();
    assert!(folders.problems()[0].starts_with("policies/dangling.cedar: cannot read the file"));
    let folders = Folders::new();
    fs::remove_dir_all(folders.path("policies")).unwrap();
    std::os::unix::fs::symlink("nowhere", folders.path("policies")).unwrap();
    assert!(folders.problems()[0].starts_with("policies: cannot read the folder"), "a dangling link is not absence");
    let folders = Folders::new();
    fs::remove_dir_all(folders.path("policies")).unwrap();
    let folders = folders.write("policies", "a file");
    assert!(folders.problems()[0].starts_with("policies: this is no folder"));
}

#[test]
fn all_problems_are_told_at_once() {
    let folders = Folders::new()
        .edit("policies/matrix.cedar", "permit (", "permti (")
        .edit("policies/accounts.cedar", "resource.owner == principal", "resource.owned == principal")
        .edit("schema/routes.toml", "\"Push\"", "\"Pull\"")
        .edit("schema/routes.toml", "method = [\"DELETE\"]", "method = [\"delete\"]");
    let problems = folders.problems();
    for file in [
        "policies/matrix.cedar:10:",
        "policies/accounts.cedar:101:",
        "schema/routes.toml:25:",
        "schema/routes.toml:100:",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(file)), "{file}: {problems:#?}");
    }
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn an_error_shows_the_line_with_a_caret() {
    let folders = Folders::new()
        .write("policies/x.cedar", "permit (\n  principal,\n  action == Action::\"Veiw\",\n  resource\n);\n");
    let shown = folders.load().map(|_| "loaded").unwrap_err().to_string();
    let prefix = format!("{}/", folders.root.path().display());
    assert_eq!(
        shown.replace(&prefix, ""),
        "the policies were not loaded\n\
         policies/x.cedar:3:13: for policy `x#1`, unrecognized action `Action::\"Veiw\"`\n  \
           |\n\
         3 |   action == Action::\"Veiw\",\n  \
           |             ^^^^^^^^^^^^^^\n  \
           help: did you mean `Action::\"View\"`?"
    );
}

#[test]
fn the_entities_that_gatepost_builds_must_fit() {
    let entity = |json: Value| Entity::from_json_value(json, None).unwrap();
    let built = [
        entity(user("a", true, &["t"])),
        entity(json!({"uid": {"type": "Team", "id": "t"}, "attrs": {}, "parents": []})),
    ];
    let load_with = |folders: &Folders| load(&folders.source(), 1, &built);
    assert!(load_with(&Folders::new()).is_ok());

    let folders = Folders::new().edit("schema/gatepost.cedarschema", "  email: String,\n", "  address: String,\n");
    let error = load_with(&folders).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(error.to_string().contains("entity User in [Team] {"), "{error}");

    // A team may have a vocabulary of its own, without any of the built entities' types.
    let folders = Folders::new()
        .remove("policies/accounts.cedar")
        .remove("policies/scopes.cedar")
        .write("policies/matrix.cedar", "permit (principal in Shop::Group::\"staff\", action == Shop::Action::\"read\", resource);")
        .write("schema/gatepost.cedarschema", "namespace Shop { entity Group; entity Person in [Group]; entity Page; action read appliesTo { principal: Person, resource: Page }; }")
        .write("schema/routes.toml", "[[route]]\nmethod = [\"GET\"]\npath = \"/{*page}\"\naction = 'Shop::Action::\"read\"'\nresource = { type = \"Shop::Page\", id = \"{page}\" }\n");
    let generation = load_with(&folders).unwrap();
    assert_eq!(generation.action_by_name("Shop::Action::\"read\"").map(|(index, _)| index), Some(0));
}

#[test]
fn a_reload_counts_on_and_does_not_fall_back_to_what_is_built_in() {
    let folders = Folders::new();
    let first = folders.load().unwrap();
    assert_eq!(reload(&folders.source(), &first).unwrap().number(), 8);
    fs::rename(folders.path("policies"), folders.path("moved")).unwrap();
    let error = reload(&folders.source(), &first).unwrap_err();
    assert_eq!(error.problems().len(), 1);
    assert!(error.to_string().ends_with("/policies: the folder is gone"), "{error}");

    // Nor where nobody has named it.
    let usual = Source { policies: Folder::Usual(folders.path("policies")), ..folders.source() };
    assert!(reload(&usual, &first).unwrap_err().to_string().ends_with("/policies: the folder is gone"));
    assert_eq!(load(&usual, 1, &[]).unwrap().policies_origin(), Origin::BuiltIn, "a start uses the built-in copies");
}

#[test]
fn a_folder_that_was_named_must_exist_and_the_usual_ones_need_not() {
    let nowhere = |name: &str| PathBuf::from("/nonexistent").join(name);
    let usual = Source { policies: Folder::Usual(nowhere("a")), schema: Folder::Usual(nowhere("b")), tests: true };
    let first = load(&usual, 1, &[]).unwrap();
    assert_eq!((first.policies_origin(), first.schema_origin()), (Origin::BuiltIn, Origin::BuiltIn));
    assert_eq!(reload(&usual, &first).unwrap().number(), 2);

    let by = Some("`--policies`".to_owned());
    let named =
        Source { policies: Folder::named("/nonexistent/a", by.clone()), schema: nowhere("b").into(), tests: true };
    for error in [load(&named, 1, &[]).unwrap_err(), reload(&named, &first).unwrap_err()] {
        assert_eq!(
            error.to_string(),
            "the policies were not loaded\n\
             /nonexistent/a: there is no such folder\n  \
             help: `--policies` names it: say `built-in` there to use what is built in, or leave it out\n\
             /nonexistent/b: there is no such folder"
        );
    }
    let built_in = Source { policies: Folder::named("built-in", by), ..usual };
    assert_eq!(load(&built_in, 1, &[]).unwrap().policies_origin(), Origin::BuiltIn);
}

#[test]
fn an_action_comes_with_its_groups() {
    let generation = built_in();
    let (index, action) = generation.action_by_name("SetFleetTag").unwrap();
    assert_eq!(generation.action(index).map(|action| action.uid()), Some(action.uid()));
    let mut uids: Vec<String> = action.entities().iter().map(|entity| entity.uid().to_string()).collect();
    uids.sort();
    assert_eq!(uids, ["Action::\"FleetActions\"", "Action::\"SetFleetTag\""]);
    let names: Vec<&str> = generation.actions().iter().map(|action| &**action.name()).collect();
    assert!(names.is_sorted());
    assert_eq!(names.get(usize::from(index)), Some(&"SetFleetTag"));
}

#[test]
fn an_action_of_ones_own_is_none_that_a_key_for_actions_has() {
    let folders = Folders::new()
        .write(
            "schema/own.cedarschema",
            "action Restart appliesTo { principal: User, resource: Installation, context: RequestContext };",
        )
        .write("policies/own.cedar", "permit (principal, action == Action::\"Restart\", resource);");
    let generation = folders.load().unwrap();
    let entities = Entities::from_json_value(entities("paid", "standard"), Some(generation.schema())).unwrap();
    let world = World { generation, entities };
    let decide = |more: Value| {
        let mut credential = context(json!({}))["credential"].clone();
        credential.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let installation = "Installation::\"local\"";
        world.decide("User::\"installer\"", "Restart", installation, json!({ "credential": credential })).0
    };
    assert_eq!(decide(json!({})), Decision::Allow);
    for scope in [json!({"actions": ["View"]}), json!({"read_only": true}), json!({"applications": []})] {
        assert_eq!(decide(scope.clone()), Decision::Deny, "{scope}");
    }
}

#[test]
fn what_a_decision_on_an_action_can_read_is_what_its_policies_read() {
    let read = |folders: &Folders, action: &str| {
        let generation = folders.load().unwrap();
        let (index, _) = generation.action_by_name(action).unwrap();
        generation.prepared().action(index).unwrap().reads.context
    };
    // By scopes every action can depend on the credential, and on nothing else.
    assert_eq!(read(&Folders::new(), "View"), ContextParts::CREDENTIAL);
    let without_scopes = || Folders::new().remove("policies/scopes.cedar");
    let shipped = without_scopes();
    for action in ["View", "SshAccess", "SetFleetTag", "LeaveApplication", "DeleteAccount"] {
        assert_eq!(read(&shipped, action), ContextParts::default(), "{action}");
    }
    for action in ["AddMember", "ChangeMember", "RemoveMember"] {
        assert!(ContextParts::MEMBER.is_within(read(&shipped, action)), "{action}");
    }
    let mfa = "unless { context has credential && context.credential.mfa };";
    let scopes = "when { context has credential && context.credential.scopes.contains(\"x\") };";
    let by = |constraint: &str, condition: &str| {
        without_scopes().write("policies/x.cedar", format!("forbid (principal, {constraint}, resource) {condition}"))
    };
    for (constraint, ssh, tag, view) in [
        ("action", true, true, true),
        ("action == Action::\"SshAccess\"", true, false, false),
        ("action in Action::\"SshAccess\"", true, false, false),
        ("action in Action::\"Tags\"", false, true, false),
        ("action in [Action::\"View\", Action::\"Tags\"]", false, true, true),
    ] {
        for condition in [mfa, scopes] {
            let folders = by(constraint, condition);
            let expected = |used| if used { ContextParts::CREDENTIAL } else { ContextParts::default() };
            for (action, used) in [("SshAccess", ssh), ("SetDeviceTag", tag), ("View", view)] {
                assert_eq!(read(&folders, action), expected(used), "{constraint} {action}");
            }
        }
    }
    let folders = by("action in [Action::\"View\", Action::\"Tags\"]", "when { context.method == \"GET\" };");
    assert_eq!(read(&folders, "View"), ContextParts::METHOD);
    assert_eq!(read(&folders, "SshAccess"), ContextParts::default());
}

#[test]
fn the_repository_folder_is_what_is_built_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = Source { policies: root.join("policies").into(), schema: root.join("schema").into(), tests: true };
    assert_eq!(load(&source, 1, &[]).unwrap().policies(), built_in().policies());
}

#[test]
fn of_many_policies_every_mistake_is_told() {
    let mut folders = Folders::new();
    let good = "permit (principal, action == Action::\"View\", resource == Application::\"a\");\n";
    let bad = "permit (principal is User, action == Action::\"View\", resource) when { principal.nothing };\n";
    for file in 0..4 {
        let policies: Vec<&str> = (0..300).map(|at| if at == 250 { bad } else { good }).collect();
        folders = folders.write(&format!("policies/many{file}.cedar"), policies.concat());
    }
    let problems = folders.problems();
    assert_eq!(problems.len(), 4, "{problems:?}");
    for (file, problem) in problems.iter().enumerate() {
        assert!(problem.starts_with(&format!("policies/many{file}.cedar:251:")), "{problem}");
    }
    let folders = folders.write("policies/many1.cedar", "permit (").write("policies/many3.cedar", bad);
    assert_eq!(folders.problems().len(), 4, "{:?}", folders.problems());
}

/// The shipped files with doors, and with the entities of one file or of two.
fn with_doors(first: &str, second: Option<&str>) -> Folders {
    let folders = Folders::new().write(
        "schema/doors.cedarschema",
        "entity Floor; entity Door in [Floor, Team, Application, Door] { open?: Bool };",
    );
    fs::create_dir(folders.path("schema/entities")).unwrap();
    let folders = folders.write("schema/entities/a.json", first).write("schema/entities/.b.json", "not looked at");
    match second {
        Some(second) => folders.write("schema/entities/b.json", second),
        None => folders,
    }
}

fn door(id: &str, more: &str) -> String {
    format!(r#"{{"uid": {{"type": "Door", "id": "{id}"}}, {more}}}"#)
}

#[test]
fn entities_of_files_are_known_with_all_that_they_are_in() {
    let floor = r#"{"uid": {"type": "Floor", "id": "f"}, "attrs": {}, "parents": []}"#;
    let inner = door("inner", r#""attrs": {"open": true}, "parents": [{"type": "Door", "id": "outer"}]"#);
    let outer = door("outer", r#""attrs": {}, "parents": [{"type": "Floor", "id": "f"}, {"type": "Team", "id": "x"}]"#);
    let folders = with_doors(&format!("[{inner}]"), Some(&format!("[{outer},\n{floor}]")));
    let generation = folders.load().unwrap();
    assert!(generation.files().iter().any(|file| file.ends_with("schema/entities/b.json")));
    let inner = generation.filed().get(&r#"Door::"inner""#.parse().unwrap()).unwrap();
    let mut ancestors: Vec<_> = inner.ancestors().map(ToString::to_string).collect();
    ancestors.sort();
    assert_eq!(ancestors, [r#"Door::"outer""#, r#"Floor::"f""#, r#"Team::"x""#]);

    let empty = Folders::new();
    fs::create_dir(empty.path("schema/entities")).unwrap();
    assert!(empty.load().unwrap().filed().is_empty());
    assert!(Folders::new().load().unwrap().filed().is_empty());
}

#[test]
fn mistakes_in_entities_are_refused_with_file_and_line() {
    let plain = r#""attrs": {}, "parents": []"#;
    let user = r#"{"uid": {"type": "User", "id": "ada"}, "attrs": {"username": "a", "email": "b", "installation_administrator": true}, "parents": []}"#;
    for (first, second, expected) in [
        ("[\n{]", None, "schema/entities/a.json:2: no list of entities: key must be a string"),
        ("{}", None, "schema/entities/a.json:1: no list of entities: invalid type: map"),
        (
            &*format!("[\n{}]", door("a", r#""attrs": {"open": true, "open": false}, "parents": []"#)),
            None,
            "schema/entities/a.json:2: no list of entities: the key `open` occurs two or more times",
        ),
        (
            &*format!("[\n{}]", door("a", r#""attrs": {"open": "yes"}, "parents": []"#)),
            None,
            "schema/entities/a.json:2: ",
        ),
        (&*format!("[{}]", door("a", r#""attrs": {"shut": true}, "parents": []"#)), None, "schema/entities/a.json:1: "),
        (r#"[{"uid": {"type": "Gate", "id": "g"}, "attrs": {}, "parents": []}]"#, None, "schema/entities/a.json:1: "),
        (
            &*format!("[{},\n{}]", door("b", plain), user),
            None,
            "schema/entities/a.json:2: `User::\"ada\"` is of a type that Gatepost owns",
        ),
        (
            r#"[{"uid": {"type": "Action", "id": "View"}, "attrs": {}, "parents": []}]"#,
            None,
            "schema/entities/a.json:1: `Action::\"View\"` is an action",
        ),
        (
            &*format!("[{}]", door("a", plain)),
            Some(format!("[\n\n{}]", door("a", plain))),
            "schema/entities/b.json:3: `Door::\"a\"` is told a second time",
        ),
        (
            &*format!("[{}]", door("a", r#""attrs": {}, "parents": [{"type": "Floor", "id": "nowhere"}]"#)),
            None,
            "schema/entities/a.json:1: `Door::\"a\"` is in `Floor::\"nowhere\"`, which is in no file",
        ),
        (
            &*format!("[{}]", door("a", r#""attrs": {}, "parents": [{"type": "Application", "id": "x"}]"#)),
            None,
            "schema/entities/a.json:1: `Door::\"a\"` is in `Application::\"x\"`, which is in no file",
        ),
        (
            &*format!("[{}]", door("a", r#""attrs": {}, "parents": [{"type": "Door", "id": "a"}]"#)),
            None,
            "schema/entities: ",
        ),
    ] {
        let problems = with_doors(first, second.as_deref()).problems();
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:#?}, not {expected}");
    }
}

#[test]
fn a_reload_does_not_lose_the_entities_with_their_folder() {
    let folders = with_doors(&format!("[{}]", door("a", r#""attrs": {}, "parents": []"#)), None);
    let first = folders.load().unwrap();
    fs::remove_dir_all(folders.path("schema/entities")).unwrap();
    let error = reload(&folders.source(), &first).unwrap_err();
    assert!(error.to_string().contains("/entities: the folder is gone"), "{error}");
    fs::create_dir(folders.path("schema/entities")).unwrap();
    assert!(reload(&folders.source(), &first).unwrap().filed().is_empty());
}

fn reload(source: &Source, previous: &Generation) -> Result<Generation, LoadError> {
    Found::read_next(source, previous).load(|_| previous.number + 1, &[])
}

/// The files of a release, by their paths: what a generation is made from, each marked with the release's name.
fn release(name: &str) -> Vec<(String, String)> {
    let policy = |id: &str| format!("@id(\"{name}-{id}\") permit (principal, action == Action::\"View\", resource);\n");
    let shipped = include_str!("../../../../schema/gatepost.cedarschema");
    let test = format!(
        "# {name}\n[[test]]\nwho = \"nobody\"\naction = \"View\"\non = \"Application\"\nexpect = \"allow\"\n\
         because = [\"{name}-a\", \"{name}-b\"]\n"
    );
    let floor = format!(r#"[{{"uid": {{"type": "Floor", "id": "{name}"}}, "attrs": {{}}, "parents": []}}]"#);
    let invariant = format!("// {name}\nforbid (principal, action == Action::\"Push\", resource);\n");
    let files = [
        ("policies/a.cedar", policy("a")),
        ("policies/b.cedar", policy("b")),
        ("policies/tests/a.toml", test),
        ("policies/invariants/a.cedar", invariant),
        ("schema/gatepost.cedarschema", format!("// {name}\nentity Floor;\n{shipped}")),
        ("schema/routes.toml", format!("# {name}\n")),
        ("schema/entities/a.json", floor),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect()
}

/// Switches the link `at` between the two releases as fast as it can, as long as `with` runs.
fn while_switching<T>(at: &Path, with: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let hidden = at.with_file_name(".next");
            for name in ["one", "two"].iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                symlink(name, &hidden).unwrap();
                fs::rename(&hidden, at).unwrap();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(with));
        stop.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn no_generation_is_of_two_releases_however_fast_they_are_switched() {
    let root = tempfile::tempdir().unwrap();
    let path = |path: &str| root.path().join(path);
    let place = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for name in ["one", "two"] {
        for (file, text) in release(name) {
            place(&path(name).join(file), &text);
        }
    }
    symlink("one", path("current")).unwrap();
    // As Kubernetes mounts a ConfigMap: the files are links that stay, and lead through one that is switched.
    for (file, _) in release("one") {
        let link = path("mounted").join(&file);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let up = "../".repeat(Path::new(&file).components().count());
        symlink(format!("{up}current/{file}"), link).unwrap();
    }
    for folder in ["current", "mounted"] {
        let at = |below: &str| path(folder).join(below).into();
        let source = Source { policies: at("policies"), schema: at("schema"), tests: true };
        let (mut whole, mut unsettled, mut seen) = (0, 0, [0, 0]);
        while_switching(&path("current"), || {
            // So many that never settle are not to be expected.
            while whole < 300 && unsettled < 300 {
                let found = Found::read(&source);
                let Some(contents) = found.contents() else {
                    let problems = found.load(|_| 1, &[]).unwrap_err().problems().to_vec();
                    assert!(
                        problems.len() == 1 && problems[0].message().starts_with("the files are being changed"),
                        "{problems:?}"
                    );
                    unsettled += 1;
                    continue;
                };
                let of_one = contents.files()[0].text.contains("one");
                let (name, release) = if of_one { ("one", release("one")) } else { ("two", release("two")) };
                let text =
                    |path: &str| release.iter().find(|(file, _)| file.ends_with(path)).map(|(_, text)| text.clone());
                for file in contents.files() {
                    assert_eq!(Some(&file.text), text(&file.name).as_ref(), "{folder}: {} of {name}", file.name);
                }
                assert_eq!(contents.files().len(), 5);
                let stated = found.stated().as_ref().unwrap().as_ref().unwrap();
                assert_eq!(stated.cedar[0].text, text("invariants/a.cedar").unwrap());
                seen[usize::from(of_one)] += 1;
                whole += 1;
                if whole % 20 == 0 {
                    // Its tests are of the same release too: by other policies they would fail.
                    let generation = found.load(|_| 1, &[]).unwrap();
                    assert!(generation.filed().get(&format!("Floor::\"{name}\"").parse().unwrap()).is_some());
                }
            }
        });
        assert!(whole == 300 && seen.iter().all(|times| *times > 0), "{folder}: {whole}, {unsettled}, {seen:?}");
    }
}
