//! What the gateway offers to clients, as far as the inventory says it.
//! It asks no host: what only a running server knows stays unknown.

use std::collections::BTreeMap;

use crate::client::{Model, Offer};
use crate::diagnostic::Origin;
use crate::engine::Serve;
use crate::names::ModelName;
use crate::secret::SecretRef;

use super::spec::{HostSpec, ModelSpec, Spec};
use super::{External, check, edge};

/// What clients are told, and the key they show. `asked` is what ssh says the address of the gateway's host is.
/// None without a gateway.
#[must_use]
pub fn offer(spec: &Spec, asked: Option<&String>) -> Option<(Offer, SecretRef)> {
    let (name, gateway) = check::gateway(spec)?;
    let host = spec.hosts.get(name)?;
    let url = edge::url(host, gateway, asked);
    let mut models: BTreeMap<ModelName, Model> = BTreeMap::new();
    let own =
        spec.hosts.values().flat_map(|host| host.models.iter().flat_map(move |model| named(host, model)));
    for model in own.chain(spec.externals().flat_map(|(_, one)| others(one))) {
        match models.get_mut(&model.name) {
            Some(known) => known.limit(&model),
            None => drop(models.insert(model.name.clone(), model)),
        }
    }
    let key = gateway.options.master_key.clone().unwrap_or_else(SecretRef::gateway);
    let authority = edge::authority(spec, name, gateway);
    Some((Offer { url, authority, models: models.into_values().collect() }, key))
}

/// The models of an endpoint that somebody else runs: nobody says what they can do.
fn others(endpoint: &External) -> impl Iterator<Item = Model> {
    endpoint.models.iter().map(|(name, _, _)| Model {
        name: name.clone(),
        alias_of: None,
        kind: endpoint.kind,
        context: None,
        output: None,
        tools: None,
    })
}

/// A model, or each one behind a server of several, under each of its public names.
fn named(host: &HostSpec, model: &ModelSpec) -> Vec<Model> {
    if model.models_max.is_none() {
        return each_name(model, &model.serve(&host.hf_home), &model.aliases);
    }
    let of = |member| each_name(model, &model.serve_member(member, &host.hf_home), &member.aliases);
    model.members.iter().flat_map(of).collect()
}

fn each_name(model: &ModelSpec, serve: &Serve<'_>, aliases: &[(ModelName, Origin)]) -> Vec<Model> {
    let one = Model {
        name: serve.name.clone(),
        alias_of: None,
        kind: serve.kind,
        context: model.engine.context(serve),
        output: model.engine.longest_answer(serve),
        tools: model.engine.calls_tools(serve),
    };
    let alias =
        |name: &ModelName| Model { name: name.clone(), alias_of: Some(one.name.clone()), ..one.clone() };
    let aliases: Vec<Model> = aliases.iter().map(|(name, _)| alias(name)).collect();
    [vec![one], aliases].concat()
}
