//! What changed, as text and as Markdown.

use std::fmt::Write as _;

use serde::Serialize;

use crate::authz::analysis::diff::{ActionProof, Diff, Difference, Proof, Row, Side, Turn, Verdict, rows};
use crate::authz::analysis::solver::HOW_TO_INSTALL;
use crate::cli::output::{aligned, printable};

/// What is compared, and what came of it.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) old: String,
    pub(super) new: String,
    #[serde(flatten)]
    pub(super) diff: Diff,
    /// Whether a solver was looked for.
    #[serde(skip)]
    pub(super) was_asked: bool,
}

impl Report {
    /// Whether it is not certain that the new policies permit nothing more, as far as this was looked into.
    pub(super) fn may_be_wider(&self) -> bool {
        self.may_be(Turn::Opens, |action| &action.wider)
    }

    /// Whether it is not certain that the new policies permit nothing less, as far as this was looked into.
    pub(super) fn may_be_narrower(&self) -> bool {
        self.may_be(Turn::Closes, |action| &action.narrower)
    }

    fn may_be(&self, turn: Turn, side: impl Fn(&ActionProof) -> &Side) -> bool {
        let proofs = self.diff.proof.iter().flat_map(|proof| &proof.actions);
        self.diff.cells.iter().any(|cell| cell.turn == turn) || proofs.map(side).any(|side| !matches!(side, Side::None))
    }

    /// Whether something is not proved.
    pub(super) fn lacks_proof(&self) -> bool {
        let is_certain = |proof: &Proof| proof.actions.iter().all(|action| action.verdict != Verdict::Unknown);
        !self.diff.proof.as_ref().is_some_and(is_certain)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.policies());
        if self.diff.schema_differs {
            text.push_str("the schema differs: what follows is about requests that fit the new one, or are of a kind that only the old one has\n");
        }
        let _ = write!(text, "\n{}\n", self.sum_of_cells());
        let lines: Vec<Vec<String>> = rows(&self.diff.cells)
            .iter()
            .map(|row| {
                let [who, actions, types] = columns(row);
                vec![format!("  {}", row.turn.as_str()), who, actions, format!("on {types}"), when(row)]
            })
            .collect();
        text.push_str(&aligned(&lines));
        let Some(proof) = &self.diff.proof else {
            if self.was_asked {
                let _ = write!(
                    text,
                    "\nnothing is proved about other requests, as no solver is installed\n  help: {HOW_TO_INSTALL}\n"
                );
            }
            return text;
        };
        let _ = write!(text, "\n{}\n", sum_of_proof(proof));
        for action in proof.actions.iter().filter(|action| action.verdict != Verdict::Equivalent) {
            let kinds: Vec<String> =
                action.kinds.iter().map(|kind| format!("{} on {}", kind.principal, kind.resource)).collect();
            let _ = writeln!(text, "  {}: {} ({})", action.action, action.verdict.as_str(), kinds.join(", "));
            for (side, what) in sides(action) {
                match side {
                    Side::None => {}
                    Side::Unknown { because } => {
                        let _ = writeln!(text, "    whether something is {what}: {}", printable(because));
                    }
                    Side::Some(difference) => {
                        let _ = writeln!(text, "    {what}{}:", unconfirmed(difference));
                        difference_lines(difference).iter().for_each(|line| {
                            let _ = writeln!(text, "      {line}");
                        });
                    }
                }
            }
        }
        text
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("### Policies: {} → {}\n\n{}\n", code(&self.old), code(&self.new), self.policies());
        if self.diff.schema_differs {
            text.push_str("\nThe schema differs: what follows is about requests that fit the new one, or are of a kind that only the old one has.\n");
        }
        let _ = write!(text, "\n{}\n", self.sum_of_cells());
        if !self.diff.cells.is_empty() {
            text.push_str("\n| | who | action | resource | when |\n| --- | --- | --- | --- | --- |\n");
        }
        for row in rows(&self.diff.cells) {
            let [who, actions, types] = columns(&row).map(|column| escaped(&column));
            let _ = writeln!(
                text,
                "| **{}** | {who} | {actions} | {types} | {} |",
                row.turn.as_str(),
                escaped(&when(&row))
            );
        }
        let Some(proof) = &self.diff.proof else {
            if self.was_asked {
                text.push_str("\nNothing is proved about other requests, as no solver is installed.\n");
            }
            return text;
        };
        let _ = write!(text, "\n{}\n", sum_of_proof(proof));
        let differing = || proof.actions.iter().filter(|action| action.verdict != Verdict::Equivalent);
        if differing().next().is_some() {
            text.push_str("\n| action | verdict |\n| --- | --- |\n");
        }
        for action in differing() {
            let _ = writeln!(text, "| {} | {} |", escaped(&action.action), action.verdict.as_str());
        }
        for action in differing() {
            for (side, what) in sides(action) {
                match side {
                    Side::None => {}
                    Side::Unknown { because } => {
                        let _ = write!(
                            text,
                            "\n{}, whether something is {what}: {}\n",
                            escaped(&action.action),
                            escaped(because)
                        );
                    }
                    Side::Some(difference) => {
                        let (name, unconfirmed) = (escaped(&action.action), unconfirmed(difference));
                        let lines = difference_lines(difference).join("\n");
                        let _ = write!(
                            text,
                            "\n<details><summary>{name}: {what}{unconfirmed}</summary>\n\n{}\n\n</details>\n",
                            fenced(&lines)
                        );
                    }
                }
            }
        }
        text
    }

    fn policies(&self) -> String {
        let changed: Vec<String> = self
            .diff
            .policies
            .iter()
            .map(|policy| format!("{} ({})", printable(&policy.id), policy.change.as_str()))
            .collect();
        match changed.as_slice() {
            [] => "all policies say the same".to_owned(),
            some => format!("policies that differ: {}", some.join(", ")),
        }
    }

    fn sum_of_cells(&self) -> String {
        let Diff { cells, questions, .. } = &self.diff;
        let differing: usize = cells.iter().map(|cell| cell.questions).sum();
        match (differing, questions) {
            (0, 0) => "every kind of request is decided by the same policies as before".to_owned(),
            (0, _) => format!("all of {questions} questions that other policies are for are answered as before"),
            (some, _) => format!("{some} of {questions} questions that other policies are for are answered otherwise:"),
        }
    }
}

