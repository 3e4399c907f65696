//! What runs in a container, as far as anyone outside can tell: what it prints and when it ends.
//!
//! A handful of commands is understood, and a shell that knows a handful of statements; servers
//! are known by their image.

use crate::engine::Out;

use super::clock::SECOND;

/// What a container or a command does.
#[derive(Debug, Clone, PartialEq)]
pub enum Program {
    /// Serves HTTP until it is stopped.
    Server(Server),
    /// Does these steps.
    Steps(Steps),
    /// One of the scripts of the toolbox, by tag, with its arguments.
    Script {
        tag: String,
        /// What follows it.
        args: Vec<String>,
    },
    /// There is no such command.
    Missing(String),
}

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Apache with PHP.
    Apache,
    Nginx,
    /// HAProxy.
    Router,
    /// Any other that answers HTTP.
    Web,
    /// Something that runs and answers no HTTP: a database, a toolbox.
    Quiet,
}

/// A course of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// What is printed: nanoseconds after the start, where to, and the line with its end.
    pub prints: Vec<(i64, Out, Vec<u8>)>,
    /// When it ends by itself, and with which code.
    pub ends: Option<(i64, i64)>,
    /// The exit code when it is asked to stop; without one it does not listen.
    pub on_stop: Option<i64>,
}

/// Reads a command line. `stdin` is what it may read, whole.
pub fn read(argv: &[String], stdin: &[u8]) -> Program {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    match words.as_slice() {
        // It keeps its rules until it is stopped.
        ["sh", "-c", _, "ostler-guard", ..] => Program::Server(Server::Quiet),
        ["sh" | "/bin/sh" | "bash", "-c", _, name, args @ ..] if name.starts_with("ostler-") => {
            Program::Script {
                tag: name["ostler-".len()..].to_owned(),
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            }
        }
        ["sh" | "/bin/sh" | "bash", "-c", text, ..] => Program::Steps(shell(text, stdin)),
        ["tail", "-f", "/dev/null"] => Program::Steps(Steps::default()),
        _ => {
            let mut steps = Steps::default();
            let mut at = 0;
            match statement(&words, stdin, &mut at, &mut steps) {
                Some(ended) => {
                    if ended && steps.ends.is_none() {
                        steps.ends = Some((at, 0));
                    }
                    Program::Steps(steps)
                }
                None => Program::Missing(words.first().copied().unwrap_or_default().to_owned()),
            }
        }
    }
}

/// The statements of a script, separated by semicolons or line ends.
fn shell(text: &str, stdin: &[u8]) -> Steps {
    let mut steps = Steps::default();
    let mut at = 0;
    for line in split_statements(text) {
        let words = split_words(&line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            ["exec", rest @ ..] => rest,
            ["trap", what, "TERM"] => {
                let code = what
                    .strip_prefix("exit ")
                    .and_then(|code| code.parse().ok());
                steps.on_stop = Some(code.unwrap_or(0));
                continue;
            }
            ["wait"] | ["set", ..] | [] => continue,
            words => words,
        };
        // In the background and waited for: for us the same as in the foreground.
        let words = words.strip_suffix(&["&"]).unwrap_or(words);
        match statement(words, stdin, &mut at, &mut steps) {
            Some(true) if steps.ends.is_none() => {}
            Some(_) => return steps,
            None => {
                let command = words.first().copied().unwrap_or_default();
                steps.prints.push((
                    at,
                    Out::Err,
                    format!("sh: 1: {command}: not found\n").into(),
                ));
                steps.ends = Some((at, 127));
                return steps;
            }
        }
    }
    steps.ends = Some((at, 0));
    steps
}

/// Does one command. Whether it comes to an end; `None` for a command that is not known.
fn statement(words: &[&str], stdin: &[u8], at: &mut i64, steps: &mut Steps) -> Option<bool> {
    match words {
        ["true"] | [":"] => Some(true),
        ["false"] => {
            steps.ends = Some((*at, 1));
            Some(true)
        }
        ["exit", code] => {
            steps.ends = Some((*at, code.parse().unwrap_or(2)));
            Some(true)
        }
        ["sleep", "infinity"] => Some(false),
        ["sleep", time] => {
            let seconds: f64 = time.parse().ok()?;
            *at += (seconds * SECOND as f64) as i64;
            Some(true)
        }
        ["echo", rest @ ..] | ["printf", rest @ ..] => {
            let (out, rest) = match rest {
                [rest @ .., ">&2"] => (Out::Err, rest),
                rest => (Out::Out, rest),
            };
            let mut text = rest.join(" ");
            if words[0] == "echo" {
                text.push('\n');
            } else {
                text = text.replace("\\n", "\n");
            }
            steps.prints.push((*at, out, text.into_bytes()));
            Some(true)
        }
        ["cat"] => {
            steps.prints.push((*at, Out::Out, stdin.to_vec()));
            Some(true)
        }
        ["wc", "-c"] => {
            steps
                .prints
                .push((*at, Out::Out, format!("{}\n", stdin.len()).into()));
            Some(true)
        }
        _ => None,
    }
}

/// Cuts a script at semicolons, line ends and single ampersands that are not quoted; the ampersand
/// stays, as a word.
fn split_statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut quote = None;
    let mut before = ' ';
    for letter in text.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, ';' | '\n') => {
                statements.push(std::mem::take(&mut current));
                before = letter;
                continue;
            }
            (None, '&') if before != '>' => {
                current.push_str(" &");
                statements.push(std::mem::take(&mut current));
                before = letter;
                continue;
            }
            _ => {}
        }
        current.push(letter);
        before = letter;
    }
    statements.push(current);
    statements
}

/// Words, with quotes taken off.
fn split_words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), letter) if open == letter => quote = None,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(argv: &[&str], stdin: &str) -> Steps {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        match read(&argv, stdin.as_bytes()) {
            Program::Steps(steps) => steps,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_script_is_played() {
        let played = steps(
            &[
                "sh",
                "-c",
                "echo one 'two  x'; echo no >&2; sleep 0.5; cat; exit 7",
            ],
            "in",
        );
        assert_eq!(
            played.prints,
            [
                (0, Out::Out, b"one two  x\n".to_vec()),
                (0, Out::Err, b"no\n".to_vec()),
                (SECOND / 2, Out::Out, b"in".to_vec()),
            ]
        );
        assert_eq!(played.ends, Some((SECOND / 2, 7)));
    }

    #[test]
    fn what_never_ends_never_ends() {
        assert_eq!(steps(&["sleep", "infinity"], "").ends, None);
        let trapped = steps(&["sh", "-c", "trap 'exit 3' TERM; sleep 1000 & wait"], "");
        assert_eq!(trapped.on_stop, Some(3));
        assert_eq!(trapped.ends, Some((1000 * SECOND, 0)));
        assert_eq!(steps(&["sleep", "2"], "").ends, Some((2 * SECOND, 0)));
    }

    #[test]
    fn scripts_go_by_their_tag_and_nonsense_is_missing() {
        let argv: Vec<String> = ["sh", "-c", "whatever", "ostler-tree", "a"]
            .map(str::to_owned)
            .into();
        assert_eq!(
            read(&argv, b""),
            Program::Script {
                tag: "tree".into(),
                args: vec!["a".into()]
            }
        );
        assert_eq!(
            read(&["nosuch".to_owned()], b""),
            Program::Missing("nosuch".into())
        );
    }
}
