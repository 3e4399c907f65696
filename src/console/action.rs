//! The one table of actions. Footer, help, palette, key bindings and KEYS.md are made from it.

macro_rules! places {
    ($($(#[$doc:meta])* $place:ident,)*) => {
        /// A screen, as far as actions care.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Place { $($(#[$doc])* $place),* }
        const ANY: &[Place] = &[$(Place::$place),*];
    };
}
places! {
    /// The list of sites.
    Sites,
    /// The list of hosts.
    Hosts,
    /// One host's page.
    Host,
    /// The list of certificates.
    Certificates,
    /// One certificate's page.
    Certificate,
    /// One site's page.
    Site,
    /// A site's log.
    Logs,
    Plan,
    /// What is being applied, and was.
    Activity,
    /// What containers did.
    Events,
    /// The list of actions.
    Help,
}

/// How far an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Moves, or shows something else.
    Look,
    /// Changes a host; asks first.
    Change,
    /// Stops or removes; asks for the name.
    Danger,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub action: Action,
    /// Its name in the palette and in the configuration.
    pub name: &'static str,
    /// Keys it is bound to at first; none: only by name.
    pub keys: &'static [&'static str],
    /// What it does, in a few words.
    pub what: &'static str,
    /// How far it reaches.
    pub class: Class,
    /// On which screens.
    pub places: &'static [Place],
    /// Its word in the footer; empty: not there.
    pub footer: &'static str,
}

use Class::{Change, Danger, Look};
use Place as P;

const LISTS: &[Place] = &[P::Sites, P::Hosts, P::Host];
const OPENS: &[Place] = &[
    P::Sites,
    P::Hosts,
    P::Host,
    P::Certificates,
    P::Certificate,
    P::Activity,
];
const ACTIVITY: &[Place] = &[P::Activity];
const FILTERED: &[Place] = &[P::Sites, P::Certificates, P::Plan, P::Events, P::Help];
const LOGS: &[Place] = &[P::Logs];
const NO_LOG: &[Place] = &[
    P::Sites,
    P::Certificates,
    P::Certificate,
    P::Site,
    P::Plan,
    P::Events,
];
const SEEKING: &[Place] = &[P::Sites, P::Certificates, P::Logs];
const ON_SITE: &[Place] = &[
    P::Sites,
    P::Certificates,
    P::Certificate,
    P::Site,
    P::Logs,
    P::Plan,
    P::Events,
];
const SITES: &[Place] = &[P::Sites];
const SORTED: &[Place] = &[P::Sites, P::Hosts];

