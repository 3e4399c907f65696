//! What a site has beside its container, as the fleet file says it: a file per service, with its
//! keys, their reading and their writing.

pub(in crate::fleet) mod acme;
pub(in crate::fleet) mod certificate;
pub(in crate::fleet) mod dns;
pub(in crate::fleet) mod headers;
pub(in crate::fleet) mod notify;
pub(in crate::fleet) mod secrets;

pub use acme::{ACME, Acme, Authority, Eab, mail as parse_contact};
pub use certificate::{Certificate, HSTS, Hsts, Https, OWN_CERTIFICATE};
pub use dns::{Algorithm, DNS, Dns, KeyOfZone};
pub use headers::HEADERS;
pub use notify::{Hook, Login, NOTIFY, Notify, Smtp, Tls, parse_hook};
pub use secrets::{SECRET, SECRETS, SecretSpec};

use super::yaml::Value;

/// What stands behind a key that takes one or a list.
fn several<T>(all: &[T], write: impl Fn(&T) -> Value) -> Option<Value> {
    match all {
        [] => None,
        [one] => Some(write(one)),
        all => Some(Value::List(all.iter().map(write).collect())),
    }
}
