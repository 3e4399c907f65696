//! Files of certificates on the host.

use std::collections::BTreeMap;

use crate::fleet::Name;
use crate::host::script::{PUBLIC_CERTIFICATES, Script};
use crate::host::toolbox::{NewFile, Toolbox, ToolboxError};
use crate::record::certificate::{self, CertificateFacts, LARGEST};

/// Lines of a file before its blocks, as [`PUBLIC_CERTIFICATES`] prints them.
const HEAD: &str = "== ";

/// Puts a site's certificate on its host: chain and key in one file, 0600, in one step. The running
/// router goes on with what it has until it is told.
///
/// # Errors
/// What is no more than PEM blocks, a chain and one key, or is too large; the toolbox.
pub async fn store(toolbox: &Toolbox, site: &Name, pem: &[u8]) -> Result<(), ToolboxError> {
    let path = toolbox.layout.certificate(site);
    if let Err(why) = check(pem) {
        return Err(ToolboxError::Garbled { what: path, why });
    }
    toolbox.replace(&[NewFile::new(path, 0o600, pem)]).await
}

/// Whether bytes are PEM blocks and nothing else: at least one certificate, then one key.
fn check(pem: &[u8]) -> Result<(), String> {
    if pem.len() > LARGEST {
        return Err(format!("it is larger than {LARGEST} bytes"));
    }
    let text = std::str::from_utf8(pem).map_err(|_| "it is no PEM file")?;
    let mut labels = Vec::new();
    let mut open = None;
    for line in text.lines() {
        let edge = |edge: &str| {
            let label = line.strip_prefix(edge)?.strip_suffix("-----")?;
            let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ';
            label.bytes().all(plain).then_some(label)
        };
        let data = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        match (open, edge("-----BEGIN "), edge("-----END ")) {
            (None, Some(label), _) => open = Some(label),
            (Some(label), _, Some(end)) if label == end => {
                labels.push(label);
                open = None;
            }
            (Some(_), None, None) if !line.is_empty() && line.bytes().all(data) => {}
            _ => return Err("there is something in it besides PEM blocks".into()),
        }
    }
    let key = labels
        .pop()
        .is_some_and(|label| label.ends_with("PRIVATE KEY"));
    let chain = !labels.is_empty() && labels.iter().all(|label| *label == "CERTIFICATE");
    match key && chain && open.is_none() {
        true => Ok(()),
        false => Err("it is not a chain of certificates and then one key".into()),
    }
}

/// What the certificates of sites on the host say of themselves, or why that cannot be read. Their keys
/// stay there.
pub async fn on_disk(
    toolbox: &Toolbox,
    sites: &[&Name],
) -> Result<BTreeMap<Name, Result<CertificateFacts, String>>, ToolboxError> {
    if sites.is_empty() {
        return Ok(BTreeMap::new());
    }
    const SCRIPT: &Script = &PUBLIC_CERTIFICATES;
    let most = LARGEST.to_string();
    let files: Vec<String> = sites
        .iter()
        .map(|site| toolbox.layout.certificate(site))
        .collect();
    let mut args = vec![most.as_str()];
    args.extend(files.iter().map(String::as_str));
    let output = toolbox.run(SCRIPT, &args, None).await?;
    let text = String::from_utf8_lossy(&output);
    let parts: Vec<&str> = text.split(HEAD).skip(1).collect();
    if parts.len() != sites.len() {
        let what = "the certificates on the host".into();
        let why = format!("{} of {} were told", parts.len(), sites.len());
        return Err(ToolboxError::Garbled { what, why });
    }
    let each = sites.iter().zip(parts);
    Ok(each
        .map(|(site, part)| ((*site).clone(), read(part)))
        .collect())
}

fn read(part: &str) -> Result<CertificateFacts, String> {
    let (word, pem) = part.split_once('\n').unwrap_or((part, ""));
    match word {
        "ok" => certificate::facts(pem.as_bytes()),
        "missing" => Err("its file is missing".into()),
        "empty" => Err("its file is empty".into()),
        "large" => Err(format!("its file is larger than {LARGEST} bytes")),
        _ => Err("its file cannot be read".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_chain_and_its_key_and_nothing_else() {
        let pem = crate::host::router::certificate::self_signed().unwrap();
        assert_eq!(check(pem.as_bytes()), Ok(()));
        let (certificate, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").unwrap());
        let twice = format!("{certificate}{certificate}{key}");
        assert_eq!(check(twice.as_bytes()), Ok(()));
        let long = certificate.repeat(40);
        for bad in [
            "",
            "garbage",
            certificate,
            key,
            &format!("{key}{certificate}"),
            &format!("{certificate}{key}{key}"),
            &format!("{certificate}\n{key}"),
            &format!("Bag Attributes\n{pem}"),
            &format!("{certificate}show info\n{key}"),
            &pem.replace("-----END PRIVATE KEY-----\n", ""),
            &long,
        ] {
            let why = check(bad.as_bytes()).unwrap_err();
            assert!(!why.contains("BEGIN"), "{why}");
        }
    }
}
