//! What is known of the certificates of one host while it is worked on: read once, written record by
//! record, and told to the router by one at a time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Mutex;

use super::progress::Failure;
use crate::fleet::Name;
use crate::host::router::tls::{self, Certificates as Told};
use crate::host::script::TREE;
use crate::host::{Toolbox, state};
use crate::record::{CertificateRecord, StateRead};

/// By site.
type Records = BTreeMap<Name, CertificateRecord>;

/// The records of one host.
#[derive(Default)]
pub struct Certificates(Mutex<Option<Records>>);

impl Certificates {
    /// Changes the record of one site, and writes it where it changed.
    ///
    /// # Errors
    /// What the toolbox said.
    pub async fn change(
        &self,
        toolbox: &Toolbox,
        site: &Name,
        change: impl FnOnce(&mut CertificateRecord),
    ) -> Result<(), Failure> {
        let mut held = self.0.lock().await;
        let records = read(&mut held, toolbox).await?;
        let before = records.get(site);
        let mut record = match before {
            Some(record) => record.clone(),
            None => CertificateRecord::new(site),
        };
        change(&mut record);
        if before != Some(&record) {
            write(toolbox, &record).await?;
            records.insert(site.clone(), record);
        }
        Ok(())
    }

    /// The record of one site.
    pub async fn record(
        &self,
        toolbox: &Toolbox,
        site: &Name,
    ) -> Result<CertificateRecord, Failure> {
        let mut held = self.0.lock().await;
        let records = read(&mut held, toolbox).await?;
        let record = records.get(site).cloned();
        Ok(record.unwrap_or_else(|| CertificateRecord::new(site)))
    }

    /// Has the router serve a site's certificate as `change` leaves its record; where the router refuses
    /// it all stays as it was.
    ///
    /// # Errors
    /// What the router or the toolbox said.
    pub async fn serve(
        &self,
        toolbox: &Toolbox,
        site: &Name,
        change: impl FnOnce(&mut CertificateRecord),
    ) -> Result<(), Failure> {
        let mut held = self.0.lock().await;
        let records = read(&mut held, toolbox).await?;
        let before = records.get(site).cloned();
        let mut record = before
            .clone()
            .unwrap_or_else(|| CertificateRecord::new(site));
        change(&mut record);
        let mut told: Told = records
            .values()
            .filter_map(|it| Some((it.site.clone(), it.served.clone()?)))
            .collect();
        let former = told.remove(site);
        if let Some(served) = &record.served {
            told.insert(site.clone(), served.clone());
        }
        let changed = BTreeSet::from([site.clone()]);
        let came = tls::serve(toolbox, &told, &changed).await?;
        if let Some(refused) = came.refused.into_iter().find(|it| it.site == *site) {
            told.remove(site);
            if let Some(former) = former {
                told.insert(site.clone(), former);
            }
            tls::serve(toolbox, &told, &BTreeSet::new()).await?;
            return Err(Failure::new(format!(
                "the router does not take the certificate: {}",
                refused.words
            ))
            .remedy("what it served before stays"));
        }
        if before.as_ref() != Some(&record) {
            write(toolbox, &record).await?;
            records.insert(site.clone(), record);
        }
        Ok(())
    }
}

/// The records, read where they were not yet.
async fn read<'a>(
    held: &'a mut Option<Records>,
    toolbox: &Toolbox,
) -> Result<&'a mut Records, Failure> {
    if held.is_none() {
        let found = match state::read(toolbox).await? {
            StateRead::Read(state) => state,
            StateRead::NoToolbox => Default::default(),
            StateRead::Damaged { why } => return Err(Failure::new(why)),
        };
        let all = found.certificates.iter();
        let all = all.map(|(site, record)| (site.clone(), (**record).clone()));
        *held = Some(all.collect());
    }
    Ok(held.get_or_insert_default())
}

async fn write(toolbox: &Toolbox, record: &CertificateRecord) -> Result<(), Failure> {
    // A host that an earlier version prepared lacks the folder.
    let folder = toolbox.layout.certificate_records();
    toolbox.run(&TREE, &["700", "0:0", &folder], None).await?;
    let file = state::certificate_file(toolbox, record)?;
    toolbox.replace(&[file]).await?;
    Ok(())
}
