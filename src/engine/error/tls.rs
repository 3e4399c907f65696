//! What can be wrong with a TLS connection to an engine, each named as what it is.

use std::fmt;
use std::path::PathBuf;

/// What is wrong, and where. Times are unix seconds. Texts from certificates carry no control
/// characters; nothing of a key is ever in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// Neither `tls` nor `insecure` says how to speak to the engine.
    NotSaid,
    /// Plain TCP to an address that is neither loopback nor private.
    Exposed,
    /// A file of the folder, or the folder, is not there.
    Missing { path: PathBuf },
    /// A file cannot be read.
    Unreadable {
        path: PathBuf,
        /// In the operating system's words.
        why: String,
    },
    /// A file does not hold what its name says.
    Unusable {
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key is locked with a passphrase.
    Locked {
        /// Path of the key.
        path: PathBuf,
    },
    /// The key is not the one that the certificate was made for.
    KeyOfAnother { folder: PathBuf },
    /// Our certificate is over.
    ClientExpired {
        /// Path of the certificate.
        path: PathBuf,
        /// Since when.
        until: i64,
    },
    /// Our certificate does not hold yet.
    ClientTooEarly {
        /// Path of the certificate.
        path: PathBuf,
        /// From when on.
        from: i64,
    },
    /// Our certificate was not issued for clients.
    ClientPurpose {
        /// Path of the certificate.
        path: PathBuf,
    },
    /// The engine did not take our certificate.
    ClientRefused {
        /// Why, as far as it tells.
        why: String,
        /// Path of the certificate.
        path: PathBuf,
    },
    /// The engine lets in clients without a certificate.
    NobodyAsked,
    /// The engine's certificate is over.
    ServerExpired {
        /// Since when.
        until: i64,
    },
    /// The engine's certificate does not hold yet.
    ServerTooEarly {
        /// From when on.
        from: i64,
    },
    /// The engine's certificate was signed by someone whom `ca.pem` does not hold.
    UnknownCa {
        /// Who signed it, by name.
        issuer: String,
        /// Path of `ca.pem`.
        path: PathBuf,
        /// The CA in it has that very name: it is another key under the same name.
        namesake: bool,
    },
    /// The engine's certificate is for other names.
    OtherName {
        /// The name or address that was asked for.
        wanted: String,
        /// Names and addresses that it is for.
        names: Vec<String>,
        /// Its common name, which counts for nothing.
        common_name: Option<String>,
    },
    /// The engine's certificate cannot be accepted for another reason.
    ServerCertificate { why: String },
    /// What listens there does not speak TLS.
    NotTls {
        /// What it speaks, as far as could be seen.
        what: String,
    },
    /// What listens there speaks TLS, and was asked without.
    OnlyTls,
    /// No common ground for a connection.
    Handshake {
        /// What happened.
        why: String,
    },
}

/// A moment for people.
fn moment(unix: i64) -> String {
    match chrono::DateTime::from_timestamp(unix, 0) {
        Some(time) => time.format("%Y-%m-%d %H:%M UTC").to_string(),
        None => format!("second {unix}"),
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TlsProblem::*;
        match self {
            NotSaid => f.write_str("nothing says where its TLS files are, and plain TCP is not spoken by itself"),
            Exposed => f.write_str("plain TCP is spoken to loopback and private addresses only"),
            Missing { path } => write!(f, "there is no {}", path.display()),
            Unreadable { path, why } => write!(f, "cannot read {}: {why}", path.display()),
            Unusable { path, why } => write!(f, "{}: {why}", path.display()),
            Locked { path } => write!(f, "{} is locked with a passphrase", path.display()),
            KeyOfAnother { folder } => write!(
                f,
                "key.pem in {} is not the key of cert.pem beside it",
                folder.display()
            ),
            ClientExpired { path, until } => write!(
                f,
                "our certificate {} expired on {}",
                path.display(),
                moment(*until)
            ),
            ClientTooEarly { path, from } => write!(
                f,
                "our certificate {} holds only from {} on",
                path.display(),
                moment(*from)
            ),
            ClientPurpose { path } => write!(
                f,
                "our certificate {} was not issued for clients (no clientAuth in its extended key usage)",
                path.display()
            ),
            ClientRefused { why, path } => write!(
                f,
                "the engine does not accept our certificate {}: {why}",
                path.display()
            ),
            NobodyAsked => f.write_str(
                "the engine asks for no client certificate: whoever reaches this port is root on the host",
            ),
            ServerExpired { until } => {
                write!(f, "the engine's certificate expired on {}", moment(*until))
            }
            ServerTooEarly { from } => write!(
                f,
                "the engine's certificate holds only from {} on",
                moment(*from)
            ),
            UnknownCa {
                issuer,
                path,
                namesake,
            } => {
                write!(f, "the engine's certificate was signed by {issuer}, ")?;
                match namesake {
                    true => write!(
                        f,
                        "but not by the CA of that name in {}: it is another key",
                        path.display()
                    ),
                    false => write!(f, "which is not in {}", path.display()),
                }
            }
            OtherName {
                wanted,
                names,
                common_name,
            } => {
                write!(f, "the engine's certificate is not for {wanted}: ")?;
                match (names.as_slice(), common_name) {
                    ([], Some(name)) => write!(
                        f,
                        "it has no subjectAltName at all, and its common name {name} does not count"
                    ),
                    ([], None) => write!(f, "it names nothing at all"),
                    (names, _) => write!(f, "it is for {}", names.join(", ")),
                }
            }
            ServerCertificate { why } => {
                write!(f, "the engine's certificate cannot be accepted: {why}")
            }
            NotTls { what } => write!(f, "what listens there does not speak TLS: {what}"),
            OnlyTls => f.write_str("what listens there speaks TLS, and was asked without"),
            Handshake { why } => write!(f, "no TLS connection came about: {why}"),
        }
    }
}

