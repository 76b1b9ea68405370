use std::fs;
use std::process::Command;

use super::*;
use crate::authz::generation::{Found, load};

/// A folder with one policy, one invariant about it, and a program in place of the solver.
struct Folder(tempfile::TempDir);

impl Folder {
    /// The solver answers each question with these lines of a shell script.
    fn new(answer: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path("policies/invariants")).unwrap();
        let view = "permit (principal is User, action == Action::\"View\", resource is Device)";
        fs::write(folder.path("policies/own.cedar"), format!("{view} when {{ principal in resource.operators }};"))
            .unwrap();
        let never = "// Never.\n@id(\"never\")\nforbid (principal, action == Action::\"View\", resource is Device);";
        fs::write(folder.path("policies/invariants/own.cedar"), never).unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo version 0; exit; }}\necho $$ >> \"${{0%/*}}/started\"\n\
             while read -r line; do\ncase \"$line\" in *check-sat*) {answer} ;; esac\ndone\n"
        );
        // No process that another test starts meanwhile may have it open for writing, so another one writes it.
        let write = "printf '%s' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("/bin/sh");
        assert!(shell.args(["-c", write]).arg(folder.path("cvc5")).arg(script).status().unwrap().success());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn source(&self) -> Source {
        Source { policies: self.path("policies").into(), schema: crate::config::Folder::BuiltIn, tests: true }
    }

    fn proofs(&self, prove: Prove) -> Proofs {
        let program = self.path("cvc5");
        Proofs { find: Box::new(move || Some(program.clone())), ..Proofs::new(prove, Duration::from_secs(60)) }
    }

    fn started(&self) -> usize {
        fs::read_to_string(self.path("started")).unwrap_or_default().lines().count()
    }

    fn check(&self, proofs: &Proofs) -> Result<(), String> {
        let source = self.source();
        let generation = load(&source, 1, &[]).unwrap();
        let told = proofs.check(&generation, Found::read(&source).stated(), &source);
        told.map_err(|error| error.problems()[0].to_string().replace(&format!("{}/", self.0.path().display()), ""))
    }
}

const CANNOT: &str = "policies/invariants/own.cedar:2:1: whether the invariant `never` holds cannot be told: User, Action::\"View\", Device: ";

#[test]
fn only_what_is_asked_for_is_proved() {
    let folder = Folder::new("echo unsat");
    assert_eq!(folder.check(&folder.proofs(Prove::Off)), Ok(()));
    assert_eq!(folder.started(), 0);
    let proofs = folder.proofs(Prove::Required);
    assert_eq!((folder.check(&proofs), folder.started()), (Ok(()), 1));
    // What is proved is so for good.
    proofs.ask_again();
    assert_eq!((folder.check(&proofs), folder.started()), (Ok(()), 1));
    // Another invariant by the same name in the same place, by its first line.
    fs::write(
        folder.path("policies/invariants/own.cedar"),
        "// Never.\n@id(\"never\")\nforbid (principal, action, resource);",
    )
    .unwrap();
    assert_eq!((folder.check(&proofs), folder.started()), (Ok(()), 2));
}

#[test]
fn what_cannot_be_told_is_a_problem_only_where_a_proof_is_required() {
    for (answer, because) in [
        ("echo unknown", "the solver gave no answer within 60s"),
        ("echo hello", "unrecognized solver output: hello"),
        ("exit 3", "solver error: Solver process terminated unexpectedly with status: Some(3)"),
    ] {
        let folder = Folder::new(answer);
        assert_eq!(folder.check(&folder.proofs(Prove::Available)), Ok(()), "{answer}");
        let proofs = folder.proofs(Prove::Required);
        let told = folder.check(&proofs).unwrap_err();
        assert!(told.starts_with(&format!("{CANNOT}{because}")), "{told}");
        // Only whoever wants to know has it asked again.
        let before = folder.started();
        assert_eq!((folder.check(&proofs), folder.started()), (Err(told.clone()), before));
        proofs.ask_again();
        assert_eq!((folder.check(&proofs), folder.started()), (Err(told), before + 1));
    }
}

#[test]
fn without_a_solver_or_without_invariants_nothing_is_proved() {
    let folder = Folder::new("echo unsat");
    let without = |prove| Proofs { find: Box::new(|| None), ..Proofs::new(prove, Duration::from_secs(1)) };
    assert_eq!(folder.check(&without(Prove::Available)), Ok(()));
    let told = folder.check(&without(Prove::Required)).unwrap_err();
    assert!(
        told.starts_with("policies/invariants: the invariants cannot be proved\n  help: no solver is installed"),
        "{told}"
    );
    fs::remove_file(folder.path("cvc5")).unwrap();
    let told = folder.check(&folder.proofs(Prove::Required)).unwrap_err();
    assert!(told.contains("cannot run the solver"), "{told}");
    fs::write(folder.path("policies/invariants/own.cedar"), "forbid (principal, action == Action::\"Fly\", resource);")
        .unwrap();
    for prove in [Prove::Available, Prove::Required] {
        let told = folder.check(&without(prove)).unwrap_err();
        assert!(told.starts_with("policies/invariants/own.cedar:1:"), "{told}");
    }
    fs::remove_dir_all(folder.path("policies/invariants")).unwrap();
    assert_eq!(folder.check(&without(Prove::Available)), Ok(()));
    assert!(folder.check(&without(Prove::Required)).unwrap_err().contains("there is nothing to prove"));
}

#[tokio::test]
async fn a_thread_of_asynchronous_tasks_may_wait_for_it_and_stopping_ends_it() {
    let folder = Folder::new("echo unsat");
    assert_eq!(folder.check(&folder.proofs(Prove::Required)), Ok(()));
    let folder = Folder::new("echo unknown");
    let proofs = folder.proofs(Prove::Available);
    proofs.stop();
    assert_eq!(
        folder.check(&proofs),
        Err("policies/invariants: the proofs were interrupted: the program ends".to_owned())
    );
}
