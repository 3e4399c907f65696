//! How much a YAML file may be: counted in one pass before anything is built from it, for aliases
//! are copied out, and nested brackets cost readers their square.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde::de::DeserializeOwned;

/// Largest file, in bytes.
pub const LARGEST: usize = 16 << 20;
/// Most values (keys count too), when every alias is written out.
pub const NODES: usize = 1_000_000;
/// Most bytes of text in them.
pub const TEXT: usize = 2 * LARGEST;
/// Deepest value.
pub const DEPTH: usize = 64;
/// Most opening brackets in what is no YAML: the second reader goes on where the first one stops.
const BRACKETS: usize = 10_000;
/// Characters that end a line, or begin one, for some readers only.
const DISPUTED: [char; 4] = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'];

/// What a file comes to, its aliases written out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Values, keys among them.
    pub nodes: usize,
    /// Bytes of their texts.
    pub text: usize,
    /// Collections around the deepest value, itself included.
    pub depth: usize,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TooMuch {
    /// The byte of the source at which it is too much.
    pub at: usize,
    /// What is.
    pub why: String,
    /// What would mend it.
    pub help: Option<&'static str>,
}

impl TooMuch {
    /// Line and column of the place, both from 1.
    pub fn place(&self, source: &str) -> (usize, usize) {
        let before = source.get(..self.at).unwrap_or(source);
        let begin = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before[begin..].chars().count() + 1)
    }
}

/// What the file comes to. What is no YAML is counted as far as it is: its readers say what is wrong.
///
/// # Errors
/// It is more than may be read, or would be read in two ways.
pub fn size(source: &str) -> Result<Size, TooMuch> {
    let too_much = |at: usize, why: String, help: &'static str| {
        let help = Some(help).filter(|help| !help.is_empty());
        Err(TooMuch { at, why, help })
    };
    if source.len() > LARGEST {
        let why = format!("the file is larger than {} MiB", LARGEST >> 20);
        return too_much(0, why, "is this the file that was meant?");
    }
    if let Some((at, c)) = source.char_indices().find(|(_, c)| DISPUTED.contains(c)) {
        let why = format!(
            "YAML readers disagree whether U+{:04X} ends a line",
            u32::from(c)
        );
        return too_much(
            at,
            why,
            "take it out, or write it as \\uXXXX in a text in double quotes",
        );
    }
    let mut count = Count::default();
    for event in Parser::new_from_str(source) {
        let (at, why, help) = match event {
            Ok((event, span)) => match count.take(&event) {
                Ok(()) => continue,
                Err(why) => (
                    span.start.index(),
                    why,
                    "no fleet needs as much; is this the file that was meant?",
                ),
            },
            Err(error) => {
                let brackets = source.bytes().filter(|b| matches!(b, b'[' | b'{'));
                if brackets.count() <= BRACKETS {
                    break;
                }
                let why = format!("this is not YAML: {}", error.info());
                (error.marker().index(), why, "")
            }
        };
        let at = source.char_indices().nth(at).map_or(source.len(), |c| c.0);
        return too_much(at, why, help);
    }
    Ok(count.total)
}

/// Reads a small YAML file that is no fleet file into what it says.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read<T: DeserializeOwned>(source: &str) -> Result<T, String> {
    if let Err(too_much) = size(source) {
        let (line, column) = too_much.place(source);
        return Err(format!("{too_much} at line {line} column {column}"));
    }
    serde_yaml::from_str(source).map_err(|error| error.to_string())
}

/// A counting of events.
#[derive(Default)]
struct Count {
    total: Size,
    /// Collections that are not finished: what stood before each, its anchor, its depth so far.
    open: Vec<(Size, usize, usize)>,
    anchors: HashMap<usize, Size>,
}

impl Count {
    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Alias(anchor) => {
                // One that is inside itself is refused when the tree is built.
                let of = self.anchors.get(anchor).copied().unwrap_or_default();
                self.add(of)?;
            }
            Event::Scalar(text, _, anchor, _) => {
                let one = Size {
                    nodes: 1,
                    text: text.len(),
                    depth: 1,
                };
                self.keep(*anchor, one)?;
                self.add(one)?;
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                self.open.push((self.total, *anchor, 1));
                self.add(Size {
                    nodes: 1,
                    text: 0,
                    depth: 0,
                })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((before, anchor, depth)) = self.open.pop() else {
                    return Ok(());
                };
                if let Some((_, _, outer)) = self.open.last_mut() {
                    *outer = (*outer).max(depth + 1);
                }
                let one = Size {
                    nodes: self.total.nodes - before.nodes,
                    text: self.total.text - before.text,
                    depth,
                };
                self.keep(anchor, one)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What has an anchor is kept once more.
    fn keep(&mut self, anchor: usize, one: Size) -> Result<(), String> {
        if anchor > 0 {
            self.anchors.insert(anchor, one);
            self.within(one)?;
        }
        Ok(())
    }

    fn add(&mut self, one: Size) -> Result<(), String> {
        self.within(one)?;
        if let Some((_, _, depth)) = self.open.last_mut() {
            *depth = (*depth).max(one.depth + 1);
        }
        self.total.depth = self.total.depth.max(self.open.len() + one.depth);
        match self.total.depth > DEPTH {
            true => Err(format!("this is nested more than {DEPTH} deep")),
            false => Ok(()),
        }
    }

    fn within(&mut self, one: Size) -> Result<(), String> {
        self.total.nodes = self.total.nodes.saturating_add(one.nodes);
        self.total.text = self.total.text.saturating_add(one.text);
        if self.total.nodes > NODES {
            return Err(format!(
                "the file comes to more than {NODES} values, its aliases written out"
            ));
        }
        if self.total.text > TEXT {
            let most = TEXT >> 20;
            return Err(format!(
                "the file comes to more than {most} MiB of text, its aliases written out"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
