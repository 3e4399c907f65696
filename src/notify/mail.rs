//! A mail by SMTP (RFC 5321), with STARTTLS (RFC 3207), TLS from the first byte on, and AUTH PLAIN
//! (RFC 4616).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use zeroize::Zeroizing;

use super::Message;
use super::stream::{Line, Roots, connect, secure};
use crate::fleet::{Smtp, Tls};
use crate::text::{count, short};

/// Bytes of a line of an answer, and lines of one, at most.
const LONGEST: u64 = 2048;
const LINES: usize = 100;
/// Characters of a subject at most.
const SUBJECT: usize = 200;

/// Sends one mail that tells all of the messages. The answer: who is refused, where somebody else is
/// not.
///
/// # Errors
/// It does not go out to anybody. What the server says of a login is not told.
pub(super) async fn mail(
    smtp: &Smtp,
    password: Option<&str>,
    messages: &[Message],
    roots: &Roots,
) -> Result<Option<String>, String> {
    let host = smtp.server.host.as_str();
    let addresses = || smtp.to.iter().chain([&smtp.from]);
    if let Some(wrong) = addresses().find(|it| !is_address(it)) {
        return Err(format!("{} is no mail address", short(wrong, 80)));
    }
    let stream = connect(host, smtp.server.port).await?;
    let ip = stream.local_addr().map(|it| it.ip().to_canonical());
    // Who has no name says where it is (RFC 5321, 4.1.3).
    let me = match ip {
        Ok(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
        Ok(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        Err(_) => "localhost".to_owned(),
    };
    let mut line: Line = Box::new(stream);
    if smtp.tls == Tls::Tls {
        line = secure(line, host, roots).await?;
    }
    let mut session = Session(BufReader::new(line));
    session.expect("its greeting", 220).await?;
    let mut can = session.hello(&me).await?;
    if smtp.tls == Tls::Starttls {
        if !can.has("STARTTLS") {
            return Err("it offers no STARTTLS; see `tls` of `smtp`".into());
        }
        session.ask("STARTTLS", 220).await?;
        // What came with the answer came in the clear, from anybody (CVE-2011-0411).
        if !session.0.buffer().is_empty() {
            return Err("it speaks before TLS is there".into());
        }
        let line = secure(session.0.into_inner(), host, roots).await?;
        session = Session(BufReader::new(line));
        can = session.hello(&me).await?;
    }
    if let (Some(login), Some(password)) = (&smtp.login, password) {
        if !can.has_word("AUTH", "PLAIN") {
            return Err("it takes no login by AUTH PLAIN".into());
        }
        session.login(&login.user, password).await?;
    }
    session
        .ask(&format!("MAIL FROM:<{}>", smtp.from), 250)
        .await?;
    let mut refused = Vec::new();
    for to in &smtp.to {
        let asked = session.ask(&format!("RCPT TO:<{to}>"), 25).await;
        refused.extend(asked.err());
    }
    if refused.len() == smtp.to.len() {
        return Err(refused.swap_remove(0));
    }
    session.ask("DATA", 354).await?;
    let text = written(smtp, messages, Utc::now());
    session.ask(&format!("{text}\r\n."), 250).await?;
    // It has the mail: how it says good-bye is its own business.
    let _ = session.ask("QUIT", 221).await;
    Ok(refused.into_iter().next())
}

/// Whether it can stand between `<` and `>`, and in a header, and be nothing else.
fn is_address(text: &str) -> bool {
    let fit = |b: u8| b.is_ascii_graphic() && !b"<>,;:\"()[]\\".contains(&b);
    text.contains('@') && text.len() <= 254 && text.bytes().all(fit)
}

struct Session(BufReader<Line>);

/// What a server answers to a greeting: what it can.
struct Can(Vec<String>);

impl Can {
    fn has(&self, word: &str) -> bool {
        self.0
            .iter()
            .any(|line| first(line).eq_ignore_ascii_case(word))
    }

    fn has_word(&self, word: &str, of: &str) -> bool {
        let mut lines = self.0.iter();
        lines.any(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().is_some_and(|it| it.eq_ignore_ascii_case(word))
                && words.any(|it| it.eq_ignore_ascii_case(of))
        })
    }
}

fn first(line: &str) -> &str {
    line.split_ascii_whitespace().next().unwrap_or_default()
}

impl Session {
    async fn hello(&mut self, me: &str) -> Result<Can, String> {
        Ok(Can(self.ask(&format!("EHLO {me}"), 250).await?))
    }

    async fn login(&mut self, user: &str, password: &str) -> Result<(), String> {
        let plain = Zeroizing::new(format!("\0{user}\0{password}"));
        let plain = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
        let line = Zeroizing::new(format!("AUTH PLAIN {}", plain.as_str()));
        self.say(&line).await?;
        let (code, _) = self.answer().await?;
        match code {
            235 => Ok(()),
            code => Err(format!("it refuses the login: {code}")),
        }
    }

    /// Says a line and wants an answer that begins with `code`.
    async fn ask(&mut self, line: &str, code: u16) -> Result<Vec<String>, String> {
        self.say(line).await?;
        let what = match line.lines().count() {
            ..=1 => short(line, 80),
            _ => "the mail".to_owned(),
        };
        self.expect(&what, code).await
    }

    async fn say(&mut self, line: &str) -> Result<(), String> {
        let line = Zeroizing::new(format!("{line}\r\n"));
        let saying = async {
            self.0.write_all(line.as_bytes()).await?;
            self.0.flush().await
        };
        saying
            .await
            .map_err(|error: std::io::Error| error.to_string())
    }

    async fn expect(&mut self, what: &str, code: u16) -> Result<Vec<String>, String> {
        let (got, lines) = self.answer().await?;
        if got == code || (code < 100 && got / 10 == code) {
            return Ok(lines);
        }
        let said = lines.first().map(|line| short(line, 200));
        Err(format!("{what}: {got} {}", said.unwrap_or_default()))
    }

    /// One answer: its code, and its lines without it.
    async fn answer(&mut self) -> Result<(u16, Vec<String>), String> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let mut bytes = Vec::new();
            let mut reading = (&mut self.0).take(LONGEST);
            let read = reading.read_until(b'\n', &mut bytes).await;
            read.map_err(|error| error.to_string())?;
            if bytes.last() != Some(&b'\n') {
                return Err("its answer breaks off".into());
            }
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end();
            let code = text.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or("it speaks no SMTP")?;
            lines.push(text.get(4..).unwrap_or_default().to_owned());
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok((code, lines));
            }
        }
        Err("its answer has no end".into())
    }
}

