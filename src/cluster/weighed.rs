//! The models of a host that take memory of its GPUs, wherever they run: each on a server of its own, or several behind
//! one. It weighs nothing.

use crate::diagnostic::Origin;
use crate::engine::{Gpus, Serve};
use crate::names::ModelName;

use super::spec::{HostSpec, MemberSpec, ModelSpec};

/// A model whose engine tells what it loads.
#[derive(Clone, Copy)]
pub struct Weighed<'a> {
    /// What serves it.
    pub server: &'a ModelSpec,
    /// The model itself, if that is one of several behind it.
    pub member: Option<&'a MemberSpec>,
}

impl<'a> Weighed<'a> {
    /// The models of a host that want a GPU, those behind one server one after the other.
    #[must_use]
    pub fn on_gpus(host: &'a HostSpec) -> Vec<Self> {
        let servers = host.models.iter().filter(|server| server.gpus != Gpus::None);
        let all = servers.flat_map(|server| {
            let own = server.members.is_empty().then_some(Self { server, member: None });
            own.into_iter().chain(server.members.iter().map(move |one| Self { server, member: Some(one) }))
        });
        all.filter(|one| one.server.engine.memory(&one.serve(&host.hf_home)).is_some()).collect()
    }

    /// Its public name.
    #[must_use]
    pub fn name(&self) -> &'a ModelName {
        self.member.map_or(&self.server.name, |member| &member.name)
    }

    /// Whether that is its public name, or that of its server.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        [self.name(), &self.server.name].iter().any(|own| own.as_str() == name)
    }

    /// What its engine calls it.
    #[must_use]
    pub fn model(&self) -> Option<&'a str> {
        self.member.map_or(&self.server.model, |member| &member.model).as_deref()
    }

    /// As its engine sees it on a host with this cache.
    #[must_use]
    pub fn serve(&self, hf_home: &'a str) -> Serve<'a> {
        match self.member {
            Some(member) => self.server.serve_member(member, hf_home),
            None => self.server.serve(hf_home),
        }
    }

    /// Where the value of a key is typed, or the model where it is not.
    #[must_use]
    pub fn value_place(&self, key: &str) -> &'a Origin {
        match self.member {
            Some(member) => member.value_place(key),
            None => self.server.value_place(key),
        }
    }

    /// How many models its server has loaded at the same time at most.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.server.models_max.map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX))
    }
}
