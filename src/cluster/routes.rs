//! The gateway's routes: public names, and where each leads.
//! It knows addresses as they were found; it finds none.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::diagnostic::Origin;
use crate::engine::Load;
use crate::gateway::{self, Route};
use crate::names::{ModelName, ServiceName};
use crate::secret::SecretRef;
use crate::service::{Runtime, Service};

use super::external::OPENAI_LIKE;
use super::spec::{HostSpec, ModelSpec};
use super::{External, Model, Role, Unit, program};

/// The gateway's environment variables that carry backends' keys.
pub(super) type Keys = BTreeMap<String, SecretRef>;

/// The URL by which the gateway asks a model's server, at an address or beside it; none where it publishes no port.
#[must_use]
pub fn api_base(address: Option<&str>, name: &ServiceName, service: &Service) -> Option<String> {
    let port = service.published().next()?;
    let (address, port) = match address {
        Some(address) => (gateway::bracketed(address), port.host),
        // Nothing of Docker's leads to it but the host's own address.
        None if service.runtime() == Runtime::Native => (program::OWN_HOST.to_owned(), port.host),
        None => (name.to_string(), port.container),
    };
    Some(format!("http://{address}:{port}/v1"))
}

/// Every public name that leads to a model, by the address its host is reached at; none is the gateway's own.
pub(super) fn routes_of(
    (host, spec): (&HostSpec, &ModelSpec),
    unit: &Unit,
    address: Option<&str>,
    keys: &mut Keys,
) -> Vec<Route> {
    let slots = spec.engine.slots(&spec.serve(&host.hf_home));
    let api_base = api_base(address, &unit.name, &unit.service);
    let Role::Model(served) = &unit.role else { return vec![] };
    let key_variable = served.api_key.as_ref().map(|key| {
        let variable = key_variable(&spec.name);
        keys.insert(variable.clone(), key.clone());
        variable
    });
    let words = |model: &Model, public: &ModelName| {
        let member = spec.members.iter().find(|member| member.name == model.name);
        let (variants, words) = member.map_or((&spec.variants, &spec.words), |m| (&m.variants, &m.words));
        variants.get(public).unwrap_or(words).clone()
    };
    let route = |(model, public): (&Model, &ModelName)| Route {
        public: public.clone(),
        model: format!("{OPENAI_LIKE}/{}", model.upstream),
        api_base: api_base.clone(),
        key_variable: key_variable.clone(),
        kind: model.kind,
        load: model.load,
        slots,
        words: words(model, public),
    };
    let all = served.models.iter().flat_map(|model| model.public().map(move |public| (model, public)));
    all.map(route).collect()
}

/// Every public name that leads to what somebody else runs.
pub(super) fn routes_to(external: &External, keys: &mut Keys) -> Vec<Route> {
    let key_variable = external.api_key.as_ref().map(|key| {
        let variable = key_variable(&external.name);
        keys.insert(variable.clone(), key.clone());
        variable
    });
    let route = |(public, _, upstream): &(ModelName, Origin, String)| Route {
        public: public.clone(),
        model: format!("{}/{upstream}", external.provider),
        api_base: external.api_base.clone(),
        key_variable: key_variable.clone(),
        kind: external.kind,
        load: Load::OnDemand,
        slots: None,
        words: external.variants.get(public).unwrap_or(&external.words).clone(),
    };
    external.models.iter().map(route).collect()
}

/// `qwen3-4b` → `KEY_QWEN3_4B_1F0A`: names that differ only in punctuation stay apart.
fn key_variable(model: &ModelName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let digest = Sha256::digest(model.as_str().as_bytes());
    let name: String = model.as_str().chars().map(plain).collect();
    format!("KEY_{name}_{:02X}{:02X}", digest[0], digest[1])
}
