//! Which authorities may sign for a name (RFC 8659).

use super::message::{Data, Type};
use super::resolver::Resolver;

/// Labels of a name at most: so many parents are asked.
const LABELS: usize = 20;

/// Says why an authority that CAA records know by one of `identities` may not sign for a name, which
/// may begin with `*.`; `None`: it may, or none of them says anything.
///
/// # Errors
/// A resolver does not answer: an authority that hears the same does not sign either.
pub(in crate::acme) async fn forbids(
    resolver: &Resolver,
    name: &str,
    identities: &[String],
) -> Result<Option<String>, String> {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let mut at = Some(bare);
    for _ in 0..LABELS {
        // The nearest one that has any decides; a root has none.
        let Some(here) = at.filter(|here| !here.is_empty()) else {
            break;
        };
        let known = resolver.ask(here, Type::Caa).await?;
        if !known.data.is_empty() {
            return Ok(judge(&known.data, here, name != bare, identities));
        }
        at = here.split_once('.').map(|(_, parent)| parent);
    }
    Ok(None)
}

/// What the records at `here` say against the authority.
fn judge(records: &[Data], here: &str, wild: bool, identities: &[String]) -> Option<String> {
    let records = records.iter().filter_map(|it| match it {
        Data::Caa {
            critical,
            tag,
            value,
        } => Some((*critical, tag.as_str(), value)),
        _ => None,
    });
    let records: Vec<_> = records.collect();
    let known = [
        "issue",
        "issuewild",
        "iodef",
        "issuemail",
        "contactemail",
        "contactphone",
    ];
    let strange = records
        .iter()
        .find(|(critical, tag, _)| *critical && !known.contains(tag));
    if let Some((_, tag, _)) = strange {
        let tag = crate::text::short(tag, 30);
        return Some(format!(
            "CAA of {here} has a critical tag that authorities do not know: {tag}"
        ));
    }
    let of = |wanted: &str| -> Vec<String> {
        let values = records.iter().filter(|(_, tag, _)| *tag == wanted);
        values.map(|(_, _, value)| issuer(value)).collect()
    };
    let (plain, wildcard) = (of("issue"), of("issuewild"));
    let issuers = match wild && !wildcard.is_empty() {
        true => wildcard,
        false => plain,
    };
    if issuers.is_empty() || identities.is_empty() {
        return None;
    }
    if issuers.iter().any(|issuer| identities.contains(issuer)) {
        return None;
    }
    let mut allowed: Vec<String> = issuers
        .iter()
        .filter(|it| !it.is_empty())
        .map(|it| crate::text::short(it, 60))
        .collect();
    allowed.dedup();
    let who = match allowed.is_empty() {
        true => "nobody".to_owned(),
        false => format!("only {}", allowed.join(", ")),
    };
    let what = if wild { "wildcards" } else { "certificates" };
    Some(format!(
        "CAA of {here} lets {who} issue {what}, not {}",
        identities.join(", ")
    ))
}

/// The name before the parameters.
fn issuer(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let name = text.split(';').next().unwrap_or_default();
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caa(tag: &str, value: &str) -> Data {
        Data::Caa {
            critical: tag.starts_with('!'),
            tag: tag.trim_start_matches('!').into(),
            value: value.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_examples_of_rfc_8659_are_judged_as_it_says() {
        let ca1 = ["ca1.example.net".to_owned()];
        let ca2 = ["ca2.example.org".to_owned()];
        let one = [
            caa("issue", "ca1.example.net"),
            caa("issue", "ca2.example.org; account=23"),
        ];
        let nobody = [caa("issue", ";")];
        let malformed = [caa("issue", "%%%%%")];
        let wild = [
            caa("issue", "ca1.example.net"),
            caa("issuewild", "ca2.example.org"),
        ];
        let wild_only = [caa("issuewild", "ca2.example.org")];
        let critical = [caa("issue", "ca1.example.net"), caa("!tbs", "Unknown")];
        let harmless = [caa("iodef", "mailto:a@b"), caa("tbs", "Unknown")];
        for (records, name_is_wild, who, allowed) in [
            (&one[..], false, &ca1, true),
            (&one, true, &ca2, true),
            (&one[..1], false, &ca2, false),
            (&nobody, false, &ca1, false),
            (&malformed, false, &ca1, false),
            (&wild, false, &ca1, true),
            (&wild, true, &ca1, false),
            (&wild, true, &ca2, true),
            (&wild_only, false, &ca1, true),
            (&wild_only, true, &ca1, false),
            (&critical, false, &ca1, false),
            (&harmless, false, &ca1, true),
        ] {
            let why = judge(records, "x.example", name_is_wild, who);
            assert_eq!(why.is_none(), allowed, "{records:?} {why:?}");
        }
        assert_eq!(judge(&one, "x.example", false, &[]), None);
        let why = judge(&one[..1], "x.example", false, &ca2).unwrap();
        assert_eq!(
            why,
            "CAA of x.example lets only ca1.example.net issue certificates, not ca2.example.org"
        );
        let why = judge(&nobody, "x.example", true, &ca2).unwrap();
        assert_eq!(
            why,
            "CAA of x.example lets nobody issue wildcards, not ca2.example.org"
        );
    }
}
