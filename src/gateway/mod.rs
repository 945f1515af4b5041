//! The gateway: LiteLLM, with a config made from the cluster's routes.
//! It knows no host and runs nothing; there is one gateway, so there is no trait.

mod causes;
mod litellm;

pub use causes::{CAUSES, GIVES_UP};
pub use litellm::{
    CONFIG_PATH, Fallbacks, HEALTH, NAME, Options, Route, bracketed, config, published, read, service,
};
