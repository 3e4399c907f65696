//! The list of certificates, what comes first on top; at its head what the next days bring.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::certificate::CertificatePage;
use super::life::{BAR, bar, called, ends};
use crate::console::action::Place;
use crate::console::certificates::reorder;
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::mark;
use crate::console::draw::pen::{Pen, Spans};
use crate::console::effect::Watch;
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::console::widget::table::{Cell, Column, Table};
use crate::text::{age, width};
use crate::verdict::certificates::week;
use crate::verdict::{CertificateRow, SiteRow, Stand};

/// The list of certificates.
#[derive(Debug)]
pub struct Certificates;

impl Screen for Certificates {
    fn place(&self) -> Place {
        Place::Certificates
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        calendar(model, buf, Rect { height: 1, ..area });
        let rest = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        table(model, buf, rest);
        detail(model, ages)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        let page = model.half_page() as isize;
        let it = &mut model.certificates;
        let rows = &it.rows;
        let at = match motion {
            Motion::Next(step) => {
                let count = it.list.order.len() as isize;
                let found = (1..count)
                    .map(|n| (it.list.cursor as isize + n * step).rem_euclid(count) as usize)
                    .find(|at| !rows[it.list.order[*at] as usize].is_well());
                found.unwrap_or(it.list.cursor)
            }
            motion => motion.from(it.list.cursor, page, it.list.order.len().saturating_sub(1)),
        };
        it.list.go_to(at, |at| &rows[at as usize].key);
    }

    fn open(&self, model: &Model) -> Opens {
        match model.certificates.here() {
            Some(row) => Opens::Screen(Box::new(CertificatePage::of(&row.key))),
            None => Opens::Nothing,
        }
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.row(&model.certificates.here()?.key)
    }

    fn filter<'a>(&'a self, model: &'a Model) -> &'a str {
        &model.certificates.filter
    }

    fn set_filter(&mut self, model: &mut Model, words: &str) {
        words.clone_into(&mut model.certificates.filter);
        reorder(model);
    }

    fn watch(&self, _model: &Model, watch: &mut Watch) {
        watch.certificates = true;
    }
}

