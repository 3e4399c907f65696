//! Every key of the fleet file, in one table per mapping. The loader's checks, its suggestions, the
//! JSON Schema and the reference in the README all read it.

mod host;
mod site;

pub use host::{ACCOUNT, HOST, IMAGES, PORTS};
pub use site::{DEFAULTS, HEALTH, SECRET, SITE};

/// The keys of one mapping.
#[derive(Debug)]
pub struct Table {
    /// What the mapping describes: `a site`.
    pub of: &'static str,
    /// Its keys, in the order in which people would write them.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
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
    /// Seconds: `60`, `60s` or `2m`.
    Seconds,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path.
    Folder,
    /// A list of domains.
    Domains,
    /// A program and its arguments.
    Command,
    /// Names to texts.
    Texts,
    /// Names to `{ file: … }` or `{ command: … }`.
    Secrets,
    /// Domains to URLs.
    Redirects,
    /// A mapping with keys of its own.
    Mapping(&'static Table),
    /// Names to mappings.
    Named(&'static Table),
}

const KEY: Key = Key {
    name: "",
    kind: Kind::Text,
    recipes: &[],
    required: false,
    default: "",
    example: "",
    doc: "",
    synonyms: &[],
};

/// The recipes.
pub const RECIPES: &[&str] = &["static", "php", "proxy", "image"];
/// Recipes that have a container of their own.
const OWN: &[&str] = &["static", "php", "image"];
/// Words behind `state`.
pub const STATES: &[&str] = &["running", "stopped", "archived"];

/// Memory of a site that says nothing else: everything ostler creates has a limit.
pub const DEFAULT_MEMORY: u64 = 256 << 20;
/// Processes and threads of a site that says nothing else.
pub const DEFAULT_PIDS: u32 = 256;
/// Open connections of a site that says nothing else.
pub const DEFAULT_CONNECTIONS: u32 = 200;
/// PHP of a site that says nothing else.
pub const DEFAULT_PHP: &str = "8.4";
/// Longest fleet name: containers and networks carry it.
pub const FLEET_NAME_MAX: usize = 20;

/// The file itself.
pub const FILE: Table = Table {
    of: "the fleet file",
    keys: &[
        Key {
            name: "fleet",
            required: true,
            example: "chatons",
            doc: "Name of the fleet, at most 20 characters; containers and networks carry it.",
            synonyms: &["name"],
            ..KEY
        },
        Key {
            name: "defaults",
            kind: Kind::Mapping(&DEFAULTS),
            example: "{ memory: 256M }",
            doc: "What holds for every site that says nothing else.",
            synonyms: &["default"],
            ..KEY
        },
        Key {
            name: "hosts",
            kind: Kind::Named(&HOST),
            example: "web1: { engine: \"ssh://ops@web1.example.net\" }",
            doc: "The Docker Engines, by name.",
            synonyms: &["host", "servers"],
            ..KEY
        },
        Key {
            name: "accounts",
            kind: Kind::Named(&ACCOUNT),
            example: "alice: { email: alice@example.net }",
            doc: "The customers, by name.",
            synonyms: &["account", "customers", "users"],
            ..KEY
        },
        Key {
            name: "sites",
            kind: Kind::Named(&SITE),
            example: "alice-blog: { host: web1, recipe: static, domains: [blog.example.net] }",
            doc: "The web sites, by name; the name is also login and folder.",
            synonyms: &["site", "services"],
            ..KEY
        },
    ],
};

impl Table {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The key that was meant by a word that is none.
    pub fn meant(&self, word: &str) -> Option<&'static str> {
        let lower = word.to_lowercase();
        let synonym = self
            .keys
            .iter()
            .find(|k| k.synonyms.contains(&lower.as_str()));
        match synonym {
            Some(key) => Some(key.name),
            None => super::nearest(word, self.keys.iter().map(|k| k.name)),
        }
    }
}

impl Key {
    /// Whether a site of this recipe knows the key.
    pub fn belongs_to(&self, recipe: &str) -> bool {
        self.recipes.is_empty() || self.recipes.contains(&recipe)
    }
}
