//! `homelab init`: what it writes plans as it stands, and what is there is left alone.

use crate::program::{FINE, Test};

fn init<'a>(args: impl IntoIterator<Item = &'a str>) -> Test {
    Test::new().args(["init", "--yes", "--offline"]).args(args)
}

const THERE: &str =
    "inventory.yml is there. Next: homelab -i inventory.yml plan, then homelab -i inventory.yml deploy.\n";

/// What was written, once a plan of it was made without a word of complaint.
fn written(test: Test) -> String {
    let ran = test.stdout("").stderr(THERE).run();
    let text = std::fs::read_to_string(ran.path("inventory.yml")).unwrap();
    let plan = Test::plan(&text).run();
    assert!(plan.stdout.contains("+ create litellm: it is not there\n"), "{text}\n{}", plan.stdout);
    text
}

#[test]
fn an_inventory_is_written_with_comments() {
    let text = written(init([
        "--host=gpu-server=me@192.168.1.20",
        "--host=proxy=192.168.1.30",
        "--model=qwen3-4b=gpu-server:vllm:Qwen/Qwen3-4B-AWQ",
        "--model=small=gpu-server:llama_cpp:/mnt/models/small.gguf",
    ]));
    assert_eq!(
        text,
        r#"# Written by `homelab init`; from here on it is yours. Every key there is: inventory.example.yml.
#   homelab plan      what would be done and why
#   homelab deploy    make it so
all:
  hosts:
    gpu-server:
      ansible_host: "192.168.1.20"
      ansible_user: me
      models:
        qwen3-4b:                     # what clients put into "model"
          engine: vllm
          model: "Qwen/Qwen3-4B-AWQ"
          port: 8000
          gpu: 0                       # none, all, an index, or a list of indices
          # max_model_len: 8192          # any option of `vllm serve` by its own name
          # tool_call_parser: hermes
        small:
          engine: llama_cpp
          model: "/mnt/models/small.gguf"
          port: 8001
          gpu: none                       # none, all, an index, or a list of indices
          # ctx_size: 8192               # any option of `llama-server` by its own name
          volumes: ["/mnt/models:/mnt/models:ro"]
    proxy:
      ansible_host: "192.168.1.30"
      # models:
      #   qwen3-4b: {engine: vllm, model: Qwen/Qwen3-4B-AWQ, port: 8000, gpu: 0}
      gateway:
        engine: litellm                # clients use http://proxy:4000/v1
        port: 4000
        # master_key: {env: LITELLM_MASTER_KEY}     # else one is made at the first deploy
        # fallbacks: {a-model: [another]}
"#
    );
}

/// All lists of up to `most` of these.
fn lists<'a>(items: &[&'a str], most: usize) -> Vec<Vec<&'a str>> {
    let mut all = vec![vec![]];
    for (i, item) in items.iter().enumerate() {
        if most > 0 {
            all.extend(lists(&items[i + 1..], most - 1).into_iter().map(|rest| [vec![*item], rest].concat()));
        }
    }
    all
}

