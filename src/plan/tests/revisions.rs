//! Revisions of the hub's repositories that `homelab.lock` pins: what is learnt, and what a pin replaces, which is nothing.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, LocalFiles, Opened, read, resolve};
use crate::desired::{Desired, Overrides, render};
use crate::inventory::parse;
use crate::lock::Pins;
use crate::plan::fetch::fetch_marker;
use crate::plan::{StageName, as_if_deployed, learnt, made_before_pins, moving, plan, unpinned_revisions};
use crate::secret::Versions;
use crate::survey::{Look, Survey};

use super::bench::{host, service};

const INVENTORY: &str = "
all:
  hosts:
    box:
      models:
        big: {engine: vllm, model: q/big, port: 8000, gpu: none, max_model_len: 4096}
        small: {engine: llama_cpp, model: \"q/small:Q8_0\", port: 8001, gpu: none}
    nas:
      models:
        big: {engine: vllm, model: q/big, port: 8000, gpu: none, max_model_len: 4096}
      gateway: {engine: litellm}
";

fn commit(of: char) -> String {
    of.to_string().repeat(40)
}

/// What the inventory means with these pins, each a repository and the digit of its commit.
fn cluster(inventory: &str, pins: &[(&str, char)]) -> Cluster {
    let inventory = parse("inventory.yml", inventory, BTreeMap::new()).unwrap();
    let revisions = pins.iter().map(|(name, of)| ((*name).to_owned(), commit(*of))).collect();
    let spec = read(&inventory, Pins { revisions, ..Pins::default() }, false).unwrap();
    resolve(&spec, &LocalFiles::new(), &Survey::default()).unwrap()
}

fn rendered(cluster: &Cluster) -> Desired {
    render(cluster, &Versions::default(), &Overrides::default()).unwrap()
}

/// What is seen when that runs, with the commits that came of `q/big` and `q/small` on each host.
fn survey(deployed: &Desired, came: &[(&str, &str, &str, char)]) -> Survey {
    let mut survey = as_if_deployed(deployed, deployed);
    for (at, name, id, of) in came {
        let all = &deployed.hosts[&host(at)].services[&service(name)].weights;
        let weights = all.iter().find(|weights| weights.repositories.contains(&(*id).to_owned())).unwrap();
        let Some(Look::Seen(seen)) = survey.hosts.get_mut(&host(at)) else { panic!("{at}") };
        seen.snapshots.entry(fetch_marker(weights)).or_default().insert(((*id).to_owned(), commit(*of)));
    }
    survey
}

const CAME: [(&str, &str, &str, char); 3] =
    [("box", "big", "q/big", 'a'), ("nas", "big", "q/big", 'a'), ("box", "small", "q/small", 'b')];

#[test]
fn what_came_is_learnt_where_all_hosts_have_the_same() {
    let desired = rendered(&cluster(INVENTORY, &[]));
    let names: Vec<String> = unpinned_revisions(&desired).map(|(_, name)| name).collect();
    assert_eq!(names, ["q/big", "q/small", "q/big"]);
    let found = learnt(&desired, &survey(&desired, &CAME));
    assert_eq!(
        found.revisions,
        [("q/big".to_owned(), commit('a')), ("q/small".to_owned(), commit('b'))].into()
    );
    let mut apart = CAME;
    apart[1].3 = 'c';
    let found = learnt(&desired, &survey(&desired, &apart));
    assert_eq!(found.revisions.keys().collect::<Vec<_>>(), ["q/small"]);
    assert_eq!(found.revisions_apart, [("q/big".to_owned(), [host("box"), host("nas")].into())].into());
    // What is pinned is not learnt.
    let pinned = rendered(&cluster(INVENTORY, &[("q/big", 'a'), ("q/small", 'b')]));
    assert_eq!(unpinned_revisions(&pinned).count(), 0);
    assert_eq!(learnt(&pinned, &survey(&pinned, &CAME)).revisions, BTreeMap::new());
}

#[test]
fn a_pin_replaces_nothing_that_has_loaded_it() {
    let before = rendered(&cluster(INVENTORY, &[]));
    let pinned = cluster(INVENTORY, &[("q/big", 'a'), ("q/small", 'b')]);
    for came in [&CAME[..], &[]] {
        let seen = survey(&before, came);
        let opened = made_before_pins(&pinned, &seen);
        assert_eq!(opened.len(), 3);
        let desired = rendered(&pinned.clone().opened(&opened));
        assert_eq!(moving(&desired, &seen, &opened), Opened::new());
        assert!(plan(&desired, &seen).is_empty());
    }
    // What was made with its pins stays, too, and needs no second thought.
    let desired = rendered(&pinned);
    assert_eq!(made_before_pins(&pinned, &survey(&desired, &CAME)), Opened::new());
    assert!(plan(&desired, &survey(&desired, &CAME)).is_empty());
}

#[test]
fn a_pin_of_another_commit_replaces_what_has_not_loaded_it() {
    let before = rendered(&cluster(INVENTORY, &[]));
    let seen = survey(&before, &CAME);
    let moved = cluster(INVENTORY, &[("q/big", 'c'), ("q/small", 'b')]);
    let opened = made_before_pins(&moved, &seen);
    assert_eq!(opened, [(host("box"), service("small"))].into());
    let text = crate::plan::text(&plan(&rendered(&moved.opened(&opened)), &seen), 2);
    assert_eq!(text.matches("~ replace big: --revision").count(), 2, "{text}");
    assert!(!text.contains("small"), "{text}");
    // The same where both were pinned; llama.cpp has no option that could say it.
    let before = rendered(&cluster(INVENTORY, &[("q/big", 'a'), ("q/small", 'b')]));
    let after = rendered(&cluster(INVENTORY, &[("q/big", 'a'), ("q/small", 'c')]));
    let text = crate::plan::text(&plan(&after, &survey(&before, &CAME)), 2);
    assert!(text.contains("~ replace small: revision q/small@bbbb") && !text.contains("big"), "{text}");
    assert!(text.contains("+ fetch q/small:Q8_0"), "{text}");
}

#[test]
fn what_is_replaced_anyhow_gets_its_pins() {
    let before = rendered(&cluster(INVENTORY, &[]));
    let seen = survey(&before, &CAME);
    let longer = INVENTORY.replacen("max_model_len: 4096", "max_model_len: 8192", 1);
    let pinned = cluster(&longer, &[("q/big", 'a'), ("q/small", 'b')]);
    let opened = made_before_pins(&pinned, &seen);
    let first = rendered(&pinned.clone().opened(&opened));
    let moves = moving(&first, &seen, &opened);
    assert_eq!(moves, [(host("box"), service("big"))].into());
    let desired = rendered(&pinned.opened(&(&opened - &moves)));
    let text = crate::plan::text(&plan(&desired, &seen), 2);
    assert!(text.contains("--max-model-len 4096 → 8192") && text.contains("--revision aaaa"), "{text}");
    assert_eq!(text.matches("~ replace").count(), 1, "{text}");
    // What came before there were pins is there; another commit is not.
    assert!(!text.contains("fetch"), "{text}");
    let other = cluster(&longer, &[("q/big", 'c'), ("q/small", 'b')]);
    let text = crate::plan::text(&plan(&rendered(&other), &seen), 2);
    assert_eq!(text.matches("+ fetch q/big").count(), 2, "{text}");
}

const SEVERAL: &str = "
all:
  hosts:
    box:
      servers:
        chat: {engine: llama_cpp, port: 8000, gpu: none}
      models:
        one: {server: chat, model: q/one}
        two: {server: chat, model: \"q/two:Q8_0\"}
        again: {server: chat, model: q/one, ctx_size: 512}
        file: {server: chat, model: /models/a.gguf}
      gateway: {engine: litellm}
";

#[test]
fn what_is_behind_one_server_is_pinned_and_fetched_model_by_model() {
    let before = rendered(&cluster(SEVERAL, &[]));
    let mut empty = as_if_deployed(&before, &before);
    let Some(Look::Seen(seen)) = empty.hosts.get_mut(&host("box")) else { panic!() };
    seen.containers.clear();
    seen.files.clear();
    let fetching = plan(&before, &empty);
    let waves = &fetching.stages.iter().find(|stage| stage.name == StageName::Prepare).unwrap().waves;
    assert_eq!(waves.last().unwrap().len(), 1, "one lane: what one service needs comes one after the other");
    let text = crate::plan::text(&fetching, 2);
    assert_eq!(text.matches("+ fetch ").count(), 2, "the same twice comes once: {text}");
    assert!(text.find("+ fetch q/one") < text.find("+ fetch q/two:Q8_0"), "{text}");

    // One of two pins does not keep the server off the hub; both do, and replace nothing.
    let offline = |desired: &Desired| {
        let service = &desired.hosts[&host("box")].services[&service("chat")].service;
        service.environment.contains_key("LLAMA_ARG_OFFLINE")
    };
    let came = [("box", "chat", "q/one", 'a'), ("box", "chat", "q/two", 'b')];
    let seen = survey(&before, &came);
    assert_eq!(
        learnt(&before, &seen).revisions,
        [("q/one".to_owned(), commit('a')), ("q/two".to_owned(), commit('b'))].into()
    );
    assert!(!offline(&rendered(&cluster(SEVERAL, &[("q/one", 'a')]))));
    let pinned = cluster(SEVERAL, &[("q/one", 'a'), ("q/two", 'b')]);
    assert!(offline(&rendered(&pinned)));
    let opened = made_before_pins(&pinned, &seen);
    assert_eq!(opened.len(), 1);
    assert!(plan(&rendered(&pinned.opened(&opened)), &seen).is_empty());

    // A pin that moves takes along its own model only.
    let before = rendered(&cluster(SEVERAL, &[("q/one", 'a'), ("q/two", 'b')]));
    let after = rendered(&cluster(SEVERAL, &[("q/one", 'a'), ("q/two", 'c')]));
    let text = crate::plan::text(&plan(&after, &survey(&before, &came)), 2);
    assert!(text.contains("+ fetch q/two:Q8_0") && !text.contains("fetch q/one"), "{text}");
    assert!(text.contains("~ replace chat: revision"), "{text}");

    // What nobody can pin, or what may not be fetched, leaves the server as it is.
    let url = SEVERAL.replace("/models/a.gguf", "https://h/a.gguf");
    let both = [("q/one", 'a'), ("q/two", 'b')];
    assert!(!offline(&rendered(&cluster(&url, &both))));
    let draft = SEVERAL.replace("/models/a.gguf", "/models/a.gguf, spec_draft_hf: q/draft");
    assert!(!offline(&rendered(&cluster(&draft, &both))), "nothing fetches a draft alone");
    let unfetched = SEVERAL.replace("gpu: none", "gpu: none, prefetch: false");
    let unfetched = rendered(&cluster(&unfetched, &both));
    assert!(!offline(&unfetched) && unpinned_revisions(&unfetched).count() == 0);
    assert!(!crate::plan::text(&plan(&unfetched, &empty), 2).contains("fetch"));
}
