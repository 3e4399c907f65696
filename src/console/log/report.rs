//! Lines in which a program reports something, with what stands in front of the message taken off:
//! those of Apache, nginx, PHP, and of programs that write JSON. What comes out holds text of the
//! container still to be cleaned.

use serde_json::Value;

use super::level::{Level, at_least, by_words, named};
use super::piece::{Piece, Tone, clock, clock_of};

/// Where the recipes' sites have their files: each path would begin with it.
const HOME: &str = "/var/www/html/";

/// A line that reports something, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// When, in hours, minutes and seconds, as the line says it.
    pub(super) time: String,
    /// The level's word.
    word: &'static str,
    /// How bad it is.
    pub(super) level: Option<Level>,
    /// What happened.
    message: String,
    /// What else the line tells, in the order of its worth.
    beside: Vec<String>,
}

/// What a line reports; nothing where it has none of the forms known here.
pub(super) fn report(line: &str) -> Option<Report> {
    match line.as_bytes().first()? {
        b'{' => json(line),
        b'[' => apache(line).or_else(|| php(line)),
        b'P' => {
            let mut report = Report::default();
            report.php(line).then_some(report)
        }
        _ => nginx(line),
    }
}

impl Report {
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        if !self.word.is_empty() {
            out.push(Piece {
                text: format!("{:<6} ", self.word),
                tone: match self.level {
                    Some(Level::Error) => Tone::Failed,
                    Some(Level::Warning) => Tone::Refused,
                    None => Tone::Faint,
                },
            });
        }
        out.push(Piece {
            text: self.message.clone(),
            tone: Tone::Plain,
        });
        for text in self.beside.iter().filter(|text| !text.is_empty()) {
            out.push(Piece {
                text: format!("  {text}"),
                tone: Tone::Faint,
            });
        }
        out
    }

    /// Takes the level from a program's word for it, if it is one.
    fn leveled(&mut self, word: &str) -> bool {
        let named = named(word);
        if let Some((word, level)) = named {
            (self.word, self.level) = (word, level);
        }
        named.is_some()
    }

    /// Takes the message; PHP's own is taken apart further.
    fn says(&mut self, message: &str) {
        if !self.php(message) {
            self.message = at_home(message);
        }
        self.level = match self.word {
            "" => by_words(message.as_bytes()),
            _ => at_least(self.level, message),
        };
    }

    /// `PHP Warning:  Undefined variable $x in /var/www/html/a.php on line 3`, as the message.
    fn php(&mut self, text: &str) -> bool {
        let text = text.strip_prefix("PHP message: ").unwrap_or(text);
        let Some((kind, said)) = text.strip_prefix("PHP ").and_then(|t| t.split_once(": ")) else {
            return false;
        };
        let (word, level) = match kind {
            "Warning" | "Core warning" | "Compile warning" => ("warn", Some(Level::Warning)),
            "Notice" | "Strict standards" | "Strict Standards" => ("notice", None),
            "Deprecated" => ("deprec", Some(Level::Warning)),
            kind if kind.ends_with(" error") => ("error", Some(Level::Error)),
            _ => return false,
        };
        (self.word, self.level) = (word, level);
        let said = said.trim_start();
        // Apache writes the end of a line as `\n`.
        let (said, trace) = said.split_once("\\nStack trace:").unwrap_or((said, ""));
        let trace = trace.split("\\n  thrown in ").next().unwrap_or_default();
        self.message = at_home(&placed(said));
        let trace = at_home(&trace.replace("\\n", " "));
        self.beside.push(trace.trim().to_owned());
        true
    }
}

/// Paths below the site's folder as they are from there on.
fn at_home(text: &str) -> String {
    let mut parts = text.split(HOME);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The folder itself keeps its name.
        if !part.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c)) {
            out.push_str(HOME);
        }
        out.push_str(part);
    }
    out
}

/// `… in a.php on line 3` as `… in a.php:3`.
fn placed(text: &str) -> String {
    match text.rsplit_once(" on line ") {
        Some((before, line)) if line.parse::<u32>().is_ok() && before.contains(" in ") => {
            format!("{before}:{line}")
        }
        _ => text.to_owned(),
    }
}

/// `[Mon Nov 30 05:27:20.312379 2026] [php:error] [pid 13:tid 13] [client 172.17.0.1:44770] …`
fn apache(line: &str) -> Option<Report> {
    let (date, mut rest) = line.strip_prefix('[')?.split_once("] ")?;
    let words: Vec<&str> = date.split_whitespace().collect();
    let [_, _, _, time, _] = words[..] else {
        return None;
    };
    let mut report = Report {
        time: clock(time)?.to_owned(),
        ..Report::default()
    };
    let mut client = None;
    let mut leveled = false;
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        if let Some(found) = inside.strip_prefix("client ") {
            client = Some(found);
        } else if !inside.starts_with("pid ") && !inside.starts_with("remote ") {
            let word = inside.rsplit_once(':').map_or(inside, |(_, word)| word);
            // Brackets of the message's own stay.
            if leveled || !report.leveled(word) {
                break;
            }
            leveled = true;
        }
        rest = after.trim_start();
    }
    if !leveled {
        return None;
    }
    let mut message = rest.to_owned();
    // `(13)Permission denied: [client 1.2.3.4:5] AH00035: access to / denied`
    if let Some((why, found, what)) = rest.split_once(": [client ").and_then(|(why, after)| {
        let (found, what) = after.split_once("] ")?;
        why.starts_with('(').then_some((why, found, what))
    }) {
        client = client.or(Some(found));
        message = format!("{why}: {what}");
    }
    let (said, referer) = match message.rsplit_once(", referer: ") {
        Some((said, referer)) => (said, format!("referer {referer}")),
        None => (&message[..], String::new()),
    };
    // mod_proxy_fcgi passes on what PHP said.
    let inner = said
        .strip_prefix("AH01071: Got error '")
        .and_then(|said| said.strip_suffix('\''));
    report.says(inner.unwrap_or(said));
    // Behind the router nobody knows the client's port.
    let client = client.unwrap_or_default();
    let client = client.strip_suffix(":0").unwrap_or(client);
    report.beside.extend([client.to_owned(), referer]);
    Some(report)
}

