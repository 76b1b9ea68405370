use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fields(value: Value) -> Attributes {
    value.as_object().unwrap().clone()
}

fn cause<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

fn whole() -> Value {
    json!({
        "subject": {"type": "user", "id": "ada", "properties": {"a": 1}},
        "action": {"name": "read", "properties": {"b": 2}},
        "resource": {"type": "record", "id": "r"},
        "context": {"c": 3},
    })
}

#[test]
fn a_question_has_its_parts() {
    let fields = fields(whole());
    let inquiry = Parts::read(&fields).unwrap().inquiry().unwrap();
    assert_eq!((inquiry.subject.entity_type, inquiry.subject.id, inquiry.action), ("user", "ada", "read"));
    assert_eq!(inquiry.subject.properties.unwrap()["a"], 1);
    assert_eq!(inquiry.action_properties.unwrap()["b"], 2);
    assert_eq!((inquiry.resource.id, inquiry.resource.properties), ("r", None));
    assert_eq!(inquiry.context.unwrap()["c"], 3);
}

#[test]
fn what_is_missing_or_of_another_type_is_named() {
    let missing = |path: &[&str]| {
        let mut body = whole();
        let (last, parents) = path.split_last().unwrap();
        let within = parents.iter().fold(&mut body, |value, name| &mut value[*name]);
        within.as_object_mut().unwrap().remove(*last);
        let fields = fields(body);
        cause(Parts::read(&fields).and_then(|parts| parts.inquiry().map(|_| ())))
    };
    assert_eq!(missing(&["subject"]), "`subject` is missing");
    assert_eq!(missing(&["subject", "id"]), "`subject.id` is missing");
    assert_eq!(missing(&["action", "name"]), "`action.name` is missing");
    assert_eq!(missing(&["resource", "type"]), "`resource.type` is missing");
    for (name, value, expected) in [
        ("subject", json!("ada"), "`subject` is not an object"),
        ("subject", json!(null), "`subject` is not an object"),
        ("context", json!([]), "`context` is not an object"),
        ("action", json!({"name": 1}), "`action.name` is not a string"),
        ("action", json!({"name": "x", "properties": 1}), "`properties` is not an object"),
    ] {
        let mut body = whole();
        body[name] = value;
        let fields = fields(body);
        assert_eq!(cause(Parts::read(&fields).and_then(|parts| parts.inquiry().map(|_| ()))), expected);
    }
}

#[test]
fn what_an_evaluation_says_counts_as_a_whole() {
    let top = fields(whole());
    let defaults = Parts::read(&top).unwrap();
    let item = json!({"subject": {"id": "bob"}, "context": {}});
    let inquiry = defaults.or_default(&item).unwrap().inquiry().unwrap();
    assert_eq!((inquiry.subject.entity_type, inquiry.subject.id), ("user", "bob"), "but for what it must have");
    assert_eq!(inquiry.subject.properties, None, "properties are not mixed");
    assert_eq!(inquiry.context.map(Attributes::len), Some(0));
    assert_eq!((inquiry.action, inquiry.resource.id), ("read", "r"));
    assert_eq!(cause(defaults.or_default(&json!(1)).map(|_| ())), "the evaluation is not an object");
}

#[test]
fn what_is_searched_for_need_not_be_named_and_is_not_looked_at() {
    let fields = fields(whole());
    let parts = Parts::read(&fields).unwrap();
    let subjects = parts.search(Sought::Subjects).unwrap();
    assert_eq!((subjects.subject.id, subjects.subject.properties), ("", None));
    let actions = parts.search(Sought::Actions).unwrap();
    assert_eq!((actions.action, actions.action_properties), ("", None));
    let mut body = whole();
    body.as_object_mut().unwrap().remove("action");
    let without_action = body.as_object().unwrap();
    assert!(Parts::read(without_action).unwrap().search(Sought::Actions).is_ok());
    assert!(Parts::read(without_action).unwrap().search(Sought::Subjects).is_err());
}

proptest! {
    #[test]
    fn any_body_is_an_object_or_refused(body in proptest::collection::vec(any::<u8>(), 0..64), text in "[{}\\[\\]\":,a0 \\\\u]{0,40}") {
        for body in [body.as_slice(), text.as_bytes()] {
            if let Ok(fields) = parse(body) {
                prop_assert_eq!(&serde_json::from_slice::<Value>(body).unwrap(), &Value::Object(fields));
            }
        }
    }
}
