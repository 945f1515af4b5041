//! All models of a host: those with a server of their own, those behind one, and endpoints of others.
//! What a model's keys mean, it leaves to their readers.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostics;
use crate::engine;
use crate::inventory::{Entry, HostVars, Value};

use super::external::{self, External};
use super::model_spec::{defaults_of, read_one, stand_in};
use super::spec::ModelSpec;
use super::{catalogue, defaults, server, shared};

/// The models that a host serves, and the endpoints its variables name. Those that it has besides are read for their
/// mistakes.
pub(super) fn read_all(vars: &HostVars, problems: &mut Diagnostics) -> (Vec<ModelSpec>, Vec<External>) {
    let models = catalogue::read(vars, problems);
    let mut under_all = BTreeMap::new();
    let (mut served, mut externals) = (Vec::new(), Vec::new());
    let mut members = Vec::new();
    let mut together: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for entry in &models.served {
        if server::of(entry).is_some() {
            members.push(entry);
            continue;
        }
        if external::is(entry) {
            externals.extend(external::read(entry, problems));
            continue;
        }
        let Some(engine) = defaults::engine_of(entry) else {
            served.extend(read_one(entry, vars, problems));
            continue;
        };
        if engine.shared_port().is_some() {
            together.entry(engine.name()).or_default().push(entry.clone());
            continue;
        }
        let under = under_all.entry(engine.name()).or_insert_with(|| defaults_of(engine, vars, problems));
        served.extend(read_one(&defaults::laid_under(under, entry), vars, problems));
    }
    for entry in models.others.iter().filter(|entry| entry.node.is_plain()) {
        if external::is(entry) {
            external::read(entry, problems);
            continue;
        }
        if server::of(entry).is_some() {
            continue;
        }
        if let Some(engine) = defaults::engine_of(entry).filter(|engine| engine.shared_port().is_some()) {
            shared::read(engine, std::slice::from_ref(entry), vars, problems);
            continue;
        }
        // Where it is served may say which port.
        let _ =
            read_one(&defaults::laid_under(&stand_in("port", Value::Int(1), entry), entry), vars, problems);
    }
    let all = together.iter().filter_map(|(name, entries)| Some((engine::by_name(name)?, entries)));
    served.extend(all.filter_map(|(engine, entries)| shared::read(engine, entries, vars, problems)));
    served.extend(server::read(vars, &members, problems));
    (served, externals)
}
