//! One certificate: what is the matter with it, why another one is not had, what is stored, loaded and
//! served.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::life::{bar, called, ends};
use super::{page, site};
use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::mark;
use crate::console::draw::pen::Spans;
use crate::console::effect::Watch;
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::observe::asked::Road;
use crate::observe::served::{Issued, Showing, Shown};
use crate::record::certificate::{CertificateFacts, Ending, Source};
use crate::text::{age_in_words, clean, count, percent, wrap};
use crate::verdict::certificates::{Holder, LoadedIs};
use crate::verdict::{CertificateRow, SiteRow, State};

/// Width of the labels.
const LABEL: usize = 9;

/// A certificate's page, and its first line on screen.
#[derive(Debug)]
pub struct CertificatePage {
    key: Arc<str>,
    top: usize,
}

impl CertificatePage {
    /// The page of the one with that key.
    pub fn of(key: &Arc<str>) -> CertificatePage {
        CertificatePage {
            key: key.clone(),
            top: 0,
        }
    }
}

impl Screen for CertificatePage {
    fn place(&self) -> Place {
        Place::Certificate
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let lines = lines(model, &self.key, usize::from(area.width), ages);
        page::draw(model, buf, area, &lines, self.top)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |room, ages| {
            lines(model, &self.key, room, ages).len()
        });
    }

    fn open(&self, model: &Model) -> Opens {
        let row = self.subject(model);
        let page = row.and_then(|row| site::of_row(model, &row.key));
        page.map_or(Opens::Nothing, Opens::Screen)
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.row(&self.key)
    }

    fn watch(&self, model: &Model, watch: &mut Watch) {
        let site = self.subject(model);
        watch.certificate = site.map(|row| (row.host.clone(), row.name.clone()));
    }
}

fn lines(model: &Model, key: &Arc<str>, room: usize, ages: &Ages) -> Vec<Spans> {
    let mut rows = model.certificates.rows.iter();
    let Some(row) = rows.find(|row| row.key == *key) else {
        let gone = " this certificate is there no more".to_owned();
        return vec![Vec::new(), vec![(Role::Dim, gone)]];
    };
    let mut page = Page {
        model,
        row,
        ages,
        room,
        out: Vec::new(),
    };
    page.verdict();
    page.attempt();
    page.renewal();
    page.stored();
    page.loaded();
    page.served();
    page.next();
    page.out
}

struct Page<'a> {
    model: &'a Model,
    row: &'a CertificateRow,
    ages: &'a Ages,
    room: usize,
    out: Vec<Spans>,
}

