//! What a model needs is there before the old one stops, and whatever happens on the way there, the
//! old one serves. The hub is a stand-in; the server that downloads from it is llama.cpp's.

use serde_json::json;

use crate::faults::ending::counted;
use crate::hub::{COMMIT, Cache, GEMMA, Hub, MOVED};
use crate::lab::lab;
use crate::running::Running;

const TOKEN: &str = "hf_promiseATokenForTheHubThatShowsNowhere0000";

#[test]
fn weights_come_while_the_old_version_serves() {
    let hub = Hub::of_gemma();
    let cache = Cache::on_lab1("hf");
    let mut cluster = Running::borrow("prefetch");
    let first = cluster.containers();
    from_the_hub(&mut cluster, &hub, &cache);
    cluster.run(&["plan"]).exits(0).says(&format!("+ fetch {GEMMA}: while the old version serves"));
    let untouched = |cluster: &Running| {
        assert_eq!(cluster.containers(), first);
        cluster.answers("alpha");
    };

    hub.set_up(false);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(error.starts_with(&format!("error: lab1: alpha: fetching {GEMMA}: ")), "{error}");
    failed.says("the host does not reach Hugging Face");
    untouched(&cluster);

    // It says how far it is, and ends when it is told to.
    hub.set_up(true);
    hub.set_rate(1000);
    let mut cut = cluster.begin(&["deploy", "--yes"]);
    cut.says("of 241.3 MiB");
    cut.signal("INT");
    let cut = cut.end();
    cluster.heard(&["deploy", "--yes"], &cut);
    let cut = cut.exits(130);
    assert!(cut.first_error().ends_with(": interrupted"), "{}", cut.stderr);
    untouched(&cluster);

    // Killed, it leaves a container that downloads. The next run takes its place and goes on.
    hub.set_rate(10_000_000);
    let mut killed = cluster.begin(&["deploy", "--yes"]);
    killed.says("of 241.3 MiB");
    killed.signal("KILL");
    cluster.heard(&["deploy", "--yes"], &killed.end());
    cluster.answers("alpha");
    hub.set_rate(0);
    cluster.deploy();
    let is_get = |asked: &&String| asked.starts_with("GET") && asked.contains("/resolve/");
    let asked = hub.asked();
    let last = asked.iter().rfind(is_get).unwrap();
    assert!(!last.ends_with(" 0"), "{last}");
    let swapped = cluster.containers();
    assert_eq!(swapped.keys().collect::<Vec<_>>(), ["lab1-alpha-1", "lab1-beta-1", "lab3-litellm-1"]);
    assert_ne!(swapped["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    cluster.answers("alpha");

    // What is there is not fetched again, and is enough to start.
    hub.set_up(false);
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    let again = cluster.deploy();
    assert!(!again.stderr.contains("fetching") && !again.stdout.contains("fetch "), "{}", again.stderr);
    assert_ne!(cluster.containers()["lab1-alpha-1"].id, swapped["lab1-alpha-1"].id);
    cluster.answers("alpha");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    counted("the hub is down or slow, or homelab is killed while it downloads", 4, 4);
}

/// The model of the hub's in the place of `alpha`.
fn from_the_hub(cluster: &mut Running, hub: &Hub, cache: &Cache) {
    let alpha = &mut cluster.hosts["lab1"]["models"]["alpha"];
    alpha["model"] = json!(GEMMA);
    alpha["environment"] = json!({"HF_ENDPOINT": hub.endpoint, "HF_HOME": "/hf"});
    alpha["volumes"].as_array_mut().unwrap().push(json!(format!("{}:/hf", cache.0)));
}

#[test]
fn a_revision_stays_until_somebody_moves_its_pin() {
    let hub = Hub::of_gemma();
    let cache = Cache::on_lab1("revisions");
    let mut cluster = Running::borrow("revisions");
    from_the_hub(&mut cluster, &hub, &cache);
    let locked = |cluster: &Running| std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    let files = |asked: usize| -> Vec<String> {
        hub.asked().into_iter().skip(asked).filter(|one| one.contains("/resolve/")).collect()
    };

    // A token goes to the hub and shows nowhere.
    cluster.env("PROMISE_HUB_TOKEN", TOKEN);
    cluster.env("HF_HUB_OFFLINE", "0");
    cluster.hosts["lab1"]["hf_token"] = json!({"env": "PROMISE_HUB_TOKEN"});

    // CI changes no lock, and asks nobody.
    let refused = cluster.run(&["deploy", "--yes", "--locked"]).exits(65);
    assert!(refused.first_error().contains(&format!("it does not pin {GEMMA}")), "{}", refused.stderr);
    assert_eq!(hub.asked(), [""; 0]);
    cluster.deploy();
    cluster.answers("alpha");
    let pin = format!("    {GEMMA}: {COMMIT}\n");
    assert!(locked(&cluster).contains(&pin), "{}", locked(&cluster));
    let asked = hub.asked().len();
    let there = cluster.containers();
    cluster.run(&["plan", "--locked", "--detailed-exitcode"]).exits(0);
    cluster.deploy();
    assert_eq!(hub.asked().len(), asked, "with nothing to do nobody is asked");

    // The branch moves, and all that was downloaded is lost: what is pinned comes again.
    hub.moves();
    lab().root("lab1", &format!("rm -rf {}", cache.0));
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.run(&["deploy", "--yes", "--locked"]).exits(0);
    cluster.answers("alpha");
    assert_ne!(cluster.containers(), there);
    let came = files(asked);
    assert!(!came.is_empty() && came.iter().all(|one| one.contains(COMMIT)), "{came:?}");
    let snapshots = format!("ls {0}/hub/models--lab--gemma-3-270m-GGUF/snapshots", cache.0);
    assert_eq!(lab().root("lab1", &snapshots).trim(), COMMIT);

    // The pin moves only when somebody says so.
    let there = cluster.containers();
    let shown = cluster.run(&["update", GEMMA]).exits(0).stdout;
    assert_eq!(shown, format!("~ {GEMMA}: {} → {}\n", &COMMIT[..12], &MOVED[..12]));
    assert_eq!(cluster.containers(), there, "an update touches no host");
    assert!(locked(&cluster).contains(&pin.replace(COMMIT, MOVED)), "{}", locked(&cluster));
    let planned = cluster.run(&["plan", "--locked"]).exits(0);
    assert!(planned.stdout.contains("~ replace alpha: revision"), "{}", planned.stdout);
    cluster.run(&["deploy", "--yes", "--locked"]).exits(0);
    cluster.answers("alpha");
    assert_eq!(lab().root("lab1", &format!("{snapshots}/{MOVED}")).trim(), "gemma-3-270m-Q4_K_M.gguf");
    assert!(hub.tokens().contains(&format!("Bearer {TOKEN}")), "{:?}", hub.tokens());
    assert!(!cluster.said().contains(TOKEN) && !locked(&cluster).contains(TOKEN));
    assert!(!hub.asked().concat().contains(TOKEN));
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
}
