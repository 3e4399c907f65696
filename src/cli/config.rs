//! The operator's own configuration: `config.yml` in the configuration directory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::exit::Failure;
use crate::file;
use crate::fleet::{bounds, nearest};

/// All that the file may say: `mode` is read here, the rest by the console.
const KEYS: [&str; 3] = ["mode", "theme", "keys"];

/// What the command line needs of the configuration. The console reads its theme and keys from the
/// same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Config {
    /// `mode: on-call` makes every run read-only.
    #[serde(default)]
    pub mode: Mode,
}

/// Whether hosts may be changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Plans can be applied.
    #[default]
    Full,
    /// Read-only.
    OnCall,
}

/// The configuration directory: `$XDG_CONFIG_HOME/ostler` or its like on other systems.
pub fn directory() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "ostler").map(|d| d.config_dir().to_path_buf())
}

/// Where this operator's own records go: `$XDG_STATE_HOME/ostler` or its like.
pub fn state_directory() -> Option<PathBuf> {
    let directories = directories::ProjectDirs::from("", "", "ostler")?;
    let state = directories
        .state_dir()
        .unwrap_or(directories.data_local_dir());
    Some(state.to_path_buf())
}

/// Reads the configuration; a file that is not there says nothing.
pub fn load() -> Result<Config, Failure> {
    match directory() {
        Some(directory) => load_from(&directory.join("config.yml")),
        None => Ok(Config::default()),
    }
}

/// A file that cannot be read is an error: it may be the one that says `mode: on-call`.
fn load_from(path: &Path) -> Result<Config, Failure> {
    let text = match file::read_text(path, file::SMALL) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => {
            return Err(Failure::caused(
                format!("cannot read {}", path.display()),
                &error,
            ));
        }
    };
    if text
        .lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
    {
        return Ok(Config::default());
    }
    let broken = |error: String| {
        Failure::new(format!("{}: {error}", path.display()))
            .help("mode is `full` or `on-call`; see the README for the rest of the file")
    };
    // Of `Mode: on-call` nothing would be heard, and hosts could be changed.
    let keys: BTreeMap<String, IgnoredAny> = bounds::read(&text).map_err(broken)?;
    if let Some(odd) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let odd = crate::text::line(odd);
        let failure = Failure::new(format!("{}: there is no setting `{odd}`", path.display()));
        return Err(failure.help(match nearest(&odd, KEYS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("settings are {}", KEYS.join(", ")),
        }));
    }
    bounds::read(&text).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        std::fs::write(&path, text).unwrap();
        load_from(&path)
    }

    #[test]
    fn on_call_mode_is_read_and_the_console_s_part_is_left_alone() {
        assert_eq!(
            read("mode: on-call\ntheme: light\nkeys: {quit: q}\n")
                .unwrap()
                .mode,
            Mode::OnCall
        );
        assert_eq!(read("theme: light\n").unwrap().mode, Mode::Full);
        assert_eq!(read("# nothing yet\n").unwrap().mode, Mode::Full);
    }

    #[test]
    fn a_mode_that_is_not_understood_is_not_taken_for_full() {
        assert!(read("mode: oncall\n").is_err());
        assert!(read("mode: [\n").is_err());
        // No cost that grows with the square.
        assert!(read(&format!("keys: {}", "[".repeat(500_000))).is_err());
    }

    #[test]
    fn a_setting_that_is_not_known_is_refused() {
        for (text, says) in [
            ("Mode: on-call\n", "did you mean `mode`?"),
            ("theme: light\nmdoe: on-call\n", "did you mean `mode`?"),
            ("read-only: true\n", "settings are mode, theme, keys"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(
                failure.message.contains("there is no setting"),
                "{failure:?}"
            );
            assert_eq!(failure.help.as_deref(), Some(says), "{text}");
        }
    }

    #[test]
    fn no_file_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            load_from(&folder.path().join("none.yml")).unwrap(),
            Config::default()
        );
    }
}
