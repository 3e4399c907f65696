//! Limits: which ones a container has, and whether they can be changed in place.

use crate::fleet::Limits;
use crate::observe::model::ObservedContainer;
use crate::record::{Labelled, SiteRecord, labels};

/// The limits a container has: as inspected, else as recorded where the record is about this one,
/// else as it was created.
pub(crate) fn of(container: &ObservedContainer, record: Option<&SiteRecord>) -> Option<Limits> {
    if let Some(inspected) = &container.inspected {
        return Some(inspected.limits);
    }
    recorded(container, record).or_else(|| {
        container
            .label(labels::LIMITS)
            .and_then(labels::limits_from)
    })
}

/// What the record says, where it is about this container.
pub(crate) fn recorded(
    container: &ObservedContainer,
    record: Option<&SiteRecord>,
) -> Option<Limits> {
    let record = record?;
    let address = container.asked_address()?;
    (record.address? == address).then_some(record.limits)
}

/// Whether the engine can go from one to the other in place: it cannot take a memory or CPU limit
/// away again.
pub(crate) fn in_place(from: &Limits, to: &Limits) -> bool {
    (from.memory.is_none() || to.memory.is_some())
        && (from.nano_cpus.is_none() || to.nano_cpus.is_some())
}
