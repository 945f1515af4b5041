//! Which GPUs of a host a model may use, as it is typed, labelled and given to containers.
//! It asks no host.

use std::collections::BTreeSet;
use std::fmt;

/// The GPUs a model may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gpus {
    /// It runs on the CPU.
    None,
    /// Every GPU of its host.
    All,
    /// These, by index in PCI bus order; never empty.
    Some(BTreeSet<u32>),
    /// These, by UUID; never empty. Which index one has, only its host could tell.
    Named(BTreeSet<String>),
}

impl Gpus {
    /// Whether two models would use the same GPU.
    #[must_use]
    pub fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => false,
            (Self::All, _) | (_, Self::All) => true,
            (Self::Some(a), Self::Some(b)) => !a.is_disjoint(b),
            (Self::Named(a), Self::Named(b)) => !a.is_disjoint(b),
            (Self::Some(_), Self::Named(_)) | (Self::Named(_), Self::Some(_)) => true,
        }
    }

    /// How many these are; none where only the host could tell.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::None => Some(0),
            Self::All => None,
            Self::Some(indices) => Some(indices.len()),
            Self::Named(uuids) => Some(uuids.len()),
        }
    }

    /// What a label says of them, as they are written there.
    #[must_use]
    pub fn from_label(text: &str) -> Self {
        match text {
            "none" => Self::None,
            "all" => Self::All,
            list if list.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Self::Named(list.split(',').map(str::to_owned).collect())
            }
            list => Self::Some(list.split(',').filter_map(|index| index.parse().ok()).collect()),
        }
    }
}

impl fmt::Display for Gpus {
    /// `none`, `all`, or indices or UUIDs with commas: what labels and `NVIDIA_VISIBLE_DEVICES` hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Some(indices) => {
                let list: Vec<String> = indices.iter().map(ToString::to_string).collect();
                f.write_str(&list.join(","))
            }
            Self::Named(uuids) => {
                let list: Vec<&str> = uuids.iter().map(String::as_str).collect();
                f.write_str(&list.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_by_index_and_by_uuid_may_be_the_same_and_a_label_reads_back() {
        let named = |all: &[&str]| Gpus::Named(all.iter().map(|&name| name.to_owned()).collect());
        let (one, other) = (named(&["GPU-3f1c2a9e"]), named(&["GPU-00000000", "MIG-11111111"]));
        assert!(one.meet(&one) && !one.meet(&other));
        assert!(one.meet(&Gpus::Some([0].into())) && Gpus::Some([0].into()).meet(&one));
        assert!(!one.meet(&Gpus::None) && one.meet(&Gpus::All));
        for gpus in [Gpus::None, Gpus::All, Gpus::Some([0, 12].into()), one, other] {
            assert_eq!(Gpus::from_label(&gpus.to_string()), gpus);
        }
    }
}
