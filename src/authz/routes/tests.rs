use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::from_cedarschema_str(include_str!("../../../schema/gatepost.cedarschema")).unwrap().0);

fn parse(text: &str) -> Result<Routes, Vec<String>> {
    let actions = Actions::new(&SCHEMA).unwrap();
    Routes::parse("routes.toml", text, &SCHEMA, &actions)
        .map_err(|problems| problems.iter().map(|p| format!("{}: {}", p.line().unwrap_or(0), p.message())).collect())
}

fn shipped() -> Routes {
    parse(include_str!("../../../schema/routes.toml")).unwrap()
}

fn find(routes: &Routes, host: &str, method: &str, target: &str) -> Option<String> {
    let path = CanonicalPath::parse(target.as_bytes()).unwrap();
    let found = routes.find(host, method, &path)?;
    Some(format!("{} {} {}", found.route.action, found.route.resource_type, found.resource_id))
}

fn entry(host: Option<&str>, methods: &str, path: &str, id: &str) -> String {
    let host = host.map(|host| format!("host = \"{host}\"\n")).unwrap_or_default();
    format!(
        "[[route]]\n{host}method = {methods}\npath = \"{path}\"\naction = \"View\"\n\
         resource = {{ type = \"Application\", id = \"{id}\" }}\n"
    )
}

#[test]
fn the_shipped_routes_are_the_table_of_the_design() {
    let routes = shipped();
    for (methods, target, expected) in [
        ("GET HEAD", "/applications/A", "View Application A"),
        ("GET HEAD", "/applications/A/", "View Application A"),
        ("GET HEAD", "/applications/A/members", "View Application A"),
        ("GET HEAD", "/applications/A/members/M", "View Application A"),
        ("GET HEAD", "/applications/A/configuration", "View Application A"),
        ("GET HEAD", "/applications/A/images", "View Application A"),
        ("GET HEAD", "/applications/A/images/", "View Application A"),
        ("GET HEAD", "/applications/A/devices/D/tags/T", "View Application A"),
        ("GET HEAD", "/applications/A/anything/below/it", "View Application A"),
        ("DELETE", "/applications/A", "DeleteApplication Application A"),
        ("POST", "/applications/A/members", "AddMember Application A"),
        ("PATCH", "/applications/A/members/M", "ChangeMember Application A"),
        ("DELETE", "/applications/A/members/M", "RemoveMember Application A"),
        ("POST", "/applications/A/devices", "AddDevice Application A"),
        ("DELETE", "/applications/A/devices/D", "RemoveDevice Application A"),
        ("POST", "/applications/A/devices/D/actions/restart", "DeviceAction Application A"),
        ("PUT DELETE", "/applications/A/devices/D/tags/T", "SetDeviceTag Application A"),
        ("PUT DELETE", "/applications/A/devices/D/variables/V", "SetDeviceVariable Application A"),
        ("POST GET HEAD", "/applications/A/devices/D/ssh", "SshAccess Application A"),
        ("POST GET HEAD", "/applications/A/devices/D/ssh/", "SshAccess Application A"),
        ("POST", "/applications/A/releases", "Push Application A"),
        ("GET HEAD", "/applications/A/images/I", "DownloadImage Application A"),
        ("GET HEAD", "/applications/A/images/I/", "DownloadImage Application A"),
        ("GET HEAD", "/applications/A/images/I/layers/1", "DownloadImage Application A"),
        ("PUT PATCH", "/applications/A/configuration", "Configure Application A"),
        ("PUT DELETE", "/applications/A/variables/V", "SetFleetVariable Application A"),
        ("PUT DELETE", "/applications/A/tags/T", "SetFleetTag Application A"),
        ("POST", "/applications/A/actions/restart", "FleetAction Application A"),
        ("GET HEAD", "/devices/D", "View Device D"),
        ("GET HEAD", "/devices/D/", "View Device D"),
        ("GET HEAD", "/devices/D/logs", "View Device D"),
        ("POST", "/devices/D/actions/restart", "DeviceAction Device D"),
        ("PUT DELETE", "/devices/D/tags/T", "SetDeviceTag Device D"),
        ("PUT DELETE", "/devices/D/variables/V", "SetDeviceVariable Device D"),
        ("POST GET HEAD", "/devices/D/ssh", "SshAccess Device D"),
        ("POST GET HEAD", "/devices/D/ssh/x", "SshAccess Device D"),
        ("GET", "/%61pplications/caf%C3%A9%20x?a=/b", "View Application caf\u{e9} x"),
    ] {
        for method in methods.split(' ') {
            assert_eq!(find(&routes, "any", method, target).as_deref(), Some(expected), "{method} {target}");
        }
    }
}

