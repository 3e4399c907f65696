//! The plain data that several floors share and that has no room of its own: what a site's and a
//! host's record say, names and labels, where things lie, a container's spec, a route. Pure.

pub mod certificate;
pub mod check;
pub mod differs;
pub mod fields;
pub mod guard;
pub mod host;
pub mod labels;
pub mod layout;
pub mod lock;
pub mod machine;
pub mod names;
pub mod renewal;
pub mod route;
pub mod site;
pub mod spec;

pub use certificate::CertificateRecord;
pub use differs::{Different, Differs, SiteDiffers};
pub use fields::Fields;
pub use host::{Applying, HostRecord, HostState, RouterRecord, StateRead, Tended};
pub use labels::{Labelled, Role};
pub use layout::Layout;
pub use lock::Holder;
pub use machine::{Machine, Scarce};
pub use site::{RecordedState, SiteRecord};
