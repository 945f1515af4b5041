//! What the gateway's fallbacks lead to: a model that is there, of the same kind, not back to where they began.
//! It finds; it changes nothing.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::gateway::Fallbacks;

use super::gateway_spec::GatewaySpec;
use super::public::Public;
use super::spec::Spec;

pub(super) fn check(spec: &Spec, gateway: &GatewaySpec, problems: &mut Diagnostics) {
    let options = &gateway.options;
    for all in [&options.fallbacks, &options.context_window_fallbacks] {
        for (from, (origin, to)) in all {
            let to = to.iter().map(|(name, at)| (name, at));
            unknown(spec, std::iter::once((from, origin)).chain(to), problems);
        }
        cycles(all, problems);
    }
    unknown(spec, options.default_fallbacks.iter().map(|(name, at)| (name, at)), problems);
    for (from, (_, to)) in &options.fallbacks {
        for (to, origin) in to {
            if same_kind(spec, (from, to), origin, problems) {
                shorter(spec, (from, to), origin, problems);
            }
        }
    }
    for (from, (_, to)) in &options.context_window_fallbacks {
        for (to, origin) in to {
            if same_kind(spec, (from, to), origin, problems) {
                longer(spec, (from, to), origin, problems);
            }
        }
    }
}

/// What a public name leads to.
fn behind<'a>(spec: &'a Spec, name: &'a str) -> impl Iterator<Item = Public<'a>> {
    spec.public().filter(move |public| public.name.as_str() == name)
}

fn unknown<'a>(
    spec: &Spec,
    named: impl Iterator<Item = (&'a String, &'a Origin)>,
    problems: &mut Diagnostics,
) {
    let names: Vec<&str> = spec.public().map(|public| public.name.as_str()).collect();
    for (name, origin) in named.filter(|(name, _)| !names.contains(&name.as_str())) {
        let unknown = Diagnostic::error(origin, format!("no host serves a model `{name}`")).of_absence();
        let near = did_you_mean(name, names.iter().copied());
        problems.push(unknown.meant(near, "fallbacks name public names of models, or their aliases"));
    }
}

/// Whether a name and one that stands in for it are for the same.
fn same_kind(spec: &Spec, (from, to): (&str, &str), origin: &Origin, problems: &mut Diagnostics) -> bool {
    let kind = |name| behind(spec, name).next().map(|public| public.kind);
    let (Some(primary), Some(other)) = (kind(from), kind(to)) else { return true };
    if primary != other {
        let message = format!(
            "`{to}` cannot stand in for `{from}`: one is for {}, the other for {}",
            other.word(),
            primary.word()
        );
        problems.push(Diagnostic::error(origin, message).hint("fall back to a model of the same `kind`"));
    }
    primary == other
}

/// How many tokens the requests of a name may have, as far as its servers' options say it.
fn contexts<'a>(spec: &'a Spec, name: &'a str) -> impl Iterator<Item = u64> + 'a {
    behind(spec, name).filter_map(|public| public.context)
}

fn shorter(spec: &Spec, (from, to): (&str, &str), origin: &Origin, problems: &mut Diagnostics) {
    if let (Some(long), Some(short)) = (contexts(spec, from).max(), contexts(spec, to).min())
        && short < long
    {
        let message =
            format!("`{to}` takes requests of {short} tokens, `{from}`, which it stands in for, of {long}");
        problems.push(
            Diagnostic::warning(origin, message)
                .hint("requests in between fail here too; give both the same context, or add a fallback with a longer one"),
        );
    }
}

fn longer(spec: &Spec, (from, to): (&str, &str), origin: &Origin, problems: &mut Diagnostics) {
    if let (Some(short), Some(other)) = (contexts(spec, from).max(), contexts(spec, to).max())
        && other <= short
    {
        let message =
            format!("what is too long for `{from}` is so for `{to}`: {short} tokens, and there {other}");
        problems.push(
            Diagnostic::warning(origin, message).hint("name one with a longer context, or take this one out"),
        );
    }
}

/// Follows all fallbacks; a circle is told of where it closes.
fn cycles(all: &Fallbacks, problems: &mut Diagnostics) {
    let mut done = BTreeSet::new();
    for (from, (_, to)) in all {
        if done.contains(from) {
            continue;
        }
        let (mut way, mut on) = (vec![(from, to.iter())], BTreeSet::from([from]));
        while let Some((name, rest)) = way.last_mut() {
            let Some((to, origin)) = rest.next() else {
                on.remove(*name);
                done.insert(*name);
                way.pop();
                continue;
            };
            if on.contains(to) {
                let circle = way.iter().map(|(name, _)| name.as_str()).skip_while(|name| name != to);
                problems.push(circular(to, origin, &circle.collect::<Vec<_>>()));
            } else if !done.contains(to)
                && let Some((to, (_, next))) = all.get_key_value(to)
            {
                on.insert(to);
                way.push((to, next.iter()));
            }
        }
    }
}

fn circular(name: &str, origin: &Origin, circle: &[&str]) -> Diagnostic {
    let message = format!("the fallbacks of `{name}` lead back to it: {} → {name}", circle.join(" → "));
    Diagnostic::error(origin, message).hint("take this one out: it would ask again what has just failed")
}