/// The mail. Its body is base64: no line of it can be taken for its end, or for a header.
fn written(smtp: &Smtp, messages: &[Message], now: DateTime<Utc>) -> String {
    let subject = match messages {
        [one] => one.title.clone(),
        [first, more @ ..] => format!("{} (and {} more)", first.title, more.len()),
        [] => String::new(),
    };
    let mut body = String::new();
    if messages.len() > 1 {
        body.push_str(&format!("{}\n\n", count(messages.len(), "change")));
    }
    for message in messages {
        body.push_str(&format!("{}\n", message.title));
        for line in &message.lines {
            body.push_str(&format!("  {line}\n"));
        }
        body.push('\n');
    }
    let domain = smtp.from.rsplit('@').next().unwrap_or("localhost");
    let id = now.timestamp_nanos_opt().unwrap_or_default();
    let id = format!("{id}.{}@{domain}", std::process::id());
    let headers = [
        format!("From: ostler <{}>", smtp.from),
        format!("To: {}", smtp.to.join(",\r\n ")),
        format!("Subject: {}", header(&subject)),
        format!("Date: {}", now.to_rfc2822()),
        format!("Message-ID: <{id}>"),
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
    ];
    let body = STANDARD.encode(body.replace('\n', "\r\n"));
    // All of it is ASCII.
    let lines = body.as_bytes().chunks(76).map(String::from_utf8_lossy);
    let body: Vec<_> = lines.collect();
    format!("{}\r\n\r\n{}", headers.join("\r\n"), body.join("\r\n"))
}

/// A text as a header has it (RFC 2047): in words of 75 characters at most, which have no line break.
fn header(text: &str) -> String {
    let text = short(text, SUBJECT);
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        if words
            .last()
            .is_some_and(|word| word.len() + c.len_utf8() > 45)
        {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let words = words.iter().map(|word| STANDARD.encode(word));
    let words: Vec<String> = words.map(|word| format!("=?UTF-8?B?{word}?=")).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_told_is_a_header_or_an_end() {
        for bad in [
            "a@b\r\nRCPT TO:<c@d>",
            "a",
            "a@b>",
            "a b@c",
            "a@b,c@d",
            "ä@b",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(is_address("ops+x@example.net"));
        let smtp = Smtp {
            server: crate::fleet::Endpoint::parse("localhost", 25).unwrap(),
            tls: Tls::Off,
            from: "ostler@example.net".into(),
            to: vec!["a@example.net".into(), "b@example.net".into()],
            login: None,
        };
        let message = Message {
            title: "x\r\nBcc: evil@example.net\r\n\r\nü".repeat(9),
            lines: vec![".".into(), "\r\n.\r\nMAIL FROM:<x>".into()],
            json: serde_json::Value::Null,
        };
        let mail = written(&smtp, &[message.clone(), message], DateTime::UNIX_EPOCH);
        assert!(mail.is_ascii() && !mail.contains("Bcc") && !mail.contains("\r\n."));
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let keys = head.split("\r\n").filter(|it| !it.starts_with(' '));
        let keys: Vec<_> = keys.map(|it| it.split(':').next().unwrap()).collect();
        assert_eq!(keys.len(), 9, "{head}");
        assert!(mail.split("\r\n").all(|line| line.len() <= 100), "{mail}");
        let body = STANDARD.decode(body.replace("\r\n", "")).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(body.starts_with("2 changes\r\n\r\nx"), "{body}");
    }
}
