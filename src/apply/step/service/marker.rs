//! Markers as files: a service that only tests know.

use crate::apply::host_work::HostWork;
use crate::apply::progress::Answer;
use crate::host::NewFile;
use crate::host::script::{REMOVE, TREE};
use crate::plan::service::marker::operation::MarkerOperation;

pub(super) async fn perform(operation: &MarkerOperation, work: &HostWork) -> Answer {
    let layout = &work.toolbox.layout;
    match operation {
        MarkerOperation::WriteMarker { site, text } => {
            let folder = format!("{}/marker", layout.private(site));
            work.toolbox
                .run(&TREE, &["755", "0:0", &folder], None)
                .await?;
            let file = NewFile::new(format!("{folder}/text"), 0o644, text.as_str());
            work.toolbox.replace(&[file]).await?;
        }
        MarkerOperation::RemoveMarker { site } => {
            let folder = format!("{}/marker", layout.private(site));
            work.toolbox.run(&REMOVE, &[&folder], None).await?;
        }
    }
    Ok(None)
}
