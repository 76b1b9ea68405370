//! Questions and searches, held against Cedar's own authorizer.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use cedar_policy::{Authorizer, Context as ApiContext, Entities as ApiEntities, EntityUid, Request as ApiRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::authz::entities;
use crate::authz::facts::Facts;
use crate::authz::generation::{self, Source};
use crate::authz::question::Resource;
use crate::model::UserId;
use crate::store::sqlite::SqliteStore;

const SCHEMA: &str = r#"
    entity team;
    entity person in [team] { level?: Long, chief?: person, tags?: Set<String> };
    entity folder in [folder] { secret?: Bool };
    entity doc in [folder] { owner?: person, size?: Long, from?: ipaddr, part?: { of?: doc } };
    entity kind enum ["good", "bad"];
    action read, write appliesTo {
        principal: person, resource: doc, context: { at?: Long, action?: { soft?: Bool }, by?: person }
    };
    action list appliesTo { principal: [person, team], resource: [folder, doc, kind] };
"#;

/// Policies of which a world has some, and always the first.
const POLICIES: &[&str] = &[
    r#"permit (principal == person::"p1", action, resource);"#,
    r#"permit (principal in team::"a", action == Action::"read", resource);"#,
    r#"permit (principal, action in [Action::"read", Action::"write"], resource is doc)
       when { resource has owner && resource.owner == principal };"#,
    r#"permit (principal is person, action == Action::"write", resource is doc)
       when { resource has owner.chief && resource.owner.chief == principal };"#,
    r#"forbid (principal, action, resource in folder::"f1") unless { principal in team::"b" };"#,
    // It overflows.
    r#"forbid (principal is person, action in [Action::"read", Action::"write"], resource is doc)
       when { resource has size && resource.size + 9223372036854775805 < 0 };"#,
    r#"permit (principal in team::"b", action == Action::"list", resource is folder)
       when { !(resource has secret && resource.secret) };"#,
    r#"permit (principal is person, action == Action::"write", resource is doc)
       when { principal has level && principal.level > 1 && context has at && context.at < 3 };"#,
    r#"forbid (principal is person, action == Action::"read", resource is doc)
       when { resource has owner.level && resource.owner.level > 2 };"#,
    r#"permit (principal is person, action == Action::"read", resource is doc)
       when { principal has tags && principal.tags.contains("x") };"#,
    r#"forbid (principal is person, action == Action::"read", resource is doc)
       when { resource has from && resource.from.isLoopback() };"#,
    r#"permit (principal is person, action == Action::"write", resource is doc)
       when { context has action.soft && context.action.soft || principal in team::"a" };"#,
    r#"permit (principal is person, action == Action::"list", resource is doc)
       when { doc::"d1" has owner && doc::"d1".owner == principal };"#,
    r#"permit (principal is person, action == Action::"write", resource is doc)
       when { resource has owner && resource.owner in team::"a" };"#,
    r#"permit (principal is person, action == Action::"read", resource is doc)
       when { resource has part.of.owner && resource.part.of.owner == principal };"#,
    r#"permit (principal is person, action == Action::"read", resource is doc)
       when { context has by.chief && context.by.chief == principal };"#,
    r#"permit (principal is team, action == Action::"list", resource is folder);"#,
    r#"permit (principal is person, action == Action::"list", resource == kind::"good")
       when { principal in team::"a" || principal == person::"p2" };"#,
];

/// Chooses by numbers that a test gives.
struct Dice<'n>(std::slice::Iter<'n, u8>);

