//! One thing that differs, in its three values.

use serde::Serialize;

/// Whose change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The file was changed; apply brings it to the host.
    File,
    /// The host was changed by hand; apply takes it back, adopt writes it into the file.
    Hand,
    /// Both were.
    Both,
}

impl Kind {
    /// In a table.
    pub fn word(self) -> &'static str {
        match self {
            Kind::File => "the file",
            Kind::Hand => "by hand",
            Kind::Both => "both",
        }
    }
}

/// One thing that differs. Values are for people, as the file writes them; of what looks like a
/// secret none is told. `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Such as `memory`, `env.MODE`, `state`, `domains`, `configuration.nginx.conf`.
    pub path: String,
    /// As last applied.
    pub applied: Option<String>,
    /// As it is.
    pub live: Option<String>,
    /// As the file says.
    pub wanted: Option<String>,
    /// Whose change.
    pub kind: Kind,
    /// The file can say what is live.
    pub adoptable: bool,
}

impl Field {
    /// Whether the host was changed behind our back.
    pub fn by_hand(&self) -> bool {
        self.kind != Kind::File
    }

    /// In one line: `memory 128M→256M by hand`, `memory: 128M → 256M`.
    pub fn line(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let (applied, live, wanted) = (text(&self.applied), text(&self.live), text(&self.wanted));
        let path = &self.path;
        match self.kind {
            Kind::File => format!("{path}: {applied} → {wanted}"),
            Kind::Hand => format!("{path} {applied}→{live} by hand"),
            Kind::Both => format!("{path} {applied}→{live} by hand, the file says {wanted}"),
        }
    }
}

/// Whether a value under this name had better not be shown: it may be a secret in the wrong place.
pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASS",
        "SECRET",
        "TOKEN",
        "KEY",
        "CREDENTIAL",
        "AUTH",
        "DSN",
        "DATABASE_URL",
        "PRIVATE",
    ]
    .iter()
    .any(|word| name.contains(word))
}
