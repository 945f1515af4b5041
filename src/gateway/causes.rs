//! What LiteLLM says when it does not come up, and what to do next.
//! It reads no log itself; the more specific rows come first.

use crate::diagnosis::{Row, row};

/// Words after which it never answers: uvicorn's.
pub const GIVES_UP: &[&str] = &["Application startup failed. Exiting."];

/// What is known of it (1.109 and before: litellm/proxy/auth/master_key_boot_check.py, proxy_server.py,
/// proxy_cli.py, router.py; PyYAML; click).
pub const CAUSES: &[Row] = &[
    row(
        "litellm-no-master-key",
        &["refused to start: no master key is set"],
        "it has no master key",
        "set [master_key], or take it away: homelab then makes one; the template of your own must keep master_key",
    ),
    row(
        "litellm-weak-master-key",
        &["LiteLLM proxy refused to start:"],
        "it does not take its master key",
        "set [master_key] to another one, or take it away: homelab then makes one",
    ),
    row(
        "litellm-config-unreadable",
        &["yaml.parser.ParserError", "yaml.scanner.ScannerError", "yaml.composer.ComposerError"],
        "its config is no YAML",
        "correct your own template of it: homelab render shows what comes out",
    ),
    row(
        "litellm-config-missing",
        &["Config file not found:"],
        "its config is not where it looks for it",
        "take [entrypoint] and what mounts over /etc/litellm out of [volumes]",
    ),
    row(
        "litellm-fallbacks-wrong",
        &["must have exactly one key, but has", "is not a dictionary."],
        "its fallbacks have the wrong shape",
        "correct your own template of its config: a list of maps with one name each",
    ),
    row(
        "litellm-option-unknown",
        &["Error: No such option"],
        "this LiteLLM does not know {1}",
        "use the [image] of another version",
    )
    .reads(r"No such option:? '?(--?[\w-]+)"),
    row(
        "litellm-database-missing",
        &["prisma.errors", "PrismaError", "Can't reach database server"],
        "it wants a database and does not reach it",
        "correct DATABASE_URL in [environment], or take it away: homelab needs none",
    ),
];