#[test]
fn what_no_route_takes_is_not_found() {
    let routes = shipped();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/applications"),
        ("GET", "/applications/"),
        ("GET", "/Applications/A"),
        ("GET", "/devices"),
        ("GET", "/devices/"),
        ("get", "/applications/A"),
        ("OPTIONS", "/applications/A"),
        ("", "/applications/A"),
        ("PUT", "/applications/A"),
        ("POST", "/applications/A"),
        ("DELETE", "/applications/A/"),
        ("POST", "/applications/A/members/"),
        ("POST", "/applications/A/devices/D"),
        ("DELETE", "/applications/A/devices/"),
        ("POST", "/applications/A/configuration"),
        ("DELETE", "/devices/D"),
        ("PUT", "/devices/D/tags/"),
        ("PUT", "/devices/D/tags/a/b"),
    ] {
        assert_eq!(find(&routes, "any", method, target), None, "{method} {target}");
    }
}

#[test]
fn the_most_specific_route_wins() {
    let routes = parse(
        &[
            entry(None, r#"["GET"]"#, "/{*rest}", "rest"),
            entry(None, r#"["GET"]"#, "/{a}", "parameter"),
            entry(None, r#"["GET"]"#, "/a", "literal"),
            entry(None, r#"["GET"]"#, "/a/{b}/c", "literal, parameter, literal"),
            entry(None, r#"["GET"]"#, "/{a}/b/{*rest}", "parameter, literal, rest"),
            entry(None, r#"["GET"]"#, "/b/{*rest}", "literal, rest"),
            entry(None, r#"["GET"]"#, "/", "root"),
            entry(None, r#"["GET"]"#, "/a/", "trailing slash"),
            entry(Some("one.example.com"), r#"["GET"]"#, "/{*rest}", "host, rest"),
            entry(Some("two.example.com"), r#"["GET"]"#, "/x", "host, literal"),
        ]
        .concat(),
    )
    .unwrap();
    for (host, target, expected) in [
        ("", "/", "root"),
        ("", "/a", "literal"),
        ("", "/a/", "trailing slash"),
        ("", "/x", "parameter"),
        ("", "/x/", "rest"),
        ("", "/a/b/c", "literal, parameter, literal"),
        ("", "/a/b/d", "parameter, literal, rest"),
        ("", "/a/x/d", "rest"),
        ("", "/b/b/d", "literal, rest"),
        ("", "/b/", "literal, rest"),
        ("one.example.com", "/a", "host, rest"),
        ("one.example.com", "/", "host, rest"),
        ("two.example.com", "/x", "host, literal"),
        ("two.example.com", "/a", "literal"),
        ("TWO.example.com", "/x", "parameter"),
    ] {
        let expected = format!("View Application {expected}");
        assert_eq!(find(&routes, host, "GET", target), Some(expected), "{host} {target}");
    }
}

#[test]
fn many_literals_are_told_apart() {
    let names: Vec<String> = (0..40).map(|n| format!("n{}", n * 7 % 40)).collect();
    let routes: String = names.iter().map(|name| entry(None, r#"["GET"]"#, &format!("/{name}"), name)).collect();
    let routes = parse(&routes).unwrap();
    for name in names {
        assert_eq!(find(&routes, "", "GET", &format!("/{name}")), Some(format!("View Application {name}")));
    }
    assert_eq!(find(&routes, "", "GET", "/n40"), None);
}

#[test]
fn the_resource_is_a_parameter_the_rest_or_a_literal() {
    let routes = parse(
        &[
            entry(None, r#"["GET"]"#, "/a/{x}/{y}", "{y}"),
            entry(None, r#"["GET"]"#, "/b/{*files}", "{files}"),
            entry(None, r#"["GET"]"#, "/c/{x}", "thermostat"),
        ]
        .concat(),
    )
    .unwrap();
    for (target, id) in
        [("/a/1/2", "2"), ("/b/1", "1"), ("/b/1/2/3", "1/2/3"), ("/b/1/", "1/"), ("/b/", ""), ("/c/1", "thermostat")]
    {
        assert_eq!(find(&routes, "", "GET", target), Some(format!("View Application {id}")), "{target}");
    }
}

#[test]
fn every_problem_is_told_with_its_line() {
    let good = entry(None, r#"["GET", "HEAD"]"#, "/a/{x}", "{x}");
    for (from, to, expected) in [
        ("\"View\"", "\"Veiw\"", "4: the schema has no action `Veiw`"),
        ("\"View\"", "\"Tags\"", "5: the action `Tags` does not apply to `Application`"),
        ("\"View\"", "\"SetPlan\"", "5: the action `SetPlan` does not apply to `Application`"),
        ("\"Application\"", "\"App\"", "5: the schema has no entity type `App`"),
        ("\"Application\"", "\"a b\"", "5: the schema has no entity type `a b`"),
        ("\"Application\"", "\"User\"", "5: the action `View` does not apply to `User`"),
        ("\"{x}\"", "\"{y}\"", "5: the path has no parameter `y`"),
        ("\"{x}\"", "\"{*x}\"", "5: the path has no parameter `*x`"),
        ("\"{x}\"", "\"{x}{x}\"", "5: the path has no parameter `x}{x`"),
        ("\"{x}\"", "\"a{x}\"", "5: `a{x}` is neither one parameter of the path, like `{device}`, nor a literal"),
        ("\"{x}\"", "\"\"", "5: `` is neither one parameter of the path, like `{device}`, nor a literal"),
        ("/a/{x}", "/a//{x}", "3: the path has an empty segment, and no request's path has one"),
        ("/a/{x}", "/{x}/{x}", "3: the path has two parameters with the name `x`"),
        ("/a/{x}", "/a/{x}/%61", "3: the path has a percent sign: write the path as it is after decoding"),
        ("/a/{x}", "/{x}/..", "3: the path has a `.` or `..` segment, and no request's path has one"),
        ("/a/{x}", "/{*x}/a", "3: `{*x}` takes all that is left, so it can only be the last segment"),
        ("\"GET\"", "\"get\"", "2: `get` is not a method: methods are written in upper case, like `GET`"),
        ("\"GET\"", "\"\"", "2: `` is not a method: methods are written in upper case, like `GET`"),
        ("\"GET\"", "\"*\"", "2: `*` is not a method: methods are written in upper case, like `GET`"),
        ("\"GET\"", "\"HEAD\"", "2: `HEAD` is listed twice"),
        ("\"GET\", \"HEAD\"", "", "2: a route names at least one method, like `[\"GET\", \"HEAD\"]`"),
        ("method = [\"GET\", \"HEAD\"]\n", "", "1: missing field `method`"),
        (
            "method",
            "methods",
            "2: unknown field `methods`, expected one of `host`, `method`, `path`, `action`, `resource`",
        ),
        ("[\"GET\", \"HEAD\"]", "\"GET\"", "2: invalid type: string \"GET\", expected a sequence"),
        ("type =", "kind =", "5: unknown field `kind`, expected `type` or `id`"),
        ("[[route]]", "[[routes]]", "1: unknown key `routes`: expected `[[route]]`"),
        ("[[route]]", "[route]", "1: expected a list of routes, each of which begins with `[[route]]`"),
        ("[[route]]", "route = [1]", "1: expected a route, which begins with `[[route]]`"),
        ("[[route]]", "[[route]]\nhost = \"A.example.com\"", "2: `A.example.com` is not a host"),
        ("[[route]]", "[[route]]\nhost = \"a.example.com:80\"", "2: `a.example.com:80` is not a host"),
        ("[[route]]", "[[route]]\nhost = \"a.example.com.\"", "2: `a.example.com.` is not a host"),
        ("[[route]]", "[[route]]\nhost = \"*.example.com\"", "2: `*.example.com` is not a host"),
        ("[[route]]", "[[route]]\nhost = \"[::01]\"", "2: `[::01]` is not a host"),
        ("[[route]]", "[[route]]\nhost = \"\"", "2: `` is not a host"),
        ("path =", "path", "3: "),
    ] {
        let problems = parse(&good.replacen(from, to, 1)).map(|_| "parsed").unwrap_err();
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
    assert!(parse(&good.replacen("[[route]]", "[[route]]\nhost = \"[::1]\"", 1)).is_ok());
}

#[test]
fn the_problems_of_all_routes_are_told_at_once() {
    let good = entry(None, r#"["GET"]"#, "/a/{x}", "{x}");
    let text = [
        good.replacen("View", "Veiw", 1).replacen("\"Application\"", "\"App\"", 1).replacen("\"GET\"", "\"get\"", 1),
        good.clone(),
        good.replacen("method", "methods", 1),
        good.replacen("/a/{x}", "/a/{x}/", 1).replacen("\"{x}\"", "\"{y}\"", 1),
    ]
    .concat();
    let problems = parse(&text).map(|_| "parsed").unwrap_err();
    let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(lines, ["2", "4", "5", "12", "20"], "{problems:#?}");
}

#[test]
fn routes_that_tie_are_refused_with_both_lines() {
    for (first, second) in [
        (entry(None, r#"["GET"]"#, "/a/{x}", "x"), entry(None, r#"["HEAD", "GET"]"#, "/a/{y}", "x")),
        (entry(None, r#"["GET"]"#, "/a/{*x}", "x"), entry(None, r#"["GET"]"#, "/a/{*rest}", "x")),
        (entry(None, r#"["GET"]"#, "/", "x"), entry(None, r#"["GET"]"#, "/", "x")),
    ] {
        let problems = parse(&[first, second].concat()).map(|_| "parsed").unwrap_err();
        assert_eq!(problems, ["8: this route and the one on line 1 tie: the same host, method and shape"]);
    }
    let host = Some("a.example.com");
    let tie = [entry(host, r#"["GET"]"#, "/a", "x"), entry(host, r#"["GET"]"#, "/a", "x")].concat();
    assert!(parse(&tie).is_err());
    let apart = [
        entry(host, r#"["GET"]"#, "/a", "x"),
        entry(None, r#"["GET"]"#, "/a", "x"),
        entry(Some("b.example.com"), r#"["GET"]"#, "/a", "x"),
        entry(None, r#"["HEAD"]"#, "/a", "x"),
        entry(None, r#"["GET"]"#, "/a/", "x"),
        entry(None, r#"["GET"]"#, "/{a}", "x"),
        entry(None, r#"["GET"]"#, "/{*a}", "x"),
    ];
    assert!(parse(&apart.concat()).is_ok());
}

/// How specific a route is for a request, most specific first; nothing if it does not take the request.
fn rank(route: &Route, host: &str, method: &str, path: &str) -> Option<(bool, Vec<u8>)> {
    if route.host.as_deref().is_some_and(|named| named != host) || !route.methods.iter().any(|m| **m == *method) {
        return None;
    }
    let pattern: Vec<&str> = route.path.split('/').skip(1).collect();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let mut kinds = Vec::new();
    for (position, part) in pattern.iter().enumerate() {
        let segment = segments.get(position)?;
        if part.starts_with("{*") {
            kinds.push(2);
            return Some((route.host.is_none(), kinds));
        }
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            kinds.push(1);
        } else if part == segment {
            kinds.push(0);
        } else {
            return None;
        }
    }
    (pattern.len() == segments.len()).then_some((route.host.is_none(), kinds))
}

fn table() -> impl Strategy<Value = Vec<(Option<&'static str>, &'static str, String)>> {
    let segment = prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just("ab"), 4 => Just("{}")];
    let path = (proptest::collection::vec(segment, 1..5), 0..4u8).prop_map(|(segments, end)| {
        let mut path = String::new();
        for (position, segment) in segments.iter().enumerate() {
            let _ = write!(path, "/{}", segment.replace("{}", &format!("{{p{position}}}")));
        }
        path + ["", "", "/{*rest}", "/"][usize::from(end)]
    });
    let host = prop_oneof![3 => Just(None), 1 => Just(Some("h")), 1 => Just(Some("i"))];
    proptest::collection::vec((host, prop_oneof![Just("GET"), Just("PUT")], path), 1..24)
}

proptest! {
    #[test]
    fn the_tree_finds_what_a_plain_search_finds(
        table in table(),
        host in "[hij]",
        method in "GET|PUT|POST",
        target in "(/(a|b|ab|c)){1,5}/?",
    ) {
        let shape = |path: &str| path.split('/').map(|part| match part.as_bytes() {
            [b'{', b'*', ..] => "{*}".to_owned(),
            [b'{', ..] => "{}".to_owned(),
            _ => part.to_owned(),
        }).collect::<Vec<_>>();
        let mut seen = std::collections::HashSet::new();
        let text: String = table
            .iter()
            .filter(|(host, method, path)| seen.insert((*host, *method, shape(path))))
            .map(|(host, method, path)| entry(*host, &format!("[\"{method}\"]"), path, "x"))
            .collect();
        let routes = parse(&text).unwrap();
        let path = CanonicalPath::parse(target.as_bytes()).unwrap();
        let expected = routes
            .as_slice()
            .iter()
            .filter_map(|route| Some((rank(route, &host, &method, path.as_str())?, route.line)))
            .min()
            .map(|(_, line)| line);
        prop_assert_eq!(routes.find(&host, &method, &path).map(|found| found.route.line), expected);
    }
}
