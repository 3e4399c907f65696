//! One key of the fleet file: the words about it, and what may stand behind it.

use super::nearest;

/// The keys of one mapping.
#[derive(Debug)]
pub struct Table {
    /// What the mapping describes: `a site`.
    pub of: &'static str,
    /// Its keys, in the order in which people would write them.
    pub keys: &'static [Key],
    /// Only those of them count that `defaults` may say.
    pub shared: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// For keys of a site: the recipes that know it; empty for all.
    pub recipes: &'static [&'static str],
    /// It has to be there.
    pub required: bool,
    /// What holds when it is left out.
    pub default: &'static str,
    /// An example of a value.
    pub example: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What people write when they mean it.
    pub synonyms: &'static [&'static str],
    /// A key of a site that `defaults` may say for all of them.
    pub shared: bool,
    /// How a form asks for it; the others are left to the file.
    pub asked: Option<Asked>,
    /// The option of `site create` that says it: what it is followed by, and its help.
    pub option: Option<(&'static str, &'static str)>,
}

/// How a form asks for a key.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// What is expected, in a few words.
    pub help: &'static str,
    /// What stands there to begin with.
    pub preset: &'static str,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Free text.
    Text,
    /// The name of an entry of this top-level mapping.
    Reference(&'static str),
    /// `128M`
    Size,
    /// `0.5`
    Cpus,
    /// A whole number in this range.
    Count(u32, u32),
    /// A whole number in this range, or `none`.
    CountLimit(u32, u32),
    /// Seconds, so many at most: `60`, `60s`, `2m` or `2h`.
    Seconds(u32),
    /// A time such as `180d`, ten years at most, or `none`.
    Days,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path.
    Folder,
    /// A list of domains.
    Domains,
    /// A list of addresses and networks.
    Networks,
    /// A list of texts.
    List,
    /// A program and its arguments.
    Command,
    /// Names to texts.
    Texts,
    /// Domains to URLs.
    Redirects,
    /// A mapping with keys of its own.
    Mapping(&'static Table),
    /// Names to mappings.
    Named(&'static Table),
    /// Names to mappings of exactly one key each.
    NamedOne(&'static Table),
    /// A mapping of exactly one key.
    One(&'static Table),
    /// A single value of this kind, or a mapping.
    Either(&'static Kind, &'static Table),
    /// A mapping, or a list of such.
    Several(&'static Table),
}

/// A free text about which nothing is said yet.
pub(super) const KEY: Key = Key {
    name: "",
    kind: Kind::Text,
    recipes: &[],
    required: false,
    default: "",
    example: "",
    doc: "",
    synonyms: &[],
    shared: false,
    asked: None,
    option: None,
};

/// Recipes that have a container of their own.
pub(super) const OWN: &[&str] = &["static", "php", "image"];

impl Table {
    /// The keys that it knows.
    pub fn known(&self) -> impl Iterator<Item = &'static Key> + use<> {
        let all = !self.shared;
        self.keys.iter().filter(move |key| all || key.shared)
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.known().find(|key| key.name == name)
    }

    /// The key that was meant by a word that is none.
    pub fn meant(&self, word: &str) -> Option<&'static str> {
        let lower = word.to_lowercase();
        let synonym = self.known().find(|k| k.synonyms.contains(&lower.as_str()));
        match synonym {
            Some(key) => Some(key.name),
            None => nearest(word, self.known().map(|k| k.name)),
        }
    }
}

impl Key {
    /// Whether a site of this recipe knows the key.
    pub fn belongs_to(&self, recipe: &str) -> bool {
        self.recipes.is_empty() || self.recipes.contains(&recipe)
    }
}
