//! A disk that is full: while files are written, and while an image is pulled.

use serde_json::json;

use super::befall::{ALL, cluster};
use super::ending::{converges, counted};
use crate::lab::{lab, lab4};

/// A small file system in the place of a directory, until this is gone.
struct Small(String);

impl Small {
    fn over(directory: &str, size: &str) -> Self {
        lab().root(
            "lab4",
            &format!("mkdir -p {directory} && mount -t tmpfs -o size={size},mode=777 small {directory}"),
        );
        Self(directory.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        lab().root("lab4", &format!("umount -l {}", self.0));
    }
}

#[test]
fn a_full_disk_while_files_are_written_stops_nothing() {
    let _whole = lab4();
    let mut cluster = cluster("disk-full");
    cluster.deploy();
    let before = cluster.containers();
    let good = cluster.hosts.clone();
    let directory = format!("/home/lab/homelab/{}", cluster.project);
    // What is there stays readable; nothing more can be written.
    let keep = format!("cp -a {directory} /tmp/{0} && true", cluster.project);
    lab().ssh("lab4", &keep);
    let small = Small::over(&directory, "32k");
    lab().root(
        "lab4",
        &format!("cp -a /tmp/{0}/. {directory}/ && chown lab {directory} && head -c 1M /dev/zero >{directory}/filler; true", cluster.project),
    );
    cluster.hosts["lab4"]["models"]["alpha"]["ctx_size"] = json!(1024);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1).says("the disk is full");
    assert!(failed.first_error().starts_with("error: lab4: writing "), "{}", failed.first_error());
    drop(small);
    lab().ssh("lab4", &format!("rm -rf /tmp/{}", cluster.project));
    assert_eq!(cluster.containers(), before, "nothing was stopped");
    cluster.answers("alpha");
    cluster.hosts = good;
    converges(&cluster, &ALL);
    counted("the disk is full while files are written", 1, 1);
}

#[test]
#[ignore = "make test-faults"]
fn a_full_disk_while_an_image_is_pulled_is_told_and_stops_nothing() {
    let whole = lab4();
    let mut cluster = cluster("disk-full-pull");
    // An empty dockerd of its own, whose disk is too small for the image.
    whole.lab("docker-stop");
    let small = Small::over("/var/lib/docker", "24m");
    whole.lab("docker-start");
    cluster.hosts["lab4"]["models"]["alpha"]["image"] = json!(lab().fact("LAB_IMAGE_LLAMA"));
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(error.starts_with("error: lab4: alpha: pulling "), "{error}");
    assert!(failed.stderr.contains("no space left on device") || error.contains("disk"), "{}", failed.stderr);
    whole.lab("docker-stop");
    drop(small);
    whole.lab("docker-start");
    converges(&cluster, &ALL);
    counted("the disk is full while an image is pulled", 1, 1);
}
