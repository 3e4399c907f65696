//! The list of certificates, taken from what is known, and its order.

use std::collections::HashMap;
use std::sync::Arc;

use super::action::Place;
use super::model::Model;
use crate::verdict::CertificateRow;
use crate::verdict::certificates::{kept, others};

/// Whether they are looked at.
pub fn are_shown(model: &Model) -> bool {
    let mut stack = model.stack.iter();
    stack.any(|screen| screen.place() == Place::Certificates)
}

/// Takes them from what is known. Rows that are shown stay in their places.
pub fn collect(model: &mut Model) {
    let now = model.now();
    let sites = model.view.sites.iter();
    let mut rows: Vec<Arc<CertificateRow>> =
        sites.filter_map(|row| row.certificate.clone()).collect();
    if let Some(fleet) = &model.fleet {
        let left = model
            .data
            .iter()
            .flat_map(|(host, data)| kept(fleet, host, data, now));
        rows.extend(left.chain(others(fleet, &model.data, now)).map(Arc::new));
    }
    let it = &mut model.certificates;
    let before = it
        .list
        .order
        .iter()
        .filter_map(|at| it.rows.get(*at as usize));
    let before: Vec<Arc<str>> = before.map(|row| row.key.clone()).collect();
    it.rows = rows;
    let mut shown = it.shown();
    let places: HashMap<&str, usize> = before
        .iter()
        .enumerate()
        .map(|(place, key)| (&**key, place))
        .collect();
    let place = |at: &u32| places.get(&*it.rows[*at as usize].key).copied();
    shown.sort_by_key(|at| (place(at).unwrap_or(usize::MAX), *at));
    let rows = &it.rows;
    it.list.set(shown, |at| &rows[at as usize].key);
    it.order_old = true;
}

/// Puts them in their order now.
pub fn reorder(model: &mut Model) {
    // Nobody has chosen a row yet: the cursor stays on what comes first.
    let untouched = model.certificates.list.cursor == 0;
    let it = &mut model.certificates;
    let mut order = it.shown();
    order.sort_by_cached_key(|at| it.rows[*at as usize].order());
    let rows = &it.rows;
    it.list.set(order, |at| &rows[at as usize].key);
    if untouched {
        it.list.go_to(0, |at| &rows[at as usize].key);
    }
    it.order_old = false;
}
