//! Plans are computed for made-up fleets on made-up hosts and carried out by an interpreter that
//! refuses what a real host would refuse.

mod certificate;
mod drift;
mod examples;
mod former;
mod interpret;
mod make;
mod newer;
mod properties;
mod renamed;
mod text;
