//! One apply in full, as the journals tell it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page;
use super::told::{begun, mark, version};
use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::pen::Spans;
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Screen};
use crate::console::theme::Role;
use crate::text::{clean, elide, took, wrap};

/// One apply in full, by its name in the journals, and its first line on screen.
#[derive(Debug)]
pub struct Past {
    run: String,
    top: usize,
}

impl Past {
    /// The apply of this name.
    pub fn of(run: String) -> Past {
        Past { run, top: 0 }
    }
}

impl Screen for Past {
    fn place(&self) -> Place {
        Place::Activity
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let lines = lines(model, &self.run, usize::from(area.width), ages);
        page::draw(model, buf, area, &lines, self.top)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |room, ages| {
            lines(model, &self.run, room, ages).len()
        });
    }

    fn shows_journal(&self) -> bool {
        true
    }
}

fn lines(model: &Model, run: &str, room: usize, ages: &Ages) -> Vec<Spans> {
    let mut told = model.journal.iter().flat_map(|told| &told.applies);
    let Some(past) = told.find(|past| past.run == run) else {
        return vec![
            Vec::new(),
            vec![(Role::Dim, " no journal tells of it any more".into())],
        ];
    };
    let (symbol, role) = mark(model, past.state);
    let ago = begun(past).map_or_else(String::new, |at| format!("{} ago", ages.ago(at)));
    let mut out = vec![vec![
        (role, format!(" {symbol} {}", past.state.word())),
        (Role::Strong, format!("   {}", clean(&past.what))),
        (Role::Dim, format!("   {}   {ago}", past.run)),
    ]];
    let mut say = |what: &str, text: String| {
        for (at, line) in wrap(&clean(&text), room.saturating_sub(14))
            .iter()
            .enumerate()
        {
            let what = if at == 0 { what } else { "" };
            out.push(vec![
                (Role::Column, format!("   {what:<10} ")),
                (Role::Text, line.clone()),
            ]);
        }
    };
    say("by", format!("{} at {}", past.who, past.whence));
    say("began", moment(&past.at));
    match (&past.ended_at, past.took_ms) {
        (Some(at), Some(ms)) => say("ended", format!("{}, took {}", moment(at), took(ms))),
        (Some(at), None) => say("ended", moment(at)),
        (None, _) => say("ended", "not".into()),
    }
    if let Some(by) = &past.settled_by {
        say("by apply", by.clone());
    }
    say("fleet file", version(past));
    let kinds: Vec<String> = past.kinds.iter().map(|(k, n)| format!("{n} {k}")).collect();
    say("did", past.counts());
    say("planned", kinds.join(", "));
    for failed in past.failed.iter().filter(|f| f.operation.is_none()) {
        say("failed", format!("{}: {}", failed.host, failed.why));
    }
    let ascii = model.theme.ascii;
    let pick = |symbol, letter| if ascii { letter } else { symbol };
    let mut place = None;
    for operation in &past.operations {
        let named = &operation.named;
        let here = (&named.host, named.site.as_ref());
        if place.replace(here) != Some(here) {
            out.push(Vec::new());
            let at = match &named.site {
                Some(site) => format!(" {site} on {}", named.host),
                None => format!(" {}", named.host),
            };
            out.push(vec![(Role::Column, at)]);
        }
        let (symbol, role) = match operation.outcome {
            "done" => (pick("✔", "o"), Role::Ok),
            "failed" => (pick("✖", "X"), Role::Bad),
            "undone" => (pick("↶", "<"), Role::Warn),
            "skipped" => (pick("–", "-"), Role::Off),
            _ => ("?", Role::Warn),
        };
        let took = match operation.took_ms {
            0 => String::new(),
            ms => took(ms),
        };
        let cause = elide(&named.cause.join(", "), room.saturating_sub(36)).into_owned();
        out.push(vec![
            (role, format!("   {symbol} ")),
            (Role::Text, format!("{:<18} ", clean(&named.kind))),
            (Role::Dim, format!("{took:>7}  ")),
            (Role::Dim, cause),
        ]);
        let note = operation.note.iter();
        for line in note.flat_map(|n| wrap(&clean(n), room.saturating_sub(8))) {
            let role = match operation.outcome {
                "failed" => Role::Bad,
                _ => Role::Dim,
            };
            out.push(vec![(role, format!("       {line}"))]);
        }
    }
    out
}

fn moment(at: &str) -> String {
    format!("{} UTC", at.trim_end_matches('Z').replace('T', " "))
}
