//! Questions of a login, asked on the terminal: on standard error, for standard output is for
//! answers.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::text;
use crate::engine::transport::ask::{Answer, Ask, Headless, Question};

/// Who answers: the operator, when there is a terminal to ask on; else nobody.
pub fn here() -> Arc<dyn Ask> {
    match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        true => Arc::new(Terminal::default()),
        false => Arc::new(Headless),
    }
}

/// The operator at the terminal. One question at a time.
#[derive(Debug, Default)]
struct Terminal {
    one: Mutex<()>,
}

impl Ask for Terminal {
    fn ask(&self, question: &Question) -> Answer {
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let mut err = std::io::stderr().lock();
        let answered = match question {
            Question::HostKey { .. } => {
                let mut input = std::io::stdin().lock();
                host_key(question, &mut input, &mut err)
            }
            Question::Text { visible: true, .. } => {
                let mut input = std::io::stdin().lock();
                prompt(question, &mut err).and_then(|()| line(&mut input))
            }
            Question::Text { .. } => unseen(question, &mut err),
        };
        // Without a terminal that works there is nobody.
        answered.unwrap_or(Answer::Nobody)
    }
}

fn host_key(
    question: &Question,
    input: &mut impl BufRead,
    err: &mut impl Write,
) -> std::io::Result<Answer> {
    let Question::HostKey {
        host,
        address,
        kind,
        fingerprint,
        file,
    } = question
    else {
        return Ok(Answer::No);
    };
    let (host, address, kind) = (text::line(host), text::line(address), text::line(kind));
    writeln!(err, "{host} ({address}) shows a key that is not known:")?;
    writeln!(err, "  {kind} {fingerprint}")?;
    writeln!(
        err,
        "It is the right one if `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` says the same on {host}."
    )?;
    let keep = match file.as_os_str().is_empty() {
        true => String::new(),
        false => format!(
            " and keep it in {}",
            text::line(&file.display().to_string())
        ),
    };
    loop {
        write!(err, "Trust it{keep}? Type yes, no or the fingerprint: ")?;
        err.flush()?;
        let mut typed = String::new();
        if input.read_line(&mut typed)? == 0 {
            return Ok(Answer::No);
        }
        match typed.trim() {
            "yes" => return Ok(Answer::Yes),
            typed if typed == fingerprint => return Ok(Answer::Yes),
            "no" | "n" | "" => return Ok(Answer::No),
            // A y is typed too easily.
            _ => writeln!(err, "Please type yes or no in full, or the fingerprint.")?,
        }
    }
}

fn prompt(question: &Question, err: &mut impl Write) -> std::io::Result<()> {
    let Question::Text {
        host,
        prompt,
        again,
        ..
    } = question
    else {
        return Ok(());
    };
    let prompt = text::line(prompt);
    let wrong = if *again { "That was wrong. " } else { "" };
    write!(err, "{wrong}{}: {} ", text::line(host), ended(&prompt))?;
    err.flush()
}

/// With a colon, unless it ends with something like one.
fn ended(prompt: &str) -> String {
    match prompt.ends_with([':', '?', '>']) {
        true => prompt.to_owned(),
        false => format!("{prompt}:"),
    }
}

fn line(input: &mut impl BufRead) -> std::io::Result<Answer> {
    let mut typed = String::new();
    Ok(match input.read_line(&mut typed)? {
        0 => Answer::No,
        _ => Answer::Text(typed.trim_end_matches(['\r', '\n']).to_owned()),
    })
}

/// Asks for a line that is not shown. Keys arrive one by one, Ctrl-C included: the terminal is put
/// back however it ends.
fn unseen(question: &Question, err: &mut impl Write) -> std::io::Result<Answer> {
    // Before it is asked: who sees the question may type.
    let mut hidden = Hidden::begin()?;
    prompt(question, err)?;
    let answer = keys(&mut hidden);
    drop(hidden);
    // The Enter was not shown either.
    writeln!(err)?;
    answer
}

fn keys(input: &mut impl Read) -> std::io::Result<Answer> {
    let mut typed = Zeroizing::new(Vec::new());
    let mut key = [0u8];
    loop {
        if input.read(&mut key)? == 0 {
            return Ok(Answer::No);
        }
        match key[0] {
            b'\r' | b'\n' => break,
            // Ctrl-C, and Ctrl-D with nothing typed.
            3 => return Ok(Answer::No),
            4 if typed.is_empty() => return Ok(Answer::No),
            8 | 0x7f => erase(&mut typed),
            // Ctrl-U
            0x15 => typed.clear(),
            byte => typed.push(byte),
        }
    }
    Ok(match String::from_utf8(typed.to_vec()) {
        Ok(text) => Answer::Text(text),
        Err(_) => Answer::No,
    })
}

/// Takes the last character back, all of its bytes.
fn erase(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// The terminal without echo, as long as this lives.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut now = before.clone();
        now.local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is not an answer to it.
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &now)?;
        Ok(Hidden { before })
    }
}

impl Read for Hidden {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            // Past the buffer of std: what it would hold would be left in memory.
            match rustix::io::read(std::io::stdin(), &mut *buf) {
                Err(rustix::io::Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Question {
        Question::HostKey {
            host: "web1\x1b[2J".into(),
            address: "192.0.2.7:22".into(),
            kind: "ssh-ed25519".into(),
            fingerprint: "SHA256:abc".into(),
            file: "/home/me/.ssh/known_hosts".into(),
        }
    }

    fn asked(typed: &str) -> (Answer, String) {
        let mut err = Vec::new();
        let answer = host_key(&key(), &mut typed.as_bytes(), &mut err).unwrap();
        (answer, String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_host_key_takes_a_whole_yes() {
        for (typed, answer) in [
            ("yes\n", Answer::Yes),
            ("SHA256:abc\n", Answer::Yes),
            ("y\nyes\n", Answer::Yes),
            ("SHA256:abd\nno\n", Answer::No),
            ("no\n", Answer::No),
            ("\n", Answer::No),
            ("", Answer::No),
        ] {
            assert_eq!(asked(typed).0, answer, "{typed:?}");
        }
        let said = asked("yes\n").1;
        for part in [
            "web1^[[2J (192.0.2.7:22)",
            "ssh-ed25519 SHA256:abc",
            "/home/me/.ssh/known_hosts",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains('\x1b'));
    }

    #[test]
    fn keys_make_a_secret() {
        let typed = |bytes: &[u8]| keys(&mut &*bytes).unwrap();
        let text = |text: &str| Answer::Text(text.into());
        assert_eq!(typed(b"open sesame\r"), text("open sesame"));
        assert_eq!(typed("aä\x7f\x7fbc\x08d\n".as_bytes()), text("bd"));
        assert_eq!(typed(b"wrong\x15right\n"), text("right"));
        assert_eq!(typed(b"\n"), text(""));
        assert_eq!(typed(b"abc\x03"), Answer::No);
        assert_eq!(typed(b"\x04"), Answer::No);
        assert_eq!(typed(b"abc"), Answer::No);
    }

    #[test]
    fn prompts_end_with_a_colon() {
        for (again, prompt_, said) in [
            (false, "passphrase of /k", "web1: passphrase of /k: "),
            (true, "Password:", "That was wrong. web1: Password: "),
        ] {
            let question = Question::Text {
                host: "web1".into(),
                prompt: prompt_.into(),
                visible: false,
                again,
            };
            let mut err = Vec::new();
            prompt(&question, &mut err).unwrap();
            assert_eq!(String::from_utf8(err).unwrap(), said);
        }
    }
}
