//! `gatepost policy`.

mod check;
mod export;
mod fmt;
mod folders;
mod history;
mod last_good;
mod lost_tests;
mod odd_files;
mod recorded;
mod sarif;
mod shadow;
mod sides;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::program::Program;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/corpus");

/// A program with a copy of the corpus in its folder.
fn with_corpus() -> Program {
    let program = Program::new();
    for folder in ["data", "tests"] {
        let copy = program.folder().join("corpus").join(folder);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(Path::new(CORPUS).join(folder)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    program
}

fn edit(program: &Program, path: &str, from: &str, to: &str) {
    let path = program.folder().join("corpus").join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_index_and_cedar_answer_as_the_corpus_expects() {
    let program = Program::new();
    for folder in [CORPUS, &format!("{CORPUS}/tests")] {
        let run = program.run(&["policy", "corpus", folder]);
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "3 tests, 13 requests: no difference\n", ""));
    }
    let document = program.json(&["policy", "corpus", CORPUS]);
    assert_eq!(document, json!({"tests": 3, "requests": 13, "differences": []}));
}

#[test]
fn a_wrong_expectation_is_told_with_its_file_and_request() {
    let program = with_corpus();
    edit(&program, "tests/lending.json", "\"decision\": \"allow\"", "\"decision\": \"deny\"");
    edit(&program, "tests/odd.json", "\"errors\": [\"policy1\"]", "\"errors\": []");
    edit(&program, "tests/odd.json", "\"shouldValidate\": false", "\"shouldValidate\": true");
    let run = program.run(&["policy", "corpus", "corpus"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert_eq!(
        run.out,
        "tests/lending.json: a member reads, for two reasons: decision: expected \"deny\", Cedar says \"allow\", the \
         index says \"allow\"\n\
         tests/odd.json: the policies do not fit the schema, expected was that they fit\n\
         tests/odd.json: a type that the schema does not have: errors: expected [], Cedar says [\"policy1\"], the index \
         says [\"policy1\"]\n\
         3 tests, 13 requests: 3 differences\n"
    );
    let run = program.run(&["policy", "corpus", "corpus", "--output", "json"]);
    let document = run.json();
    assert_eq!((run.code, &document["differences"].as_array().unwrap().len()), (1, &3));
    assert_eq!(
        document["differences"][0],
        json!({
            "kind": "answer", "file": "tests/lending.json", "request": "a member reads, for two reasons",
            "part": "decision", "expected": "deny", "cedar": "allow", "index": "allow"
        })
    );
}

#[test]
fn what_cannot_be_run_is_no_success() {
    let program = with_corpus();
    edit(&program, "tests/lending.json", "{\"day\": 1}", "{\"day\": \"x\"}");
    edit(&program, "tests/odd.json", "data/odd.cedar", "data/none.cedar");
    edit(&program, "tests/json.json", "\"reason\"", "\"raisin\"");
    fs::write(program.folder().join("corpus/tests/broken.json"), "{").unwrap();
    let run = program.run(&["policy", "corpus", "corpus", "--output", "json"]);
    assert_eq!(run.code, 1);
    let document = run.json();
    let errors: Vec<(&Value, &str)> = document["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| (&difference["file"], difference["error"].as_str().unwrap()))
        .collect();
    let expected = [
        ("tests/broken.json", "not JSON"),
        ("tests/json.json", "not a test: requests[0].raisin"),
        ("tests/lending.json", "the request does not fit the schema"),
        ("tests/odd.json", "there is no file `data/none.cedar`"),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for ((file, error), (expected_file, expected)) in errors.iter().zip(expected) {
        assert_eq!(**file, expected_file);
        assert!(error.starts_with(expected), "{error}");
    }

    let empty = Program::new();
    assert!(empty.failure(&["policy", "corpus", "."]).contains("there is no test in `.`"));
    assert!(empty.failure(&["policy", "corpus", "nowhere"]).contains("cannot read the folder `nowhere`"));
}
