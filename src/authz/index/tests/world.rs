//! Small random worlds: a schema, policies, entities and requests that have much to do with each other.

use cedar_policy::{Context, Entities, EntityUid, PolicySet, Request, Schema};
use serde_json::{Value, json};

/// Choices, made by numbers that are given: fewer and smaller numbers make simpler worlds, so failures shrink.
pub(in crate::authz) struct Dice(std::vec::IntoIter<u16>);

impl Dice {
    pub(in crate::authz) fn new(numbers: Vec<u16>) -> Self {
        Self(numbers.into_iter())
    }

    /// The same for each seed (Knuth's linear congruential generator).
    pub(in crate::authz) fn seeded(mut seed: u64) -> Self {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 48) as u16
        };
        Self::new(std::iter::repeat_with(next).take(600).collect())
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        of.iter().copied().filter(|_| self.below(2) == 1).collect()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

const PRINCIPALS: [&str; 2] = ["User", "Robot"];
const RESOURCES: [&str; 4] = ["Den::Doc", "Folder", "Lab::Doc", "User"];
const GROUPS: [&str; 2] = ["Team", "Folder"];
/// In no schema.
const UNKNOWN_TYPE: &str = "Ghost";
const IDS: [&str; 4] = ["0", "1", "2", "3"];
const ACTIONS: [&str; 5] =
    ["Action::\"b\"", "Action::\"c\"", "Action::\"e\"", "Den::Action::\"a\"", "Lab::Action::\"a\""];
const ACTION_GROUPS: [&str; 2] = ["Action::\"g\"", "Action::\"h\""];
const UNKNOWN_ACTION: &str = "Action::\"unknown\"";

/// What belongs together.
pub(in crate::authz) struct World {
    pub(in crate::authz) schema: Schema,
    pub(in crate::authz) text: String,
    pub(in crate::authz) policies: PolicySet,
    pub(in crate::authz) entities: Entities,
    pub(in crate::authz) requests: Vec<Request>,
    /// Whether actions and entities are in what the schema says that they can be in, and nothing else.
    pub(in crate::authz) is_by_the_schema: bool,
}

impl World {
    pub(in crate::authz) fn new(dice: &mut Dice) -> Self {
        let schema = schema(dice);
        let text: String = (0..1 + dice.below(12)).map(|at| policy(dice, at)).collect();
        let policies = with_ids(&text);
        let is_by_the_schema = !dice.one_in(3);
        let entities = entities(dice, &schema, is_by_the_schema);
        let requests = (0..4).map(|_| request(dice)).collect();
        Self { schema, text, policies, entities, requests, is_by_the_schema }
    }
}

fn schema(dice: &mut Dice) -> Schema {
    let attributes = "{ level: Long, flag: Bool, owner: User, name?: String }";
    let context = "{ mfa: Bool, n: Long, note?: String }";
    let mut text = format!(
        "entity Team in [Team]; entity User in [Team] {attributes}; entity Folder in [Folder] {attributes};
         entity Robot in [{}] {attributes};",
        if dice.one_in(2) { "Team, User" } else { "" },
    );
    text += "action g; action h";
    text += if dice.one_in(2) { " in [g];" } else { ";" };
    let applies = |dice: &mut Dice| {
        let mut types = |all: &[&'static str]| {
            let some = dice.some(all);
            if some.is_empty() { all[0].to_owned() } else { some.join(", ") }
        };
        let (principals, resources) = (types(&PRINCIPALS), types(&RESOURCES));
        format!("appliesTo {{ principal: [{principals}], resource: [{resources}], context: {context} }};")
    };
    for action in ["b", "c", "e"] {
        let groups = match dice.some(&["g", "h"]).join(", ") {
            none if none.is_empty() => none,
            some => format!("in [{some}]"),
        };
        text += &format!("action {action} {groups} {}", applies(dice));
    }
    for namespace in ["Den", "Lab"] {
        text += &format!("namespace {namespace} {{ entity Doc in [Folder] {attributes};");
        text += &format!("action a in [Action::\"g\"] {} }}", applies(dice));
    }
    Schema::from_cedarschema_str(&text).unwrap_or_else(|error| panic!("{text}: {error:?}")).0
}

/// With the identifiers `p0`, `p1` and so on, in an order that is not theirs.
fn with_ids(text: &str) -> PolicySet {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn uid(dice: &mut Dice, types: &[&str]) -> String {
    let entity_type = if dice.one_in(24) { UNKNOWN_TYPE } else { dice.pick(types) };
    format!("{entity_type}::\"{}\"", dice.pick(&IDS))
}

fn action(dice: &mut Dice) -> &'static str {
    match dice.below(16) {
        0..12 => dice.pick(&ACTIONS),
        12..15 => dice.pick(&ACTION_GROUPS),
        _ => UNKNOWN_ACTION,
    }
}

