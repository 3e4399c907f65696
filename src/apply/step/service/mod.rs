//! Steps of services. One file here and one line in [`perform`] per service.

mod secrets;

use crate::apply::host_work::HostWork;
use crate::apply::progress::Answer;
use crate::plan::service::operation::ServiceOperation;

/// Does one operation of a service.
pub(super) async fn perform(operation: &ServiceOperation, work: &HostWork) -> Answer {
    match operation {
        ServiceOperation::Secrets(operation) => secrets::perform(operation, work).await,
    }
}
