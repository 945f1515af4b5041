//! `serve` and the catalogue it picks from, engines' defaults, and maps that replace one another.

use crate::program::Test;

/// A host that serves what `serve` says, and a gateway on another one.
fn serving(serve: &str) -> Test {
    Test::plan(&format!(
        "\
all:
  hosts:
    box: {{ansible_host: 10.0.0.9, serve: {serve}}}
    gw: {{ansible_host: 10.0.0.8, serve: [], gateway: {{engine: litellm}}}}
"
    ))
}

fn model(name: &str, rest: &str) -> String {
    format!("  {name}: {{engine: llama_cpp, model: /m.gguf, gpu: none, {rest}}}\n")
}

/// Two models that are fine, on lines 2 and 3, and what comes after them.
fn catalogue(more: &str) -> String {
    format!("models:\n{}{}{more}", model("tiny", "port: 8001"), model("bge-m3", "port: 8002"))
}

/// `serve: [SERVE]` on line 3 is wrong: this message, this place, this hint.
fn wrong(serve: &str, message: &str, (column, length): (usize, usize), hint: &str) {
    let (indent, mark) = (" ".repeat(column - 1), "^".repeat(length));
    serving(serve).file("group_vars/all.yml", &catalogue("")).wrong(&format!(
        "error: {message}\n --> inventory.yml:3:{column}\n  |\n3 |     box: {{ansible_host: 10.0.0.9, serve: {serve}}}\n  | {indent}{mark}\n  hint: {hint}"
    ));
}

/// The services that a plan makes.
fn created(test: Test) -> Vec<String> {
    let ran = test.run();
    let line =
        |line: &str| Some(line.strip_prefix("  + create ")?.strip_suffix(": it is not there")?.to_owned());
    ran.stdout.lines().filter_map(line).filter(|name| name != "litellm").collect()
}

#[test]
fn a_host_serves_what_it_picks() {
    for (serve, names) in [
        ("[tiny]", &["tiny"][..]),
        ("tiny", &["tiny"]),
        ("[bge-m3: , tiny: {port: 9001}]", &["bge-m3", "tiny"]),
        ("\"{{ mine[inventory_hostname] | default([]) }}\"", &["bge-m3"]),
        ("[]", &[]),
        ("null", &["bge-m3", "tiny"]),
    ] {
        let test = serving(serve).file("group_vars/all.yml", &catalogue("mine: {box: [bge-m3]}\n"));
        assert_eq!(created(test), names, "{serve}");
    }
}

