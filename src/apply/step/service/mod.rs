//! Steps of services. One file here and one line in [`perform`] per service.

#[cfg(test)]
mod marker;
mod secrets;
#[cfg(test)]
mod tests;

use crate::apply::host_work::HostWork;
use crate::apply::progress::Answer;
use crate::plan::service::operation::ServiceOperation;

/// Does one operation of a service.
pub(super) async fn perform(operation: &ServiceOperation, work: &HostWork) -> Answer {
    match operation {
        ServiceOperation::Secrets(operation) => secrets::perform(operation, work).await,
        #[cfg(test)]
        ServiceOperation::Marker(operation) => marker::perform(operation, work).await,
    }
}
