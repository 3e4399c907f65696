//! Lines of a log on their way out: those that are wanted, whole, harmless.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};

use futures_util::StreamExt;

use crate::cli::{Exit, Failure};
use crate::console::log::{Level, Pattern, level, strip};
use crate::engine::{Client, Error, LogOptions, Out, stamp};
use crate::text::LogCleaner;

/// Pieces that are taken before they are written.
const AT_ONCE: usize = 512;
/// The most of a line that is written; what comes after is cut and marked.
const LONGEST: usize = 1 << 20;
/// The most of the last lines that is kept until the end of the log has come.
const KEPT: usize = 64 << 20;
/// What an engine keeps in one entry of its log; a longer line is several.
const ENTRY: usize = 16 * 1024;

/// Which lines are written, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Manner {
    /// The bytes as they are.
    pub raw: bool,
    /// Each line begins with its time.
    pub stamped: bool,
    /// Only lines that report an error.
    pub errors: bool,
    /// Only lines that match.
    pub grep: Option<Pattern>,
    /// Only the last lines of them.
    pub last: Option<usize>,
    /// So many lines are left out at the beginning.
    pub skip: usize,
}

/// How writing ended.
pub(super) struct Written {
    /// Whether the log was read to its end.
    pub ended: Result<(), Error>,
    /// Whether anything came.
    pub any: bool,
}

impl Manner {
    /// Whether lines are chosen by what they say.
    pub(super) fn sieves(&self) -> bool {
        self.errors || self.grep.is_some()
    }

    fn wants(&self, line: &[u8]) -> bool {
        if !self.sieves() {
            return true;
        }
        // A terminal's lines end with a return too.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let time = if self.stamped { stamp(line) } else { 0 };
        let text = strip(&line[time..]).text;
        let found = self.grep.as_ref().is_none_or(|re| re.matches(&text));
        found && (!self.errors || level(&text) == Some(Level::Error))
    }
}

/// Writes a container's log: its standard output to ours, its standard error to ours.
///
/// # Errors
/// It cannot be written; what the engine does is in the answer.
pub(super) async fn write(
    client: &Client,
    container: &str,
    options: LogOptions,
    manner: &Manner,
) -> Result<Written, Failure> {
    let mut lines = Lines::new(manner.clone(), Pending::default());
    let mut written = Written {
        ended: Ok(()),
        any: false,
    };
    // An engine sends each line by itself: what has come is written at once.
    let mut batches = std::pin::pin!(client.logs(container, options).ready_chunks(AT_ONCE));
    while written.ended.is_ok()
        && let Some(batch) = batches.next().await
    {
        for chunk in batch {
            match chunk {
                Ok(chunk) => {
                    written.any = true;
                    lines.take(usize::from(chunk.stream == Out::Err), &chunk.bytes)?;
                }
                // What came before is written all the same.
                Err(error) => {
                    written.ended = Err(error);
                    break;
                }
            }
        }
        lines.out.flush()?;
    }
    lines.finish(std::io::stdout().is_terminal())?;
    Ok(written)
}

/// How many of the engine's entries the last lines are, and how many lines before them those hold:
/// the engine counts the pieces of a long line.
pub(super) async fn reach(
    client: &Client,
    container: &str,
    wanted: u32,
    options: LogOptions,
) -> Result<(u32, usize), Error> {
    let mut asked = wanted.saturating_add(1);
    let mut before = None;
    loop {
        let options = LogOptions {
            tail: Some(asked),
            follow: false,
            timestamps: false,
            ..options
        };
        let (mut ends, mut bytes, mut longest) = (0, 0, 0);
        let mut open = [0, 0];
        let mut log = std::pin::pin!(client.logs(container, options));
        while let Some(chunk) = log.next().await {
            let chunk = chunk?;
            let length = &mut open[usize::from(chunk.stream == Out::Err)];
            bytes += chunk.bytes.len();
            for piece in chunk.bytes.split_inclusive(|b| *b == b'\n') {
                *length += piece.len();
                longest = longest.max(*length);
                if piece.ends_with(b"\n") {
                    (ends, *length) = (ends + 1, 0);
                }
            }
        }
        let lines = ends + open.iter().filter(|length| **length > 0).count();
        // Each entry is a line.
        if longest < ENTRY {
            return Ok((wanted, 0));
        }
        let surplus = lines.saturating_sub(wanted as usize);
        if surplus > 0 || before == Some(bytes) {
            return Ok((asked, surplus));
        }
        before = Some(bytes);
        asked = asked.saturating_mul(8);
    }
}

