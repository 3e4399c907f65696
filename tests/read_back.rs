//! What is read back and acted upon is checked whole before: plans kept in a file, and what a host
//! keeps for ostler. Whoever could write it gets nothing done that the planner would not do.

#[path = "read_back/records.rs"]
mod records;
#[path = "read_back/saved.rs"]
mod saved;
#[path = "read_back/world.rs"]
mod world;
