//! The user's inventory: hosts and their variables, every key with its place.
//! It does not know what a model or a gateway is, and it changes nothing.

mod value;
mod yaml;

pub use value::{Entry, Map, Node, Value};
