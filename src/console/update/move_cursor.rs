//! Moving the cursor, on whatever screen there is.

use crate::console::model::{Model, Screen};
use crate::console::screen;

/// A motion.
#[derive(Debug, Clone, Copy)]
pub(super) enum Motion {
    By(isize),
    /// Half a page, up or down.
    Page(isize),
    Top,
    Bottom,
    /// To the next, or previous, row that is not well.
    Unwell(isize),
}

pub(super) fn go(model: &mut Model, motion: Motion) {
    let page = (model.body_lines() / 2).max(1) as isize;
    match model.stack.last() {
        Some(Screen::Sites) => {
            let rows = &model.view.sites;
            let key = |i: u32| &rows[i as usize].key;
            let list = &mut model.sites.list;
            match motion {
                Motion::By(n) => list.go(n, key),
                Motion::Page(n) => list.go(n * page, key),
                Motion::Top => list.go_to(0, key),
                Motion::Bottom => list.go_to(usize::MAX, key),
                Motion::Unwell(step) => {
                    let count = list.order.len() as isize;
                    let found = (1..count)
                        .map(|n| (list.cursor as isize + n * step).rem_euclid(count) as usize)
                        .find(|at| !rows[list.order[*at] as usize].state.is_well());
                    if let Some(at) = found {
                        list.go_to(at, key);
                    }
                }
            }
        }
        Some(Screen::Hosts) => {
            let hosts = &model.view.hosts;
            let last = hosts.len().saturating_sub(1);
            let at = moved(model.host_list.cursor, motion, page, last);
            model.host_list.go_to(at, |i| &hosts[i as usize].key);
        }
        Some(Screen::Help { filter, cursor, .. }) => {
            let last = screen::help::entries(filter).len().saturating_sub(1);
            let at = moved(*cursor, motion, page, last);
            if let Some(Screen::Help { cursor, .. }) = model.stack.last_mut() {
                *cursor = at;
            }
        }
        Some(Screen::Activity { .. }) if matches!(motion, Motion::By(_)) => {
            let Motion::By(by) = motion else { return };
            for _ in 0..by.unsigned_abs() {
                step(model, by < 0);
            }
        }
        Some(Screen::Logs(_)) | None => {}
        Some(_) => {
            let last = screen::lines_of(model).saturating_sub(model.body_lines());
            if let Some(
                Screen::Site(_, top)
                | Screen::Host(_, top)
                | Screen::Past(_, top)
                | Screen::Plan(crate::console::plan_lines::PlanScreen { top, .. })
                | Screen::Activity { top, .. }
                | Screen::Events { top, .. },
            ) = model.stack.last_mut()
            {
                *top = moved(*top, motion, page, last);
            }
        }
    }
}

/// One step on the screen of applies: to the next one that can be opened, or, while that is not on
/// screen, one line on.
fn step(model: &mut Model, up: bool) {
    let height = model.body_lines();
    let Some(Screen::Activity { only, at, top }) = model.stack.last() else {
        return;
    };
    let (at, top) = (*at, *top);
    let ages = crate::console::ages::Ages::new(model.now());
    let width = usize::from(model.size.0);
    let (window, places) = screen::activity::lines(model, only.as_deref(), at, width, &ages, 0..0);
    let last = window.all().saturating_sub(height);
    let next = match (at, up) {
        (None, false) => Some(0),
        (Some(n), false) => Some(n + 1),
        (Some(n), true) => n.checked_sub(1),
        (None, true) => None,
    };
    let place = next.and_then(|n| places.get(n).copied());
    let seen = |line: usize| line >= top && line < top + height;
    let (at, top) = match (place, up) {
        (Some(line), _) if seen(line) => (next, top),
        (_, true) if top > 0 => (at.filter(|_| next.is_some()), top - 1),
        (_, true) => (at.filter(|_| next.is_some()), 0),
        (_, false) => (at, (top + 1).min(last)),
    };
    if let Some(Screen::Activity {
        at: to, top: first, ..
    }) = model.stack.last_mut()
    {
        (*to, *first) = (at, top);
    }
}

fn moved(at: usize, motion: Motion, page: isize, last: usize) -> usize {
    match motion {
        Motion::By(n) => at.saturating_add_signed(n),
        Motion::Page(n) => at.saturating_add_signed(n * page),
        Motion::Top => 0,
        Motion::Bottom => last,
        Motion::Unwell(_) => at,
    }
    .min(last)
}