/// Where lines go: to standard output (0) or standard error (1).
trait Sink {
    fn put(&mut self, which: usize, bytes: &[u8]) -> Result<(), Failure>;
    /// Nothing more comes.
    fn end(&mut self) -> Result<(), Failure>;
}

/// Puts lines together, chooses among them, and makes them harmless.
struct Lines<S> {
    manner: Manner,
    open: [Open; 2],
    cleaners: [LogCleaner; 2],
    /// The last lines so far, where only those are wanted, and their bytes.
    kept: VecDeque<(usize, Vec<u8>)>,
    bytes: usize,
    out: S,
}

/// A line whose end has not come yet.
#[derive(Default)]
struct Open {
    bytes: Vec<u8>,
    cut: bool,
}

impl<S: Sink> Lines<S> {
    fn new(manner: Manner, out: S) -> Self {
        Lines {
            manner,
            open: Default::default(),
            cleaners: Default::default(),
            kept: VecDeque::new(),
            bytes: 0,
            out,
        }
    }

    fn take(&mut self, which: usize, bytes: &[u8]) -> Result<(), Failure> {
        let manner = &self.manner;
        if manner.raw && !manner.sieves() && manner.last.is_none() && manner.skip == 0 {
            return self.out.put(which, bytes);
        }
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let open = &mut self.open[which];
            let room = LONGEST.saturating_sub(open.bytes.len());
            open.bytes.extend_from_slice(&text[..text.len().min(room)]);
            open.cut |= text.len() > room;
            if text.len() < piece.len() {
                self.line(which, "\n")?;
            }
        }
        Ok(())
    }

    /// A line has come; `end` is what it ends with.
    fn line(&mut self, which: usize, end: &str) -> Result<(), Failure> {
        let Open { bytes, cut } = std::mem::take(&mut self.open[which]);
        if self.manner.skip > 0 {
            self.manner.skip -= 1;
            return Ok(());
        }
        if !self.manner.wants(&bytes) {
            return Ok(());
        }
        let mark = match cut {
            true => format!(" … cut at {} MiB", LONGEST >> 20),
            false => String::new(),
        };
        let line = match self.manner.raw {
            true => [&bytes, mark.as_bytes(), end.as_bytes()].concat(),
            false => {
                let mut clean = String::with_capacity(bytes.len() + 1);
                self.cleaners[which].clean(&bytes, &mut clean);
                clean.push_str(&mark);
                self.cleaners[which].clean(end.as_bytes(), &mut clean);
                clean.into_bytes()
            }
        };
        let Some(last) = self.manner.last else {
            return self.out.put(which, &line);
        };
        self.bytes += line.len();
        self.kept.push_back((which, line));
        while self.kept.len() > last || self.bytes > KEPT {
            let gone = self.kept.pop_front();
            self.bytes -= gone.map_or(self.bytes, |(_, line)| line.len());
        }
        Ok(())
    }

    /// The log has ended. A prompt after an unfinished line would stand in its middle: on a
    /// terminal it is ended.
    fn finish(mut self, terminal: bool) -> Result<(), Failure> {
        for which in [0, 1] {
            if !self.open[which].bytes.is_empty() {
                self.line(which, if terminal { "\n" } else { "" })?;
            }
        }
        for (which, line) in std::mem::take(&mut self.kept) {
            self.out.put(which, &line)?;
        }
        self.out.end()
    }
}

/// What is to be written next, and where to: both outputs keep their order between them.
#[derive(Default)]
struct Pending {
    which: usize,
    bytes: Vec<u8>,
}

