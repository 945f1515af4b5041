//! Where a key that may have to change stands in the inventory, or where it would have to stand.
//! It answers from the spec; it knows no key's meaning.

use crate::diagnosis::Place;
use crate::diagnostic::Origin;
use crate::names::{HostName, ServiceName};

use super::server::OF_MODELS;
use super::spec::{HostSpec, MemberSpec, ModelSpec, Spec};

/// Keys that are variables of hosts.
const OF_HOSTS: [&str; 3] = ["hf_home", "hf_token", "registry_auth"];

impl Spec {
    /// Where a key of a service stands: in its model or gateway, else as a variable of its host; else
    /// what it would have to be added to. Of a server of several `member` is the model that is meant, as the server
    /// calls it.
    #[must_use]
    pub fn place(
        &self,
        host: &HostName,
        (service, member): (&ServiceName, Option<&str>),
        key: &str,
    ) -> Option<Place> {
        let spec = self.hosts.get(host)?;
        let model = spec.models.iter().find(|model| ServiceName::of_model(&model.name) == *service);
        let gateway = spec.gateway.as_ref().filter(|_| *service == ServiceName::gateway());
        let member = model.zip(member).and_then(|(server, name)| {
            let called = |m: &&MemberSpec| server.engine.upstream(&server.serve_member(m, "")) == name;
            server.members.iter().find(called)
        });
        // What is not typed at all is added to the model if it may stand there, else to its server.
        let member = member.filter(|member| {
            let options = model.into_iter().flat_map(|server| server.engine.options());
            member.places.contains_key(key)
                || OF_MODELS.contains(&key)
                || options.into_iter().any(|option| option.name == key)
        });
        if let Some(at) = model.filter(|_| member.is_none()).and_then(|model| of_members(model, key)) {
            return Some(Place { at, add_to: None });
        }
        let (typed_there, own, name) = match (member, model, gateway) {
            (Some(member), _, _) => {
                (member.places.get(key).map(|(key, _)| key), &member.origin, member.name.to_string())
            }
            (None, Some(model), _) => {
                (model.places.get(key).map(|(key, _)| key), &model.origin, model.name.to_string())
            }
            (None, None, Some(gateway)) => {
                (gateway.origins.get(key), &gateway.origin, "the gateway".to_owned())
            }
            (None, None, None) => return None,
        };
        // The image of all models may be a variable.
        let variable = match (key, model) {
            ("image", Some(model)) => model.engine.image_variable(),
            ("image", None) => "litellm_image",
            _ => key,
        };
        if let Some(origin) = typed_there.or_else(|| typed(spec, variable)) {
            return Some(Place { at: origin.to_string(), add_to: None });
        }
        let (at, add_to) =
            if OF_HOSTS.contains(&key) { (&spec.origin, host.to_string()) } else { (own, name) };
        Some(Place { at: at.to_string(), add_to: Some(add_to) })
    }
}

/// Where the models behind a server say this: of which of them a failure tells its words say.
fn of_members(model: &ModelSpec, key: &str) -> Option<String> {
    let own = |member: &MemberSpec| member.places.get(key).map(|(key, _)| key.to_string());
    let all: Vec<String> = model.members.iter().filter_map(own).collect();
    (!all.is_empty() && !model.places.contains_key(key)).then(|| all.join(" or "))
}

/// Where a variable of a host stands that homelab reads.
fn typed<'a>(host: &'a HostSpec, variable: &str) -> Option<&'a Origin> {
    let ours = OF_HOSTS.contains(&variable) || variable.ends_with("_image");
    host.origins.get(variable).filter(|_| ours)
}
