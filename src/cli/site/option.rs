//! Options of `site create` that are keys of the fleet file: their rows say how.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::fleet::keys;

/// The keys that were given, each as it is to stand in the file.
#[derive(Debug, Clone, Default)]
pub struct KeyOptions(pub Vec<(&'static str, String)>);

impl KeyOptions {
    /// Whether this key was given.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == key)
    }
}

impl FromArgMatches for KeyOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let keys = keys::creating().filter(|key| key.option.is_some());
        let given = keys.filter_map(|key| {
            let text = matches.get_one::<String>(key.name)?;
            Some((key.name, text.clone()))
        });
        Ok(KeyOptions(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for KeyOptions {
    fn augment_args(command: Command) -> Command {
        let options = keys::creating().filter_map(|key| {
            let (value, help) = key.option?;
            let option = Arg::new(key.name).long(key.name);
            Some(option.value_name(value).help(help))
        });
        command.args(options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
