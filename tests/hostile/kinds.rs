//! Paths that lead to something other than a file: pipes, devices, directories, links in circles, too many files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::attack::{Attack, FINE, LIST, PLAN};

const NO_FILE: &str = "it is no file, but a pipe or a device";
/// Where homelab reads.
const READ: [&str; 4] = ["inventory.yml", "group_vars/all.yml", "homelab.lock", "templates/compose.yml.tera"];

#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
    for path in READ {
        Attack::new(path).pipe(path).refused(NO_FILE);
    }
    Attack::new("-e").pipe("vars").refuses(&["plan", "--offline", "-e", "@vars"], NO_FILE);
    Attack::bare("a directory")
        .file("all/a", "host\n")
        .pipe("all/b")
        .refuses(&["-i", "all", "inventory", "--list"], NO_FILE);
    let config = FINE.replace("gpu: none", "gpu: none, configs: {/x: pipe}");
    Attack::inventory("a config", config).pipe("pipe").refused(NO_FILE);
}

#[test]
fn a_device_without_end_is_not_read() {
    for path in READ {
        Attack::new(path).link(path, "/dev/zero").refused(NO_FILE);
    }
    Attack::new("-e").refuses(&["plan", "--offline", "-e", "@/dev/zero"], "it is larger than 4 MiB");
}

#[test]
fn a_directory_is_no_file() {
    for path in ["homelab.lock", "templates/compose.yml.tera"] {
        Attack::new(path).file(&format!("{path}/x"), "").refused("cannot be read: Is a directory");
    }
    Attack::new("-e").refuses(&["plan", "--offline", "-e", "@."], "cannot be read: Is a directory");
}

#[test]
fn links_in_circles_end() {
    Attack::bare("itself")
        .link("inventory.yml", "inventory.yml")
        .refused("there is no inventory at inventory.yml");
    for path in &READ[2..] {
        Attack::new(path).link(path, path.rsplit('/').next().unwrap()).refused("symbolic link");
    }
    let many =
        |attack: Attack, dir: &str| (0..4).fold(attack, |a, n| a.link(&format!("{dir}/again{n}"), "."));
    let files = "there are more than 20000 files below";
    many(Attack::new("group_vars").file("group_vars/all/x.yml", "a: 1"), "group_vars/all").refused(files);
    many(Attack::bare("inventories").file("all/a", "h\n"), "all")
        .refuses(&["-i", "all", "inventory", "--list"], "cannot be read: its directories nest too deep");
}

#[test]
fn very_many_files_are_passed_by_or_refused() {
    let made =
        |path: &str| (0..25_000).fold(Attack::new(path), |a, n| a.file(&format!("{path}/{n:06}.yml"), ""));
    made("group_vars").harmless(PLAN);
    made("group_vars/all").refused("there are more than 20000 files below group_vars/all");
    made("all").refuses(&["-i", "all", "inventory", "--list"], "there are more than 20000 files below all");
}

#[test]
fn many_files_hold_no_more_than_one() {
    let bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d]\n";
    let many = (0..60).fold(Attack::new("bombs"), |a, n| a.file(&format!("group_vars/all/{n}.yml"), bomb));
    many.refused("the files of this inventory hold too much");
    let ini = format!(
        "[all:vars]\n{}",
        (0..40).map(|n| format!("v{n}=[{}]\n", "1,".repeat(50_000))).collect::<String>()
    );
    Attack::inventory("INI", ini)
        .ends(LIST, 65, "the files of this inventory hold too much")
        .refused("hold too much");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let attack = Attack::vars("no rights", "a: 1");
    let path = attack.dir().join("group_vars/all.yml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if fs::File::open(&path).is_err() {
        attack.refused("group_vars/all.yml cannot be read: Permission denied");
    }
}
