use super::*;

fn formatted(text: &str) -> String {
    format("a.cedar", text).unwrap()
}

#[test]
fn policies_are_laid_out_and_comments_and_the_lines_between_them_are_kept() {
    let text = "// What this file is about.\n\n// The first.\n@id(\"a\")   permit(principal,action==Action::\"View\",\
                resource)   when{principal in resource.observers&&true}; // behind\n\n\n// ---------- more\n\n\n// The \
                second: \"quoted\n@id(\"b;// no comment\") forbid (principal, // who\n action, resource);\n\n// The end.\n\n\
                // Really.\n";
    let laid_out = formatted(text);
    assert_eq!(
        laid_out,
        "// What this file is about.\n\n// The first.\n@id(\"a\")\npermit (\n  principal,\n  action == Action::\"View\",\n  \
         resource\n)\nwhen { principal in resource.observers && true }; // behind\n\n// ---------- more\n\n// The second: \
         \"quoted\n@id(\"b;// no comment\")\nforbid (principal, // who\n  action, resource);\n\n// The end.\n\n// \
         Really.\n"
    );
    assert_eq!(formatted(&laid_out), laid_out);
}

#[test]
fn what_is_not_cedar_has_a_place_and_no_layout() {
    let problems = format("own.cedar", "permit (principal, action, resource)\nwhen { true;").unwrap_err();
    assert!(problems[0].to_string().starts_with("own.cedar:2:"), "{problems:?}");
}

#[test]
fn a_file_of_comments_stays_as_it_is() {
    for text in ["", "// nothing yet\n\n\n// really", "\n\n"] {
        assert_eq!(formatted(text), text);
    }
}

#[test]
fn the_shipped_policies_are_laid_out_so() {
    for (file, text) in [
        ("accounts.cedar", include_str!("../../../../policies/accounts.cedar")),
        ("matrix.cedar", include_str!("../../../../policies/matrix.cedar")),
        ("scopes.cedar", include_str!("../../../../policies/scopes.cedar")),
    ] {
        assert!(formatted(text) == text, "{file}");
    }
}