#[test]
fn what_the_command_line_picks_is_for_hosts_that_have_models() {
    let inventory = "\
all:
  hosts:
    gw: {ansible_host: 10.0.0.8, gateway: {engine: litellm}}
  children: {inference: {hosts: {box: {ansible_host: 10.0.0.9}}}}
";
    for (given, names) in
        [("serve=tiny", &["tiny"][..]), ("{\"serve\": [\"tiny\", \"bge-m3\"]}", &["bge-m3", "tiny"])]
    {
        let test = Test::plan(inventory).file("group_vars/inference.yml", &catalogue("")).args(["-e", given]);
        assert_eq!(created(test), names, "{given}");
    }
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_place_of_the_catalogue() {
    wrong(
        "[tinny]",
        "`models` has no model `tinny`",
        (43, 5),
        "did you mean `tiny`? `models` stands at group_vars/all.yml:2:3",
    );
    wrong(
        "[chat]",
        "`models` has no model `chat`",
        (43, 4),
        "`models` stands at group_vars/all.yml:2:3 and has tiny, bge-m3",
    );
}

#[test]
fn a_pick_is_a_name_or_a_name_with_keys() {
    let form = "serve: [NAME, NAME: {port: 8001}] picks from `models`, with other keys if need be";
    wrong(
        "[tiny, tiny]",
        "`serve` picks `tiny` twice",
        (49, 4),
        "a second copy on one host is a model with a name and a port of its own",
    );
    wrong("{tiny: }", "expected `serve` to be a list of names of models, found a map", (42, 8), form);
    wrong("[[tiny]]", "expected `serve` to be a list of names of models, found a list", (43, 6), form);
    wrong("[tiny: 8001]", "expected a map of keys for `tiny`, found a whole number", (49, 4), form);
    wrong(
        "[{tiny: , port: 1}]",
        "expected one name of a model, and its keys further in, found several keys",
        (43, 17),
        form,
    );
    wrong("[tiny: {prot: 1}]", "model `tiny` has no key `prot`", (50, 4), "did you mean `port`?");
}

#[test]
fn picking_from_nothing_is_an_error() {
    serving("[tiny]").wrong(
        "error: `serve` picks from `models`, and box has none
 --> inventory.yml:3:42
  |
3 |     box: {ansible_host: 10.0.0.9, serve: [tiny]}
  |                                          ^^^^^^
  hint: define `models` in group_vars/all.yml; if `serve` means something else in this inventory, homelab_serve: [] wins",
    );
    for other in ["serve: true", "serve: [a], homelab_serve: []"] {
        let test = Test::plan(&format!(
            "all:\n  hosts:\n    box: {{{other}}}\n    gw: {{ansible_host: 10.0.0.8, gateway: {{engine: litellm}}}}\n"
        ));
        assert_eq!(created(test), [""; 0], "{other}");
    }
}

#[test]
fn models_that_nobody_serves_are_checked_as_far_as_they_are_known() {
    let unknown = model("other", "port: \"{{ nowhere }}\"") + &model("portless", "ctx_size: 1");
    let test = serving("[tiny]").file("group_vars/all.yml", &catalogue(&unknown));
    assert_eq!(created(test), ["tiny"]);
    serving("[tiny]").file("group_vars/all.yml", &catalogue(&model("other", "port: 1, ctx_sise: 2"))).wrong(
        "error: model `other` has no key `ctx_sise`
 --> group_vars/all.yml:4:66
  |
4 |   other: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 1, ctx_sise: 2}
  |                                                                  ^^^^^^^^
  hint: did you mean `ctx_size`?",
    );
    let ran = serving("[portless]").file("group_vars/all.yml", &catalogue(&unknown));
    ran.wrong(
        "error: model `portless` has no `port`
 --> group_vars/all.yml:5:3
  |
5 |   portless: {engine: llama_cpp, model: /m.gguf, gpu: none, ctx_size: 1}
  |   ^^^^^^^^
  hint: the port on its host that the gateway reaches it by, as in port: 8000",
    );
}

/// What is rendered of the one model of a host.
fn rendered(inventory: &str) -> String {
    let ran = Test::new().file("inventory.yml", inventory).args(["render", "--out", "out"]).run();
    std::fs::read_to_string(ran.path("out/box/compose.yml")).unwrap()
}

