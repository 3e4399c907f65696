//! Certificate authorities and DNS, talked to from the operator's machine: accounts, orders, when to
//! renew, and what would make an order fail before it is spent. RFC 8555 (ACME), RFC 9773 (renewal
//! information), RFC 2136 with RFC 8945 (records for DNS-01), RFC 8659 (CAA).
//!
//! It knows neither fleets nor hosts: what an authority fetches by HTTP is put in its place by who
//! implements [`Answers`].
//!
//! ```text
//! Authority (as the operator wrote it) → Directory::reach → Directory::open → Account::obtain → Issued
//! ```

mod account;
mod authority;
mod directory;
pub mod dns;
mod http;
mod issued;
mod look;
mod order;
mod proof;
mod refusal;
mod renewal;
mod roots;
mod told;

pub use account::{Account, Credentials, Opened};
pub use authority::{Authority, Eab, LETS_ENCRYPT};
pub use directory::Directory;
pub use issued::Issued;
pub use look::{Finding, Looking, Outlook, look};
pub use order::Wanted;
pub use proof::{Answer, Answers, Doing, Proof};
pub use refusal::{Kind, Refusal};
pub use renewal::{Window, ari};
