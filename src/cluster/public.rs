//! Every public name of a cluster and what it leads to, in one list.
//! It finds; it judges nothing.

use std::collections::BTreeSet;

use crate::diagnostic::Origin;
use crate::engine::Kind;
use crate::names::{HostName, ModelName};
use crate::survey::Endpoint;

use super::spec::{HostSpec, Spec};

/// A public name on one host.
pub(super) struct Public<'a> {
    pub(super) name: &'a ModelName,
    /// Where it is typed.
    pub(super) origin: &'a Origin,
    /// The public name of the model it leads to, itself or another one.
    pub(super) leads_to: &'a ModelName,
    pub(super) kind: Kind,
    /// Whether somebody else runs the model.
    pub(super) external: bool,
    /// How many tokens a request may have, as far as its options say it.
    pub(super) context: Option<u64>,
}

impl Spec {
    /// Every public name, host by host.
    pub(super) fn public(&self) -> impl Iterator<Item = Public<'_>> {
        self.hosts.values().flat_map(|host| own(host).chain(others(host)))
    }

    /// Where endpoints that somebody else runs are asked whether they answer.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let all: BTreeSet<_> = self.externals().filter_map(|(_, one)| one.endpoint()).collect();
        all.into_iter().collect()
    }

    /// Every endpoint that somebody else runs, once: what stands for all hosts is read for each.
    pub(super) fn externals(&self) -> impl Iterator<Item = (&HostName, &super::External)> {
        self.hosts.iter().flat_map(|(name, host)| host.externals.iter().map(move |one| (name, one)))
    }
}

fn own(host: &HostSpec) -> impl Iterator<Item = Public<'_>> {
    host.models.iter().flat_map(|model| {
        let single = model.models_max.is_none().then_some(model).into_iter();
        let single = single.flat_map(|model| {
            let context = model.sound.then(|| model.engine.context(&model.serve(&host.hf_home))).flatten();
            names((&model.name, &model.origin), &model.aliases, (model.kind, context))
        });
        let members = model.members.iter().flat_map(|member| {
            let context = model.engine.context(&model.serve_member(member, &host.hf_home));
            names((&member.name, &member.origin), &member.aliases, (member.kind, context))
        });
        single.chain(members).collect::<Vec<_>>()
    })
}

/// A model's public names.
fn names<'a>(
    own: (&'a ModelName, &'a Origin),
    aliases: &'a [(ModelName, Origin)],
    (kind, context): (Kind, Option<u64>),
) -> impl Iterator<Item = Public<'a>> {
    let all = [own].into_iter().chain(aliases.iter().map(|(name, origin)| (name, origin)));
    all.map(move |(name, origin)| Public { name, origin, leads_to: own.0, kind, external: false, context })
}

fn others(host: &HostSpec) -> impl Iterator<Item = Public<'_>> {
    let all = host.externals.iter().flat_map(|one| one.models.iter().map(move |model| (one, model)));
    all.map(|(one, (name, origin, _))| Public {
        name,
        origin,
        leads_to: name,
        kind: one.kind,
        external: true,
        context: None,
    })
}