/// Hands the table to a macro. Of each action: its name, its keys, its class, where it can be used,
/// its word in the footer, what it does (a function; only `act` reads that column), and what it does
/// in words.
macro_rules! actions {
    ($then:ident) => { $then! {
        Open, "why", ["enter"], Look, OPENS, "why", open,
            "open it: what is the matter, or all that an apply did";
        Logs, "logs", ["l"], Look, NO_LOG, "logs", show::logs,
            "follow the log of the site, or of all that are marked";
        Diff, "diff", ["d"], Look, ON_SITE, "diff", show::diff,
            "what differs: last applied, live, the file; and what apply would do";
        Filter, "filter", ["/"], Look, FILTERED, "filter", show::filter,
            "show only lines that contain the words typed";
        Broken, "broken", ["!"], Look, SITES, "broken", list::broken,
            "show only what is not well";
        Palette, "command", [":"], Look, ANY, "command", show::palette,
            "do anything by its name";
        Help, "help", ["?"], Look, ANY, "help", show::help,
            "this list";
        Back, "back", ["q", "esc"], Look, ANY, "back", leave::back,
            "one screen back; from the first screen `q` twice leaves";
        Down, "down", ["j", "down"], Look, ANY, "", |m| go(m, By(1)),
            "one line down";
        Up, "up", ["k", "up"], Look, ANY, "", |m| go(m, By(-1)),
            "one line up";
        Top, "top", ["g", "home"], Look, ANY, "", |m| go(m, Top),
            "to the first line";
        Bottom, "bottom", ["G", "end"], Look, ANY, "", |m| go(m, Bottom),
            "to the last line";
        PageDown, "page-down", ["ctrl-d", "pagedown"], Look, ANY, "", |m| go(m, Page(1)),
            "half a page down";
        PageUp, "page-up", ["ctrl-u", "pageup"], Look, ANY, "", |m| go(m, Page(-1)),
            "half a page up";
        Next, "next", ["n"], Look, SEEKING, "", |m| go(m, Next(1)),
            "next that is not well; in a log, next match";
        Previous, "previous", ["N"], Look, SEEKING, "", |m| go(m, Next(-1)),
            "previous that is not well; in a log, previous match";
        Mark, "mark", ["space"], Look, SITES, "", list::mark,
            "mark the site, to act on several at once";
        Unmark, "unmark", [], Look, SITES, "", list::unmark,
            "take all marks away";
        Sort, "sort", ["s"], Look, SORTED, "", list::sort,
            "next order: severity, name, host, traffic, memory; of hosts pressure, name, sites and what is measured";
        Foreign, "foreign", ["f"], Look, SITES, "", list::foreign,
            "show or hide containers that are not ostler's";
        Events, "events", ["e"], Look, ON_SITE, "", show::events,
            "what its container did";
        Changes, "changes", ["c"], Look, ON_SITE, "", show::changes,
            "what was applied to it, by whom, and changed by hand";
        Host, "host", ["h"], Look, ON_SITE, "", show::host,
            "the host it runs on";
        Plan, "plan", ["p"], Look, ANY, "plan", show::plan,
            "what apply would do";
        Activity, "activity", ["a"], Look, ANY, "", show::activity,
            "what is being applied; by day, what was and by whom";
        Sites, "sites", ["1"], Look, ANY, "", show::sites,
            "all sites";
        Hosts, "hosts", ["2"], Look, ANY, "", show::hosts,
            "all hosts";
        Certificates, "certs", ["3"], Look, ANY, "", show::certificates,
            "all certificates, what comes first on top";
        Copy, "copy", ["y"], Look, ON_SITE, "", show::copy,
            "copy the site's first domain, or a log's line, to the clipboard";
        Search, "search", ["/"], Look, LOGS, "search", |m| log(m, LogAction::Search),
            "find lines of the log; n and N go on";
        Pause, "pause", ["space"], Look, LOGS, "pause", |m| log(m, LogAction::Pause),
            "stay at this place of the log, or follow again";
        Follow, "follow", ["f"], Look, LOGS, "", |m| log(m, LogAction::Follow),
            "to the newest line of the log, and stay there";
        FilterIn, "only", ["i", "&"], Look, LOGS, "only", |m| log(m, LogAction::FilterIn),
            "show only lines of the log that contain something";
        FilterOut, "without", ["o"], Look, LOGS, "without", |m| log(m, LogAction::FilterOut),
            "leave lines of the log out that contain something";
        ShowAll, "show-all", ["u"], Look, LOGS, "", |m| log(m, LogAction::Reset),
            "no search, no filters, all lines";
        Errors, "errors", ["!"], Look, LOGS, "errors", |m| log(m, LogAction::Errors),
            "show only lines of the log that report an error, or all again";
        Wrap, "wrap", ["w"], Look, LOGS, "wrap", |m| log(m, LogAction::Wrap),
            "long lines on several rows, or cut at the edge";
        Times, "times", ["t"], Look, LOGS, "times", |m| log(m, LogAction::Times),
            "show or hide timestamps";
        Raw, "raw", ["v"], Look, LOGS, "", |m| log(m, LogAction::Raw),
            "lines as they came, or in short: what stands before the message folded away";
        Right, "right", ["right"], Look, LOGS, "", |m| log(m, LogAction::Right),
            "further right in long lines";
        Left, "left", ["left"], Look, LOGS, "", |m| log(m, LogAction::Left),
            "further left";
        Forget, "forget", [], Look, LOGS, "", |m| log(m, LogAction::Clear),
            "forget the lines of the log read so far";
        Answer, "answer", ["tab"], Look, ANY, "", show::answer,
            "answer what the login of a host asks: a passphrase, or whether a key is right";
        Refresh, "refresh", ["r"], Look, ANY, "", show::refresh,
            "read the hosts again now; retry those that are away";
        Theme, "theme", [], Look, ANY, "", show::theme,
            "next theme";
        Redraw, "redraw", ["ctrl-l"], Look, ANY, "", |_| vec![Effect::Redraw],
            "draw the screen afresh";
        Suspend, "suspend", ["ctrl-z"], Look, ANY, "", |_| vec![Effect::Suspend],
            "back to the shell; `fg` returns";
        Quit, "quit", ["ctrl-c"], Look, ANY, "", leave::quit,
            "leave; asks while something is being applied";
        Restart, "restart", ["R"], Change, ON_SITE, "Restart", |m| change::sites(m, "restart", Wish::Restart),
            "restart the site's container";
        Update, "update", ["I"], Change, ON_SITE, "", |m| change::sites(m, "update", Wish::Update),
            "replace the site's container where its host has a newer image under the same tag";
        UpdateAll, "update-all", [], Change, ANY, "", change::update_all,
            "the same for the whole fleet and its routers, one site first";
        Pull, "pull", [], Change, ON_SITE, "", |m| change::sites(m, "pull", Wish::Pull),
            "ask the registry for a newer image under the site's tag; replaces nothing";
        Apply, "apply", ["A"], Change, ON_SITE, "Apply", |m| change::sites(m, "apply", Wish::Apply),
            "make the site, or all that are marked, match the file";
        ApplyAll, "apply-all", [], Change, ANY, "", change::apply_all,
            "make the whole fleet match the file";
        Create, "create", ["C"], Change, LISTS, "Create", change::create,
            "create a site";
        Finish, "finish", ["F"], Change, ANY, "", change::finish,
            "finish an apply that was cut off";
        Undo, "undo", ["U"], Change, ANY, "", change::undo,
            "take an apply back that was cut off";
        Commit, "commit", ["K"], Change, ACTIVITY, "", change::commit,
            "commit the fleet file to git, with what changed as the message";
        Adopt, "adopt", ["D"], Change, ON_SITE, "", |m| change::sites(m, "adopt", Wish::Adopt),
            "write what was changed by hand on the site into the file";
        Start, "start", ["S"], Change, ON_SITE, "", |m| change::sites(m, "start", Wish::State(SiteState::Running)),
            "start the site: `state: running`";
        Stop, "stop", [], Danger, ON_SITE, "", |m| change::sites(m, "stop", Wish::State(SiteState::Stopped)),
            "stop the site: `state: stopped`";
        Archive, "archive", [], Danger, ON_SITE, "", |m| change::sites(m, "archive", Wish::State(SiteState::Archived)),
            "archive the site: route and container go, files stay";
    } };
}
pub(super) use actions;

