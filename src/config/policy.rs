//! Where the policies are, and how changes get in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::key::{Key, Section, Shape};
use super::raw::Origin;
use super::reader::Reader;

/// In place of a folder: what the program carries.
const BUILT_IN: &str = "built-in";

pub(super) static SECTION: Section = Section {
    name: "policy",
    doc: "Where the policies are, and how changes get in.",
    keys: &[&POLICIES, &SCHEMA, &ON_ERROR, &TESTS, &PROVE, &PROVE_TIMEOUT_SECS, &WATCH, &SHADOW],
};

const FOLDER: Shape = Shape::Text("the path of a folder, or `built-in`");

static POLICIES: Key = Key {
    name: "policy.policies",
    shape: FOLDER,
    default: Some("policies"),
    doc: "The folder of the Cedar policies, or `built-in`. Only where no folder is named and there is none by the default \
          name, built-in copies are used.",
};

static SCHEMA: Key = Key {
    name: "policy.schema",
    shape: FOLDER,
    default: Some("schema"),
    doc: "The folder of the Cedar schema, the routes and the entities, or `built-in`, as with the policies.",
};

static ON_ERROR: Key = Key {
    name: "policy.on_error",
    shape: Shape::Text("`auto`, `last_good` or `refuse`"),
    default: Some("auto"),
    doc: "What a server does at its start with files that it cannot take: `last_good` decides by the newest generation in \
          the history, if there is one, until the files are right; `refuse` does not start. `auto` is `refuse` where \
          `--policies` or `--schema` is on the command line, and else `last_good`.",
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
    pub policies: Folder,
    /// The folder of the Cedar schema, the routes and the entities.
    pub schema: Folder,
    /// What a start does with files that cannot be taken.
    pub on_error: OnError,
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

/// What a start does with files that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It decides by the newest generation in the history until they can be.
    LastGood,
    /// It fails.
    Refuse,
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

/// Where files are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// From no folder: the copies that the program carries.
    BuiltIn,
    /// A folder that nobody has named. Where it does not exist, the built-in copies stand in.
    Usual(PathBuf),
    /// A folder that was named. It must exist: decisions by other policies than those that were named are never wished.
    Named {
        /// Its path.
        path: PathBuf,
        /// What has named it, as messages call it, if that can be told.
        by: Option<String>,
    },
}

impl Folder {
    /// What is named by a command line's argument or the like: a path, or `built-in`.
    pub fn named(name: &str, by: Option<String>) -> Self {
        if name == BUILT_IN { Self::BuiltIn } else { Self::Named { path: name.into(), by } }
    }

    /// Its path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn => None,
            Self::Usual(path) | Self::Named { path, .. } => Some(path),
        }
    }

    /// What a key says.
    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Option<Self> {
        let text = reader.one(key, |text| Some(text.to_owned()))?;
        let by = match reader.origin(key) {
            Origin::Default => return Some(Self::Usual(text.into())),
            Origin::File { path, line } => format!("`{}` in {}:{line}", key.name, path.display()),
            Origin::Environment { variable } => format!("`{variable}`"),
            Origin::Flag { flag } => format!("`{flag}`"),
        };
        Some(Self::named(&text, Some(by)))
    }
}

impl From<PathBuf> for Folder {
    /// A folder that must exist.
    fn from(path: PathBuf) -> Self {
        Self::Named { path, by: None }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => path.display().fmt(f),
            None => f.write_str(BUILT_IN),
        }
    }
}

impl Policy {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let (policies, schema) = (Folder::read(reader, &POLICIES), Folder::read(reader, &SCHEMA));
        let (tests, watch) = (reader.flag(&TESTS), reader.flag(&WATCH));
        let shadow = reader.optional(&SHADOW, |text| (!text.is_empty()).then(|| text.into()));
        let prove = reader.one(&PROVE, |text| match text {
            "off" => Some(Prove::Off),
            "available" => Some(Prove::Available),
            "required" => Some(Prove::Required),
            _ => None,
        });
        let is_on_command_line = |key| matches!(reader.origin(key), Origin::Flag { .. });
        let is_typed = [&POLICIES, &SCHEMA].into_iter().any(is_on_command_line);
        let on_error = reader.one(&ON_ERROR, |text| match text {
            // Whoever types a folder means that one, and sees what becomes of it.
            "auto" if is_typed => Some(OnError::Refuse),
            "auto" | "last_good" => Some(OnError::LastGood),
            "refuse" => Some(OnError::Refuse),
            _ => None,
        });
        let prove_timeout = reader.number(&PROVE_TIMEOUT_SECS).map(Duration::from_secs);
        Some(Self {
            policies: policies?,
            schema: schema?,
            on_error: on_error?,
            watch: watch?,
            tests: tests?,
            prove: prove?,
            prove_timeout: prove_timeout?,
            shadow: shadow?,
        })
    }
}
