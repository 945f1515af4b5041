//! What befalls a deploy, on purpose: each case ends with a deploy that converges, an empty plan, nothing of
//! homelab's left over and nothing of anybody else's touched. The quick ones run with the other tests, all of them
//! with `make test-faults`, which prints how many each case went through.

mod befall;
mod clock;
mod disk;
mod ending;
mod killed;
mod models;
mod network;
mod random;
mod registry;