fn sides(action: &ActionProof) -> [(&Side, &'static str); 2] {
    [(&action.wider, "permitted by the new policies only"), (&action.narrower, "permitted by the old policies only")]
}

fn unconfirmed(difference: &Difference) -> &'static str {
    if difference.confirmed { "" } else { " (not confirmed: the engine gives other answers than the solver)" }
}

fn difference_lines(difference: &Difference) -> Vec<String> {
    let request = difference.request.to_string();
    let outcomes = [("old", &difference.old), ("new", &difference.new)].map(|(name, outcome)| {
        let by = match (outcome.errors.first(), outcome.policies.as_slice()) {
            (Some(error), _) => format!(": {error}"),
            (None, []) => ": no policy permits it".to_owned(),
            (None, policies) => format!(" by {}", policies.join(", ")),
        };
        format!("{name}: {}{by}", if outcome.allowed { "permitted" } else { "denied" })
    });
    request.lines().map(str::to_owned).chain(outcomes).map(|line| printable(&line)).collect()
}

fn sum_of_proof(proof: &Proof) -> String {
    let counts = [Verdict::Equivalent, Verdict::OnlyWider, Verdict::OnlyNarrower, Verdict::Both, Verdict::Unknown]
        .map(|verdict| (verdict, proof.actions.iter().filter(|action| action.verdict == verdict).count()));
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(verdict, count)| format!("{count} {}", verdict.as_str())).collect();
    let is_certain = proof.actions.iter().all(|action| action.verdict != Verdict::Unknown);
    let proved = if is_certain { "proved" } else { "not all is proved" };
    format!("over all requests, {proved} by {}: of {} actions {}", proof.solver, proof.actions.len(), counts.join(", "))
}

fn columns(row: &Row) -> [String; 3] {
    [&row.who, &row.actions, &row.resource_types].map(|all| all.join(", "))
}

fn when(row: &Row) -> String {
    let conditions: Vec<String> =
        row.when.iter().map(|condition| format!("{}: {}", condition.what, condition.is.join(" or "))).collect();
    match (conditions.as_slice(), row.exact) {
        ([], true) => "always".to_owned(),
        ([], false) => "sometimes".to_owned(),
        (some, true) => format!("if {}", some.join("; ")),
        (some, false) => format!("sometimes if {}", some.join("; ")),
    }
}

fn code(text: &str) -> String {
    format!("`{}`", printable(text).replace('`', "'"))
}

/// Text of a table's cell.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        if matches!(c, '|' | '<' | '*' | '_' | '`' | '\\' | '[') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A block of text as it is, whatever is in it.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{text}\n{fence}")
}
