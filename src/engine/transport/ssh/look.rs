//! Looking at a socket on a host with one command, and the commands that are run there.

use super::passage::Ending;
use crate::engine::error::{Error, Result};
use crate::text::{Kind, kind};

/// What stands at the place of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nothing,
    Folder,
    File,
    /// A socket that this user may not use.
    Denied,
    /// A socket that this user may use.
    Usable,
}

/// What one look at a host showed. Everything may be unknown: a key may be bound to a command of
/// its own, which answers something else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    place: Option<Place>,
    /// Whether something accepts connections there.
    listening: Option<bool>,
    /// Whether there is a `docker` command.
    pub(super) docker: Option<bool>,
    /// Our login name there.
    user: Option<String>,
    /// The group that owns the socket.
    group: Option<String>,
}

/// Each line is a word of ours and what was found. `/proc/net/unix` lists listening sockets (flag
/// 00010000) by the path that they were bound to, which may lead through a link (`/var/run`).
const LOOK: &str = r#"p=$1
if [ -S "$p" ]; then if [ -r "$p" ] && [ -w "$p" ]; then echo place usable; else echo place denied; fi
elif [ -d "$p" ]; then echo place folder; elif [ -e "$p" ]; then echo place file; else echo place nothing; fi
if [ -r /proc/net/unix ]; then q=$(readlink -f "$p"); l=no; while read -r a b c f t s i n; do
if [ "$f" = 00010000 ]; then case $n in "$p"|"$q") l=yes;; esac; fi; done </proc/net/unix; echo listening $l; fi
if command -v docker >/dev/null; then echo docker yes; else echo docker no; fi
echo user $(id -un)
if [ -S "$p" ]; then echo group $(stat -c %G "$p"); fi"#;

/// The command line that looks at the socket `path`.
///
/// # Errors
/// The path cannot be put in a command line.
pub(super) fn script(path: &str) -> Result<String> {
    Ok(format!("sh -c {} sh {}", quote(LOOK), quoted_path(path)?))
}

/// The command line that carries a connection to the engine behind the socket `path`.
///
/// # Errors
/// The path cannot be put in a command line.
pub(super) fn dial_stdio(path: &str) -> Result<String> {
    let url = format!("unix://{path}");
    Ok(format!(
        "docker -H {} system dial-stdio",
        quoted_path(&url)?
    ))
}