impl TlsProblem {
    /// What the operator can do about it.
    pub fn remedy(&self) -> String {
        use TlsProblem::*;
        const ISSUE: &str = "issue it anew: `openssl x509 -req … -extfile` with";
        match self {
            NotSaid => "in the fleet file: `tls: FOLDER` with ca.pem, cert.pem and key.pem, or, on a loopback or private address, `insecure: true`; on the command line: `--tls FOLDER` or `--insecure`; or reach it by ssh://".into(),
            Exposed => "use TLS (`tls: FOLDER`, `--tls FOLDER`), or ssh://: whoever reaches such a port is root on the host".into(),
            Missing { .. } => "the folder of `tls` holds ca.pem (whom to believe), cert.pem (who we are) and key.pem; a relative path starts at the fleet file's folder".into(),
            Unreadable { .. } => "let your user read it; a key belongs to you alone: `chmod 600 key.pem`".into(),
            Unusable { .. } => "ca.pem and cert.pem hold certificates, key.pem a private key, all in PEM (`-----BEGIN …`)".into(),
            Locked { path } => format!(
                "unlock it once: `openssl pkey -in {path} -out {path}.open && mv {path}.open {path} && chmod 600 {path}`",
                path = path.display()
            ),
            KeyOfAnother { .. } => "put the key beside the certificate that was issued for it; `openssl pkey -in key.pem -pubout` and `openssl x509 -in cert.pem -noout -pubkey` print the same for a pair".into(),
            ClientExpired { .. } => "issue a new client certificate with the CA that the engine trusts (its --tlscacert)".into(),
            ClientTooEarly { .. } | ServerTooEarly { .. } => "compare the clocks: `date -u` here, on the host, and where it was issued".into(),
            ClientPurpose { .. } => format!("{ISSUE} `extendedKeyUsage=clientAuth`"),
            ClientRefused { .. } => "it must be signed by the CA of the engine's --tlscacert, and hold by the host's clock; `journalctl -u docker` there says more".into(),
            NobodyAsked => "start dockerd with --tlsverify and --tlscacert, not with --tls alone".into(),
            ServerExpired { .. } => "issue the engine a new certificate (its --tlscert) and restart it; if it is not over yet, this machine's clock is wrong".into(),
            UnknownCa { .. } => "put the CA that signed the engine's --tlscert into ca.pem; if you expected another, someone may stand in between".into(),
            OtherName { wanted, names, .. } => {
                let kind = match wanted.parse::<std::net::IpAddr>() {
                    Ok(_) => "IP",
                    Err(_) => "DNS",
                };
                let issue = format!("{ISSUE} `subjectAltName={kind}:{wanted}`");
                match names.iter().find(|name| !name.contains('*')) {
                    Some(name) => format!("write the engine's address as {name}, or {issue}"),
                    None => issue,
                }
            }
            ServerCertificate { .. } => "issue the engine a certificate of its own, signed by the CA in ca.pem, with a key of P-256 or RSA from 2048 bits, subjectAltName and `extendedKeyUsage=serverAuth`".into(),
            NotTls { .. } => "dockerd speaks TLS on port 2376 when started with --tlsverify; another port or program may be behind this address".into(),
            OnlyTls => "use `tls: FOLDER` (`--tls FOLDER`) instead of `insecure`".into(),
            Handshake { .. } => "dockerd speaks TLS 1.2 and newer; `journalctl -u docker` there may say more".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_with_a_common_name_only_is_told_so_with_the_remedy() {
        let problem = TlsProblem::OtherName {
            wanted: "10.8.0.2".into(),
            names: Vec::new(),
            common_name: Some("web2".into()),
        };
        assert_eq!(
            problem.to_string(),
            "the engine's certificate is not for 10.8.0.2: it has no subjectAltName at all, and its common name web2 does not count"
        );
        assert!(problem.remedy().contains("`subjectAltName=IP:10.8.0.2`"));
    }

    #[test]
    fn times_are_told_for_people() {
        let problem = TlsProblem::ServerExpired { until: 86_400 };
        assert_eq!(
            problem.to_string(),
            "the engine's certificate expired on 1970-01-02 00:00 UTC"
        );
    }
}
