use std::fs;

use super::*;

/// The shipped files, changed.
struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("policies/accounts.cedar", include_str!("../../../../policies/accounts.cedar")),
            ("policies/matrix.cedar", include_str!("../../../../policies/matrix.cedar")),
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

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.path().join(path), text).unwrap();
    }

    fn append(&self, path: &str, text: &str) {
        let old = fs::read_to_string(self.root.path().join(path)).unwrap();
        self.write(path, &format!("{old}{text}"));
    }

    fn report(&self) -> Report {
        lint(&Source {
            policies: self.root.path().join("policies").into(),
            schema: self.root.path().join("schema").into(),
            tests: false,
        })
    }

    /// Rule, file, line and message of what is found, and the hint.
    fn found(&self) -> Vec<(Rule, String, String)> {
        let root = format!("{}/", self.root.path().display());
        let found = self.report().findings.into_iter().map(|Finding { rule, problem }| {
            let place = format!("{}:{}: {}", problem.file(), problem.line().unwrap(), problem.message());
            (rule, place.replace(&root, ""), problem.hint().unwrap_or_default().replace(&root, ""))
        });
        found.collect()
    }

    fn with_policy(policy: &str) -> Vec<(Rule, String, String)> {
        let folders = Self::new();
        folders.write("policies/own.cedar", policy);
        folders.found()
    }
}

