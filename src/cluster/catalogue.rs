//! Which of its `models` a host serves: all of them, or those that `serve` picks.
//! It knows names and places; what the keys of a model mean is read elsewhere.

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::inventory::{Entry, HostVars, Inventory, Map, Node, Value};
use crate::names::HostName;

use super::{contest, defaults};

/// What to do where `models` is not homelab's.
pub(super) const OTHER_SHAPE: &str = "if `models` means something else in this inventory, put homelab's models under `homelab_models`, which wins";

/// The models of a host.
#[derive(Default)]
pub(super) struct Models {
    /// Those it serves, with what `serve` says of them laid over.
    pub served: Vec<Entry>,
    /// The rest, with their expressions as they were typed: a variable that they need may be missing here.
    pub others: Vec<Entry>,
}

/// One name that `serve` picks.
struct Pick {
    name: String,
    origin: Origin,
    /// What is different where it is served.
    over: Map,
}

/// Which variable holds what is called `name`: homelab's own name for it wins, for inventories in which the
/// plain name means something else.
pub(super) fn twin(vars: &HostVars, name: &str) -> Option<String> {
    [format!("homelab_{name}"), name.to_owned()].into_iter().find(|name| vars.raw.contains_key(name))
}

/// The models of a host.
pub(super) fn read(vars: &HostVars, problems: &mut Diagnostics) -> Models {
    let Some(name) = twin(vars, "models") else { return Models::default() };
    contest::between_groups(vars, &name, problems);
    let serve = twin(vars, "serve");
    let picks = serve.as_ref().and_then(|name| picks(vars, name, problems));
    match &serve {
        Some(serve) => contest::between_groups(vars, serve, problems),
        None => contest::lost_models(vars, &name, problems),
    }
    let wanted = |key: &str| picks.as_ref().is_none_or(|picks| picks.iter().any(|pick| pick.name == key));
    let Some(node) = vars.value_where(&name, &wanted, problems) else { return Models::default() };
    let map = match &node.value {
        Value::Map(map) => map,
        Value::Null => return Models::default(),
        _ => {
            let wrong = node.expected(&format!("`{name}` to be a map from public names to models"));
            problems.push(wrong.hint(OTHER_SHAPE));
            return Models::default();
        }
    };
    for (first, again) in map.duplicates() {
        let twice = Diagnostic::error(&again.origin, format!("model `{}` is given twice", again.key));
        problems.push(twice.hint(format!("rename or remove one; the first is at {}", first.origin)));
    }
    let Some(picks) = picks else { return Models { served: map.0.clone(), others: vec![] } };
    unknown(&picks, (&name, &node.origin, map), problems);
    let mut models = Models::default();
    for entry in &map.0 {
        match picks.iter().find(|pick| pick.name == entry.key) {
            Some(pick) => models.served.push(defaults::laid_over(&pick.over, entry)),
            None => models.others.push(entry.clone()),
        }
    }
    models
}

/// The names in `serve`; nothing if it is not set.
fn picks(vars: &HostVars, name: &str, problems: &mut Diagnostics) -> Option<Vec<Pick>> {
    let node = vars.value_noting(name, problems)?;
    let items = match &node.value {
        Value::Null => return None,
        Value::Seq(items) => items.as_slice(),
        Value::Map(_) => {
            problems.push(not_a_list(name, &node));
            return Some(vec![]);
        }
        // As in other lists of names, one counts as a list of one.
        _ => std::slice::from_ref(&node),
    };
    let mut picks: Vec<Pick> = Vec::new();
    // What could not be evaluated was said to be wrong already.
    for item in items.iter().filter(|item| item.is_plain()) {
        let Some(pick) = problems.take(pick(name, item)) else { continue };
        if picks.iter().any(|other| other.name == pick.name) {
            let twice = Diagnostic::error(&pick.origin, format!("`{name}` picks `{}` twice", pick.name));
            problems
                .push(twice.hint("a second copy on one host is a model with a name and a port of its own"));
            continue;
        }
        picks.push(pick);
    }
    Some(picks)
}

fn pick(list: &str, item: &Node) -> Result<Pick, Diagnostic> {
    let Value::Map(map) = &item.value else {
        let name = item.as_text().map_err(|_| not_a_list(list, item))?;
        return Ok(Pick { name, origin: item.origin.clone(), over: Map::default() });
    };
    let [entry] = map.0.as_slice() else {
        let wrong = "expected one name of a model, and its keys further in, found several keys";
        return Err(Diagnostic::error(&item.origin, wrong).hint(form(list)));
    };
    let over = match &entry.node.value {
        Value::Null => Map::default(),
        Value::Map(over) => over.clone(),
        _ => return Err(entry.node.expected(&format!("a map of keys for `{}`", entry.key)).hint(form(list))),
    };
    Ok(Pick { name: entry.key.clone(), origin: entry.origin.clone(), over })
}

fn not_a_list(list: &str, node: &Node) -> Diagnostic {
    node.expected(&format!("`{list}` to be a list of names of models")).hint(form(list))
}

fn form(list: &str) -> String {
    format!("{list}: [NAME, NAME: {{port: 8001}}] picks from `models`, with other keys if need be")
}

fn unknown(picks: &[Pick], (name, origin, map): (&str, &Origin, &Map), problems: &mut Diagnostics) {
    for pick in picks.iter().filter(|pick| map.get(&pick.name).is_none()) {
        let error = Diagnostic::error(&pick.origin, format!("`{name}` has no model `{}`", pick.name));
        let keys = || map.0.iter().map(|entry| entry.key.as_str());
        problems.push(match did_you_mean(&pick.name, keys()) {
            Some(near) => error.hint(format!("did you mean `{near}`? `{name}` stands at {origin}")),
            None => error.hint(format!("`{name}` stands at {origin} and has {}", contest::few(keys()))),
        });
    }
}

/// Hosts that pick from models they do not have. What several hosts are told at once, as by `-e`, is for those
/// of them that have some.
pub(super) fn astray(inventory: &Inventory, problems: &mut Diagnostics) {
    let (mut followed, mut without) = (Vec::new(), Vec::<(&HostName, Origin)>::new());
    for (host, vars) in &inventory.hosts {
        let Some(node) = twin(vars, "serve").and_then(|name| vars.raw.get(&name)) else { continue };
        match (&node.value, twin(vars, "models")) {
            (_, Some(_)) => followed.push(node.origin.clone()),
            (Value::Seq(items), None) if !items.is_empty() => without.push((host, node.origin.clone())),
            // Of another shape it is somebody else's.
            (_, None) => {}
        }
    }
    for (host, origin) in without.iter().filter(|(_, origin)| !followed.contains(origin)) {
        let message = format!("`serve` picks from `models`, and {host} has none");
        let hint = "define `models` in group_vars/all.yml; if `serve` means something else in this inventory, homelab_serve: [] wins";
        problems.push(Diagnostic::error(origin, message).hint(hint));
    }
}