macro_rules! table {
    ($($action:ident, $name:literal, [$($key:literal),*], $class:ident, $places:ident, $footer:literal, $does:expr, $what:literal;)*) => {
        /// Everything that can be asked of the console.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $(#[doc = $what] $action),* }
        /// The table, in the order of help and footer.
        pub const TABLE: &[Entry] = &[$(Entry {
            action: Action::$action, name: $name, keys: &[$($key),*], what: $what,
            class: $class, places: $places, footer: $footer,
        }),*];
    };
}
actions!(table);

impl Action {
    /// Its line in the table.
    pub fn entry(self) -> &'static Entry {
        // The table and the enum are made by one macro, in one order.
        &TABLE[self as usize]
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Action> {
        TABLE.iter().find(|e| e.name == name).map(|e| e.action)
    }
}

impl Entry {
    /// Whether it changes hosts.
    pub fn changes(&self) -> bool {
        self.class != Class::Look
    }
    /// Whether it can be used on a screen.
    pub fn at(&self, place: Place) -> bool {
        self.places.contains(&place)
    }
}

/// The text of KEYS.md.
pub fn keys_page() -> String {
    use std::fmt::Write;
    let mut out = String::from(
        "# Keys\n\nMade from the table of actions in `src/console/action.rs`; \
         `UPDATE=1 cargo test keys_page` writes it again.\n\n\
         Lower case never changes a host. Upper case changes one site, shows what it would do, and asks. \
         What stops or removes is reached by its name, after `:`, and asks for the site's name.\n\n\
         Any key can be changed in the configuration directory's `config.yml`:\n\n\
         ```yaml\nkeys:\n  logs: [l, L]\n  broken: [\"!\", b]\n```\n",
    );
    for (class, title) in [
        (Look, "Look and move"),
        (Change, "Change (asks; not bound in on-call mode)"),
        (
            Danger,
            "Stop and remove (by name only; asks for the site's name; not bound in on-call mode)",
        ),
    ] {
        let _ = writeln!(
            out,
            "\n## {title}\n\n| name | keys | what | where |\n|---|---|---|---|"
        );
        for entry in TABLE.iter().filter(|e| e.class == class) {
            let keys: Vec<String> = entry.keys.iter().map(|k| format!("`{k}`")).collect();
            let places = if entry.places.len() == ANY.len() {
                "everywhere".to_owned()
            } else {
                let words: Vec<String> = entry
                    .places
                    .iter()
                    .map(|p| format!("{p:?}").to_lowercase())
                    .collect();
                words.join(", ")
            };
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {places} |",
                entry.name,
                keys.join(" "),
                entry.what.replace('|', "\\|"),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.action as usize, at, "{}", entry.name);
            assert_eq!(Action::named(entry.name), Some(entry.action));
        }
    }

    #[test]
    fn lower_case_never_changes_a_host_and_danger_has_no_key() {
        for entry in TABLE {
            match entry.class {
                Class::Look => {}
                Class::Change => assert!(
                    entry
                        .keys
                        .iter()
                        .all(|k| k.len() == 1 && k.chars().all(char::is_uppercase)),
                    "{}",
                    entry.name
                ),
                Class::Danger => assert!(entry.keys.is_empty(), "{}", entry.name),
            }
        }
    }

    #[test]
    fn keys_page_says_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/KEYS.md");
        let page = keys_page();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(found, page, "KEYS.md is old: UPDATE=1 cargo test keys_page");
    }
}
