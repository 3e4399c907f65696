//! What containers did while the console watched.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page;
use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::pen::Spans;
use crate::console::message::ContainerEvent;
use crate::console::model::filter::{contains, words};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Screen};
use crate::console::theme::Role;
use crate::text::clean;
use crate::verdict::SiteRow;

/// What containers did; one site's, where named.
#[derive(Debug)]
pub struct Events {
    /// Only the container of this row, and its name.
    only: Option<(Arc<str>, String)>,
    /// Words.
    filter: String,
    /// First line.
    top: usize,
}

impl Events {
    /// Of all containers, or of one row's.
    pub fn of(only: Option<(Arc<str>, String)>) -> Events {
        Events {
            only,
            filter: String::new(),
            top: 0,
        }
    }
}

impl Screen for Events {
    fn place(&self) -> Place {
        Place::Events
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let lines = lines(model, self.only.as_ref(), &self.filter, ages);
        page::draw(model, buf, area, &lines, self.top)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |_, ages| {
            lines(model, self.only.as_ref(), &self.filter, ages).len()
        });
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.row(&self.only.as_ref()?.0)
    }

    fn filter<'a>(&'a self, _model: &'a Model) -> &'a str {
        &self.filter
    }

    fn set_filter(&mut self, _model: &mut Model, words: &str) {
        words.clone_into(&mut self.filter);
        self.top = 0;
    }
}

/// The same event several times in a row is one line.
struct Shown<'a> {
    host: &'a str,
    event: &'a ContainerEvent,
    name: &'a str,
    times: usize,
}

fn lines(
    model: &Model,
    only: Option<&(Arc<str>, String)>,
    filter: &str,
    ages: &Ages,
) -> Vec<Spans> {
    let row = only.and_then(|(key, _)| model.row(key));
    let words = words(filter);
    let title = match only {
        Some((_, name)) => format!(" What the container of {name} did"),
        None => " What containers did".into(),
    };
    let mut out: Vec<Spans> = vec![vec![
        (Role::Column, title),
        (
            Role::Match,
            if filter.is_empty() {
                String::new()
            } else {
                format!("  /{filter}")
            },
        ),
    ]];
    let mut shown: Vec<Shown> = Vec::new();
    for (host, event) in &model.events {
        if let Some((_, name)) = only {
            let same = event.site.as_deref() == Some(name.as_str())
                || row.is_some_and(|r| r.container.as_deref() == Some(&event.container));
            if !same || row.is_some_and(|r| r.host != *host) {
                continue;
            }
        }
        let name = event.site.as_deref().unwrap_or(&event.name);
        let fits =
            |w: &String| contains(name, w) || contains(&event.action, w) || contains(host, w);
        if !words.iter().all(fits) {
            continue;
        }
        let same = |last: &Shown| {
            last.host == host
                && last.event.container == event.container
                && last.event.action == event.action
                && last.event.detail == event.detail
        };
        match shown.last_mut() {
            Some(last) if same(last) => last.times += 1,
            _ => shown.push(Shown {
                host,
                event,
                name,
                times: 1,
            }),
        }
    }
    for Shown {
        host,
        event,
        name,
        times,
    } in shown
    {
        let role = match event.action.as_str() {
            "oom" => Role::Bad,
            "die" | "kill" => Role::Warn,
            "start" => Role::Ok,
            _ => Role::Text,
        };
        let times = if times > 1 {
            format!(" ×{times}")
        } else {
            String::new()
        };
        out.push(vec![
            (Role::Dim, format!(" {:>4} ago  ", ages.ago(event.at))),
            (Role::Dim, format!("{:<10} ", clean(host))),
            (Role::Strong, format!("{:<22} ", clean(name))),
            (role, format!("{}{times}", clean(&event.action))),
            (Role::Dim, format!(" {}", clean(&event.detail))),
        ]);
    }
    if out.len() == 1 {
        out.push(Vec::new());
        out.push(vec![(
            Role::Dim,
            " nothing since the console was opened".into(),
        )]);
    }
    out
}
