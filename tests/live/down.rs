//! `down` takes back what homelab made.

use crate::cluster::Cluster;
use crate::lab::lab;

#[test]
fn down_removes_what_homelab_made_and_nothing_else() {
    let mut cluster = Cluster::new("down");
    cluster.model("lab1", "alpha", 1);
    let project = cluster.project.clone();
    let pause = lab().fact("LAB_IMAGE_PAUSE");
    // A stranger's things, named as if they were ours.
    lab().ssh(
        "lab1",
        &format!(
            "docker run -d --name {project}-stranger-1 {pause} && docker network create {project}_stranger && \
             touch ~/{project}"
        ),
    );
    cluster.deploy();
    let refused = cluster.run(&["down"]).exits(1);
    assert_eq!(refused.first_error(), "error: this stops what serves now: alpha on lab1, litellm on lab3");
    cluster.run(&["down", "--yes"]).exits(0);

    assert_eq!(cluster.containers().keys().collect::<Vec<_>>(), ["lab1-stranger-1"]);
    let networks = "docker network ls --format '{{.Name}}' --filter name=".to_owned() + &project;
    assert_eq!(lab().ssh("lab1", &networks), format!("{project}_stranger\n"));
    assert_eq!(lab().ssh("lab3", &networks), "");
    lab().ssh("lab1", &format!("test -f ~/{project}"));
    for host in ["lab1", "lab3"] {
        assert_ne!(lab().try_ssh(host, &format!("ls -d ~/homelab/{project}")).code, Some(0), "{host}");
    }
    assert_eq!(cluster.run(&["down", "--yes"]).exits(0).stdout, "Nothing to remove.\n");
    lab().ssh(
        "lab1",
        &format!(
            "docker rm -f {project}-stranger-1 && docker network rm {project}_stranger && rm ~/{project}"
        ),
    );
}