impl Dice<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.below(4))
    }

    fn uid(&mut self, kind: &str) -> Value {
        let prefix = kind.chars().next().unwrap().to_string();
        json!({"type": kind, "id": self.id(&prefix)})
    }

    fn properties(&mut self, kind: &str) -> Value {
        let mut fields = Attributes::new();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        match kind {
            "person" => {
                match self.below(4) {
                    0 => add("level", self.below(4).into()),
                    1 => add("chief", self.uid("person")),
                    _ => {}
                }
                if self.below(3) == 0 {
                    add("tags", json!(["x", "y"].get(self.below(3)..).unwrap_or_default()));
                }
            }
            "folder" if self.below(2) == 0 => add("secret", (self.below(2) == 0).into()),
            "doc" => {
                if self.below(2) == 0 {
                    add("owner", self.uid("person"));
                }
                match self.below(5) {
                    0 => add("size", self.below(4).into()),
                    1 => add("from", ["127.0.0.1", "192.0.2.1"][self.below(2)].into()),
                    2 => add("part", json!({"of": self.uid("doc")})),
                    _ => {}
                }
            }
            _ => {}
        }
        fields.into()
    }

    fn entities(&mut self) -> Vec<Value> {
        let mut all = vec![
            json!({"uid": {"type": "team", "id": "a"}, "attrs": {}, "parents": []}),
            json!({"uid": {"type": "team", "id": "b"}, "attrs": {}, "parents": []}),
        ];
        for number in 0..3 {
            let teams: Vec<_> = ["a", "b"].into_iter().filter(|_| self.below(3) == 0).collect();
            let teams: Vec<_> = teams.into_iter().map(|id| json!({"type": "team", "id": id})).collect();
            let above = json!({"type": "folder", "id": format!("f{}", number - 1)});
            let (inner, outer) = (self.below(2) == 0 && number > 0, self.below(3));
            let folder = json!({"type": "folder", "id": format!("f{outer}")});
            for (kind, id, parents) in [
                ("person", format!("p{number}"), json!(teams)),
                ("folder", format!("f{number}"), if inner { json!([above]) } else { json!([]) }),
                ("doc", format!("d{number}"), if self.below(2) == 0 { json!([folder]) } else { json!([]) }),
            ] {
                all.push(json!({"uid": {"type": kind, "id": id}, "attrs": self.properties(kind), "parents": parents}));
            }
        }
        all
    }
}

struct World {
    generation: Generation,
    entities: Vec<Value>,
}

impl World {
    fn new(dice: &mut Dice<'_>) -> Self {
        let policies = POLICIES.iter().enumerate().filter(|(number, _)| *number == 0 || dice.below(2) == 0);
        let policies: Vec<&str> = policies.map(|(_, text)| *text).collect();
        let entities = dice.entities();
        let folder = tempfile::tempdir().unwrap();
        let (policies_folder, schema) = (folder.path().join("policies"), folder.path().join("schema"));
        fs::create_dir_all(&policies_folder).unwrap();
        fs::create_dir_all(schema.join("entities")).unwrap();
        fs::write(policies_folder.join("all.cedar"), policies.join("\n")).unwrap();
        fs::write(schema.join("all.cedarschema"), SCHEMA).unwrap();
        fs::write(schema.join("routes.toml"), "").unwrap();
        fs::write(schema.join("entities/all.json"), Value::from(entities.clone()).to_string()).unwrap();
        let source = Source { policies: policies_folder.into(), schema: schema.into(), tests: true };
        Self { generation: generation::load(&source, 3, &entities::samples()).unwrap(), entities }
    }

    fn ids(&self, kind: &str) -> Vec<&str> {
        let mut ids: Vec<_> = match kind {
            "kind" => vec!["bad", "good"],
            _ => {
                let of_kind = self.entities.iter().filter(|entity| entity["uid"]["type"] == kind);
                of_kind.map(|entity| entity["uid"]["id"].as_str().unwrap()).collect()
            }
        };
        ids.sort_unstable();
        ids
    }

