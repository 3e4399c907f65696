//! Steps of services. One file here and one line in [`perform`] per service.

mod certificate;
#[cfg(test)]
mod marker;
mod secrets;
#[cfg(test)]
mod tests;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Say};
use crate::plan::service::operation::ServiceOperation;

/// Does one operation of a service.
pub(super) async fn perform(operation: &ServiceOperation, work: &HostWork, say: &Say) -> Answer {
    match operation {
        ServiceOperation::Secrets(operation) => secrets::perform(operation, work).await,
        ServiceOperation::Certificate(operation) => {
            certificate::perform(operation, work, say).await
        }
        #[cfg(test)]
        ServiceOperation::Marker(operation) => marker::perform(operation, work).await,
    }
}