/// The next seven days: what is renewed and what ends on each.
fn calendar(model: &Model, buf: &mut Buffer, area: Rect) {
    let now = model.now();
    let midnight = now - now.rem_euclid(86_400);
    let rows = model.certificates.rows.iter().map(|row| &**row);
    let (renewal, end) = match model.theme.ascii {
        true => ("renew ", "end "),
        false => ("↻", "✖"),
    };
    let mut pen = Pen::on(buf, &model.theme, area, 0);
    for (nr, day) in week(rows, midnight).into_iter().enumerate() {
        let date = chrono::DateTime::from_timestamp(day.at, 0);
        let date = date.map_or_else(String::new, |it| it.format("%a %-d").to_string());
        pen.put(Role::Dim, &format!(" {date}"));
        if (day.renewals, day.ends) == (0, 0) {
            pen.put(Role::Dim, " –");
        }
        if day.renewals > 0 {
            pen.put(Role::Text, &format!(" {renewal}{}", day.renewals));
        }
        if day.ends > 0 {
            let role = if nr == 0 { Role::Bad } else { Role::Warn };
            pen.put(role, &format!(" {end}{}", day.ends));
        }
        pen.put(Role::Dim, " ");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Col {
    Name,
    Host,
    State,
    Ends,
    Life,
    Renewal,
    Issuer,
    Names,
    Why,
}

fn columns(model: &Model) -> Vec<Column<Col>> {
    let col = |id, title, (min, ideal): (u16, u16), priority, from| Column {
        id,
        title,
        min,
        ideal,
        grows: false,
        right: false,
        priority,
        from,
    };
    let rows = &model.certificates.rows;
    let widest = |of: &dyn Fn(&CertificateRow) -> usize| {
        let all = rows.iter().map(|row| of(row));
        all.max().unwrap_or(0) as u16
    };
    let name = widest(&|row| width(&called(row))).clamp(11, 24);
    let host = widest(&|row| width(&row.host)).clamp(4, 14);
    let issuer = |row: &CertificateRow| row.stored.as_ref().map_or(0, |it| width(&it.issuer));
    let issuer = widest(&issuer).clamp(6, 24);
    vec![
        col(Col::Name, "CERTIFICATE", (name.min(14), name), 0, 0),
        col(Col::Host, "HOST", (host.min(8), host), 5, 100),
        col(Col::State, "STATE", (11, 11), 0, 0),
        Column {
            right: true,
            ..col(Col::Ends, "ENDS", (5, 5), 1, 0)
        },
        col(Col::Life, "LIFE", (BAR as u16, BAR as u16), 4, 0),
        Column {
            right: true,
            ..col(Col::Renewal, "RENEW", (5, 5), 3, 0)
        },
        col(Col::Issuer, "ISSUER", (issuer.min(12), issuer), 7, 120),
        col(Col::Names, "NAMES", (14, 24), 8, 140),
        Column {
            grows: true,
            ..col(Col::Why, "WHY", (18, 30), 2, 0)
        },
    ]
}

fn table(model: &Model, buf: &mut Buffer, area: Rect) {
    let it = &model.certificates;
    let rows = &it.rows;
    Table {
        columns: &columns(model),
        len: it.list.order.len(),
        offset: it.list.offset,
        cursor: Some(it.list.cursor),
        sorted: Col::Ends,
        row: &|at| &rows[it.list.order[at] as usize],
        cell: &|row: &Arc<CertificateRow>, col| cell(model, row, col),
        marked: &|_| false,
        dimmed: &|row| row.stale || row.stand == Stand::Unused,
    }
    .draw(buf, &model.theme, area);
    if it.list.order.is_empty() {
        let text = match (it.filter.is_empty(), &model.fleet) {
            (false, _) => format!(" nothing contains {:?}; esc shows all", it.filter),
            (true, None) => " certificates are those of a fleet's sites".to_owned(),
            (true, Some(_)) => {
                " no certificate: the fleet file's `acme:` says who issues them".to_owned()
            }
        };
        Pen::on(buf, &model.theme, area, 2).put(Role::Dim, &text);
    }
}

fn cell<'a>(model: &Model, row: &'a CertificateRow, col: Col) -> Cell<'a> {
    let now = model.now();
    match col {
        Col::Name => {
            let role = if row.is_well() {
                Role::Text
            } else {
                Role::Strong
            };
            Cell::new(role, called(row))
        }
        Col::Host => Cell::new(Role::Text, row.host.as_str()),
        Col::State => {
            let (symbol, role) = mark(model, row.state);
            Cell::new(role, format!("{symbol} {}", row.stand.word()))
        }
        Col::Ends => {
            let (role, text) = ends(row, now);
            Cell::new(role, text)
        }
        Col::Life => {
            let (role, text) = bar(model, row);
            Cell::new(role, text)
        }
        Col::Renewal => match row.next_try.filter(|_| row.stand != Stand::Unused) {
            None => Cell::new(Role::Dim, "–"),
            Some(at) if at <= now => Cell::new(Role::Busy, "now"),
            Some(at) => Cell::new(Role::Text, age(at - now)),
        },
        Col::Issuer => {
            let issuer = row.stored.as_ref().map(|it| it.issuer.as_str());
            Cell::new(Role::Dim, issuer.unwrap_or_default())
        }
        Col::Names => {
            let names: Vec<&str> = row.names.iter().map(|it| it.name.as_str()).collect();
            Cell::new(Role::Dim, names.join(" "))
        }
        Col::Why => {
            let role = if row.is_well() { Role::Dim } else { Role::Text };
            Cell::new(role, row.says())
        }
    }
}

/// Of the row under the cursor: what to do, and how old what is known of it is.
fn detail(model: &Model, ages: &Ages) -> Spans {
    let it = &model.certificates;
    let mut out = Spans::new();
    if !it.filter.is_empty() {
        let (shown, all) = (it.list.order.len(), it.rows.len());
        out.push((Role::Match, format!(" {shown} of {all}  /{} ", it.filter)));
    }
    let Some(row) = it.here() else {
        return out;
    };
    let mut parts = Vec::new();
    if !row.next.is_empty() {
        parts.push(row.next.clone());
    }
    match row.served_at() {
        Some(at) => parts.push(format!("served as asked {}", ages.read(at))),
        None if row.stored.is_some() => parts.push("what is served was not asked yet".into()),
        None => {}
    }
    out.push((
        Role::Dim,
        format!(" {}: {}", called(row), parts.join(" · ")),
    ));
    out
}
