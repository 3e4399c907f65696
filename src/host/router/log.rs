//! The router's log: one JSON object per request, written on its standard output.

use serde::Deserialize;

/// One request, as the router logged it when it ended.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Unix seconds with milliseconds: when the request came in.
    pub time: f64,
    /// Site; none for an unknown domain or a request that could not be understood.
    #[serde(deserialize_with = "dash")]
    pub site: Option<String>,
    /// Domain asked for, lower case, without port and trailing dot.
    #[serde(deserialize_with = "dash")]
    pub domain: Option<String>,
    /// Address of the client.
    pub client: String,
    #[serde(deserialize_with = "dash")]
    pub method: Option<String>,
    /// Path without query, the first 512 bytes. Data from outside.
    #[serde(deserialize_with = "dash")]
    pub path: Option<String>,
    /// Status answered; 0 or -1 where there was none.
    pub status: i32,
    /// Bytes sent to the client, headers included.
    pub bytes: u64,
    /// Milliseconds until the site's address accepted a connection; -1: it did not come to that.
    pub connect_ms: i64,
    /// Milliseconds from the request's being sent to the site's first byte; -1: none came.
    pub answer_ms: i64,
    /// Milliseconds from the request to the last byte; -1: not known.
    pub total_ms: i64,
    /// HAProxy's flags: who ended it and in which phase. `--` is a normal end.
    pub end: String,
    /// The client's own name for itself, the first 256 bytes. Data from outside.
    #[serde(deserialize_with = "dash")]
    pub agent: Option<String>,
    /// What was wrong, for a connection that never became a request.
    pub error: Option<String>,
}

impl Access {
    /// Reads one line; none for lines of another kind, such as the router's own notices.
    pub fn parse(line: &str) -> Option<Access> {
        serde_json::from_str(line.trim_end()).ok()
    }

    /// Whether the visitor left, or was silent for too long, before the site said anything.
    pub fn was_left(&self) -> bool {
        self.end.starts_with(['C', 'c']) && self.answer_ms < 0
    }

    /// Whether the whole head of the request had come, so that it was the site's turn.
    pub fn was_asked(&self) -> bool {
        self.end
            .get(1..)
            .is_some_and(|phase| !phase.starts_with('R'))
    }

    /// Whether the site was given up because nothing came from it in time.
    pub fn was_late(&self) -> bool {
        self.end.starts_with("sH") || (self.status == 504 && self.answer_ms < 0)
    }
}

/// HAProxy writes `-` where it has nothing.
fn dash<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| text != "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_the_router_writes_them() {
        let line = r#"{"time":1795298222.739,"site":"b","domain":"old.example","client":"::1","method":"GET","path":"\/\"\\%0a","status":503,"bytes":120,"connect_ms":-1,"answer_ms":-1,"total_ms":0,"end":"LR","agent":"-"}"#;
        let access = Access::parse(line).unwrap();
        assert_eq!(access.site.as_deref(), Some("b"));
        assert_eq!(access.path.as_deref(), Some("/\"\\%0a"));
        assert_eq!((access.status, access.answer_ms), (503, -1));
        assert_eq!((access.agent, access.error), (None, None));
        let bad =
            r#"{"time":1795298222.740,"client":"1.2.3.4","status":400,"end":"PR","error":"x"}"#;
        let bad = Access::parse(bad).unwrap();
        assert_eq!((bad.status, bad.site), (400, None));
        assert_eq!(
            Access::parse("[NOTICE]   (1) : New worker (8) forked"),
            None
        );
    }
}
