//! The zone in which the names of an order are proved, where the fleet file has one for all of them.

use zeroize::Zeroizing;

use crate::acme::dns::{Key, Zone};
use crate::apply::host_work::HostWork;
use crate::fleet::{Acme, Dns, Domain};
use crate::text::plain_line;

/// The zone; `None`: they are proved by what the router answers.
///
/// # Errors
/// Its key cannot be read, or one of several names needs a zone and they are not all in one.
pub(super) async fn of(work: &HostWork, names: &[String]) -> Result<Option<Zone>, String> {
    let domains = names.iter().filter_map(|name| name.parse::<Domain>().ok());
    let zones: Vec<Option<&Dns>> = domains
        .map(|domain| Dns::of(&work.fleet.dns, &domain))
        .collect();
    let first = zones.first().copied().flatten();
    let same = |zone: &Option<&Dns>| zone.map(|it| &it.zone) == first.map(|it| &it.zone);
    let Some(dns) = first.filter(|_| zones.iter().all(same)) else {
        return match names.iter().find(|name| name.starts_with("*.")) {
            Some(wild) => Err(format!(
                "{wild} is proved in a zone, and not all names of the site are in the same one: give them sites of their own"
            )),
            None => Ok(None),
        };
    };
    // As it was asked about: see the fleet's sources.
    let of = format!("dns.{}", dns.zone);
    let bytes = work.secrets.named(&of, "key", &dns.key.secret).await;
    let bytes = bytes.map_err(|error| plain_line(&error.to_string()))?;
    let bytes = Zeroizing::new(bytes.0);
    let text = std::str::from_utf8(&bytes).map_err(|_| "the key of the zone is no text")?;
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    let text = match &dns.key.name {
        Some(name) if text.trim().bytes().all(bare) => {
            let algorithm = dns.key.algorithm.word();
            Zeroizing::new(format!("{algorithm}:{name}:{}", text.trim()))
        }
        _ => Zeroizing::new(text.to_owned()),
    };
    let resolver = match &work.fleet.acme {
        Some(Acme::On(authority)) => authority.resolver,
        _ => None,
    };
    let server = dns.server.to_string();
    let zone = Zone::new(&server, dns.zone.as_str(), Key::read(&text)?, resolver)?;
    Ok(Some(zone))
}
