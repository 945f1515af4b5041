//! Models on this machine: a directory with a config.json, a GGUF file, Hugging Face's cache.
//! It reads configs, sizes and headers, never weights.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::repository::{INDEX, of_config};
use super::{Known, Unknown, is_repository, name};
use crate::fit::{self, Header, MOST_HEADER, Read};
use crate::lock::is_commit;

/// The model at a path: a directory with a config.json, or a .gguf file.
///
/// # Errors
/// Why it is none.
pub fn of_path(path: &Path) -> Result<Known, Unknown> {
    match path.is_dir() {
        true => of_directory(path),
        false => of_file(path),
    }
}

/// The model of that name in Hugging Face's cache of this machine, if it is there: at that commit, or what its main
/// branch was when it came.
#[must_use]
pub fn cached(id: &str, commit: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Option<Known> {
    let hub =
        env("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(PathBuf::from(env("HF_HOME")?).join("hub")));
    let hub = hub.or_else(|| Some(PathBuf::from(env("HOME")?).join(".cache/huggingface/hub")))?;
    if !is_repository(id) || id.contains(':') {
        return None;
    }
    let model = hub.join(format!("models--{}", id.replace('/', "--")));
    let main = || bounded(&model.join("refs/main"), 64).ok();
    let commit = commit.map_or_else(main, |commit| Some(commit.to_owned()))?.trim().to_owned();
    let snapshot = model.join("snapshots").join(&commit);
    let known = is_commit(&commit).then(|| of_directory(&snapshot).ok()).flatten()?;
    Some(Known { commit: Some(commit), ..known })
}

fn bounded(path: &Path, most: u64) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    read.map_err(|e| e.to_string())?;
    if text.len() as u64 > most { Err(format!("it is longer than {most} bytes")) } else { Ok(text) }
}

fn of_directory(path: &Path) -> Result<Known, Unknown> {
    let config = path.join("config.json");
    let no_config = |why: String| {
        Unknown::new(format!("{}: {why}", name(&config)))
            .hint("name a directory with a config.json, or a .gguf file")
    };
    let text = bounded(&config, 2 << 20).map_err(no_config)?;
    let entries = fs::read_dir(path).map_err(|e| no_config(e.to_string()))?;
    let one = |entry: fs::DirEntry| {
        // Through the links of a cache.
        let size = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file)?.len();
        Some((entry.file_name().into_string().ok()?, size))
    };
    let sizes: BTreeMap<String, u64> = entries.flatten().filter_map(one).collect();
    let index = bounded(&path.join(INDEX), 32 << 20).ok();
    let facts = of_config(&text, &sizes, index.as_deref(), BTreeMap::new()).map_err(no_config)?;
    Ok(Known { facts, extras: vec![], gguf: false, from: name(path), commit: None })
}

fn of_file(path: &Path) -> Result<Known, Unknown> {
    let wrong = |why: String| Unknown::new(format!("{}: {why}", name(path)));
    let mut file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    let size = file.metadata().map_err(|e| wrong(e.to_string()))?.len();
    let mut bytes = Vec::new();
    let header = loop {
        let step = (bytes.len() as u64).max(1 << 20).min(MOST_HEADER as u64 - bytes.len() as u64);
        let read = file.by_ref().take(step).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
        match Header::read(&bytes).map_err(wrong)? {
            Read::Whole(header) => break header,
            Read::More if read == 0 => return Err(wrong("it ends within its header".to_owned())),
            Read::More => {}
        }
    };
    let facts = fit::from_gguf(&header, Some(size));
    Ok(Known { facts, extras: vec![], gguf: true, from: name(path), commit: None })
}