/// As one word for any login shell. A backslash within quotes means different things to different
/// shells, and a line break ends a command in some: no socket is called so.
fn quoted_path(path: &str) -> Result<String> {
    if path
        .chars()
        .any(|c| c.is_control() || c == '\\' || c == '!')
    {
        return Err(Error::Unsupported {
            address: format!("{path:?}"),
            why: "a socket whose path has control characters, `\\` or `!` cannot be reached by a command".to_owned(),
        });
    }
    Ok(quote(path))
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Found {
    /// From what [`script`] prints.
    pub(super) fn read(said: &str) -> Self {
        let mut found = Found::default();
        for line in said.lines() {
            let Some((word, value)) = line.trim().split_once(' ') else {
                continue;
            };
            match (word, value) {
                ("place", "nothing") => found.place = Some(Place::Nothing),
                ("place", "folder") => found.place = Some(Place::Folder),
                ("place", "file") => found.place = Some(Place::File),
                ("place", "denied") => found.place = Some(Place::Denied),
                ("place", "usable") => found.place = Some(Place::Usable),
                ("listening", _) => found.listening = Some(value == "yes"),
                ("docker", _) => found.docker = Some(value == "yes"),
                ("user", name) => found.user = Some(plain(name)),
                ("group", name) => found.group = Some(plain(name)),
                _ => {}
            }
        }
        found
    }

    /// What is in the way of any connection to the socket, if it is seen.
    pub(super) fn obstacle(&self, host: &str, path: &str) -> Option<Error> {
        let address = || format!("ssh://{host}{path}");
        let not_docker = |what: &str| Error::NotDocker {
            address: address(),
            what: what.to_owned(),
        };
        Some(match self.place? {
            Place::Nothing => Error::NoSocketThere {
                host: host.to_owned(),
                path: path.to_owned(),
            },
            Place::Folder => not_docker("it is a folder"),
            Place::File => not_docker("it is a file, not a socket"),
            Place::Denied => denied(host, path, self.user.as_deref(), self.group.as_deref()),
            Place::Usable if self.listening == Some(false) => {
                Error::NotListening { address: address() }
            }
            Place::Usable => return None,
        })
    }
}

/// Names of users and groups, as far as they can stand in a line for the terminal.
fn plain(name: &str) -> String {
    let fine = |c: &char| c.is_alphanumeric() || "._-@$+".contains(*c);
    name.chars().filter(fine).take(64).collect()
}

fn denied(host: &str, path: &str, user: Option<&str>, group: Option<&str>) -> Error {
    let user = user.unwrap_or("$USER");
    let remedy = match group {
        Some(group) if group != "root" => format!(
            "on {host}, let {user} join the group that owns it: `sudo usermod -aG {group} {user}` (that group is as good as root); the next connection has it"
        ),
        _ => format!(
            "only root may use it: on {host}, give the socket to a group that {user} is in, or log in as another user: ssh://USER@{host}"
        ),
    };
    Error::PermissionDenied {
        path: format!("{path} on {host}"),
        remedy,
    }
}

/// What a command that ended without an answer meant.
pub(super) fn explain_ending(ending: &Ending, host: &str, path: &str) -> Error {
    let said = String::from_utf8_lossy(&ending.complaint);
    let said = said.trim();
    let address = format!("ssh://{host}{path}");
    let lower = said.to_lowercase();
    if ending.code == 127 {
        return Error::NoWayToSocket {
            host: host.to_owned(),
            path: path.to_owned(),
            why: "it has no `docker` command either".to_owned(),
        };
    }
    if lower.contains("permission denied") {
        return denied(host, path, None, Some("docker"));
    }
    if lower.contains("no such file") {
        return Error::NoSocketThere {
            host: host.to_owned(),
            path: path.to_owned(),
        };
    }
    if lower.contains("cannot connect") || lower.contains("connection refused") {
        return Error::NotListening { address };
    }
    let seen = |c| if kind(c) == Kind::Plain { c } else { ' ' };
    let words: String = said.chars().map(seen).take(300).collect();
    let why = match words.as_str() {
        "" => format!("`docker system dial-stdio` ended with code {}", ending.code),
        words => format!("`docker system dial-stdio` says: {words}"),
    };
    Error::Unreachable { address, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(said: &str) -> Option<Error> {
        Found::read(said).obstacle("web1", "/run/docker.sock")
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        assert!(matches!(
            found("place nothing\ndocker yes\n"),
            Some(Error::NoSocketThere { host, .. }) if host == "web1"
        ));
        assert!(matches!(
            found("place file\n"),
            Some(Error::NotDocker { .. })
        ));
        assert!(matches!(
            found("place usable\nlistening no\n"),
            Some(Error::NotListening { .. })
        ));
        assert_eq!(found("place usable\nlistening yes\n"), None);
        assert_eq!(found("place usable\n"), None);
        // A key bound to a command answers something else.
        assert_eq!(found("HTTP/1.1 400 Bad Request\r\nplace\n"), None);
        let denied = found("place denied\nuser ops\ngroup docker\n").unwrap();
        assert_eq!(
            denied.to_string(),
            "no permission to use the Docker socket /run/docker.sock on web1"
        );
        let remedy = denied.remedy().unwrap();
        assert!(remedy.contains("usermod -aG docker ops`"), "{remedy}");
        let remedy = found("place denied\nuser ops\ngroup root\n")
            .and_then(|error| error.remedy())
            .unwrap();
        assert!(remedy.contains("only root"), "{remedy}");
    }

    #[test]
    fn names_from_a_host_are_cleaned() {
        let found = Found::read("user op\u{1b}[2Js\ngroup `reboot`\n");
        assert_eq!(found.user.as_deref(), Some("op2Js"));
        assert_eq!(found.group.as_deref(), Some("reboot"));
    }

    #[test]
    fn a_path_is_one_word_of_a_command() {
        assert_eq!(
            dial_stdio("/srv/o'hara $(reboot)/docker.sock").unwrap(),
            r"docker -H 'unix:///srv/o'\''hara $(reboot)/docker.sock' system dial-stdio"
        );
        assert!(dial_stdio("/a\nreboot").is_err());
        assert!(script("/a\\'b").is_err());
    }

    #[test]
    fn the_look_works_in_a_real_shell() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("a 'b'.sock");
        let path = socket.to_string_lossy().into_owned();
        let look = |path: &str| {
            let line = script(path).unwrap();
            let out = std::process::Command::new("sh")
                .args(["-c", &line])
                .output()
                .unwrap();
            Found::read(&String::from_utf8_lossy(&out.stdout))
        };
        assert_eq!(look(&path).place, Some(Place::Nothing));
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let found = look(&path);
        assert_eq!(found.place, Some(Place::Usable));
        assert_eq!(found.listening, Some(true));
        assert!(found.user.is_some() && found.group.is_some());
        drop(listener);
        assert_eq!(look(&path).listening, Some(false));
        assert_eq!(
            look(&folder.path().to_string_lossy()).place,
            Some(Place::Folder)
        );
    }

    #[test]
    fn a_command_that_ended_says_why() {
        let end = |code, said: &str| {
            let ending = Ending {
                code,
                complaint: said.as_bytes().to_vec(),
            };
            explain_ending(&ending, "web1", "/run/docker.sock")
        };
        assert!(matches!(
            end(127, "sh: 1: docker: not found"),
            Error::NoWayToSocket { .. }
        ));
        assert!(matches!(
            end(1, "dial unix /run/docker.sock: connect: permission denied"),
            Error::PermissionDenied { .. }
        ));
        assert!(matches!(
            end(1, "dial unix /run/docker.sock: connect: connection refused"),
            Error::NotListening { .. }
        ));
        let other = end(1, "unknown \u{1b}]0;x\u{7} command").to_string();
        assert!(other.ends_with("unknown  ]0;x  command"), "{other}");
    }
}
