//! What is said of a model on a GPU: the verdict with its arithmetic, and the parts of it that all engines share.
//! Which engine takes what, their own files know.

use serde::{Deserialize, Serialize};

use super::options::{Server, Settled};
use super::{Keeps, ModelFacts, Run, cache, tokens};

/// Something else that loads beside the weights: a projector, a draft model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// What it is.
    pub what: String,
    /// Its bytes, if anybody knows.
    pub bytes: Option<u64>,
}

/// What is to be said of a model on a GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// In a word.
    pub outcome: Outcome,
    /// In a sentence.
    pub sentence: String,
    /// The arithmetic, for one GPU.
    pub lines: Vec<Line>,
    /// What would fit, as sentences.
    pub instead: Vec<String>,
    /// What was counted on the safe side, or is not known.
    pub notes: Vec<String>,
    /// The most tokens that fit: vLLM's of one request, llama.cpp's of all slots. None where that is not known, or none do.
    pub longest: Option<u64>,
    /// Tokens that the whole cache holds, of all requests (vLLM); none where layers do not keep all of them: then it depends.
    pub tokens: Option<u64>,
    /// Bytes that it takes of each GPU, as far as that is known.
    pub takes: u64,
}

/// A verdict in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It fits.
    Fits,
    /// It fits if the estimates hold.
    Tight,
    /// Its layers do not all fit: the rest runs on the CPU (llama.cpp).
    Spills,
    /// The weights fit, requests of the length asked for do not.
    Short,
    /// It would fit, but others on the GPU take too much of it.
    Crowded,
    /// The weights alone are more than there is.
    TooLarge,
    /// Nobody can tell.
    Unknown,
}

/// A line of the arithmetic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What takes memory, or how much there is.
    pub what: &'static str,
    /// Bytes; none where they are not known.
    pub bytes: Option<u64>,
    /// Where the number comes from.
    pub how: String,
}

impl Verdict {
    /// A verdict without what only some have.
    pub(super) fn new(outcome: Outcome, sentence: String, lines: Vec<Line>) -> Self {
        Self {
            outcome,
            sentence,
            lines,
            instead: vec![],
            notes: vec![],
            longest: None,
            tokens: None,
            takes: 0,
        }
    }
}

impl Line {
    pub(super) fn new(what: &'static str, bytes: u64, how: impl Into<String>) -> Self {
        Self { what, bytes: Some(bytes), how: how.into() }
    }
}

/// A verdict that says only what keeps it from being one.
pub(super) fn unknown(lines: Vec<Line>, why: &str) -> Verdict {
    Verdict::new(Outcome::Unknown, format!("whether it fits is unknown: {why}"), lines)
}

/// What loads besides, all in all.
pub(super) fn besides(extras: &[Extra]) -> u64 {
    extras.iter().filter_map(|extra| extra.bytes).fold(0, u64::saturating_add)
}

/// The lines of the weights of one GPU.
pub(super) fn weight_lines(per_gpu: u64, how: String, extras: &[Extra]) -> Vec<Line> {
    let mut lines = vec![Line::new("weights", per_gpu, how)];
    let known =
        extras.iter().filter_map(|extra| Some(Line::new("besides", extra.bytes?, extra.what.clone())));
    lines.extend(known);
    lines
}

/// What the cache makes of the room that is left for it.
pub(super) fn of_room(
    facts: &ModelFacts,
    (settled, room, overhead): (&Settled, u64, u64),
    tight: bool,
    mut lines: Vec<Line>,
) -> Verdict {
    let layers = match &facts.layers {
        Ok(layers) => layers,
        Err(why) => return unknown(lines, &format!("the cache of its requests is. {why}")),
    };
    let longest = cache::longest(facts, settled, room);
    let each = cache::per_token(layers, settled);
    let how = format!("{} bytes a token", tokens(each));
    let most = longest.map(tokens);
    let Some(context) = settled.context.or(longest) else {
        let sentence = "the weights fit, but nothing is left for the cache of a request".to_owned();
        lines.push(Line { what: "cache", bytes: None, how });
        return Verdict { longest, ..Verdict::new(Outcome::Short, sentence, lines) };
    };
    let needed = cache::bytes(layers, settled, context);
    lines.push(Line::new("cache", needed, format!("for {} tokens, {how}", tokens(context))));
    let (outcome, sentence) = match most {
        _ if needed > room => (Outcome::Short, short(context, longest)),
        // Twice the estimate of the overhead is not rare.
        _ if tight || room.saturating_sub(overhead) < needed => {
            (Outcome::Tight, format!("it should fit with {} tokens, without much to spare", tokens(context)))
        }
        Some(most) if needed > 0 => (
            Outcome::Fits,
            format!(
                "it fits with {} tokens; {most} at most, {} such requests at a time",
                tokens(context),
                room / needed
            ),
        ),
        _ => (Outcome::Fits, "it fits".to_owned()),
    };
    let keeps_all = |run: &Run| matches!(run.keeps, Keeps::All(_) | Keeps::Latent { .. });
    let plain = settled.server == Server::Vllm && layers.iter().all(keeps_all);
    let tokens = Some(room).filter(|_| plain && each > 0).map(|room| room / each);
    Verdict { longest, tokens, ..Verdict::new(outcome, sentence, lines) }
}

fn short(context: u64, longest: Option<u64>) -> String {
    match longest {
        Some(most) => format!("it fits with {} tokens, not with {}", tokens(most), tokens(context)),
        None => format!("the weights fit, but nothing is left for the cache of {} tokens", tokens(context)),
    }
}
