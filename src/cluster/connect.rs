//! Ansible's connection variables (`ansible_host`, `ansible_port`, …) as a [`Connection`].
//! It connects to nothing.

use crate::connection::{Connection, parse_ssh_args};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::{HostVars, Node, parsed};
use crate::names::Port;

use super::keys::variable;

/// Reads how to get to a host.
pub(super) fn read(vars: &HostVars, problems: &mut Diagnostics) -> Connection {
    let text = |name: &str, problems: &mut Diagnostics| variable(vars, name, problems, Node::as_text);
    let address = variable(vars, "ansible_host", problems, |node| parsed(node, plain_word));
    let user = variable(vars, "ansible_user", problems, |node| parsed(node, plain_word));
    let port = variable(vars, "ansible_port", problems, |node| {
        parsed(node, |text| {
            text.parse().map_err(|_| format!("`{text}` is not a port: 1 to 65535")).and_then(Port::new)
        })
    });
    let identity = text("ansible_ssh_private_key_file", problems);
    let local = variable(vars, "ansible_connection", problems, |node| parsed(node, connection_kind));
    let accept_new = variable(vars, "homelab_host_key_checking", problems, |node| parsed(node, host_keys));
    let socket = text("homelab_docker_socket", problems);
    let name = vars.name.clone();
    Connection {
        address: address.unwrap_or_else(|| name.as_str().to_owned()),
        // Ansible's implicit localhost is local too, but only an inventory that names it gets here.
        local: local.unwrap_or(false),
        optional: false,
        name,
        port,
        user,
        identity: identity.map(std::path::PathBuf::from),
        ssh_options: ssh_options(vars, problems),
        accept_new: accept_new.unwrap_or(false),
        docker_socket: socket.unwrap_or_else(|| "/var/run/docker.sock".to_owned()),
    }
}

fn ssh_options(vars: &HostVars, problems: &mut Diagnostics) -> Vec<(String, String)> {
    let mut options = Vec::new();
    for name in ["ansible_ssh_common_args", "ansible_ssh_extra_args"] {
        let Some(node) = vars.value_noting(name, problems) else { continue };
        let Some(args) = problems.take(parsed(&node, parse_ssh_args)) else { continue };
        if args.host_key_checking_dropped {
            problems.push(
                Diagnostic::warning(
                    &node.origin,
                    "StrictHostKeyChecking is not taken from ssh arguments: host keys are always checked",
                )
                .hint("homelab_host_key_checking: accept-new trusts a key the first time it is seen"),
            );
        }
        options.extend(args.options);
    }
    options
}

/// A word that ssh cannot take for an option.
fn plain_word(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_alphanumeric() || "-_.:@%[]\\".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{}` is neither an address nor a user name: letters, digits and `-_.:@%`",
        text.escape_debug()
    ))
}

fn connection_kind(text: &str) -> Result<bool, String> {
    match text {
        "local" | "ansible.builtin.local" => Ok(true),
        "ssh" | "smart" | "ansible.builtin.ssh" => Ok(false),
        other => Err(format!(
            "homelab connects by ssh or to the local machine, not by `{other}`: take ansible_connection away, or set ssh or local"
        )),
    }
}

fn host_keys(text: &str) -> Result<bool, String> {
    match text {
        "strict" => Ok(false),
        "accept-new" => Ok(true),
        other => Err(format!("`{other}` is not a way to check host keys: strict or accept-new")),
    }
}
