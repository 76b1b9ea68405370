//! Where the policies are, and how changes get in.

use std::path::PathBuf;
use std::time::Duration;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section = Section {
    name: "policy",
    doc: "Where the policies are, and how changes get in.",
    keys: &[&POLICIES, &SCHEMA, &TESTS, &PROVE, &PROVE_TIMEOUT_SECS, &WATCH, &SHADOW],
};

static POLICIES: Key = Key {
    name: "policy.policies",
    shape: Shape::Text("the path of a folder"),
    default: Some("policies"),
    doc: "The folder of the Cedar policies; where it does not exist, built-in copies are used.",
};

static SCHEMA: Key = Key {
    name: "policy.schema",
    shape: Shape::Text("the path of a folder"),
    default: Some("schema"),
    doc: "The folder of the Cedar schema, the routes and the entities; where it does not exist, built-in copies are used.",
};

static WATCH: Key = Key {
    name: "policy.watch",
    shape: Shape::Flag,
    default: Some("true"),
    doc: "Whether changes in the folders are put into force by themselves; without it, SIGHUP and the API do.",
};

static TESTS: Key = Key {
    name: "policy.tests",
    shape: Shape::Flag,
    default: Some("true"),
    doc: "Whether policies go into force only if the tests in their folder `tests`, if there is one, pass.",
};

static PROVE: Key = Key {
    name: "policy.prove",
    shape: Shape::Text("`off`, `available` or `required`"),
    default: Some("off"),
    doc: "Whether policies go into force only if no invariant in their folder `invariants` is refuted by the solver cvc5: \
          `available`, if one is installed; `required`, only if each is proved.",
};

static PROVE_TIMEOUT_SECS: Key = Key {
    name: "policy.prove_timeout_secs",
    shape: Shape::Number(1..=600),
    default: Some("10"),
    doc: "How many seconds the solver may take for each of its questions, of which an invariant takes many.",
};

static SHADOW: Key = Key {
    name: "policy.shadow",
    shape: Shape::Text("the path of a folder"),
    default: None,
    doc: "A folder of candidate policies, which are asked what they would decide beside those in force; nothing else \
          comes of it than lines in the shadow log and metrics.",
};

/// Where the policies are, and how changes get in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The folder of the Cedar policies.
    pub policies: PathBuf,
    /// The folder of the Cedar schema, the routes and the entities.
    pub schema: PathBuf,
    /// Whether they are watched.
    pub watch: bool,
    /// Whether the tests beside the policies must pass.
    pub tests: bool,
    /// Whether the invariants beside the policies must hold.
    pub prove: Prove,
    /// How long the solver may take for each question.
    pub prove_timeout: Duration,
    /// The folder of candidate policies, if there is one.
    pub shadow: Option<PathBuf>,
}

/// Whether invariants must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prove {
    /// It is not looked into.
    Off,
    /// None may be refuted, if there is a solver.
    Available,
    /// There must be some, and each must be proved.
    Required,
}

impl Policy {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let policies = reader.one(&POLICIES, |text| Some(text.into()));
        let schema = reader.one(&SCHEMA, |text| Some(text.into()));
        let (tests, watch) = (reader.flag(&TESTS), reader.flag(&WATCH));
        let shadow = reader.optional(&SHADOW, |text| (!text.is_empty()).then(|| text.into()));
        let prove = reader.one(&PROVE, |text| match text {
            "off" => Some(Prove::Off),
            "available" => Some(Prove::Available),
            "required" => Some(Prove::Required),
            _ => None,
        });
        let prove_timeout = reader.number(&PROVE_TIMEOUT_SECS).map(Duration::from_secs);
        Some(Self {
            policies: policies?,
            schema: schema?,
            watch: watch?,
            tests: tests?,
            prove: prove?,
            prove_timeout: prove_timeout?,
            shadow: shadow?,
        })
    }
}
