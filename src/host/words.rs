//! What is done, in words: as progress and failures call it.

use crate::plan::Action;

/// An action in words.
pub(super) fn words(action: &Action) -> String {
    match action {
        Action::WriteRootKey => "writing the root key".to_owned(),
        Action::WriteFile { path, .. } => format!("writing {path}"),
        Action::CreateNetwork { name } => format!("making the network {name}"),
        Action::Pull { image, .. } => format!("pulling {image}"),
        Action::Fetch { what, .. } => format!("fetching {what}"),
        Action::SetAside { .. } => "stopping it and setting it aside".to_owned(),
        Action::MoveAside { .. } => "making room for its successor's name".to_owned(),
        Action::Switch { .. } => "leading the edge to it".to_owned(),
        Action::Drain { .. } => "waiting until its last answers are given".to_owned(),
        Action::LeadAround { .. } => "leading requests around it until it is idle".to_owned(),
        Action::LeadBack { .. } => "leading requests to it again".to_owned(),
        Action::Reload { .. } => "reloading its config".to_owned(),
        Action::ReloadBack { .. } => "going back to the config it had".to_owned(),
        Action::Create { .. } => "starting it".to_owned(),
        Action::Start { .. } => "starting it again".to_owned(),
        Action::Restart { .. } => "restarting it".to_owned(),
        Action::PutBack { .. } => "putting the previous version back".to_owned(),
        Action::Remove { .. } | Action::RemoveMade { .. } => "removing it".to_owned(),
        Action::AwaitMemory { gpus, .. } => {
            let list: Vec<String> = gpus.iter().map(ToString::to_string).collect();
            let gpus = if gpus.len() == 1 { "GPU" } else { "GPUs" };
            format!("waiting until the memory of {gpus} {} is free", list.join(", "))
        }
        Action::AwaitModel { .. } | Action::AwaitGateway { .. } | Action::AwaitEdge { .. } => {
            "waiting until it answers".to_owned()
        }
        Action::Reach { from, .. } => format!("checking that {from} reaches it"),
        Action::RemoveFetch { .. } => "removing an unfinished download".to_owned(),
        Action::RemoveFile { path } => format!("removing {path}"),
        Action::RemoveNetwork { name } => format!("removing the network {name}"),
    }
}
