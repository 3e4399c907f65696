//! What was alerted of, and who was told: each change goes out once by each way.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::found::Alert;

/// What an operator's machine remembers of its alerts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Book {
    /// By key.
    #[serde(default)]
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    alert: Alert,
    /// When it was seen to be well again, unix seconds.
    gone: Option<i64>,
    /// The ways by which it was told, and how bad it was then.
    told: BTreeMap<String, u8>,
}

/// What changed about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    New,
    /// It was told before, when it was less bad.
    Worse,
    /// It is gone.
    Well,
}

/// A change that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub news: News,
    pub alert: Alert,
    /// When it was seen to be gone, unix seconds.
    pub ended: Option<i64>,
}

impl Book {
    /// Takes what stands `now`. What is not found any more is gone, as far as `knows` says that it was
    /// looked at.
    pub fn update(&mut self, found: Vec<Alert>, knows: impl Fn(&Alert) -> bool, now: i64) {
        let there: BTreeSet<String> = found.iter().map(|alert| alert.key.clone()).collect();
        for (key, entry) in &mut self.entries {
            if !there.contains(key) && entry.gone.is_none() && knows(&entry.alert) {
                entry.gone = Some(now);
            }
        }
        for mut alert in found {
            match self.entries.get_mut(&alert.key) {
                None => {
                    let entry = Entry {
                        alert,
                        gone: None,
                        told: BTreeMap::new(),
                    };
                    self.entries.insert(entry.alert.key.clone(), entry);
                }
                Some(entry) => {
                    // It begins when it was first seen, and anew where it was gone.
                    if entry.gone.take().is_none() {
                        alert.since = alert.since.min(entry.alert.since);
                    }
                    entry.alert = alert;
                }
            }
        }
    }

    /// All that stands.
    pub fn standing(&self) -> impl Iterator<Item = &Alert> {
        let entries = self.entries.values();
        let standing = entries.filter(|entry| entry.gone.is_none());
        standing.map(|entry| &entry.alert)
    }

    /// What is to be told by one way.
    pub fn to_tell(&self, way: &str) -> Vec<Change> {
        let news = |entry: &Entry| match (entry.gone, entry.told.get(way)) {
            (None, None) => Some(News::New),
            (None, Some(level)) if entry.alert.level < *level => Some(News::Worse),
            (Some(_), Some(_)) => Some(News::Well),
            _ => None,
        };
        let change = |entry: &Entry| {
            Some(Change {
                news: news(entry)?,
                alert: entry.alert.clone(),
                ended: entry.gone,
            })
        };
        self.entries.values().filter_map(change).collect()
    }

    /// A change was told by one way.
    pub fn told(&mut self, way: &str, change: &Change) {
        let Some(entry) = self.entries.get_mut(&change.alert.key) else {
            return;
        };
        match change.news {
            News::Well => {
                entry.told.remove(way);
            }
            News::New | News::Worse => {
                entry.told.insert(way.to_owned(), change.alert.level);
            }
        }
    }

    /// Forgets ways that there are no more, and what is gone and waits to be told to nobody.
    pub fn tidy(&mut self, ways: &BTreeSet<&str>) {
        for entry in self.entries.values_mut() {
            entry.told.retain(|way, _| ways.contains(way.as_str()));
        }
        self.entries
            .retain(|_, entry| entry.gone.is_none() || !entry.told.is_empty());
    }
}
