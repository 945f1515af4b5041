//! The checks of Docker, of the ports that services want, and of the way from the gateway to the models.
//! They judge what was seen.

use super::Judged;
use super::evidence::{Engine, Evidence, Wants};

pub(super) fn docker(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let engine = match &seen.docker {
        Ok(engine) => engine,
        Err(_) if wants.no_docker => {
            return vec![Judged::ok("there is no Docker, and nothing here needs it")];
        }
        Err(why) => return vec![Judged::failed(why)],
    };
    let mode = if engine.rootless { ", rootless" } else { "" };
    let said = format!(
        "Docker {}, storage {}, cgroup v{}, data in {}{mode}",
        engine.version, engine.storage, engine.cgroup, engine.root_dir
    );
    let mut all = vec![Judged::ok(said)];
    all.extend(odd(engine));
    all
}

/// Ways to install Docker that work, but not for everything.
fn odd(engine: &Engine) -> impl Iterator<Item = Judged> {
    let snap = engine.root_dir.starts_with("/var/snap/").then(|| {
        Judged::warning(
            "Docker is the snap, which sees only some directories and keeps its NVIDIA runtime to itself",
            "install Docker's own packages instead: docs.docker.com/engine/install",
        )
    });
    let storage = ["vfs", "devicemapper", "aufs"].contains(&engine.storage.as_str()).then(|| {
        Judged::warning(
            format!("the storage driver {} is slow, and takes much more room", engine.storage),
            "use overlay2: docs.docker.com/engine/storage/drivers/overlayfs-driver (images are pulled anew)",
        )
    });
    let cgroup = (engine.cgroup == "1").then(|| {
        Judged::warning(
            "the host has cgroup v1, which Docker and systemd are giving up",
            "boot it with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
        )
    });
    let rootless = (engine.rootless && engine.runtimes.contains("nvidia")).then(|| {
        Judged::warning(
            "a rootless Docker gives GPUs only if NVIDIA's runtime leaves cgroups alone",
            "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
        )
    });
    [snap, storage, cgroup, rootless].into_iter().flatten()
}

pub(super) fn ports(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let Ok(engine) = &seen.docker else { return vec![] };
    if wants.ports.is_empty() {
        return vec![];
    }
    let (taken, free): (Vec<_>, Vec<_>) =
        wants.ports.iter().partition(|(port, _)| engine.taken.contains_key(port));
    let wrong = |(port, service): (&u16, &String)| {
        let who = engine.taken.get(port).map_or("somebody", String::as_str);
        let listener = seen.machine.as_ref().ok().and_then(|machine| machine.listeners.get(port));
        // What Docker knows is a container's name; of all else it only sees that it is there.
        let who = listener.filter(|_| !who.starts_with("container ")).map_or(who, String::as_str);
        Judged::wrong(
            format!("port {port}, which {service} wants, is taken by {who}"),
            format!(
                "free it (on the host: sudo ss -ltnp 'sport = :{port}' shows who), or choose another port"
            ),
        )
    };
    let mut all: Vec<Judged> = taken.into_iter().map(wrong).collect();
    if !free.is_empty() {
        let list: Vec<String> = free.iter().map(|(port, service)| format!("{port} ({service})")).collect();
        all.push(Judged::ok(format!("free or homelab's own: {}", list.join(", "))));
    }
    all
}

/// Docker's own rules of iptables come before those of `ufw`, which never sees what goes to a container
/// (<https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-and-ufw>).
pub(super) fn firewall(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let (Ok(machine), Ok(engine)) = (&seen.machine, &seen.docker) else { return vec![] };
    if !machine.ufw || engine.rootless {
        return vec![];
    }
    let open = wants.open.iter().filter_map(|port| Some(format!("{port} ({})", wants.ports.get(port)?)));
    let open: Vec<String> = open.collect();
    if open.is_empty() {
        return vec![Judged::ok("ufw is on, and nothing is published past it to everybody")];
    }
    vec![Judged::warning(
        format!(
            "ufw is on, and does not see what Docker publishes: whoever reaches the host reaches {}",
            open.join(", ")
        ),
        "say who may come in where Docker does: host_ip of each, and edge: {allow: [private_ranges]} of the gateway",
    )]
}

pub(super) fn reach(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let judge = |reach: &super::Reach| {
        let to = format!("{} at {}:{}", reach.what, reach.address, reach.port);
        match &reach.answer {
            Ok(()) => Judged::ok(format!("the gateway reaches {to}")),
            Err(why) => Judged::wrong(
                format!("the gateway does not reach {to}, which answers on its own host: {why}"),
                format!(
                    "open port {} in that host's firewall for this one (sudo ufw allow {0}/tcp), or correct its \
                     homelab_address and the model's host_ip",
                    reach.port
                ),
            ),
        }
    };
    seen.reach.iter().map(judge).collect()
}
