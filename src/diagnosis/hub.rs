//! What Hugging Face's libraries say, in whichever engine they run.
//! It asks the hub nothing.

use super::{Row, row};

/// Refusals (huggingface_hub 1.33: errors.py, utils/_http.py, utils/_validators.py; transformers 5:
/// utils/hub.py).
pub const HUB: &[Row] = &[
    row(
        "hub-gated",
        &["You are trying to access a gated repo", "Cannot access gated repo"],
        "Hugging Face gives this model only to accounts that were granted access",
        "ask for access on the model's page, then set [hf_token] to a token of that account",
    ),
    row(
        "hub-unknown-repository",
        &["is not a valid model identifier listed on", "Repository Not Found for url"],
        "Hugging Face has no such model, or it is private",
        "correct [model]; a private one needs [hf_token]",
    ),
    row(
        "hub-token-refused",
        &["Invalid username or password", "Invalid user token", "401 Client Error"],
        "Hugging Face does not take the token",
        "make a new one on the account's page and give it as [hf_token]",
    ),
    row(
        "hub-rate-limit",
        &["429 Client Error", "429 Too Many Requests"],
        "Hugging Face allows no more downloads for now",
        "wait, or set [hf_token]: an account may do more than a stranger",
    ),
    row(
        "hub-not-a-repository",
        &["Repo id must be in the form", "Repo id must use alphanumeric"],
        "its model is neither a directory in the container nor the name of a repository",
        "correct [model]; a directory of the host must be mounted with [volumes]",
    ),
    row(
        "hub-offline",
        &["offline mode is enabled", "OfflineModeIsEnabled"],
        "it may not download anything, and the model is not in the cache",
        "take HF_HUB_OFFLINE out of [environment], or let the server download what it needs when it starts, with \
         [prefetch=false]",
    ),
    row(
        "hub-unreachable",
        &[
            "We couldn't connect to '",
            "cannot find the requested files in the local cache",
            "ConnectError",
            "ConnectTimeout",
            "Max retries exceeded with url",
            "requests.exceptions.ConnectionError",
            "RemoteProtocolError: Server disconnected",
        ],
        "the host does not reach Hugging Face, and the model is not in its cache",
        "check the host's network and DNS; a proxy or a mirror (HF_ENDPOINT) goes into [environment]",
    ),
    row(
        "hub-unknown-model",
        &["Invalid repository ID or local directory specified"],
        "there is no model {1} with a config.json, neither in the container nor at Hugging Face",
        "correct [model]; a directory of the host must be mounted with [volumes]",
    )
    .reads(r"directory specified:\s+'([^']*)'"),
];
