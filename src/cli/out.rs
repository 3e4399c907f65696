//! What is written for people and programs: standard output for answers, standard error for
//! everything said on the way.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::style::Style;
use super::table::Table;

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// Standard output takes colours.
    pub colour: bool,
    /// Standard error takes colours.
    pub colour_err: bool,
}

impl Out {
    /// Looks at the two streams and the environment.
    pub fn new(no_color: bool) -> Self {
        let allowed = !no_color
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        Out {
            colour: allowed && io::stdout().is_terminal(),
            colour_err: allowed && io::stderr().is_terminal(),
        }
    }

    /// Writes an answer as it is.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes an answer's bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| match error.kind() {
                // `ostler sites | head -1` is no error: the reader has had enough.
                io::ErrorKind::BrokenPipe => Failure::said(Exit::Done),
                _ => Failure::caused("cannot write to standard output", &error),
            })
    }

    /// Writes one line.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        self.text(&format!("{text}\n"))
    }

    /// Writes a table.
    pub fn table(&self, table: &Table) -> Result<(), Failure> {
        self.text(&table.render(self.colour))
    }

    /// Writes JSON for programs; people may look at it too, so that nothing in it drives a terminal.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::caused("cannot write this as JSON", &error))?;
        self.line(&crate::text::escaped(&text))
    }

    /// Says something on the way. A closed standard error is not worth failing for.
    pub fn say(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says what is doubtful.
    pub fn warn(&self, text: &str) {
        let mark = Style::Warn.paint("warning:", self.colour_err);
        self.say(&format!("{mark} {}", crate::text::lines(text)));
    }

    /// Says why a command failed.
    pub fn failure(&self, failure: &Failure, verbose: bool) {
        if failure.message.is_empty() {
            return;
        }
        let error = Style::Bad.paint("error:", self.colour_err);
        self.say(&format!("{error} {}", crate::text::lines(&failure.message)));
        if verbose {
            for cause in &failure.causes {
                self.say(&format!("  caused by: {}", crate::text::line(cause)));
            }
        }
        if let Some(help) = &failure.help {
            let mark = Style::Strong.paint("help:", self.colour_err);
            self.say(&format!("{mark} {}", crate::text::lines(help)));
        }
    }
}