impl Sink for Pending {
    fn put(&mut self, which: usize, bytes: &[u8]) -> Result<(), Failure> {
        if self.which != which {
            self.flush()?;
            self.which = which;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.flush()
    }
}

impl Pending {
    fn flush(&mut self) -> Result<(), Failure> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        let written = match self.which {
            0 => {
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes).and_then(|()| out.flush())
            }
            _ => std::io::stderr().lock().write_all(&bytes),
        };
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::said(Exit::Done),
            _ => Failure::caused("cannot write the log", &error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::log::Reading;

    #[derive(Default)]
    struct Taken([Vec<u8>; 2]);

    impl Sink for &mut Taken {
        fn put(&mut self, which: usize, bytes: &[u8]) -> Result<(), Failure> {
            self.0[which].extend_from_slice(bytes);
            Ok(())
        }
        fn end(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn written(manner: Manner, pieces: &[(usize, &[u8])]) -> [String; 2] {
        let mut taken = Taken::default();
        let mut lines = Lines::new(manner, &mut taken);
        for (which, bytes) in pieces {
            assert!(lines.take(*which, bytes).is_ok());
        }
        assert!(lines.finish(false).is_ok());
        taken.0.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    const MIXED: [(usize, &[u8]); 5] = [
        (0, b"a\x1b[31m err"),
        (1, b"PHP Fatal error:  Uncaught x\n"),
        (0, b"or\x1b[0m b\n"),
        (0, b"fine\r\nunfini"),
        (0, b"shed"),
    ];

    #[test]
    fn streams_do_not_mix_in_a_line() {
        let [out, err] = written(Manner::default(), &MIXED);
        assert_eq!(out, "a error b\nfine\nunfinished");
        assert_eq!(err, "PHP Fatal error:  Uncaught x\n");
    }

    #[test]
    fn only_what_is_asked_for() {
        let errors = Manner {
            errors: true,
            ..Manner::default()
        };
        let [out, err] = written(errors.clone(), &MIXED);
        assert_eq!(
            (&out[..], &err[..]),
            ("a error b\n", "PHP Fatal error:  Uncaught x\n")
        );
        // The bytes as they are, chosen by how they read.
        let raw = Manner {
            raw: true,
            grep: Some(Pattern::new("^a err.r", Reading::Regex).unwrap()),
            ..errors.clone()
        };
        assert_eq!(written(raw, &MIXED)[0], "a\x1b[31m error\x1b[0m b\n");
        let last = Manner {
            last: Some(1),
            ..errors
        };
        assert_eq!(written(last, &MIXED), ["a error b\n", ""]);
        let skip = Manner {
            skip: 2,
            ..Manner::default()
        };
        assert_eq!(written(skip, &MIXED)[0], "fine\nunfinished");
    }

    #[test]
    fn the_time_is_not_what_a_line_says() {
        let manner = Manner {
            stamped: true,
            grep: Some(Pattern::new("^b|2026", Reading::Regex).unwrap()),
            ..Manner::default()
        };
        let (a, b): (&[u8], &[u8]) = (
            b"2026-11-30T05:15:55.089129424Z a\n",
            b"2026-11-30T05:15:55.089129424Z b\n",
        );
        assert_eq!(
            written(manner, &[(0, a), (0, b)])[0],
            String::from_utf8_lossy(b)
        );
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut taken = Taken::default();
        let mut lines = Lines::new(Manner::default(), &mut taken);
        let piece = vec![b'x'; 100_000];
        for _ in 0..1000 {
            assert!(lines.take(0, &piece).is_ok());
        }
        assert!(lines.open[0].bytes.capacity() <= 2 * LONGEST);
        assert!(lines.take(0, b"\nnext\n").is_ok());
        assert!(lines.finish(false).is_ok());
        let text = String::from_utf8(taken.0[0].clone()).unwrap();
        let (line, rest) = text.split_once('\n').unwrap();
        let x = line.trim_start_matches('x');
        assert_eq!((x, rest), (" … cut at 1 MiB", "next\n"));
        assert_eq!(line.len() - x.len(), LONGEST);
    }
}
