//! The user's own files and templates reach the containers.

use serde_json::json;

use crate::lab::lab;
use crate::running::Running;

#[test]
fn a_template_and_a_config_file_of_the_user_s_reach_the_container() {
    let mut cluster = Running::borrow("files");
    let compose = include_str!("../../templates/compose.yml.tera");
    let key = "    {{ key }}: {{ value | yaml }}\n{%- endfor %}\n";
    assert!(compose.contains(key));
    let mine =
        "{%- if service.name == \"alpha\" %}\n    security_opt: [\"no-new-privileges:true\"]\n{%- endif %}\n";
    cluster.file("templates/compose.yml.tera", &compose.replace(key, &format!("{key}{mine}")));
    cluster.file("files/note.txt", "one $HOME {{ two }}\n");
    cluster.hosts["lab1"]["models"]["alpha"]["configs"] = json!({"/etc/note.txt": "files/note.txt"});
    cluster.deploy();
    let first = cluster.containers();
    let (alpha, beta) = (cluster.container("alpha"), cluster.container("beta"));
    let note = format!("docker exec {alpha} cat /etc/note.txt");
    assert_eq!(lab().ssh("lab1", &note), "one $HOME {{ two }}\n");
    let options = format!("docker inspect --format '{{{{.HostConfig.SecurityOpt}}}}' {alpha} {beta}");
    assert_eq!(lab().ssh("lab1", &options), "[no-new-privileges:true]\n[]\n");

    cluster.file("files/note.txt", "two\n");
    cluster.deploy().says("replace alpha: the content of /etc/note.txt  (interrupts it)");
    let second = cluster.containers();
    assert_eq!(lab().ssh("lab1", &note), "two\n");
    assert_ne!(second["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_eq!(second["lab1-beta-1"], first["lab1-beta-1"]);
    assert_eq!(second["lab3-litellm-1"], first["lab3-litellm-1"]);
    let notes = cluster.remote_files("lab1").into_iter().filter(|f| f.contains("note"));
    assert_eq!(notes.count(), 1, "the old file is gone");
}
