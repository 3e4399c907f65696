//! Certificates: had from an authority or from the operator, put on the host, served.

mod obtain;
mod zone;

use std::collections::BTreeSet;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, Say};
use crate::fleet::Name;
use crate::host::router::tls;
use crate::host::service::own;
use crate::plan::service::certificate::operation::CertificateOperation;
use crate::plan::service::certificate::to_serve;
use crate::record::certificate::{Source, Stored};

/// Does what the plan says about certificates.
pub(super) async fn perform(
    operation: &CertificateOperation,
    work: &HostWork,
    say: &Say,
) -> Answer {
    match operation {
        CertificateOperation::ObtainCertificate {
            site,
            names,
            directory,
            partial,
            asked,
            ..
        } => obtain::obtain(work, site, names, directory, *partial, *asked, say).await,
        CertificateOperation::StoreCertificate { site, fingerprint } => {
            store_own(work, site, fingerprint).await
        }
        CertificateOperation::ServeCertificate { site, redirected } => {
            serve(work, site, redirected).await
        }
        CertificateOperation::WithdrawCertificate { site } => {
            work.certificates
                .serve(&work.toolbox, site, |record| record.served = None)
                .await?;
            Ok(None)
        }
    }
}

/// Has the router serve what lies on the host.
async fn serve(work: &HostWork, site: &Name, redirected: &BTreeSet<String>) -> Answer {
    let record = work.certificates.record(&work.toolbox, site).await?;
    let Some(stored) = &record.stored else {
        return Ok(Some("there is none to serve yet".to_owned()));
    };
    let served = to_serve(stored, redirected);
    work.certificates
        .serve(&work.toolbox, site, |record| record.served = Some(served))
        .await?;
    Ok(None)
}

/// Puts the operator's own certificate on the host.
async fn store_own(work: &HostWork, site: &Name, planned: &str) -> Answer {
    let Some(wanted) = work.fleet.sites.get(site) else {
        return Err(Failure::new(format!("the fleet file does not name {site}")));
    };
    let now = chrono::Utc::now().timestamp();
    let own = own::read(work.secrets.as_ref(), wanted, now).await;
    let own = own.map_err(|why| Failure::new(crate::text::plain_line(&why)))?;
    if own.facts.fingerprint != planned {
        let why = "the certificate is not the one that it was when this was planned";
        return Err(Failure::new(why).remedy("plan again"));
    }
    tls::store(&work.toolbox, site, &own.pem).await?;
    let stored = Stored {
        facts: own.facts,
        from: Source::Own,
        ari: None,
        at: now,
    };
    work.certificates
        .change(&work.toolbox, site, |record| {
            record.stored = Some(stored);
            record.attempt = None;
            record.renewal = None;
        })
        .await?;
    Ok(None)
}
