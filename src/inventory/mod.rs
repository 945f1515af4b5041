//! The user's inventory: hosts and their variables, every key with its place.
//! It does not know what a model or a gateway is, and it changes nothing.

mod beside;
mod extra;
mod fields;
mod files;
mod glob;
mod groups;
mod host;
mod ini;
mod interpolate;
mod layers;
mod limit;
mod load;
mod pattern;
mod python;
mod show;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod vault;
mod world;
mod yaml;

pub use fields::{Fields, parsed, texts};
pub use files::{bytes, read};
pub use host::{HostVars, Inventory};
pub use layers::{Contest, Why};
pub use load::{Given, load, load_all, parse};
pub use show::Form;
pub use tree::Group;
pub use value::{Entry, Map, Node, Value, Vaulted};
pub use vault::{Bytes, DEFAULT_ID, Keyring, Password, Values};
pub use yaml::within_limits;