    /// What Cedar's authorizer says, where an error denies.
    fn by_cedar(&self, inquiry: &Inquiry<'_>) -> bool {
        let schema = self.generation.schema();
        let mut all: BTreeMap<(String, String), Value> = self
            .entities
            .iter()
            .map(|entity| {
                let part = |name: &str| entity["uid"][name].as_str().unwrap().to_owned();
                ((part("type"), part("id")), entity.clone())
            })
            .collect();
        for party in [&inquiry.subject, &inquiry.resource] {
            let uid = json!({"type": party.entity_type, "id": party.id});
            let entity = all
                .entry((party.entity_type.to_owned(), party.id.to_owned()))
                .or_insert_with(|| json!({"uid": uid, "attrs": {}, "parents": []}));
            for (name, value) in party.properties.into_iter().flatten() {
                entity["attrs"][name] = value.clone();
            }
        }
        let Ok(entities) = ApiEntities::from_json_value(all.into_values().collect(), Some(schema)) else {
            return false;
        };
        let uid = |kind: &str, id: &str| EntityUid::from_type_name_and_id(kind.parse().unwrap(), id.parse().unwrap());
        let action = uid("Action", inquiry.action);
        let mut context = inquiry.context.cloned().unwrap_or_default();
        if let Some(properties) = inquiry.action_properties {
            context.insert("action".to_owned(), Value::Object(properties.clone()));
        }
        let Ok(context) = ApiContext::from_json_value(Value::Object(context), Some((schema, &action))) else {
            return false;
        };
        let (principal, resource) = (
            uid(inquiry.subject.entity_type, inquiry.subject.id),
            uid(inquiry.resource.entity_type, inquiry.resource.id),
        );
        let Ok(request) = ApiRequest::new(principal, action, resource, context, Some(schema)) else { return false };
        let response = Authorizer::new().is_authorized(&request, self.generation.policies(), &entities);
        response.decision() == Answer::Allow && response.diagnostics().errors().next().is_none()
    }

    fn decide(&self, inquiry: &Inquiry<'_>) -> bool {
        match decide(&self.generation, &|_| Ok(false), &nothing, inquiry) {
            Ok(decision) => decision.permit().is_some(),
            Err(InquiryError::Unfit(_)) => false,
            Err(InquiryError::Store(error)) => panic!("{error}"),
        }
    }

    /// All that is found, in pages of this length.
    fn search(&self, store: &SqliteStore, sought: Sought, inquiry: &Inquiry<'_>, limit: usize) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = Page { after: &after, limit, until: Instant::now() + Duration::from_secs(60) };
            let found = search(&self.generation, store, &nothing, sought, inquiry, &page).unwrap();
            assert!(found.ids.len() <= limit);
            all.extend(found.ids);
            match found.next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }
}

/// Nothing here is of a type that the store knows.
fn nothing(_: Option<UserId>, _: &Resource) -> Result<Arc<Facts>, StoreError> {
    unreachable!("nothing leads to the store")
}

/// Asks about everything, in each way.
fn compare(world: &World, store: &SqliteStore, dice: &mut Dice<'_>) -> Result<(usize, usize), TestCaseError> {
    let (mut permitted, mut found) = (0, 0);
    for (subject_type, action, resource_type) in [
        ("person", "read", "doc"),
        ("person", "write", "doc"),
        ("person", "list", "doc"),
        ("person", "list", "folder"),
        ("person", "list", "kind"),
        ("team", "list", "folder"),
        ("team", "read", "doc"),
    ] {
        let (of_subject, of_resource) = (dice.properties(subject_type), dice.properties(resource_type));
        let (of_subject, of_resource) = (of_subject.as_object().unwrap(), of_resource.as_object().unwrap());
        let of_action = json!({"soft": dice.below(2) == 0});
        let mut context = Attributes::new();
        if action != "list" && dice.below(2) == 0 {
            context.insert("at".to_owned(), dice.below(5).into());
            context.insert("by".to_owned(), dice.uid("person"));
        }
        let says = dice.below(4);
        let party = |entity_type, id, properties, says| Party {
            entity_type,
            id,
            properties: Some(properties).filter(|_| says),
        };
        let action_properties = of_action.as_object().filter(|_| action != "list" && says > 1);
        let with =
            |subject, resource| Inquiry { subject, action, action_properties, resource, context: Some(&context) };
        let (mut subjects, mut resources) = (world.ids(subject_type), world.ids(resource_type));
        let (known_subjects, known_resources) = (subjects.clone(), resources.clone());
        subjects.push("unknown");
        resources.push("unknown");
        for subject in &subjects {
            let subject = party(subject_type, *subject, of_subject, says & 1 == 1);
            for resource in &resources {
                let inquiry = with(subject, party(resource_type, *resource, of_resource, says & 2 == 2));
                let expected = world.by_cedar(&inquiry);
                prop_assert_eq!(world.decide(&inquiry), expected, "{:?}", inquiry);
                permitted += usize::from(expected);
            }
            let inquiry = with(subject, party(resource_type, "", of_resource, true));
            let is_permitted = |id: &&&str| {
                world.by_cedar(&Inquiry {
                    resource: Party { entity_type: resource_type, id, properties: None },
                    ..inquiry
                })
            };
            let expected: Vec<_> = known_resources.iter().filter(is_permitted).copied().collect();
            for limit in [1, 100] {
                prop_assert_eq!(
                    world.search(store, Sought::Resources, &inquiry, limit),
                    expected.clone(),
                    "{:?}",
                    inquiry
                );
            }
            found += expected.len();
        }
        for resource in &resources {
            let inquiry = with(
                party(subject_type, "", of_subject, true),
                party(resource_type, *resource, of_resource, says & 2 == 2),
            );
            let is_permitted = |id: &&&str| {
                world.by_cedar(&Inquiry {
                    subject: Party { entity_type: subject_type, id, properties: None },
                    ..inquiry
                })
            };
            let expected: Vec<_> = known_subjects.iter().filter(is_permitted).copied().collect();
            prop_assert_eq!(world.search(store, Sought::Subjects, &inquiry, 2), expected, "{:?}", inquiry);
            let inquiry = with(party(subject_type, "p1", of_subject, says & 1 == 1), inquiry.resource);
            let expected: Vec<_> = ["list", "read", "write"]
                .into_iter()
                .filter(|action| world.by_cedar(&Inquiry { action, action_properties: None, ..inquiry }))
                .collect();
            // Of a context, what an action does not know does not count for it.
            if context.is_empty() {
                prop_assert_eq!(world.search(store, Sought::Actions, &inquiry, 1), expected, "{:?}", inquiry);
            }
        }
    }
    Ok((permitted, found))
}

