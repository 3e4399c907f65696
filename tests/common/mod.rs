//! What tests against an engine, real or simulated, share.

#![allow(dead_code)] // every test binary takes what it needs of this

pub mod bed;
pub mod tier;
