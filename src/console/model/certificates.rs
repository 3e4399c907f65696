//! The list of certificates: which there are, and what of them is shown.

use std::sync::Arc;

use super::filter::{contains, words};
use crate::console::widget::list::List;
use crate::fleet::shown_domain;
use crate::verdict::CertificateRow;

/// The list of certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificatesList {
    pub list: List,
    /// Words that every shown row contains.
    pub filter: String,
    /// All of them.
    pub rows: Vec<Arc<CertificateRow>>,
    /// They are not in their order.
    pub order_old: bool,
}

impl CertificatesList {
    /// Places of the rows that the filter lets through.
    pub fn shown(&self) -> Vec<u32> {
        let words = words(&self.filter);
        let fits = |at: &u32| {
            let row = &self.rows[*at as usize];
            words.iter().all(|word| matches(row, word))
        };
        (0..self.rows.len() as u32).filter(fits).collect()
    }

    /// The row under the cursor.
    pub fn here(&self) -> Option<&Arc<CertificateRow>> {
        self.rows.get(self.list.here()?)
    }
}

fn matches(row: &CertificateRow, word: &str) -> bool {
    let has = |text: &str| contains(text, word);
    let issuer = row.stored.as_ref().map(|it| it.issuer.as_str());
    has(&row.name)
        || has(&row.host)
        || has(row.stand.word())
        || has(&row.says())
        || issuer.is_some_and(has)
        || row
            .names
            .iter()
            .any(|it| has(&it.name) || has(&shown_domain(&it.name)))
}
