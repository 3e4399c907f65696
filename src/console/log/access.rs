//! Access lines, shorter and easier to read: the router's (one JSON object per request) and those
//! of Apache and nginx in their `combined` form. What comes out holds text of the container still
//! to be cleaned.

use crate::text::{answer_time, size};
use serde_json::Value;

use super::piece::{Piece, Tone, clock, clock_of};

/// An access line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// When, in hours, minutes and seconds, as the line says it; the router's in UTC.
    pub(super) time: String,
    pub(super) status: u16,
    method: String,
    target: String,
    host: String,
    client: String,
    /// Milliseconds.
    took: Option<u64>,
    bytes: Option<u64>,
    /// How the connection ended, in the router's letters, if not well.
    end: String,
    /// What was wrong with a connection that never became a request.
    error: String,
    agent: String,
}

/// An access line, taken apart; nothing if it is none.
pub(super) fn access(line: &str) -> Option<Access> {
    match line.starts_with('{') {
        true => router(line),
        false => combined(line),
    }
}

impl Access {
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let tone = match self.status {
            100..400 => Tone::Good,
            400..500 => Tone::Refused,
            _ => Tone::Failed,
        };
        let status = match self.status {
            0 => "---".to_owned(),
            status => status.to_string(),
        };
        let mut out = vec![Piece { text: status, tone }];
        let mut put = |text: String, tone| {
            out.push(Piece {
                text: format!(" {text}"),
                tone,
            });
        };
        if let Some(took) = self.took {
            let tone = match took {
                10_000.. => Tone::Failed,
                1_000.. => Tone::Refused,
                _ => Tone::Faint,
            };
            put(format!("{:>6}", answer_time(took)), tone);
        }
        if !self.method.is_empty() {
            put(format!("{:<4}", self.method), Tone::Plain);
            put(format!("{}{}", self.host, self.target), Tone::Plain);
        }
        if !self.error.is_empty() {
            put(self.error.clone(), Tone::Failed);
        }
        if let Some(bytes) = self.bytes {
            put(size(bytes), Tone::Faint);
        }
        if !self.end.is_empty() {
            put(self.end.clone(), Tone::Refused);
        }
        put(self.client.clone(), Tone::Faint);
        if !self.agent.is_empty() {
            put(self.agent.clone(), Tone::Faint);
        }
        out
    }
}

/// One line of the router: the names are those of the log format in its configuration.
fn router(line: &str) -> Option<Access> {
    let Value::Object(map) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let text = |name: &str| {
        let found = map.get(name).and_then(Value::as_str);
        found.filter(|s| *s != "-").unwrap_or_default().to_owned()
    };
    // -1 is how the router says that it does not know.
    let number = |name: &str| map.get(name).and_then(Value::as_i64);
    let known = |name: &str| number(name).and_then(|n| u64::try_from(n).ok());
    let status = number("status")?;
    // Without these it is some other program's JSON.
    if !map.contains_key("client") || !map.contains_key("end") {
        return None;
    }
    let end = text("end");
    let normal = end.chars().all(|c| c == '-');
    let time = map.get("time").and_then(Value::as_f64).and_then(clock_of);
    Some(Access {
        time: time.unwrap_or_default(),
        status: u16::try_from(status).unwrap_or(0),
        method: text("method"),
        target: text("path"),
        host: text("domain"),
        client: text("client"),
        took: known("total_ms"),
        bytes: known("bytes"),
        end: if normal { String::new() } else { end },
        error: text("error"),
        agent: text("agent"),
    })
}

/// `client - user [time] "METHOD target HTTP/1.1" status bytes "referer" "agent"`.
fn combined(line: &str) -> Option<Access> {
    let (head, rest) = line.split_once(" \"")?;
    let (client, when) = head.split_once(' ')?;
    let (_, when) = when.strip_suffix(']')?.split_once('[')?;
    // `21/Nov/2026:21:51:45 +0000`
    let time = when.split_once(':').and_then(|(_, time)| clock(time));
    let (request, rest) = quoted(rest)?;
    let mut words = rest.trim_start().splitn(3, ' ');
    let status = words.next().filter(|s| s.len() == 3)?.parse().ok()?;
    let bytes = words.next().and_then(|b| b.parse().ok());
    let agent = words
        .next()
        .and_then(|rest| quoted(rest.strip_prefix('"')?))
        .and_then(|(_, rest)| quoted(rest.strip_prefix(" \"")?))
        .map_or("", |(agent, _)| agent);
    let (method, target) = request.split_once(' ').unwrap_or(("-", request));
    let target = target
        .rsplit_once(" HTTP/")
        .map_or(target, |(target, _)| target);
    Some(Access {
        time: time.unwrap_or_default().to_owned(),
        status,
        method: method.to_owned(),
        target: target.to_owned(),
        client: client.to_owned(),
        bytes,
        agent: if agent == "-" {
            String::new()
        } else {
            agent.to_owned()
        },
        ..Access::default()
    })
}

/// Up to the next quote that no backslash escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<String> {
        let access = access(line)?;
        let pieces: String = access.pieces().into_iter().map(|p| p.text).collect();
        Some(format!("{} {pieces}", access.time))
    }

    #[test]
    fn a_combined_line_in_short() {
        let line = r#"203.0.113.7 - - [21/Nov/2026:21:51:45 +0000] "GET /a?b=1 HTTP/1.1" 502 5120 "-" "curl/8.5 \"x\"""#;
        assert_eq!(
            text(line).unwrap(),
            r#"21:51:45 502 GET  /a?b=1 5K 203.0.113.7 curl/8.5 \"x\""#
        );
        assert_eq!(access(line).unwrap().status, 502);
        let short = r#"::1 - - [21/Nov/2026:21:51:45 +0000] "-" 408 -"#;
        assert_eq!(text(short).unwrap(), "21:51:45 408 -    - ::1");
    }

    #[test]
    fn a_router_line_in_short() {
        let line = r#"{"time":1795298222.739,"site":"b","domain":"blog.alice.example","client":"203.0.113.7","method":"GET","path":"/x","status":200,"bytes":812,"connect_ms":0,"answer_ms":9,"total_ms":12,"end":"--","agent":"curl/8.5"}"#;
        assert_eq!(
            text(line).unwrap(),
            "21:57:02 200   12ms GET  blog.alice.example/x 812B 203.0.113.7 curl/8.5"
        );
        let line = r#"{"time":1795298222.739,"site":"-","domain":"-","client":"::1","method":"GET","path":"\/\"\\%0a","status":-1,"bytes":0,"connect_ms":-1,"answer_ms":-1,"total_ms":-1,"end":"CR","agent":"-"}"#;
        assert_eq!(text(line).unwrap(), r#"21:57:02 --- GET  /"\%0a 0B CR ::1"#);
        let line = r#"{"time":1795298222.740,"client":"1.2.3.4","status":400,"end":"PR","error":"not understood"}"#;
        assert_eq!(
            text(line).unwrap(),
            "21:57:02 400 not understood PR 1.2.3.4"
        );
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "",
            "{",
            "{}",
            "[error] x",
            "a \"b\" c",
            r#"{"level":"error"}"#,
            r#"{"status":"up"}"#,
            r#"x [y] "z" 2000 1"#,
        ] {
            assert_eq!(text(line), None, "{line}");
        }
    }
}