fn store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("gatepost.db")).unwrap();
    (folder, store)
}

#[test]
fn both_outcomes_come_about() {
    let (_folder, store) = store();
    let (mut permitted, mut found) = (0, 0);
    for seed in 0..8_u32 {
        let numbers: Vec<u8> =
            (0..200_u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 13) as u8).collect();
        let mut dice = Dice(numbers.iter());
        let more = compare(&World::new(&mut dice), &store, &mut dice).unwrap();
        permitted += more.0;
        found += more.1;
    }
    assert!(permitted > 50 && found > 25, "{permitted} {found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn questions_and_searches_are_answered_as_cedar_says(numbers in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_folder, store) = store();
        let mut dice = Dice(numbers.iter());
        compare(&World::new(&mut dice), &store, &mut dice)?;
    }
}

#[test]
fn the_prospect_tells_where_there_is_nothing() {
    use super::prospect::{Prospect, prospect};
    let world = World::new(&mut Dice([0; 0].iter()));
    let party = |entity_type, id| Party { entity_type, id, properties: None };
    let inquiry = |action, resource_type, id| Inquiry {
        subject: party("person", ""),
        action,
        action_properties: None,
        resource: party(resource_type, id),
        context: None,
    };
    let of = |inquiry: Inquiry<'_>| prospect(&world.generation, &nothing, Sought::Subjects, &inquiry);
    // All policies are there: who may list what is good must be one of these, or in one of them.
    let Prospect::Within(within) = of(inquiry("list", "kind", "good")).unwrap() else { panic!("anywhere") };
    let mut within: Vec<_> = within.iter().map(ToString::to_string).collect();
    within.sort();
    assert_eq!(within, [r#"person::"p1""#, r#"person::"p2""#, r#"team::"a""#]);
    let Prospect::Within(within) = of(inquiry("list", "kind", "bad")).unwrap() else { panic!("anywhere") };
    assert_eq!(within.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"person::"p1""#]);
    assert_eq!(of(inquiry("read", "doc", "d2")).unwrap(), Prospect::Anywhere);
    let said = json!({"from": "127.0.0.1"});
    let from_here = Party { properties: said.as_object(), ..party("doc", "d2") };
    assert_eq!(of(Inquiry { resource: from_here, ..inquiry("read", "doc", "d2") }).unwrap(), Prospect::None);
    assert!(of(inquiry("read", "folder", "f1")).is_err());
}