#[test]
fn whatever_options_are_given_the_inventory_plans() {
    let hosts = ["--host=a", "--host=b=10.0.0.2", "--host=c=me@fe80::3"];
    let models = [
        "--model=one=a:vllm:u/m",
        "--model=two=a:vllm:u/n",
        "--model=two=b:vllm:/models/n",
        "--model=three=b:llama_cpp:u/m-GGUF:Q8_0",
        "--model=four=c:llama_cpp:/m/x.gguf",
    ];
    let gateways = [None, Some("--gateway=a"), Some("--gateway=b"), Some("--gateway=c")];
    let mut tried = 0;
    for hosts in lists(&hosts, 3).iter().filter(|list| !list.is_empty()) {
        for models in lists(&models, 3) {
            for gateway in gateways {
                let named = |name: &str| hosts.iter().any(|host| host.starts_with(&format!("--host={name}")));
                let fits = models.iter().all(|model| named(&model.split(['=', ':']).nth(2).unwrap()[..1]));
                if fits && gateway.is_none_or(|gateway| named(&gateway["--gateway=".len()..])) {
                    let _ = written(init(hosts.iter().copied().chain(models.iter().copied()).chain(gateway)));
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 217, "that is how many combinations there are");
}

#[test]
fn words_that_yaml_reads_as_something_else_stay_names() {
    let text = written(init([
        "--host=no=null",
        "--host=1e3",
        "--model=on=no:llama_cpp:u/m",
        "--model=0x1f=1e3:llama_cpp:u/m",
        "--model=a:b=no:vllm:u/#m - {x}",
    ]));
    for part in [
        "\n    \"no\":\n",
        "\"null\"",
        "\n    \"1e3\":\n",
        "\n        \"on\":",
        "\n        \"0x1f\":",
        "\"u/#m - {x}\"",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn models_that_meet_on_a_gpu_share_it() {
    let text = written(init([
        "--host=a",
        "--model=x=a:vllm:u/x",
        "--model=y=a:vllm:u/y",
        "--model=z=a:llama_cpp:u/z",
    ]));
    assert_eq!(text.matches("gpu_memory_utilization: 0.45 ").count(), 2, "{text}");
}

#[test]
fn this_machine_can_serve_itself() {
    let text = written(init(["--host=here=local", "--model=x=here:llama_cpp:u/x"]));
    assert!(text.contains("ansible_connection: local ") && !text.contains("ansible_host"), "{text}");
}

#[test]
fn what_is_there_is_left_alone() {
    let ran = init(["--host=a"])
        .file("inventory.yml", FINE)
        .stdout("")
        .stderr("error: inventory.yml is there already\n  hint: homelab init never changes one; edit it\n")
        .code(1)
        .run();
    assert_eq!(std::fs::read_to_string(ran.path("inventory.yml")).unwrap(), FINE);
}

#[test]
fn a_host_that_cannot_be_asked_for_its_gpus_is_no_obstacle() {
    let ran = Test::new()
        .args(["init", "--yes", "--host=a=127.0.0.1"])
        .env("PATH", "/var/empty")
        .stderr(&format!("a: not reached: connecting: there is no private directory for ssh's sockets: neither XDG_RUNTIME_DIR nor HOME is set\n{THERE}"))
        .run();
    assert!(ran.path("inventory.yml").is_file());
}

#[test]
fn a_directory_is_made() {
    let said = THERE.replace("inventory.yml", "new/home/inventory.yml");
    let ran = init(["new/home", "--host=a"]).stderr(&said).run();
    assert!(ran.path("new/home/inventory.yml").is_file());
}

#[test]
fn answers_that_do_not_go_together_write_nothing() {
    let cases: [(&[&str], &str); 7] = [
        (
            &[],
            "error: nobody is there to ask, and no host is given\n  hint: say --host NAME=ADDRESS, and --model NAME=HOST:ENGINE:MODEL for what it is to serve\n",
        ),
        (&["--host=a", "--host=a=10.0.0.1"], "error: the host a is given twice\n\n"),
        (&["--host=a", "--gateway=b"], "error: the gateway is to run on b, which is not among the hosts\n\n"),
        (
            &["--host=a", "--model=m=b:vllm:u/m"],
            "error: `m` is to run on b, which is not among the hosts\n\n",
        ),
        (
            &["--host=a", "--model=m=a:vllm:u/m", "--model=m=a:vllm:u/n"],
            "error: `m` is given twice for a\n\n",
        ),
        (
            &["--host=a=x y"],
            "error: `x y` is neither an address nor a user name\n --> inventory.yml:7:21\n  |\n7 |       ansible_host: \"x y\"\n  |                     ^^^^^\n  hint: letters, digits and `-_.:@%`\n\n",
        ),
        (
            &["--host=a", "--model=m=a:llama_cpp:nonsense"],
            "error: `model`: neither a repository, nor a URL, nor a file\n  --> inventory.yml:10:18\n   |\n\
             10 |           model: nonsense\n   |                  ^^^^^^^^\n  hint: user/repo:quant, https://…, or a path that ends in .gguf\n\n",
        ),
    ];
    for (args, stderr) in cases {
        let ran = init(args.iter().copied()).stdout("").stderr(stderr).code(64).run();
        assert!(!ran.path("inventory.yml").exists(), "{args:?}");
    }
}

#[test]
fn options_that_say_nothing_are_wrong_usage() {
    let cases = [
        (
            "--host=a=",
            "invalid value 'a=' for '--host <NAME=[USER@]ADDRESS>': a host is NAME, NAME=ADDRESS, NAME=USER@ADDRESS or NAME=local",
        ),
        (
            "--model=m=a:vlm:x",
            "invalid value 'm=a:vlm:x' for '--model <NAME=HOST:ENGINE:MODEL>': there is no engine `vlm`: vllm or llama_cpp or ollama",
        ),
        (
            "--model=m",
            "invalid value 'm' for '--model <NAME=HOST:ENGINE:MODEL>': a model is NAME=HOST:ENGINE:MODEL, as in qwen3-4b=box:vllm:Qwen/Qwen3-4B-AWQ",
        ),
    ];
    for (arg, said) in cases {
        let _ = init([arg])
            .stderr(&format!("error: {said}\n\nFor more information, try '--help'.\n"))
            .code(64)
            .run();
    }
}
