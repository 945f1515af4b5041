//! Which models a client is told, and what it is warned of.

use homelab::client::{self, Choice, Model, Offer, warnings};
use homelab::engine::Kind;

use crate::{model, offer};

fn chosen(models: Vec<Model>) -> Result<String, String> {
    let offer = Offer { url: String::new(), authority: None, models };
    Choice::of(&offer, None, None).map(|choice| choice.main.name.to_string())
}

#[test]
fn the_longest_context_that_calls_tools_is_the_main_model() {
    let mute = |name: &str, context| Model { tools: Some(false), ..model(name, context) };
    let cases = [
        (vec![model("a", Some(1)), model("b", Some(2))], "b"),
        (vec![model("a", Some(2)), model("b", Some(2))], "a"),
        (vec![mute("a", Some(9)), model("b", None)], "b"),
        (vec![model("a", None), model("b", Some(1))], "b"),
        (vec![Model { kind: Kind::Embedding, ..model("a", Some(9)) }, mute("b", None)], "b"),
    ];
    for (models, wanted) in cases {
        assert_eq!(chosen(models.clone()).as_deref(), Ok(wanted), "{models:?}");
    }
    assert_eq!(chosen(vec![]), Err("the inventory has no model of kind chat".to_owned()));
}

#[test]
fn a_name_that_is_not_there_is_told_with_those_that_are() {
    let offer = offer();
    let of = |name| Choice::of(&offer, Some(name), None).map(|_| ());
    assert_eq!(of("small"), Ok(()));
    assert_eq!(of("qwen3-4c"), Err("no chat model is called `qwen3-4c`; did you mean `qwen3-4b`?".into()));
    assert_eq!(of("bge-m3"), Err("no chat model is called `bge-m3`: qwen3-30b, qwen3-4b, small".into()));
}

#[test]
fn one_name_on_two_hosts_can_what_both_can() {
    let mut one = model("a", Some(8));
    one.limit(&Model { output: Some(3), tools: None, ..model("a", Some(6)) });
    assert_eq!((one.context, one.output, one.tools), (Some(6), Some(3), None));
    one.limit(&Model { tools: Some(false), ..model("a", None) });
    assert_eq!((one.context, one.output, one.tools), (None, Some(3), Some(false)));
}

#[test]
fn an_answer_is_a_quarter_of_the_context_or_what_the_server_allows() {
    let answer = |context, output| Model { output, ..model("a", context) }.answer();
    assert_eq!(answer(Some(8192), None), Some(2048));
    assert_eq!(answer(Some(1 << 20), None), Some(32_000));
    assert_eq!(answer(Some(8192), Some(100)), Some(100));
    assert_eq!(answer(Some(2), None), Some(1));
    assert_eq!((answer(None, Some(7)), answer(None, None)), (Some(7), None));
}

/// The messages of a client's warnings about a model.
fn warned(client: &str, model: Model) -> Vec<String> {
    let offer = Offer { url: String::new(), authority: None, models: vec![model] };
    let choice = Choice::of(&offer, None, None).unwrap();
    warnings(client::by_name(client).unwrap(), &choice).into_iter().map(|w| w.message).collect()
}

#[test]
fn a_context_that_is_too_short_for_an_agent_is_told() {
    for (context, words) in [
        (Some(8192), "it cannot work with it"),
        (Some(16_000), "it cannot work with it"),
        (Some(32_768), "20768 are left for files and answers"),
        (None, "is not in the inventory"),
    ] {
        let said = warned("claude-code", model("a", context));
        assert!(said.len() == 1 && said[0].contains(words), "{context:?}: {said:?}");
    }
    assert!(warned("claude-code", model("a", Some(client::AT_EASE))).is_empty());
    assert!(warned("curl", model("a", Some(512))).is_empty());
    let mute = Model { tools: Some(false), ..model("a", Some(client::AT_EASE)) };
    assert!(warned("opencode", mute)[0].contains("calls no tools"));
}
