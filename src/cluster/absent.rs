//! Hosts that come and go: `optional`, and how they are woken.
//! The short names may be the user's own variables: they count where they have homelab's shape.

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::inventory::{Fields, HostVars, Node, Value, parsed};
use crate::names::{HostName, Port, Seconds};
use crate::wake::{self, Mac, Wake};

use super::keys::{port, variable};

/// How a host is woken, as the user said it.
#[derive(Clone, Debug)]
pub struct WakeSpec {
    /// The packet, and how long to wait.
    pub how: Wake,
    /// Which host sends it, and where that is typed; none is this machine.
    pub via: Option<(HostName, Origin)>,
}

/// Whether a host is optional. The gateway's is not, whatever the user says.
pub(super) fn optional(vars: &HostVars, with_gateway: bool, problems: &mut Diagnostics) -> bool {
    let is_ours = |node: &Node| matches!(node.value, Value::Bool(_));
    let origin = |name: &str| vars.raw.get(name).map(|node| node.origin.clone());
    let (typed, origin) = match variable(vars, "homelab_optional", problems, Node::as_bool) {
        Some(typed) => (Some(typed), origin("homelab_optional")),
        None if vars.raw.contains_key("homelab_optional") => return false,
        None => {
            let short = vars.value("optional").ok().flatten();
            if let Some(node) = short.as_ref().filter(|node| looks_true(node)) {
                let text = Diagnostic::warning(
                    &node.origin,
                    "`optional` is text here, and means nothing to homelab",
                );
                problems.push(text.hint(
                    "if it is meant for homelab, say homelab_optional: true (in INI: homelab_optional=True)",
                ));
            }
            (short.filter(is_ours).and_then(|node| node.as_bool().ok()), origin("optional"))
        }
    };
    match (typed, origin) {
        (Some(true), Some(origin)) if with_gateway => {
            let ignored = format!("{} runs the gateway, and is not optional", vars.name);
            problems.push(Diagnostic::warning(&origin, ignored).hint(
                "every model is asked through it, and it keeps the key that all others come from: take this away, or give the \
                 gateway to a host that stays on",
            ));
            false
        }
        (typed, _) => typed.unwrap_or(false),
    }
}

/// Text that says true in YAML, as quotes or an INI file may leave it.
fn looks_true(node: &Node) -> bool {
    matches!(&node.value, Value::Str(text) if ["true", "yes", "on"].contains(&text.as_str()))
}

/// How a host is woken, if it can be.
pub(super) fn wake(vars: &HostVars, problems: &mut Diagnostics) -> Option<WakeSpec> {
    let has_mac = |node: &Node| matches!(&node.value, Value::Map(map) if map.get("mac").is_some());
    let node = match vars.raw.contains_key("homelab_wake") {
        true => vars.value_noting("homelab_wake", problems)?,
        false if vars.raw.get("wake").is_some_and(|node| has_mac(node)) => {
            vars.value_noting("wake", problems)?
        }
        false => return None,
    };
    if node.value == Value::Null {
        return None;
    }
    let Ok(map) = node.as_map() else {
        problems.push(
            node.expected("`homelab_wake` to be a map").hint("homelab_wake: {mac: \"a8:a1:59:0c:3e:7f\"}"),
        );
        return None;
    };
    let mut fields = Fields::new(map, "how a host is woken");
    let absent = fields.node("mac").is_none();
    let mac = fields.parse("mac", mac);
    if absent {
        let none = Diagnostic::error(&node.origin, "`homelab_wake` has no `mac`");
        fields.problems.push(none.hint("the address of the host's network card, as ip link shows it there"));
    }
    let broadcast = fields.parse("broadcast", |node| parsed(node, broadcast));
    let to = fields.parse("port", |node| node.as_int().and_then(|number| port(number, node)));
    let timeout = fields.parse("timeout", |node| parsed(node, timeout));
    let via = fields.parse("via", |node| Ok((parsed(node, |text| text.parse())?, node.origin.clone())));
    let found = fields.finish(&[]);
    let sound = !found.has_errors();
    problems.0.extend(found.0);
    let how = Wake {
        mac: mac.filter(|_| sound)?,
        broadcast: broadcast.unwrap_or(std::net::Ipv4Addr::BROADCAST),
        port: to.or_else(|| Port::new(i64::from(wake::PORT)).ok())?,
        timeout: timeout.unwrap_or(wake::TIMEOUT),
    };
    Some(WakeSpec { how, via })
}

fn mac(node: &Node) -> Result<Mac, Diagnostic> {
    if matches!(node.value, Value::Int(_)) {
        // `10:22:33:44:55:06` is a number to the base of 60.
        let number =
            Diagnostic::error(&node.origin, "`mac` is a number to YAML, and no address of a network card");
        return Err(number.hint("put it in quotes"));
    }
    parsed(node, str::parse)
}

fn broadcast(text: &str) -> Result<std::net::Ipv4Addr, String> {
    text.parse().map_err(|_| {
        format!(
            "`{}` is not an IPv4 address: the broadcast address of the host's network, as in 192.168.1.255",
            text.escape_debug()
        )
    })
}

fn timeout(text: &str) -> Result<u64, String> {
    match text.parse::<Seconds>()? {
        Seconds(0) => Err("`0` leaves no time to wake up: seconds, or a time such as 2m".to_owned()),
        Seconds(some) => Ok(some),
    }
}