fn policy(dice: &mut Dice, at: usize) -> String {
    let effect = if dice.one_in(3) { "forbid" } else { "permit" };
    let side = |dice: &mut Dice, name: &str, types: &[&'static str]| match dice.below(8) {
        0..3 => name.to_owned(),
        3 => format!("{name} is {}", dice.pick(types)),
        4 => format!("{name} == {}", uid(dice, types)),
        5 | 6 => {
            let groups = [types, &GROUPS].concat();
            format!("{name} in {}", uid(dice, &groups))
        }
        _ => format!("{name} is {} in {}", dice.pick(types), uid(dice, &GROUPS)),
    };
    let principal = side(dice, "principal", &PRINCIPALS);
    let resource = side(dice, "resource", &RESOURCES);
    let action = match dice.below(5) {
        0 | 1 => "action".to_owned(),
        2 => format!("action == {}", action(dice)),
        3 => format!("action in {}", action(dice)),
        _ => {
            let listed: Vec<&str> = (0..1 + dice.below(4)).map(|_| action(dice)).collect();
            format!("action in [{}]", listed.join(", "))
        }
    };
    let conditions: String = (0..dice.below(3))
        .map(|_| {
            let word = if dice.one_in(3) { "unless" } else { "when" };
            format!(" {word} {{ {} }}", condition(dice, 2))
        })
        .collect();
    format!("@id(\"{at}\") {effect} ({principal}, {action}, {resource}){conditions};\n")
}

fn condition(dice: &mut Dice, depth: usize) -> String {
    const LEAVES: [&str; 17] = [
        "true",
        "context.mfa",
        "principal.flag",
        "resource.flag",
        "resource.owner == principal",
        "resource has name && resource.name == \"x\"",
        "action in Action::\"g\"",
        "action in [Action::\"b\", Action::\"h\"]",
        "principal in Team::\"0\"",
        "context has note && context.note like \"x*\"",
        // These can fail.
        "principal.level + 1 > resource.level",
        "context.n * 4611686018427387904 == 0",
        "resource.owner.flag",
        "resource.owner.level - context.n < 3",
        // These do not fit the schema.
        "resource.name == \"x\"",
        "principal.nothing",
        "principal.level",
    ];
    if depth == 0 || !dice.one_in(2) {
        return dice.pick(&LEAVES).to_owned();
    }
    let (a, b) = (condition(dice, depth - 1), condition(dice, depth - 1));
    match dice.below(4) {
        0 => format!("!({a})"),
        1 => format!("({a}) && ({b})"),
        2 => format!("({a}) || ({b})"),
        _ => format!("if {a} then {b} else {a}"),
    }
}

fn entities(dice: &mut Dice, schema: &Schema, by_the_schema: bool) -> Entities {
    let mut all = Vec::new();
    for (entity_type, groups) in [
        ("Team", &["Team"][..]),
        ("User", &["Team"]),
        ("Folder", &["Folder"]),
        ("Robot", &["Team", "User"]),
        ("Den::Doc", &["Folder"]),
        ("Lab::Doc", &["Folder"]),
    ] {
        for (at, id) in IDS.into_iter().enumerate().filter(|_| !dice.one_in(8)).collect::<Vec<_>>() {
            let parents = if entity_type == "Robot" && by_the_schema { &[][..] } else { groups };
            let parents: Vec<Value> = (0..if parents.is_empty() { 0 } else { dice.below(3) })
                .filter_map(|_| {
                    let (parent, id) = (dice.pick(parents), dice.below(IDS.len()));
                    // No circles.
                    let is_before = parent != entity_type || id < at;
                    is_before.then(|| json!({"type": parent, "id": IDS[id]}))
                })
                .collect();
            let attrs = if entity_type == "Team" { json!({}) } else { attributes(dice) };
            all.push(json!({"uid": {"type": entity_type, "id": id}, "attrs": attrs, "parents": parents}));
        }
    }
    let mut actions: Vec<Value> = Vec::new();
    for action in schema.action_entities().unwrap().iter() {
        let mut json = action.to_json_value().unwrap();
        if !by_the_schema && dice.one_in(2) {
            continue;
        }
        if !by_the_schema && dice.one_in(2) && !["g", "h"].contains(&action.uid().id().unescaped()) {
            json["parents"].as_array_mut().unwrap().push(json!({"type": "Action", "id": "h"}));
        }
        actions.push(json);
    }
    all.extend(actions);
    Entities::from_json_value(Value::Array(all.clone()), None).unwrap_or_else(|error| panic!("{all:?}: {error:?}"))
}

fn attributes(dice: &mut Dice) -> Value {
    let level = [0, 1, i64::MAX][dice.below(3)];
    let mut attrs = json!({
        "level": level, "flag": dice.one_in(2),
        "owner": {"__entity": {"type": "User", "id": dice.pick(&IDS)}},
    });
    if dice.one_in(2) {
        attrs["name"] = json!(dice.pick(&["x", "y"]));
    }
    if dice.one_in(16) {
        attrs.as_object_mut().unwrap().remove("level");
    }
    attrs
}

fn request(dice: &mut Dice) -> Request {
    let mut context = json!({"mfa": dice.one_in(2), "n": dice.below(3)});
    if dice.one_in(2) {
        context["note"] = json!(dice.pick(&["x1", "y"]));
    }
    let principal: EntityUid = uid(dice, &PRINCIPALS).parse().unwrap();
    let action: EntityUid = action(dice).parse().unwrap();
    let resource: EntityUid = uid(dice, &RESOURCES).parse().unwrap();
    Request::new(principal, action, resource, Context::from_json_value(context, None).unwrap(), None).unwrap()
}
