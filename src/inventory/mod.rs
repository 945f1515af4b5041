//! The user's inventory: hosts and their variables, every key with its place.
//! It does not know what a model or a gateway is, and it changes nothing.

mod fields;
mod files;
mod groups;
mod host;
mod interpolate;
mod layers;
mod limit;
mod load;
mod pattern;
#[cfg(test)]
mod tests;
mod value;
mod yaml;

pub use fields::{Fields, parsed, texts};
pub use groups::Group;
pub use host::{HostVars, Inventory};
pub use load::{load, parse};
pub use value::{Entry, Map, Node, Value};
