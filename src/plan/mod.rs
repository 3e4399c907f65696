//! The difference between what should be and what is, as operations. Pure: no I/O, no clock.

pub mod graph;
pub mod operation;
pub mod router;
pub mod spec;

pub use graph::{Notice, Plan, Problem};
pub use operation::{
    Class, ContainerRef, Interruption, Operation, OperationId, OperationKind, Undo,
};
