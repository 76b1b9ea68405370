#!/usr/bin/env python3
"""The question of compare.sh in the words of each server that is compared.

    questions.py DEMO FOLDER

Reads what `gatepost serve --demo --output json` has printed. For each server with an API of its own writes what it knows
beforehand, two bodies (NAME.allow.json, NAME.deny.json) and a script for wrk that sends the first; and `key` and
`application` for those that are asked as Gatepost is.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The operator may restart a device, and may not push a release.
USER, ALLOWED, DENIED = "oleg", "DeviceAction", "Push"
TEAMS = ["administrator", "developer", "operator", "observer"]


def main():
    demo, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    user = next(user for user in demo["users"] if user["username"] == USER)
    application = demo["application"]["id"]
    members = {user["id"]: user["role"] for user in demo["users"] if user["role"]}
    teams = {f"{team}s": [user for user, role in members.items() if role == team] for team in TEAMS}

    (folder / "key").write_text(user["api_key"])
    (folder / "application").write_text(application)
    resource = {"kind": "application", "id": application, "attr": teams}
    ask(folder, "cerbos", lambda action: {
        "requestId": "compare",
        "principal": {"id": user["id"], "roles": ["user"]},
        "resources": [{"resource": resource, "actions": [action]}],
    })
    (folder / "opa.data.json").write_text(json.dumps({"members": {application: members}}))
    ask(folder, "opa", lambda action: {
        "input": {"principal": user["id"], "action": action, "resource": application},
    })
    (folder / "cedar-agent.data.json").write_text(json.dumps(entities(application, members)))
    (folder / "cedar-agent.policies.json").write_text(json.dumps(policies()))
    ask(folder, "cedar-agent", lambda action: {
        "principal": f'User::"{user["id"]}"',
        "action": f'Action::"{action}"',
        "resource": f'Application::"{application}"',
    })


def ask(folder, name, body):
    for kind, action in [("allow", ALLOWED), ("deny", DENIED)]:
        (folder / f"{name}.{kind}.json").write_text(json.dumps(body(action)))
    text = json.dumps(body(ALLOWED))
    # Set once: wrk makes the request ahead of the load, as it does without a script.
    script = f'wrk.method = "POST"\nwrk.body = [==[{text}]==]\nwrk.headers["Content-Type"] = "application/json"\n'
    (folder / f"{name}.lua").write_text(script)


def entities(application, members):
    """For Cedar: the members in their teams, the application with its teams, and the actions in their columns."""
    def uid(kind, id):
        return {"type": kind, "id": id}

    def entity(kind, id, parents=(), attrs=None):
        return {"uid": uid(kind, id), "parents": list(parents), "attrs": attrs or {}}

    def team(role):
        return uid("Team", f"{application}/{role}s")

    found = [entity("User", user, [team(role)]) for user, role in members.items()]
    found += [entity("Team", team(role)["id"]) for role in TEAMS]
    attributes = {f"{role}s": {"__entity": team(role)} for role in TEAMS}
    found.append(entity("Application", application, attrs=attributes))
    schema = (ROOT / "schema/gatepost.cedarschema").read_text()
    for names, groups in re.findall(r"^action ([\w, ]+?)(?: in \[([\w, ]+)\])?(?: appliesTo \{|;)", schema, re.M):
        parents = [uid("Action", group.strip()) for group in groups.split(",") if group]
        found += [entity("Action", name.strip(), parents) for name in names.split(",")]
    return found


def policies():
    """The matrix alone: cedar-agent's version of Cedar does not have what the other policies use."""
    text = re.sub(r"^//.*$", "", (ROOT / "policies/matrix.cedar").read_text(), flags=re.M)
    found = re.findall(r'@id\("([^"]+)"\)\s*(.*?;)', text, re.S)
    return [{"id": id, "content": content} for id, content in found]


main()
