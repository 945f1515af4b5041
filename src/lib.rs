//! homelab: language models on your own machines, from one inventory.
//! The way of a deploy is `commands::deploy`; docs/architecture.md is the map.

pub mod bootstrap;
pub mod claim;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod companion;
pub mod connection;
pub mod desired;
pub mod diagnosis;
pub mod diagnostic;
pub mod doctor;
pub mod engine;
pub mod event;
pub mod exit;
pub mod fit;
pub mod gateway;
pub mod host;
pub mod hub;
pub mod image;
pub mod inventory;
pub mod lock;
pub mod names;
pub mod plan;
pub mod secret;
pub mod service;
pub mod starter;
pub mod survey;
pub mod ui;
pub mod wake;
