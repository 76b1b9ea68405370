//! What is told, and where.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section =
    Section { name: "log", doc: "What is told, and where.", keys: &[&FORMAT, &LEVEL, &DECISIONS, &SHADOW] };

static FORMAT: Key = Key {
    name: "log.format",
    shape: Shape::Text("`auto`, `text` or `json`"),
    default: Some("auto"),
    doc: "How the log on standard error is written; `auto` is text on a terminal and JSON otherwise.",
};

static LEVEL: Key = Key {
    name: "log.level",
    shape: Shape::Text(
        "`error`, `warn`, `info`, `debug`, `trace` or `off`, or directives like info,gatepost::authz=debug",
    ),
    default: Some("info"),
    doc: "What is logged on standard error.",
};

const TARGET: Shape = Shape::Text("`stderr`, `stdout`, `off`, or the path of a file, with a `/` or a `.` in it");

static DECISIONS: Key = Key {
    name: "log.decisions",
    shape: TARGET,
    default: Some("stderr"),
    doc: "Where the decision log goes: one line of JSON for each decision.",
};

static SHADOW: Key = Key {
    name: "log.shadow",
    shape: TARGET,
    default: Some("stderr"),
    doc: "Where the shadow log goes: one line of JSON for each decision on which the policies of `policy.shadow` disagree.",
};

/// What is told, and where.
#[derive(Debug, Clone)]
pub struct Log {
    /// How the log is written.
    pub format: LogFormat,
    /// What is logged: directives that `tracing_subscriber::EnvFilter` accepts.
    pub level: String,
    /// Where the decision log goes.
    pub decisions: DecisionTarget,
    /// Where the shadow log goes.
    pub shadow: DecisionTarget,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// As text on a terminal, and as JSON otherwise.
    Auto,
    /// As text.
    Text,
    /// As JSON.
    Json,
}

/// Where a log of decisions goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionTarget {
    /// To standard error.
    Stderr,
    /// To standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// To the end of a file.
    File(PathBuf),
}

impl Log {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let format = reader.one(&FORMAT, |text| match text {
            "auto" => Some(LogFormat::Auto),
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let level = reader.one(&LEVEL, |text| are_directives(text).then(|| text.to_owned()));
        let (decisions, shadow) =
            (reader.one(&DECISIONS, DecisionTarget::read), reader.one(&SHADOW, DecisionTarget::read));
        Some(Self { format: format?, level: level?, decisions: decisions?, shadow: shadow? })
    }
}

impl DecisionTarget {
    fn read(text: &str) -> Option<Self> {
        match text {
            "stderr" => Some(Self::Stderr),
            "stdout" => Some(Self::Stdout),
            "off" => Some(Self::Off),
            // A bare word is rather a mistyped one of the above than a file.
            path => path.contains(['/', '.']).then(|| Self::File(path.into())),
        }
    }
}

/// A bare word must be a level: the filter would take a mistyped one for a module's name, and log nothing.
fn are_directives(text: &str) -> bool {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_sound = |directive: &str| directive.contains('=') || is_level(directive.trim());
    EnvFilter::try_new(text).is_ok() && text.split(',').all(is_sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_refused() {
        for text in ["info", "off", "warn,gatepost::authz=debug", "INFO", "gatepost=trace, warn"] {
            assert!(are_directives(text), "{text}");
        }
        for text in ["inof", "warning", "gatepost=loud", "info,", "", "info;debug"] {
            assert!(!are_directives(text), "{text}");
        }
    }
}
