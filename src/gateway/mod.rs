//! The gateway: LiteLLM, with a config made from the cluster's routes.
//! It knows no host and runs nothing; there is one gateway, so there is no trait.

mod around;
mod causes;
mod edge;
mod litellm;
mod own_words;
mod route;

pub use around::{
    AROUND_DIRECTORY, AROUND_ENDING, AROUND_HOOK, AROUND_HOOK_PATH, AROUND_MOUNTED, leads_around,
};
pub use causes::{CAUSES, GIVES_UP};
pub use edge::{
    ADMIN, CADDYFILE, EDGE, EDGE_DIRECTORY, EDGE_HEALTH, Edge, EdgeFiles, Tls, UPSTREAM_DIRECTORY, caddyfile,
    edge_service,
};
pub use litellm::{
    CONFIG_PATH, DATABASE_VARIABLE, Fallbacks, HEALTH, NAME, Options, config, inside, read, service,
};
pub use own_words::{STORED, Sections, Variants, Words, variants, words};
pub use route::{Route, bracketed, published};
