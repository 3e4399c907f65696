//! Anything by its name: actions, sites, hosts and themes, found by a few letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::console::action::{Action, Class, Entry, Place, TABLE};
use crate::console::model::filter::{contains, words};
use crate::console::theme::Theme;
use crate::console::widget::input::Input;
use crate::verdict::{HostRow, SiteRow};

/// The longest name that is looked for, bytes: each key looks through everything.
const LONGEST: usize = 80;

/// How many lines it shows.
pub const SHOWN: usize = 9;

/// What a line of the palette leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// An action.
    Do(Action),
    /// A site's row, by key.
    Go(std::sync::Arc<str>, String),
    /// A host's page.
    Host(String),
    /// A theme.
    Theme(String),
}

/// What there is besides actions.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub sites: &'a [SiteRow],
    pub hosts: &'a [HostRow],
    pub themes: &'a [Theme],
}

impl Named<'_> {
    /// What is called so, best first.
    fn find(&self, text: &str) -> Vec<Goal> {
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
        let mut scratch = Vec::new();
        let mut score = |name: &str| pattern.score(Utf32Str::new(name, &mut scratch), &mut matcher);
        let mut found: Vec<(u32, &str, Goal)> = Vec::new();
        for row in self.sites.iter().filter(|row| !row.is_host) {
            if let Some(score) = score(&row.name) {
                let goal = Goal::Go(row.key.clone(), row.name.clone());
                found.push((score, &row.name, goal));
            }
        }
        for row in self.hosts {
            if let Some(score) = score(&row.name) {
                found.push((score, &row.name, Goal::Host(row.name.clone())));
            }
        }
        let theme = text.strip_prefix("theme ").map(str::trim);
        for Theme { name, .. } in self.themes {
            let fits = score(name).or(theme.is_some_and(|t| name.contains(t)).then_some(u32::MAX));
            if let Some(score) = fits {
                found.push((score, name, Goal::Theme(name.clone())));
            }
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        found
            .into_iter()
            .take(SHOWN)
            .map(|(_, _, goal)| goal)
            .collect()
    }
}

#[derive(Debug)]
pub struct Palette {
    /// What is typed.
    pub input: Input,
    /// What fits, best first.
    pub hits: Vec<Goal>,
    /// Line under the cursor.
    pub cursor: usize,
    /// The screen it was opened on.
    pub place: Place,
}

impl Palette {
    /// Opened on a screen.
    pub fn new(place: Place, named: Named) -> Palette {
        let mut palette = Palette {
            input: Input::short(LONGEST),
            hits: Vec::new(),
            cursor: 0,
            place,
        };
        palette.find(named);
        palette
    }

    /// Finds again what fits.
    pub fn find(&mut self, named: Named) {
        self.cursor = 0;
        self.hits = actions(self.input.text(), Some(self.place))
            .into_iter()
            .map(|e| Goal::Do(e.action))
            .collect();
        let text = self.input.text().trim();
        if text.chars().count() >= 2 {
            self.hits.extend(named.find(text));
        }
    }

    /// So many lines down, round the end.
    pub fn step(&mut self, by: usize) {
        self.cursor = (self.cursor + by) % self.hits.len().max(1);
    }

    /// What is under the cursor.
    pub fn chosen(&self) -> Option<&Goal> {
        self.hits.get(self.cursor)
    }
}

/// Actions whose name or text fits, best first; all, in the table's order, for no text.
pub fn actions(text: &str, place: Option<Place>) -> Vec<&'static Entry> {
    let fitting = TABLE
        .iter()
        .filter(|e| place.is_none_or(|p| e.at(p)))
        // Moving the cursor by its name helps nobody.
        .filter(|e| place.is_none() || !is_motion(e.action));
    let text = text.trim();
    if text.is_empty() {
        let mut all: Vec<_> = fitting.collect();
        if place.is_some() {
            // What has no key comes first: the palette is the only way to it.
            all.sort_by_key(|e| !(e.keys.is_empty() && e.class == Class::Danger));
        }
        return all;
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
    let mut scratch = Vec::new();
    let mut found: Vec<(u32, &Entry)> = fitting
        .filter_map(|entry| {
            let name = pattern.score(Utf32Str::new(entry.name, &mut scratch), &mut matcher);
            // The description counts when its words are there as typed.
            let what = words(text)
                .iter()
                .all(|w| contains(entry.what, w))
                .then_some(1);
            let exact = if entry.name == text { 10_000 } else { 0 };
            let begins = if entry.name.starts_with(text) {
                1_000
            } else {
                0
            };
            Some((name.map(|n| n + 10 + exact + begins).or(what)?, entry))
        })
        .collect();
    found.sort_by_key(|(score, entry)| (std::cmp::Reverse(*score), entry.action as usize));
    found.into_iter().map(|(_, entry)| entry).collect()
}

fn is_motion(action: Action) -> bool {
    matches!(
        action,
        Action::Down
            | Action::Up
            | Action::Top
            | Action::Bottom
            | Action::PageDown
            | Action::PageUp
            | Action::Palette
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_letters_find_the_action() {
        for (text, name) in [
            ("arch", "archive"),
            ("stop", "stop"),
            ("rst", "restart"),
            ("apply", "apply"),
            ("quit", "quit"),
        ] {
            let found = actions(text, Some(Place::Sites));
            assert_eq!(found.first().map(|e| e.name), Some(name), "{text}");
        }
        assert!(actions("zzzz", Some(Place::Sites)).is_empty());
    }

    #[test]
    fn hosts_and_themes_are_found_by_name_too() {
        let hosts = [HostRow {
            name: "web1".into(),
            ..HostRow::default()
        }];
        let themes = [Theme::built_in("light").unwrap()];
        let named = Named {
            sites: &[],
            hosts: &hosts,
            themes: &themes,
        };
        let first = |text: &str| {
            let mut palette = Palette::new(Place::Sites, named);
            palette.input = Input::new(text);
            palette.find(named);
            palette.chosen().cloned()
        };
        assert_eq!(first("web1"), Some(Goal::Host("web1".into())));
        assert_eq!(first("light"), Some(Goal::Theme("light".into())));
        assert_eq!(first("theme light"), Some(Goal::Theme("light".into())));
        assert_eq!(first("theme"), Some(Goal::Do(Action::Theme)));
        assert_eq!(first("zzzz"), None);
    }
}
