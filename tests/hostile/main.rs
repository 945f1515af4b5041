//! Files that mean harm, or are broken beyond reason: the program ends, soon, in little memory, with an error
//! a person can read. The kernel holds the limits, so a busy machine fails nothing.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod attack;
#[path = "../properties/dice.rs"]
mod dice;
mod expressions;
mod groups;
mod kinds;
mod random;
mod templates;
mod text;
mod yaml;
