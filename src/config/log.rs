//! What is told, and where.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section =
    Section { name: "log", doc: "What is told, and where.", keys: &[&FORMAT, &LEVEL, &DECISIONS] };

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

static DECISIONS: Key = Key {
    name: "log.decisions",
    shape: Shape::Text("`stderr`, `stdout`, `off`, or the path of a file, with a `/` or a `.` in it"),
    default: Some("stderr"),
    doc: "Where the decision log goes: one line of JSON for each decision.",
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

/// Where the decision log goes.
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
        let decisions = reader.one(&DECISIONS, |text| match text {
            "stderr" => Some(DecisionTarget::Stderr),
            "stdout" => Some(DecisionTarget::Stdout),
            "off" => Some(DecisionTarget::Off),
            // A bare word is rather a mistyped one of the above than a file.
            path => path.contains(['/', '.']).then(|| DecisionTarget::File(path.into())),
        });
        Some(Self { format: format?, level: level?, decisions: decisions? })
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
