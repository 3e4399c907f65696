//! Drift, three ways: what was last applied, what is live, what the file says now; field by field.
//! Pure. The one place that judges it: `drift`, `sites`, `status`, `adopt` and the console all ask
//! here, and `hand` is what planning goes by when it puts things right.
//!
//! What the engine tells of a container is compared with what the same engine told when the site
//! was applied ([`crate::observe::made`]); what the file says, with the spec that was applied. So no
//! default that an engine fills in ever looks like a change.

mod adopt;
mod edit;
mod field;
pub(crate) mod hand;
mod judge;
pub(crate) mod raw;
mod report;
mod spec;

#[cfg(test)]
pub(crate) use spec::fields as spec_fields;

pub use adopt::{Adoption, adopt, adopt_into};
pub use field::{Field, Kind};
pub use report::{Drift, of_fleet, of_host, uncompared, unknown};