impl Page<'_> {
    fn spans(&mut self, label: &str, value: Spans) {
        let mut line: Spans = vec![(Role::Dim, format!("   {label:<LABEL$}"))];
        line.extend(value);
        self.out.push(line);
    }

    fn line(&mut self, label: &str, text: impl Into<String>) {
        self.spans(label, vec![(Role::Text, text.into())]);
    }

    /// A text on as many lines as it takes.
    fn text(&mut self, label: &str, role: Role, text: &str) {
        let room = self.room.saturating_sub(LABEL + 4).max(20);
        for (nr, line) in wrap(text, room).into_iter().enumerate() {
            let label = if nr == 0 { label } else { "" };
            self.spans(label, vec![(role, line)]);
        }
    }

    fn verdict(&mut self) {
        let row = self.row;
        let (symbol, role) = mark(self.model, row.state);
        let mut head = vec![
            (role, format!(" {symbol} ")),
            (Role::Strong, called(row)),
            (role, format!(" {}", row.stand.word())),
        ];
        if row.holder == Holder::Site && !row.host.is_empty() {
            head.push((Role::Dim, format!("  on {}", row.host)));
        }
        self.out.push(head);
        for line in wrap(&row.says(), self.room.saturating_sub(4)) {
            if !line.is_empty() {
                self.out.push(vec![(Role::Text, format!("   {line}"))]);
            }
        }
        if row.stale {
            let text = "   below: as last seen; its host does not answer";
            self.out.push(vec![(Role::Warn, text.into())]);
        }
        self.out.push(Vec::new());
    }

    /// The last try to get another one, with the authority's words.
    fn attempt(&mut self) {
        let Some(attempt) = &self.row.attempt else {
            return;
        };
        let when = self.ages.ago(attempt.at);
        let (role, text) = match attempt.ended {
            Ending::Done => (Role::Text, format!("done {when} ago")),
            Ending::Waiting => (
                Role::Busy,
                format!("{when} ago: a name does not lead here yet"),
            ),
            Ending::Failed if attempt.failures > 1 => (
                Role::Bad,
                format!("failed {when} ago, {} in a row", attempt.failures),
            ),
            Ending::Failed => (Role::Bad, format!("failed {when} ago")),
        };
        self.spans("last try", vec![(role, text)]);
        for (name, words) in &attempt.words {
            let words = clean(words);
            let text = match name.as_str() {
                "" => words.into_owned(),
                name => format!("{}: {words}", clean(name)),
            };
            self.text("", Role::Text, &text);
        }
    }

    fn renewal(&mut self) {
        let Some(at) = self.row.renew_at else {
            return;
        };
        let now = self.model.now();
        let mut text = match at <= now {
            true if self.row.stored.is_none() => "to be had".to_owned(),
            true => format!("due since {}", self.ages.ago(at)),
            false => format!("due in {}", age_in_words(at - now)),
        };
        match self.row.next_try {
            Some(next) if next > at.max(now) => {
                text.push_str(&format!("; tried again in {}", age_in_words(next - now)));
            }
            _ => {}
        }
        self.line("renewal", text);
    }

    fn stored(&mut self) {
        let row = self.row;
        let now = self.model.now();
        let Some(facts) = &row.stored else {
            match row.holder {
                Holder::Site => self.spans("stored", vec![(Role::Dim, "nothing".into())]),
                Holder::Account => {}
                Holder::Engine | Holder::Operator => {
                    let (role, text) = ends(row, now);
                    let until = row.until.map(date).unwrap_or_default();
                    self.spans(
                        "ends",
                        vec![(role, text), (Role::Dim, format!("  {until}"))],
                    );
                }
            }
            return;
        };
        let from = match &row.from {
            Some(Source::Acme { .. }) | None => String::new(),
            Some(Source::Own) => ", yours".to_owned(),
            Some(Source::Imported { from }) => format!(", taken over from {}", clean(from)),
        };
        self.line("stored", format!("of {}{from}", clean(&facts.issuer)));
        let (role, bar) = bar(self.model, row);
        let over = row.used.map(percent).unwrap_or_default();
        let (from, until) = (date(facts.not_before), date(facts.not_after));
        self.spans(
            "",
            vec![
                (Role::Text, format!("{from} ")),
                (role, bar),
                (Role::Text, format!(" {until}, {over} of its life over")),
            ],
        );
        let names = facts.names.iter().map(|it| clean(it).into_owned());
        let names: Vec<String> = names.collect();
        self.text("", Role::Dim, &format!("for {}", names.join(" ")));
        let serial = facts.serial.get(..16).unwrap_or(&facts.serial);
        let chain = count(facts.chain, "certificate");
        self.text(
            "",
            Role::Dim,
            &format!("serial {serial}, {chain} in the file"),
        );
    }

    fn loaded(&mut self) {
        if self.row.holder != Holder::Site || self.row.stored.is_none() {
            return;
        }
        let at = self.row.inside_at.map(|at| self.ages.read(at));
        let at = at.map_or_else(String::new, |at| format!("  {at}"));
        let (role, text) = match &self.row.loaded {
            LoadedIs::NotAsked if self.model.view.on_call => (
                Role::Dim,
                "not asked: on-call mode runs no command".to_owned(),
            ),
            LoadedIs::NotAsked => (Role::Dim, "not asked yet".to_owned()),
            LoadedIs::NotKnown(why) => (Role::Dim, format!("not known: {why}")),
            LoadedIs::Nothing(why) if why.is_empty() => (Role::Warn, "nothing".to_owned()),
            LoadedIs::Nothing(why) => (Role::Warn, format!("nothing: {why}")),
            LoadedIs::One(loaded) => match &self.row.stored {
                Some(stored) if loaded.is(stored) => (Role::Text, "what is stored".to_owned()),
                _ => {
                    let until = date(loaded.not_after);
                    let serial = loaded.serial.get(..16).unwrap_or(&loaded.serial);
                    (
                        Role::Warn,
                        format!("another: until {until}, serial {serial}"),
                    )
                }
            },
        };
        self.spans("loaded", vec![(role, text), (Role::Dim, at)]);
    }

    /// What is shown for each name.
    fn served(&mut self) {
        let row = self.row;
        let mut label = "served";
        for name in &row.names {
            let asked = [&name.showings.visitors, &name.showings.router];
            let asked = asked.into_iter().flatten().count() > 0;
            let state = match name.fault {
                Some(fault) => fault.state(),
                None if asked => State::Ok,
                None => State::Unknown,
            };
            let (symbol, role) = mark(self.model, state);
            let told = match (asked, name.covered) {
                (true, _) => "",
                (false, true) => "  not asked yet",
                (false, false) => "  not in what is stored",
            };
            let line = vec![
                (role, format!("{symbol} ")),
                (Role::Strong, name.name.clone()),
                (Role::Dim, told.to_owned()),
            ];
            self.spans(std::mem::take(&mut label), line);
            if let Some(showing) = &name.showings.visitors {
                let place = match &showing.road {
                    Road::Here(at) if !at.is_empty() => format!("visitors at {}", clean(at)),
                    _ => "visitors".to_owned(),
                };
                self.showing(&place, showing);
            }
            if let Some(showing) = &name.showings.router {
                let place = match &showing.road {
                    Road::Here(at) => format!("router at {}", clean(at)),
                    Road::Connection => "router".to_owned(),
                };
                self.showing(&place, showing);
            }
        }
    }

    fn showing(&mut self, place: &str, showing: &Showing) {
        let what = self.shown(showing);
        let age = self.ages.read(showing.at);
        self.text("", Role::Text, &format!("  {place}: {what} ({age})"));
    }

    fn shown(&self, showing: &Showing) -> String {
        match &showing.shown {
            Shown::NotKnown(why) => format!("not known: {}", clean(why)),
            Shown::Nothing(why) => format!("nothing: {}", clean(why)),
            Shown::Certificate { facts, issued, .. } => {
                let same = |it: &CertificateFacts| it.fingerprint == facts.fingerprint;
                let what = match self.row.stored.as_ref().is_some_and(same) {
                    true => "what is stored".to_owned(),
                    false => format!(
                        "another, until {}, of {}",
                        date(facts.not_after),
                        clean(&facts.issuer)
                    ),
                };
                let issued = match issued {
                    Issued::Known | Issued::NotJudged => "",
                    Issued::Incomplete => ", intermediate missing",
                    Issued::Itself => ", issued by itself",
                    Issued::Nobody => ", issuer not believed",
                    Issued::Bad(_) => ", good for nothing",
                };
                format!("{what}{issued}")
            }
        }
    }

    fn next(&mut self) {
        if !self.row.next.is_empty() {
            self.out.push(Vec::new());
            let text = format!(" {}", self.row.next);
            self.out
                .push(vec![(Role::Column, " Next ".into()), (Role::Text, text)]);
        }
    }
}

/// A day, in UTC.
fn date(at: i64) -> String {
    let at = chrono::DateTime::from_timestamp(at, 0);
    at.map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
}
