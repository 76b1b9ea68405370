//! The log of the program on standard error: text for people, JSON for programs.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt as subscriber};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line of text for each event, with colours on a terminal.
    Text,
    /// A line of JSON for each event.
    Json,
}

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is not one.
    #[error("expected a log level or directives like `info,gatepost::authz=debug`, found `{0}`")]
    Level(String),
    /// A log was set up before.
    #[error("the log is set up already")]
    AlreadySet,
}

impl Format {
    /// Text if standard error is a terminal, and JSON otherwise.
    pub fn automatic() -> Self {
        if io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Sends what this process logs to standard error. `level` are directives of [`EnvFilter`].
pub fn init(format: Format, level: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(level).map_err(|_| LogError::Level(level.to_owned()))?;
    let layer = layer(format, io::stderr, io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(|_| LogError::AlreadySet)
}

fn layer<S, W>(format: Format, writer: W, is_terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // An event that cannot be written is lost: reporting it on standard error, where it was to go, would panic.
    let layer = subscriber::layer().with_writer(writer).log_internal_errors(false);
    match format {
        Format::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        Format::Text => {
            // On a terminal the default holds, which is colours unless `NO_COLOR` is set.
            let layer = if is_terminal { layer } else { layer.with_ansi(false) };
            layer.fmt_fields(debug_fn(write_field).delimited(" ")).boxed()
        }
    }
}

/// Writes a field on the event's line. The library's own formatter leaves line breaks in messages and in `%` fields as
/// they are, so that whoever chooses a value could write lines that look like other events.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(OneLine(writer), "{value:?}"),
        name => {
            write!(writer, "{name}=")?;
            write!(OneLine(writer), "{value:?}")
        }
    }
}

/// Escapes what could end the line, move the cursor, or turn the direction of text.
struct OneLine<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(self.0, "{}", c.escape_unicode())?;
                }
                c if c.is_control() => write!(self.0, "{}", c.escape_default())?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const FORGERY: &str = "x\n2026-01-01T00:00:00Z  INFO gatepost: forged\r\u{1b}[2K\u{85}\u{9b}1m\u{2028}\u{202e}";

    fn logged(format: Format, is_terminal: bool) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = layer(format, move || writer.clone(), is_terminal);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request", path = %FORGERY);
            let _entered = span.enter();
            tracing::warn!(shown = %FORGERY, debugged = ?FORGERY, plain = FORGERY, number = 7, "message {FORGERY}");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_field_and_no_message_can_forge_a_line_of_text() {
        let text = logged(Format::Text, false);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{202e}']), "{line:?}");
        for part in ["WARN", "request{path=x\\n2026", "message x\\n2026", " shown=x\\n2026", " number=7"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn no_field_can_move_the_cursor_of_a_terminal() {
        let text = logged(Format::Text, true);
        assert_eq!(text.lines().count(), 1, "{text:?}");
        for forbidden in ["\u{1b}[2K", "\u{9b}", "\r", "\u{85}"] {
            assert!(!text.contains(forbidden), "{text:?}");
        }
    }

    #[test]
    fn json_is_one_object_on_one_line() {
        let text = logged(Format::Json, true);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["level"], "WARN");
        assert_eq!(event["shown"], FORGERY);
        assert_eq!(event["message"], format!("message {FORGERY}"));
        assert_eq!(event["span"]["path"], FORGERY);
    }

    #[test]
    fn a_bad_level_is_an_error() {
        assert!(matches!(init(Format::Text, "gatepost=loud"), Err(LogError::Level(_))));
    }
}
