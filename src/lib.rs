//! homelab: language models on your own machines, from one inventory.
//! The way of a deploy is `commands::deploy`; docs/architecture.md is the map.

pub mod connection;
pub mod diagnostic;
pub mod engine;
pub mod host;
pub mod inventory;
pub mod names;
pub mod service;
pub mod survey;
