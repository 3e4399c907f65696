//! Access lines, shorter and easier to read: the router's (one JSON object per request) and those
//! of Apache and nginx in their `combined` form. What comes out holds text of the container still
//! to be cleaned.

use crate::text::{answer_time, size};
use serde_json::Value;

/// What a piece of a line is, for its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As the rest of the line.
    Plain,
    /// Less important.
    Faint,
    /// The status of an answer that went well (below 400).
    Good,
    /// The status of an answer that says the request was wrong (4xx).
    Refused,
    /// The status of an answer that says the site failed (5xx), or of a request that got none.
    Failed,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text, not cleaned.
    pub text: String,
    pub tone: Tone,
}

/// An access line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Access {
    status: u16,
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

/// An access line in short, with the status that it reports; nothing if it is no access line.
pub fn pretty(line: &[u8]) -> Option<(Vec<Piece>, u16)> {
    let access = match line.first()? {
        b'{' => router(line)?,
        _ => combined(line)?,
    };
    Some((access.pieces(), access.status))
}

impl Access {
    fn pieces(&self) -> Vec<Piece> {
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
            put(format!("{:>6}", answer_time(took)), Tone::Faint);
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
fn router(line: &[u8]) -> Option<Access> {
    let Value::Object(map) = serde_json::from_slice(line).ok()? else {
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
    Some(Access {
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
fn combined(line: &[u8]) -> Option<Access> {
    let line = std::str::from_utf8(line).ok()?;
    let (head, rest) = line.split_once(" \"")?;
    let (client, when) = head.split_once(' ')?;
    if !when.contains('[') || !head.ends_with(']') {
        return None;
    }
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
        let (pieces, _) = pretty(line.as_bytes())?;
        Some(pieces.into_iter().map(|p| p.text).collect())
    }

    #[test]
    fn a_combined_line_in_short() {
        let line = r#"203.0.113.7 - - [21/Nov/2026:21:51:45 +0000] "GET /a?b=1 HTTP/1.1" 502 5120 "-" "curl/8.5 \"x\"""#;
        assert_eq!(
            text(line).unwrap(),
            r#"502 GET  /a?b=1 5K 203.0.113.7 curl/8.5 \"x\""#
        );
        assert_eq!(pretty(line.as_bytes()).unwrap().1, 502);
        let short = r#"::1 - - [21/Nov/2026:21:51:45 +0000] "-" 408 -"#;
        assert_eq!(text(short).unwrap(), "408 -    - ::1");
    }

    #[test]
    fn a_router_line_in_short() {
        let line = r#"{"time":1795298222.739,"site":"b","domain":"blog.alice.example","client":"203.0.113.7","method":"GET","path":"/x","status":200,"bytes":812,"connect_ms":0,"answer_ms":9,"total_ms":12,"end":"--","agent":"curl/8.5"}"#;
        assert_eq!(
            text(line).unwrap(),
            "200   12ms GET  blog.alice.example/x 812B 203.0.113.7 curl/8.5"
        );
        let line = r#"{"time":1795298222.739,"site":"-","domain":"-","client":"::1","method":"GET","path":"\/\"\\%0a","status":-1,"bytes":0,"connect_ms":-1,"answer_ms":-1,"total_ms":-1,"end":"CR","agent":"-"}"#;
        assert_eq!(text(line).unwrap(), r#"--- GET  /"\%0a 0B CR ::1"#);
        let line = r#"{"time":1795298222.740,"client":"1.2.3.4","status":400,"end":"PR","error":"not understood"}"#;
        assert_eq!(text(line).unwrap(), "400 not understood PR 1.2.3.4");
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
