//! A host that leaves the inventory is remembered, pointed out, and cleaned on request.

use crate::cluster::Cluster;
use crate::lab::lab;

#[test]
#[ignore = "starts gateways: make test-more"]
fn a_host_that_left_the_inventory_is_pointed_out_and_taken_down() {
    let mut cluster = Cluster::new("dropped");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "beta", 2);
    let project = cluster.project.clone();
    assert!(!cluster.path("homelab.lock").exists());
    cluster.run(&["plan"]).exits(0);
    assert!(!cluster.path("homelab.lock").exists(), "a plan writes nothing");
    cluster.deploy();
    let lock = || std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    let kept = lock();
    assert!(
        kept.contains("\n  lab1:\n") && kept.contains("\n  lab2:\n") && kept.contains("\n  lab3:\n"),
        "{kept}"
    );

    let left = cluster.hosts.as_object_mut().unwrap().remove("lab2").unwrap();
    let note = "lab2 is no longer in the inventory, but what homelab made there stays: `homelab down --dropped` removes it.";
    cluster.run(&["plan"]).exits(0).says(note);
    cluster.run(&["status"]).exits(1).says(note);
    cluster.deploy().says(note);
    let containers = format!("docker ps --format '{{{{.Names}}}}' --filter name=^{project}-");
    assert_eq!(lab().ssh("lab2", &containers), format!("{project}-beta-1\n"));
    let before = std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    assert_eq!(before, kept, "what is still there stays in the lock");

    let refused = cluster.run(&["down", "--dropped"]).exits(1);
    assert_eq!(refused.first_error(), "error: this stops what serves now: beta on lab2");
    cluster.run(&["down", "--dropped", "--yes"]).exits(0);
    assert_eq!(lab().ssh("lab2", &containers), "");
    assert_ne!(lab().try_ssh("lab2", &format!("ls -d ~/homelab/{project}")).code, Some(0));
    let after = std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    assert!(after.contains("\n  lab1:\n") && !after.contains("lab2"), "{after}");
    assert_eq!(cluster.run(&["plan"]).exits(0).stdout, "Nothing to do: 2 hosts are in sync.\n");

    cluster.hosts["lab2"] = left;
    cluster.run(&["down", "--yes"]).exits(0);
    let after = std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    assert!(
        after.contains("\nhosts: {}\n") && after.contains("\n  images:\n"),
        "only pins are left: {after}"
    );
}