/// `2026/11/30 05:27:11 [error] 8#8: *1 open() "/x" failed (2: No such file or directory), client: …`
fn nginx(line: &str) -> Option<Report> {
    let (date, rest) = line.split_once(' ')?;
    let day = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'/',
        _ => byte.is_ascii_digit(),
    });
    if !day || date.len() != 10 {
        return None;
    }
    let mut report = Report {
        time: clock(rest)?.to_owned(),
        ..Report::default()
    };
    let (word, rest) = rest.get(8..)?.strip_prefix(" [")?.split_once("] ")?;
    if !report.leveled(word) {
        return None;
    }
    let message = match rest.split_once(": ") {
        Some((process, message)) if process.contains('#') => message,
        _ => rest,
    };
    let message = match message.split_once(' ') {
        Some((number, message)) if number.starts_with('*') => message,
        _ => message,
    };
    let (said, facts) = message.split_once(", client: ").unwrap_or((message, ""));
    let client = facts.split(',').next().unwrap_or_default();
    let request = facts
        .split_once("request: \"")
        .and_then(|(_, request)| request.split_once(" HTTP/"))
        .map_or("", |(request, _)| request);
    // What PHP said by way of FastCGI.
    let inner = said
        .strip_prefix("FastCGI sent in stderr: \"")
        .and_then(|said| said.rsplit_once('"'))
        .map(|(inner, _)| inner);
    report.says(inner.unwrap_or(said));
    report
        .beside
        .extend([request.to_owned(), client.to_owned()]);
    Some(report)
}

/// `[30-Nov-2026 05:27:12 UTC] PHP Fatal error:  …`, and what its process manager writes:
/// `[30-Nov-2026 05:27:12] WARNING: [pool www] child 7 said into stderr: "…"`.
fn php(line: &str) -> Option<Report> {
    let (date, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (day, time) = date.split_once(' ')?;
    if day.len() != 11 || day.matches('-').count() != 2 {
        return None;
    }
    let mut report = Report {
        time: clock(time)?.to_owned(),
        ..Report::default()
    };
    let said = match rest.split_once(": ") {
        Some((word, said)) if report.leveled(word) => said,
        _ => rest,
    };
    let inner = said
        .split_once("said into stderr: \"")
        .and_then(|(_, inner)| inner.strip_suffix('"'))
        .map(|inner| inner.strip_prefix("NOTICE: ").unwrap_or(inner));
    report.says(inner.unwrap_or(said));
    Some(report)
}

/// The names that programs have for the same thing, the likeliest first.
const LEVELS: [&str; 5] = ["level", "severity", "lvl", "level_name", "loglevel"];
const MESSAGES: [&str; 4] = ["message", "msg", "event", "error"];
const TIMES: [&str; 6] = ["time", "ts", "timestamp", "@timestamp", "datetime", "t"];
/// What tells nothing here.
const NOISE: [&str; 4] = ["pid", "hostname", "v", "@version"];

/// One JSON object with a message in it.
fn json(line: &str) -> Option<Report> {
    let Value::Object(map) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let first = |names: &[&'static str]| {
        let mut all = names.iter();
        all.find(|name| matches!(map.get(**name), Some(Value::String(_) | Value::Number(_))))
            .copied()
    };
    let message = first(&MESSAGES)?;
    let mut report = Report::default();
    // Monolog has a number in `level`, its word in `level_name`.
    let level = match map.contains_key("level_name") {
        true => Some("level_name"),
        false => first(&LEVELS),
    };
    match level.and_then(|name| map.get(name)) {
        Some(Value::String(word)) => {
            report.leveled(word);
        }
        // Pino and bunyan count: 30 is info, 40 a warning, 50 an error.
        Some(Value::Number(number)) => {
            report.leveled(match number.as_u64().unwrap_or_default() {
                60.. => "fatal",
                50.. => "error",
                40.. => "warn",
                30.. => "info",
                20.. => "debug",
                _ => "trace",
            });
        }
        _ => {}
    }
    let time = first(&TIMES);
    report.time = match time.and_then(|name| map.get(name)) {
        Some(Value::String(text)) => {
            let mut clocks = text.split(['T', ' ']).filter_map(clock);
            clocks.next_back().unwrap_or_default().to_owned()
        }
        Some(Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            // Seconds, or milliseconds.
            let seconds = if number > 1e11 { number / 1e3 } else { number };
            clock_of(seconds).unwrap_or_default()
        }
        _ => String::new(),
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    report.says(&plain(map.get(message)?));
    let told = [Some(message), level, time, Some("level")];
    let others = map.iter().filter(|(name, _)| {
        !told.contains(&Some(name.as_str())) && !NOISE.contains(&name.as_str())
    });
    let others = others.map(|(name, value)| format!("{name}={}", plain(value)));
    report.beside.extend(others);
    Some(report)
}

#[cfg(test)]
mod tests;
