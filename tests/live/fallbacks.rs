//! What stands in for a model that is stopped, switched off or busy, and how fast; and what does not, because it only
//! takes its time. docs/gateway.md has the figures of a run with `--show-output`.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{lab, lab4, until};
use crate::provider::Provider;
use crate::web::{self, Answer};

/// What a provider says that sells nothing now, by the names that lead to it.
const SOLD_OUT: [(&str, u16); 2] = [("limited", 429), ("empty", 402)];
/// How long a backend is silent that is there nevertheless.
const SILENCE: Duration = Duration::from_secs(40);

fn asked(cluster: &Cluster, model: &str, stream: bool) -> (Answer, Duration) {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": model, "messages": messages, "max_tokens": 3, "stream": stream});
    let began = Instant::now();
    let answer = web::post(&cluster.gateway(), "/v1/chat/completions", &cluster.master_key(), &body);
    (answer, began.elapsed())
}

/// Whether a server of that name answered, in a stream or not.
fn is_by(answer: &Answer, name: &str) -> bool {
    let text = answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned);
    answer.status == 200 && text.replace(' ', "").contains(&format!("\"model\":\"{name}\""))
}

/// Asks once without streaming and once with, and says who answered within which time.
#[track_caller]
fn answered_by(cluster: &Cluster, what: &str, (model, by): (&str, &str), aim: Duration) {
    for stream in [false, true] {
        let (answer, took) = asked(cluster, model, stream);
        eprintln!(
            "{what}, {}: {:.1} s",
            if stream { "streaming" } else { "not streaming" },
            took.as_secs_f64()
        );
        assert!(is_by(&answer, by), "{what}: not by {by}: {answer:?}");
        assert!(took < aim, "{what}: {took:?}");
    }
}

/// Until a model answers by itself.
fn back(cluster: &Cluster, model: &str) {
    until("its own answer", crate::LIMIT, || is_by(&asked(cluster, model, false).0, model).then_some(()));
}

/// Two names of a provider that sells nothing more, and `spare` on lab1, which stands in for all.
fn cluster(provider: &Provider) -> Cluster {
    let mut cluster = Cluster::new("fallbacks");
    cluster.model("lab1", "spare", 3);
    cluster.hosts["lab1"]["models"]["spare"]["parallel"] = json!(2);
    cluster.env("PAID", "sk-of-the-stand-in");
    for (name, status) in SOLD_OUT {
        cluster.hosts["lab3"]["models"][name] = json!({
            "engine": "external",
            "litellm_provider": "openai",
            "model": "gpt-of-the-stand-in",
            "api_base": provider.with(status),
            "api_key": {"env": "PAID"},
        });
    }
    cluster.hosts["lab3"]["gateway"]["default_fallbacks"] = json!(["spare"]);
    // Stands in for a model of the deploy itself, which must not be asked in its place.
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"spare": ["limited"]});
    cluster
}

#[test]
fn no_deploy_and_no_look_buys_anything_and_a_model_stands_in_for_a_provider() {
    let provider = Provider::open();
    let cluster = cluster(&provider);
    cluster.deploy();
    nothing_is_sold_without_a_client(&cluster, &provider);
    for (model, _) in SOLD_OUT {
        let (answer, _) = asked(&cluster, model, true);
        assert!(is_by(&answer, "spare"), "{answer:?}");
        assert_eq!(provider.sold().len(), 1, "each request asks it once");
    }
}

/// `main` is on lab4, `near` beside the gateway.
#[test]
#[ignore = "three minutes, and measures: make test-gateway"]
fn what_is_stopped_off_or_busy_is_stood_in_for_and_what_only_takes_its_time_is_not() {
    let lab4 = lab4();
    let provider = Provider::open();
    let mut cluster = cluster(&provider);
    cluster.model("lab4", "main", 1);
    cluster.model("lab3", "near", 2);
    cluster.hosts["lab4"]["models"]["main"]["parallel"] = json!(2);
    cluster.deploy();
    for model in ["main", "near", "spare"] {
        back(&cluster, model);
    }
    nothing_is_sold_without_a_client(&cluster, &provider);
    assert_eq!(provider.sells(Duration::from_secs(60)), None, "by the gateway alone");
    let two = Duration::from_secs(2);

    for (model, status) in SOLD_OUT {
        answered_by(&cluster, &format!("a provider says {status}"), (model, "spare"), two);
        assert_eq!(provider.sold().len(), 2, "each request asks it once");
    }
    busy(&cluster);

    for (host, model) in [("lab4", "main"), ("lab3", "near")] {
        let container = cluster.container(model);
        lab().ssh(host, &format!("docker stop -t 1 {container}"));
        answered_by(&cluster, &format!("{model} is stopped"), (model, "spare"), two);
        lab().ssh(host, &format!("docker start {container}"));
        back(&cluster, model);
    }

    lab4.lab("cut");
    // A connection that was kept is found out by the kernel first.
    answered_by(&cluster, "the host has just gone", ("main", "spare"), Duration::from_secs(13));
    answered_by(&cluster, "the host is gone", ("main", "spare"), Duration::from_secs(10));
    lab4.lab("mend");
    back(&cluster, "main");
}

/// A server that is paused is a host that acknowledges everything, and a backend that says nothing.
fn busy(cluster: &Cluster) {
    let container = cluster.container("main");
    lab().ssh("lab4", &format!("docker pause {container}"));
    let paused = Instant::now();
    thread::scope(|scope| {
        let slow = [false, true].map(|stream| scope.spawn(move || asked(cluster, "main", stream)));
        // What has come to it and is not read yet.
        let unread = format!(
            "nsenter -t $(docker inspect -f '{{{{.State.Pid}}}}' {container}) -n ss -Htn state established | awk '$1 > 0'"
        );
        until("both of its slots to be taken", Duration::from_secs(20), || {
            (lab().root("lab4", &unread).lines().count() >= 2).then_some(())
        });
        answered_by(cluster, "it is busy", ("main", "spare"), Duration::from_secs(2));
        until("the end of the silence", SILENCE * 2, || (paused.elapsed() > SILENCE).then_some(()));
        lab().ssh("lab4", &format!("docker unpause {container}"));
        for one in slow {
            let (answer, took) = one.join().unwrap();
            eprintln!("a first token after {:.1} s", took.as_secs_f64());
            assert!(took + Duration::from_secs(3) > SILENCE, "given up after {took:?}: {answer:?}");
            assert!(is_by(&answer, "main"), "{answer:?}");
        }
    });
}

/// By the deploy and every verb that looks.
#[track_caller]
fn nothing_is_sold_without_a_client(cluster: &Cluster, provider: &Provider) {
    for verb in ["status", "plan", "doctor"] {
        cluster.run(&[verb]);
    }
    assert_eq!(provider.sold(), Vec::<String>::new(), "by a deploy or a look");
}