#[test]
fn keys_are_laid_over_one_another() {
    let compose = rendered(
        "\
all:
  hosts:
    box:
      llama_cpp_defaults:
        gpu: none
        threads: 2
        ctx_size: 1024
        parallel: 2
        jinja: true
        args: [--a, '1']
        volumes: [\"/a:/a\"]
        environment: {A: default, B: default, C: default}
        entrypoint: [/default]
        shm_size: 1g
      models:
        tiny:
          engine: llama_cpp
          model: /m.gguf
          port: 1
          ctx_size: 2048
          jinja: null
          args: --b
          volumes: [\"/b:/b\"]
          environment: {B: model, C: model}
          entrypoint: [/model]
      serve:
        - tiny:
            port: 8001
            parallel: 3
            args: [--c]
            volumes: [\"/c:/c\"]
            environment: {C: served}
            shm_size: null
    gw: {ansible_host: 10.0.0.8, gateway: {engine: litellm}}
",
    );
    for line in [
        r#"    command: ["--model","/m.gguf","--alias","tiny","--host","0.0.0.0","--port","8080","--ctx-size","2048","--parallel","3","--threads","2","--a","1","--b","--c"]"#,
        r#"    environment: {"A":"default","B":"model","C":"served"}"#,
        r#"    entrypoint: ["/model"]"#,
        r#"    ports: ["0.0.0.0:8001:8080"]"#,
    ] {
        assert!(compose.contains(&format!("{line}\n")), "{line}\n{compose}");
    }
    assert!(compose.contains(r#""/a:/a","/b:/b","/c:/c"]"#) && !compose.contains("shm_size"), "{compose}");
}

#[test]
fn mistakes_in_defaults_are_said_once_and_where_they_stand() {
    let defaults = "llama_cpp_defaults:\n  thread: 1\n  port: 8\n  ctx_size: big\n";
    serving("[tiny, bge-m3]").file("group_vars/all.yml", &catalogue(defaults)).wrong(
        "error: `llama_cpp_defaults` has no key `thread`
 --> group_vars/all.yml:5:3
  |
5 |   thread: 1
  |   ^^^^^^
  hint: did you mean `threads`?

error: `port` cannot be set in `llama_cpp_defaults`
 --> group_vars/all.yml:6:3
  |
6 |   port: 8
  |   ^^^^
  hint: every model on a host has a port of its own

error: expected `ctx_size` to be a whole number, found a string
 --> group_vars/all.yml:7:13
  |
7 |   ctx_size: big
  |             ^^^
  hint: write a number without quotes or unit, as in 8080

3 errors",
    );
    let other = "llama_cpp_defaults:\n  engine: vllm\n  threads: 2\n";
    serving("[tiny]").file("group_vars/all.yml", &catalogue(other)).wrong(
        "error: `engine` cannot be set in `llama_cpp_defaults`
 --> group_vars/all.yml:5:3
  |
5 |   engine: vllm
  |   ^^^^^^
  hint: the defaults are for one engine already",
    );
    // Of an engine that nothing here runs by, nothing is needed.
    let test =
        serving("[tiny]").file("group_vars/all.yml", &catalogue("vllm_defaults: {gpu: \"{{ nowhere }}\"}\n"));
    assert_eq!(created(test), ["tiny"]);
}

const SIBLINGS: &str = "\
all:
  hosts:
    gw: {ansible_host: 10.0.0.8, gateway: {engine: litellm}}
  children:
    chat: {hosts: {box: {ansible_host: 10.0.0.9}, tower: {ansible_host: 10.0.0.7}}}
    embed: {hosts: {box: , tower: }}
";

fn siblings(chat: &str, embed: &str) -> Test {
    Test::plan(SIBLINGS).file("group_vars/chat.yml", chat).file("group_vars/embed.yml", embed)
}

#[test]
fn two_groups_that_set_models_are_an_error_that_shows_the_way_out() {
    let models = |name: &str, model: &str| format!("{name}:\n{model}");
    let (chat, embed) = (model("tiny", "port: 8001"), model("bge-m3", "port: 8002"));
    for name in ["models", "homelab_models"] {
        siblings(&models(name, &chat), &models(name, &embed)).wrong(&format!(
            "error: box: the groups `chat` and `embed` each set `{name}`, and only one of them would count
 --> group_vars/embed.yml:2:3
  |
2 |   bge-m3: {{engine: llama_cpp, model: /m.gguf, gpu: none, port: 8002}}
  |   ^^^^^^
  hint: `chat` does at group_vars/chat.yml:2:3; define all models once, in group_vars/all.yml, and let the host pick, in host_vars/box.yml: serve: [tiny, bge-m3]"
        ));
    }
    // The same twice is no fight, and what the host or the command line says ends it.
    let test = siblings(&models("models", &chat), &models("models", &chat));
    assert_eq!(created(test), ["tiny", "tiny"]);
    let given = r#"{"models": {"x": {"engine": "llama_cpp", "model": "/m", "gpu": "none", "port": 1}}}"#;
    let test =
        siblings(&models("models", &chat), &models("models", &embed)).args(["-e", given, "--limit", "!gw"]);
    assert_eq!(created(test), ["x", "x"]);
}

#[test]
fn a_priority_does_not_make_two_groups_agree() {
    let inventory = SIBLINGS.replace("    embed: {", "    embed: {vars: {ansible_group_priority: -1}, ");
    Test::plan(&inventory)
        .file("group_vars/chat.yml", &format!("models:\n{}", model("tiny", "port: 8001")))
        .file("group_vars/embed.yml", &format!("models:\n{}", model("bge-m3", "port: 8002")))
        .wrong(
            "error: box: the groups `embed` and `chat` each set `models`, and only one of them would count
 --> group_vars/chat.yml:2:3
  |
2 |   tiny: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 8001}
  |   ^^^^
  hint: `embed` does at group_vars/embed.yml:2:3; define all models once, in group_vars/all.yml, and let the host pick, in host_vars/box.yml: serve: [bge-m3, tiny]",
        );
}

#[test]
fn two_groups_that_pick_are_an_error_as_well() {
    siblings("serve: [tiny]\n", "serve: [bge-m3: {port: 8003}]\n").file("group_vars/all.yml", &catalogue("")).wrong(
        "error: box: the groups `chat` and `embed` each set `serve`, and only one of them would count
 --> group_vars/embed.yml:1:8
  |
1 | serve: [bge-m3: {port: 8003}]
  |        ^^^^^^^^^^^^^^^^^^^^^^
  hint: `chat` does at group_vars/chat.yml:1:8; let the host pick, in host_vars/box.yml: serve: [tiny, bge-m3]",
    );
}

#[test]
fn other_variables_on_which_siblings_disagree_are_warned_of_once() {
    let embed = format!("threads: 2\nmodels:\n{}", model("tiny", "port: 8001, threads: \"{{ threads }}\""));
    let warning = "\
warning: `threads` of box: the groups `chat` and `embed` disagree, and `embed` wins only by its name
 --> group_vars/embed.yml:1:10
  |
1 | threads: 2
  |          ^
  hint: `chat` sets it at group_vars/chat.yml:1:10; set it for the host, or give one group a higher ansible_group_priority

";
    let _ = siblings("threads: 4\n", &embed).stderr(warning).run();
    let _ = siblings("threads: 4\n", &embed).args(["--limit", "box"]).stderr(warning).run();
}

#[test]
fn models_that_a_map_within_drops_are_warned_of() {
    let inner = format!("models:\n{}", model("mine", "port: 8003"));
    let nested = "\
all:
  hosts:
    gw: {ansible_host: 10.0.0.8, gateway: {engine: litellm}}
  children:
    outer: {children: {inner: {hosts: {box: {ansible_host: 10.0.0.9}, tower: {ansible_host: 10.0.0.7}}}}}
";
    let plan = || Test::plan(nested).file("group_vars/outer.yml", &catalogue(""));
    let warning = |file: &str| {
        format!(
            "\
warning: this replaces the `models` of the group `outer` whole, without tiny, bge-m3
 --> {file}:2:3
  |
2 |   mine: {{engine: llama_cpp, model: /m.gguf, gpu: none, port: 8003}}
  |   ^^^^
  hint: those stand at group_vars/outer.yml:2:3; to keep them, define all models once, in group_vars/all.yml, and pick them with serve: [NAME, …]

"
        )
    };
    for file in ["group_vars/inner.yml", "host_vars/box.yml"] {
        let _ = plan().file(file, &inner).stderr(&warning(file)).run();
    }
    // Who says what is served knows; so does who defines them all.
    let _ = plan().file("group_vars/inner.yml", &format!("serve: [mine]\n{inner}")).run();
    let _ = plan().file("group_vars/inner.yml", &catalogue(&model("mine", "port: 8003"))).run();
}

#[test]
fn a_map_split_over_files_of_one_directory_is_warned_of() {
    let file = |name: &str| format!("models:\n{}", model(name, "port: 8001"));
    let _ = serving("[mine]")
        .file("group_vars/all/chat.yml", &file("tiny"))
        .file("group_vars/all/mine.yml", &file("mine"))
        .stderr(
            "\
warning: this `models` replaces that of another file in its directory
 --> group_vars/all/mine.yml:1:1
  |
1 | models:
  | ^^^^^^
  hint: the other stands at group_vars/all/chat.yml:2:3; maps are not merged: put both into one file

",
        )
        .run();
}