fn one(found: Vec<(Rule, String, String)>) -> (Rule, String, String) {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn nothing_is_odd_about_what_is_shipped() {
    let report = Folders::new().report();
    assert_eq!(report.findings, []);
    assert!(report.loads && report.policies > 20 && report.routes > 10 && report.files.len() == 5, "{report:?}");
}

#[test]
fn what_keeps_files_from_being_loaded_is_an_error_of_the_kind_of_file() {
    for (file, text, rule) in [
        ("policies/own.cedar", "permit (principal, action, resource) when {", Rule::PolicyInvalid),
        ("policies/own.cedar", "permit (principal, action == Action::\"Veiw\", resource);", Rule::PolicyInvalid),
        ("schema/own.cedarschema", "entity Door = {", Rule::SchemaInvalid),
        ("schema/routes.toml", "[[route]]\n", Rule::RouteInvalid),
    ] {
        let folders = Folders::new();
        folders.write(file, text);
        let report = folders.report();
        assert!(!report.loads && report.policies == 0 && report.count(Severity::Error) > 0, "{report:?}");
        assert!(report.findings.iter().all(|finding| finding.rule == rule), "{report:?}");
    }
}

#[test]
fn a_policy_without_id_is_told() {
    let policy = "forbid (principal, action == Action::\"Push\", resource) when { context.host == \"a\" };";
    let (rule, place, help) = one(Folders::with_policy(policy));
    assert_eq!((rule, place.as_str()), (Rule::PolicyWithoutId, "policies/own.cedar:1: the policy has no `@id`"));
    assert!(help.contains("`own#1`"), "{help}");
}

#[test]
fn a_policy_that_no_request_satisfies_is_told() {
    for condition in ["1 > 2", "[\"a\"].contains(\"b\")", "principal is User && 2 + 2 == 5", "\"abc\" like \"b*\""] {
        let policy = format!("@id(\"own\")\npermit (principal, action, resource)\nwhen {{ {condition} }};");
        let (rule, place, _) = one(Folders::with_policy(&policy));
        assert_eq!(rule, Rule::PolicyNeverApplies, "{condition}");
        assert_eq!(place, "policies/own.cedar:1: no request can satisfy the policy `own`", "{condition}");
    }
}

#[test]
fn a_policy_that_always_fails_is_an_error() {
    let policy = "@id(\"own\")\nforbid (principal is User, action == Action::\"Push\", resource)
                  when { 9223372036854775807 + 1 > 0 };";
    let (rule, place, _) = one(Folders::with_policy(policy));
    assert_eq!((rule, rule.severity()), (Rule::PolicyFails, Severity::Error));
    assert_eq!(
        place,
        "policies/own.cedar:1: the policy `own` fails whenever a `User` asks for `Action::\"Push\"` on a `Application`"
    );
}

#[test]
fn a_permit_that_is_always_overruled_and_an_action_that_nobody_is_permitted_are_told() {
    let policy = "@id(\"freeze\") forbid (principal, action == Action::\"Push\", resource);
                  @id(\"pushers\") permit (principal is User, action == Action::\"Push\", resource)
                  when { principal.username == \"ada\" };";
    let found = Folders::with_policy(policy);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0].0, Rule::PolicyOverruled);
    assert_eq!(found[0].1, "policies/own.cedar:2: the policy `pushers` never permits anything");
    assert_eq!(found[0].2, "wherever it applies this forbids: `freeze`");
    assert_eq!(found[1].0, Rule::ActionNeverPermitted);
    assert!(found[1].1.starts_with("schema/gatepost.cedarschema:"), "{found:?}");
    assert!(found[1].1.ends_with("no policy permits `Action::\"Push\"` to anybody"), "{found:?}");
    assert!(found[1].2.starts_with("so these routes are always denied: schema/routes.toml:"), "{found:?}");
}

#[test]
fn a_forbid_that_applies_to_some_only_overrules_nothing() {
    let policy = "@id(\"own\") forbid (principal is Anonymous, action == Action::\"Push\", resource);
                  @id(\"other\") forbid (principal, action == Action::\"Push\", resource)
                  when { context.host == \"a.example.com\" };";
    assert_eq!(Folders::with_policy(policy), []);
}

#[test]
fn an_attribute_that_no_policy_reads_is_a_note() {
    let folders = Folders::new();
    folders.write(
        "schema/own.cedarschema",
        "entity Door {\n  colour: String,\n  open?: Bool,\n  color?: { colour: Long },\n};\n\
         action Enter appliesTo { principal: User, resource: Door, context: RequestContext };\n",
    );
    folders.write(
        "policies/own.cedar",
        "@id(\"own\") permit (principal, action == Action::\"Enter\", resource) when { resource has open && resource.open };",
    );
    let found = folders.found();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!((found[0].0, found[0].0.severity()), (Rule::AttributeUnread, Severity::Note));
    assert_eq!(found[0].1, "schema/own.cedarschema:2: no policy reads the attribute `colour` of `Door`");
    assert_eq!(found[1].1, "schema/own.cedarschema:4: no policy reads the attribute `color` of `Door`");
}

#[test]
fn a_route_that_more_specific_ones_cover_is_told_with_these() {
    let route = |methods: &str, path: &str| {
        format!(
            "[[route]]\nmethod = [{methods}]\npath = \"{path}\"\naction = \"View\"\n\
             resource = {{ type = \"Application\", id = \"x\" }}\n"
        )
    };
    for (paths, told) in [
        // Each path below `/a` is one segment, or more, or empty.
        (
            &[("\"GET\"", "/a/{*rest}"), ("\"GET\"", "/a/{x}"), ("\"GET\"", "/a/{x}/{*rest}"), ("\"GET\"", "/a/")][..],
            Some((
                "3: no request takes this route",
                "`/a/{x}` on line 6, `/a/{x}/{*rest}` on line 11, `/a/` on line 16",
            )),
        ),
        (&[("\"GET\"", "/a/{*rest}"), ("\"GET\"", "/a/{x}"), ("\"GET\"", "/a/{x}/{*rest}")], None),
        (&[("\"GET\"", "/a/{*rest}"), ("\"GET\"", "/a/{x}"), ("\"GET\"", "/a/")], None),
        (&[("\"GET\"", "/a/{*rest}"), ("\"POST\"", "/a/{x}"), ("\"GET\"", "/a/{x}/{*rest}"), ("\"GET\"", "/a/")], None),
        (
            &[
                ("\"GET\", \"PUT\"", "/{*rest}"),
                ("\"GET\"", "/{x}"),
                ("\"GET\"", "/{x}/{y}"),
                ("\"GET\"", "/{x}/{y}/{*rest}"),
                ("\"GET\"", "/"),
                ("\"GET\"", "/{x}/"),
            ],
            Some(("3: no GET request takes this route", "`/{x}` on line 6")),
        ),
        (&[("\"GET\"", "/{*rest}"), ("\"GET\"", "/x/{*rest}"), ("\"GET\"", "/{x}"), ("\"GET\"", "/x/xx")], None),
        (
            &[("\"GET\"", "/a/\u{ff0f}/{x}")],
            Some((
                "3: no request takes this route",
                "the path holds a character that is a delimiter once it is normalized",
            )),
        ),
    ] {
        let folders = Folders::new();
        folders
            .write("schema/routes.toml", &paths.iter().map(|(methods, path)| route(methods, path)).collect::<String>());
        let found: Vec<_> = folders.found();
        match told {
            None => assert_eq!(found, [], "{paths:?}"),
            Some((place, by)) => {
                let (rule, found, help) = one(found);
                assert_eq!((rule, found), (Rule::RouteUnreachable, format!("schema/routes.toml:{place}")), "{paths:?}");
                assert!(help.contains(by), "{help}");
            }
        }
    }
    // A host's routes do not hide those for every host.
    let folders = Folders::new();
    let of_host = route("\"GET\"", "/{*rest}").replace("[[route]]\n", "[[route]]\nhost = \"a.example.com\"\n");
    folders.write("schema/routes.toml", &format!("{of_host}{}", route("\"GET\"", "/{*rest}")));
    assert_eq!(folders.found(), []);
}

#[test]
fn findings_are_told_by_file_and_line() {
    let folders = Folders::new();
    folders.append("policies/scopes.cedar", "\nforbid (principal, action == Action::\"Push\", resource);\n");
    folders.append(
        "policies/accounts.cedar",
        "\nforbid (principal, action == Action::\"View\", resource) when { 1 > 2 };\n",
    );
    let told: Vec<_> = folders
        .found()
        .into_iter()
        .map(|(rule, place, _)| (rule, place.split(':').next().unwrap().to_owned()))
        .collect();
    let expected = [
        (Rule::PolicyNeverApplies, "policies/accounts.cedar"),
        (Rule::PolicyWithoutId, "policies/accounts.cedar"),
        (Rule::PolicyWithoutId, "policies/scopes.cedar"),
        (Rule::ActionNeverPermitted, "schema/gatepost.cedarschema"),
    ];
    assert_eq!(told, expected.map(|(rule, file)| (rule, file.to_owned())));
}
