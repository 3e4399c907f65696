//! The console's part of `config.yml`: theme and keys. The mode is the command line's to read.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::console::keymap::Keymap;
use crate::console::theme::Theme;
use crate::file;
use crate::fleet::bounds;

/// What the configuration asks of the console.
#[derive(Debug, Default)]
pub struct Config {
    /// The theme named there, when it could be read.
    pub theme: Option<Theme>,
    /// Themes to choose from: ours, then the operator's own.
    pub themes: Vec<Theme>,
    /// Keys in force.
    pub keymap: Keymap,
    /// What is wrong with the configuration, a line each. It is shown; nothing else happens.
    pub complaints: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    theme: Option<String>,
    keys: BTreeMap<String, Keys>,
}

/// `logs: l` or `logs: [l, L]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

impl Config {
    /// Reads the configuration directory; `None`: there is none.
    pub fn load(directory: Option<&Path>) -> Config {
        let mut complaints = Vec::new();
        let mut themes: Vec<Theme> = Theme::built_in_names()
            .filter_map(Theme::built_in)
            .collect();
        let mut file = File::default();
        if let Some(directory) = directory {
            themes.extend(own_themes(&directory.join("themes"), &mut complaints));
            file = match read(&directory.join("config.yml")) {
                Ok(file) => file,
                Err(why) => {
                    complaints.push(why);
                    File::default()
                }
            };
        }
        let theme = file.theme.and_then(|name| {
            let found = themes.iter().rfind(|t| t.name == name).cloned();
            if found.is_none() {
                let known: Vec<_> = themes.iter().map(|t| t.name.as_str()).collect();
                complaints.push(format!(
                    "there is no theme {name:?}; themes are {}",
                    known.join(", ")
                ));
            }
            found
        });
        let changes = file
            .keys
            .into_iter()
            .map(|(action, keys)| {
                let keys = match keys {
                    Keys::One(key) => vec![key],
                    Keys::Several(keys) => keys,
                };
                (action, keys)
            })
            .collect();
        let (keymap, wrong) = Keymap::new(&changes);
        complaints.extend(wrong);
        Config {
            theme,
            themes,
            keymap,
            complaints,
        }
    }
}

fn read(path: &Path) -> Result<File, String> {
    let text = match file::read_text(path, file::SMALL) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(empty) {
        return Ok(File::default());
    }
    bounds::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn own_themes(directory: &Path, complaints: &mut Vec<String>) -> Vec<Theme> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    let mut themes = Vec::new();
    for path in paths {
        let is_theme = path.extension().is_some_and(|e| e == "yml" || e == "yaml");
        let (true, Some(name)) = (is_theme, path.file_stem().and_then(|s| s.to_str())) else {
            continue;
        };
        match file::read_text(&path, file::SMALL) {
            Ok(text) => match Theme::parse(name, &text) {
                Ok(theme) => themes.push(theme),
                Err(why) => complaints.push(why),
            },
            Err(error) => complaints.push(format!("cannot read {}: {error}", path.display())),
        }
    }
    themes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::action::{Action, Place};

    #[test]
    fn theme_and_keys_come_from_the_configuration_directory() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("themes")).unwrap();
        std::fs::write(
            folder.path().join("themes/mine.yml"),
            "roles: { ok: { fg: blue } }",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("config.yml"),
            "mode: on-call\ntheme: mine\nkeys: { logs: L, broken: [\"!\", b] }\n",
        )
        .unwrap();
        let config = Config::load(Some(folder.path()));
        assert_eq!(config.complaints, Vec::<String>::new());
        assert_eq!(config.theme.unwrap().name, "mine");
        let key = |k: &str| k.parse().unwrap();
        let at = Place::Sites;
        assert_eq!(config.keymap.action(key("L"), at), Some(Action::Logs));
        assert_eq!(config.keymap.action(key("l"), at), None);
        assert_eq!(config.keymap.action(key("b"), at), Some(Action::Broken));
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_works() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("config.yml"),
            "theme: blue\nkeys: { lgos: L }\n",
        )
        .unwrap();
        let config = Config::load(Some(folder.path()));
        assert_eq!(config.complaints.len(), 2, "{:?}", config.complaints);
        assert!(config.theme.is_none());
        assert!(Config::load(None).complaints.is_empty());
    }
}
