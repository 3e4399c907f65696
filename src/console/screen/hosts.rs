//! The list of hosts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::fleet_view::{HostRow, Link};
use crate::console::model::Model;
use crate::console::pen::{Pen, Spans};
use crate::console::text::{rate, size};
use crate::console::theme::Role;
use crate::console::view::{Ages, link_mark};
use crate::console::widget::table::{Cell, Column, Table};

#[derive(Debug, Clone, Copy)]
enum Col {
    Name,
    State,
    Since,
    Sites,
    Containers,
    Requests,
    Engine,
    Machine,
    Os,
    Address,
    Why,
}

fn columns() -> Vec<Column<Col>> {
    let col = |id, title, min, ideal, priority, from| Column {
        id,
        title,
        min,
        ideal,
        grows: false,
        right: false,
        priority,
        from,
    };
    let number = |id, title, min, priority| Column {
        right: true,
        ..col(id, title, min, min, priority, 0)
    };
    vec![
        col(Col::Name, "HOST", 8, 16, 0, 0),
        col(Col::State, "STATE", 12, 13, 0, 0),
        number(Col::Since, "SINCE", 5, 3),
        number(Col::Sites, "SITES", 7, 2),
        number(Col::Containers, "CONT.", 7, 6),
        number(Col::Requests, "REQ/s", 5, 5),
        col(Col::Engine, "ENGINE", 8, 14, 4, 0),
        col(Col::Machine, "MACHINE", 10, 12, 7, 100),
        col(Col::Os, "SYSTEM", 12, 28, 9, 140),
        Column {
            grows: true,
            ..col(Col::Address, "ADDRESS", 14, 26, 8, 100)
        },
        Column {
            grows: true,
            ..col(Col::Why, "WHY", 12, 20, 1, 0)
        },
    ]
}

/// Draws the list. Returns what there is to say about the host under the cursor.
pub fn draw(model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
    let list = &model.host_list;
    let rows = &model.view.hosts;
    Table {
        columns: &columns(),
        len: rows.len(),
        offset: list.offset,
        cursor: Some(list.cursor),
        row: &|at| &rows[at],
        cell: &|row, col| cell(model, row, col, ages),
        marked: &|_| false,
        dimmed: &|_| false,
    }
    .draw(buf, &model.theme, area);
    if rows.is_empty() {
        Pen::on(buf, &model.theme, area, 2).put(Role::Dim, " the fleet file names no host");
    }
    let Some(host) = model.host_here() else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    match host.seen {
        Some(at) => parts.push(format!("read {}", ages.read(at))),
        None => parts.push("never read".into()),
    }
    if let (Link::BackingOff, Some(at)) = (host.link, host.retry_at) {
        parts.push(format!("next attempt in {}; r tries now", ages.until(at)));
    }
    if host.foreign > 0 {
        parts.push(format!("{} foreign containers", host.foreign));
    }
    if !host.applied_by.is_empty() {
        parts.push(format!("applied by {}", host.applied_by));
    }
    vec![(Role::Dim, format!(" {}: {}", host.name, parts.join(" · ")))]
}

fn cell<'a>(model: &Model, row: &'a HostRow, col: Col, ages: &Ages) -> Cell<'a> {
    let away = row.link != Link::Ready;
    let old = if away { Role::Dim } else { Role::Text };
    match col {
        Col::Name => Cell::new(Role::Strong, row.name.as_str()),
        Col::State => {
            let (symbol, role) = link_mark(model, row.link);
            let word = match row.link {
                Link::Ready => "ready",
                Link::Degraded => "degraded",
                Link::Connecting => "connecting",
                Link::BackingOff => "no answer",
            };
            Cell::new(role, format!("{symbol} {word}"))
        }
        Col::Since => Cell::new(Role::Text, ages.ago(row.since)),
        Col::Sites => match row.sites {
            (0, _) => Cell::new(Role::Dim, "–"),
            (n, 0) => Cell::new(old, n.to_string()),
            (n, bad) => {
                let (symbol, role) = if model.theme.ascii {
                    ("X", Role::Warn)
                } else {
                    ("✖", Role::Warn)
                };
                Cell::new(role, format!("{n} {symbol}{bad}"))
            }
        },
        Col::Containers => match row.containers {
            (all, running) if all == running => Cell::new(old, all.to_string()),
            (all, running) => Cell::new(old, format!("{running}/{all}")),
        },
        Col::Requests => Cell::new(old, row.requests.map_or(String::new(), rate)),
        Col::Engine if row.version.is_empty() => Cell::new(old, ""),
        Col::Engine => Cell::new(old, format!("{} ({})", row.version, row.api)),
        Col::Machine if row.cpus == 0 => Cell::new(old, ""),
        Col::Machine => Cell::new(old, format!("{} × {}", row.cpus, size(row.memory))),
        Col::Os => Cell::new(Role::Dim, row.os.as_str()),
        Col::Address => Cell::new(Role::Dim, row.address.as_str()),
        Col::Why => Cell::new(if away { Role::Text } else { Role::Dim }, row.why.as_str()),
    }
}
