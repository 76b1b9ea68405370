use cedar_policy::{Entities as ApiEntities, PolicySet, Schema};
use serde_json::json;

use super::*;

fn filed(policies: &str) -> Filed {
    let door =
        |id: &str, attrs: serde_json::Value| json!({"uid": {"type": "Door", "id": id}, "attrs": attrs, "parents": []});
    let to = |kind: &str, id: &str| json!({"__entity": {"type": kind, "id": id}});
    let entities = json!([
        door("a", json!({"next": to("Door", "b")})),
        door("b", json!({"next": to("Door", "c"), "list": [{"of": to("Door", "a")}]})),
        door("c", json!({"owner": to("User", "u")})),
        door("d", json!({"next": to("Door", "e")})),
        door("e", json!({"next": to("Door", "nowhere")})),
    ]);
    let entities = ApiEntities::from_json_value(entities, None).unwrap();
    let schema = Schema::from_cedarschema_str("entity Door;").unwrap().0;
    let policies: PolicySet = policies.parse().unwrap();
    Filed::new(entities.as_ref().clone()).named_by(&PolicyIndex::new(&policies, &schema))
}

fn uid(id: &str) -> EntityUID {
    format!("Door::\"{id}\"").parse().unwrap()
}

#[test]
fn attributes_lead_from_one_to_the_next() {
    let filed = filed("permit (principal, action, resource);");
    let reach = |id: &str| {
        let mut ids: Vec<_> = filed.reach([&uid(id)]).iter().map(|entity| entity.uid().to_string()).collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(reach("a"), r#"Door::"a" Door::"b" Door::"c""#);
    assert_eq!(reach("d"), r#"Door::"d" Door::"e""#);
    assert_eq!(reach("nowhere"), "");
    for (id, leads) in [("a", true), ("b", true), ("c", true), ("d", false), ("e", false), ("nowhere", false)] {
        assert_eq!(filed.lead_to_store([&uid(id)]), leads, "{id}");
        let resource = Resource::Unregistered { entity_type: "Door".into(), id: id.into() };
        assert_eq!(filed.may_lead_to_store(&resource, Reads::default()), leads, "{id}");
        let other = Resource::Unregistered { entity_type: "Gate".into(), id: id.into() };
        assert!(!filed.may_lead_to_store(&other, Reads::EVERYTHING));
    }
    assert!(filed.named().is_empty());
}

#[test]
fn what_conditions_name_may_be_looked_at_in_every_decision() {
    let filed = filed(
        r#"permit (principal == Door::"d", action, resource) when { Door::"c" has owner || [Door::"x"].contains(principal) };"#,
    );
    assert_eq!(filed.named(), [uid("c")]);
    let resource = Resource::Installation;
    assert!(filed.may_lead_to_store(&resource, Reads::EVERYTHING));
    assert!(!filed.may_lead_to_store(&resource, Reads::default()));
    let roots: Vec<_> = filed.roots(&uid("d"), Reads::EVERYTHING).map(ToString::to_string).collect();
    assert_eq!(roots, [r#"Door::"d""#, r#"Door::"c""#]);
}
