//! The values of secrets: read on this machine, or derived from the root key.
//! Values leave it only towards a host; names of files carry versions instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::names::Secret;
use crate::secret::{SecretRef, Versions};
use crate::survey::Failure;

use super::{failure, hinted, home_relative};

/// How long a command may take: somebody may have to touch a key or to type.
const LONGEST: Duration = Duration::from_secs(60);
/// How large a secret may be, in bytes.
const LARGEST: u64 = 64 << 10;

/// All secrets of a run.
#[derive(Debug, Default)]
pub struct Vault {
    root: Option<Secret>,
    root_version: Option<String>,
    /// How often each derived key was replaced by itself; one that is not listed never was.
    replaced: BTreeMap<String, u32>,
    values: BTreeMap<SecretRef, Result<Secret, Failure>>,
}

impl Vault {
    /// Reads every secret whose value the user holds; see [`Self::unread`].
    pub async fn open(wanted: BTreeSet<SecretRef>) -> Self {
        let mut values = BTreeMap::new();
        for secret in wanted {
            let value = read(&secret).await;
            values.insert(secret, value);
        }
        Self { values, ..Self::default() }
    }

    /// Reads further ones, those that only some steps need; why one has no value is told where it is used.
    pub async fn also(&mut self, wanted: impl IntoIterator<Item = &SecretRef>) {
        for secret in wanted {
            if !self.values.contains_key(secret) {
                let value = read(secret).await;
                self.values.insert(secret.clone(), value);
            }
        }
    }

    /// Secrets of the user's that could not be read, each with what to do.
    pub fn unread(&self) -> impl Iterator<Item = &Failure> {
        self.values.values().filter_map(|value| value.as_ref().err())
    }

    /// Takes the root key's file as the gateway's host has it: the key, and a line for each derived key that was
    /// replaced by itself, with how often.
    pub fn set_root(&mut self, file: &Secret) {
        let mut lines = file.reveal().lines();
        let root = lines.next().unwrap_or_default().trim().to_owned();
        let number = |line: &str| {
            let (purpose, times) = line.trim().rsplit_once(' ')?;
            Some((purpose.to_owned(), times.parse().ok()?))
        };
        self.replaced = lines.filter_map(number).collect();
        self.root_version = Some(hex(&mac(&root, "version")[..4]));
        self.root = Some(Secret::new(root));
    }

    /// Takes the root key's version from a container that was made with it, and which keys were replaced, when the
    /// gateway's host cannot be asked: enough to see that nothing changed.
    pub fn set_root_version(&mut self, version: &str, replaced: Option<&str>) {
        self.root_version.get_or_insert_with(|| version.to_owned());
        for (purpose, times) in replaced.unwrap_or_default().split(',').filter_map(|one| one.split_once('='))
        {
            let times = times.parse().unwrap_or(0);
            let known = self.replaced.entry(purpose.to_owned()).or_insert(times);
            *known = times.max(*known);
        }
    }

    /// Replaces one derived key by another one.
    pub fn replace(&mut self, purpose: &str) {
        let times = self.replaced.entry(purpose.to_owned()).or_insert(0);
        *times = times.saturating_add(1);
    }

    /// Which of these keys were replaced, each as `PURPOSE=HOW OFTEN`, with commas.
    #[must_use]
    pub fn replaced<'a>(&self, secrets: impl Iterator<Item = &'a SecretRef>) -> String {
        let one = |secret: &SecretRef| match secret {
            SecretRef::Derived(purpose) => Some(format!("{purpose}={}", self.replaced.get(purpose)?)),
            _ => None,
        };
        secrets.filter_map(one).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
    }

    /// Makes a new root key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn make_root(&mut self) -> Result<(), Failure> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|e| failure("making the root key", e.to_string()))?;
        self.set_root(&Secret::new(hex(&bytes)));
        Ok(())
    }

    /// What its file on the gateway's host is to hold, if there is a root key.
    #[must_use]
    pub fn root_file(&self) -> Option<Secret> {
        let replaced: String =
            self.replaced.iter().map(|(purpose, times)| format!("{purpose} {times}\n")).collect();
        self.root.as_ref().map(|root| Secret::new(format!("{}\n{replaced}", root.reveal())))
    }

    /// The root key's version; `new` before there is one.
    #[must_use]
    pub fn root_version(&self) -> &str {
        self.root_version.as_deref().unwrap_or("new")
    }

    /// What tells the values of `secrets` apart.
    #[must_use]
    pub fn versions<'a>(&self, secrets: impl Iterator<Item = &'a SecretRef>) -> Versions {
        let version = |secret: &SecretRef| match (secret, self.values.get(secret)) {
            (SecretRef::Derived(purpose), _) => match self.replaced.get(purpose) {
                Some(times) => format!("{}.{times}", self.root_version()),
                None => self.root_version().to_owned(),
            },
            // What stands in the inventory needs no reading.
            (SecretRef::Opened(value) | SecretRef::Sealed(value), _) => {
                hex(&mac(self.root_version(), value.reveal())[..4])
            }
            // The version of the root key is no secret, but differs from installation to installation.
            (_, Some(Ok(value))) => hex(&mac(self.root_version(), value.reveal())[..4]),
            _ => "absent".to_owned(),
        };
        Versions(secrets.map(|secret| (secret.clone(), version(secret))).collect())
    }

    /// A secret's value.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub fn value(&self, secret: &SecretRef) -> Result<Secret, Failure> {
        match (secret, &self.root) {
            (SecretRef::Derived(purpose), Some(root)) => {
                // No purpose has a `#`.
                let purpose = match self.replaced.get(purpose) {
                    Some(times) => format!("{purpose}#{times}"),
                    None => purpose.clone(),
                };
                Ok(Secret::new(format!("sk-{}", hex(&mac(root.reveal(), &purpose)))))
            }
            (SecretRef::Derived(purpose), None) => Err(hinted(
                &format!("deriving the key {purpose}"),
                "the root key is on the gateway's host, which could not be asked",
                "bring that host up and run homelab deploy again",
            )),
            (other, _) => match self.values.get(other) {
                Some(value) => value.clone(),
                None => Err(failure("reading a secret", format!("{} was not read", other.label()))),
            },
        }
    }
}

async fn read(secret: &SecretRef) -> Result<Secret, Failure> {
    let step = format!("reading the secret {}", secret.label());
    let text = match secret {
        SecretRef::Env(name) => std::env::var(name).map_err(|_| {
            hinted(&step, format!("{name} is not set"), format!("export {name}=… before homelab runs"))
        })?,
        SecretRef::File { path, from } => file(&step, &from.join(home_relative(path))).await?,
        SecretRef::Command(argv) => command(&step, argv).await?,
        SecretRef::Opened(value) => value.reveal().to_owned(),
        SecretRef::Sealed(_) => return Err(failure(&step, "it was not opened")),
        SecretRef::Derived(_) => return Err(failure(&step, "it is derived, not read")),
    };
    let value = text.trim_end_matches(['\n', '\r']).to_owned();
    if value.is_empty() {
        return Err(failure(&step, "it is empty"));
    }
    Ok(Secret::new(value))
}

async fn file(step: &str, path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let failed = |e: std::io::Error| failure(step, format!("{shown}: {e}"));
    // A pipe would wait for whoever writes, and a device may never end.
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        return Err(failure(step, format!("{shown} is not a file")));
    }
    let opened = tokio::fs::File::open(path).await.map_err(failed)?;
    text(step, &shown.to_string(), opened).await
}

/// Runs a program and takes what it prints; it ends with the time it has.
async fn command(step: &str, argv: &[String]) -> Result<String, Failure> {
    let [program, arguments @ ..] = argv else { return Err(failure(step, "the command is empty")) };
    let failed = |e: std::io::Error| failure(step, format!("{program}: {e}"));
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let Some(stdout) = child.stdout.take() else { return Err(failure(step, "it has no stdout")) };
    let ran = async {
        let said = text(step, program, stdout).await?;
        Ok((said, child.wait().await.map_err(failed)?))
    };
    let ran = tokio::time::timeout(LONGEST, ran).await;
    let (said, status) =
        ran.map_err(|_| failure(step, format!("{program} did not end within {} s", LONGEST.as_secs())))??;
    match status.success() {
        true => Ok(said),
        false => Err(failure(step, format!("{program} ended with {status}"))),
    }
}

/// All that is read from there, which must be text and no more than a secret can be.
async fn text(step: &str, name: &str, from: impl AsyncRead + Unpin) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(LARGEST + 1).read_to_end(&mut bytes).await;
    read.map_err(|e| failure(step, format!("{name}: {e}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failure(
            step,
            format!("{name} gives more than {} KiB, which is no secret", LARGEST >> 10),
        ));
    }
    String::from_utf8(bytes).map_err(|_| failure(step, format!("{name} gives something that is not text")))
}

fn mac(key: &str, text: &str) -> [u8; 32] {
    // HMAC takes keys of any length; the error type exists for ciphers that do not.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return [0; 32] };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn derived_keys_differ_by_purpose_and_by_root_key() {
        let mut vault = Vault::default();
        let gateway = SecretRef::gateway();
        assert!(vault.value(&gateway).unwrap_err().what.contains("could not be asked"));
        vault.set_root(&Secret::new("one".into()));
        let one = vault.value(&gateway).unwrap();
        assert!(one.reveal().starts_with("sk-") && one.reveal().len() == 67);
        assert_ne!(vault.value(&SecretRef::Derived("model/a".into())), Ok(one.clone()));
        vault.set_root(&Secret::new("two".into()));
        assert_ne!(vault.value(&gateway), Ok(one));
    }

    #[tokio::test]
    async fn one_key_is_replaced_and_the_others_stay() {
        let mut vault = Vault::default();
        vault.set_root(&Secret::new("one\n".into()));
        let (a, b) = (SecretRef::Derived("model/a".into()), SecretRef::Derived("model/b".into()));
        let all = |vault: &Vault| [&a, &b].map(|key| vault.value(key).unwrap());
        let versions = |vault: &Vault| vault.versions([&a, &b].into_iter());
        let (before, told) = (all(&vault), versions(&vault));
        assert_eq!(vault.replaced([&a, &b].into_iter()), "");
        vault.replace("model/a");
        let after = all(&vault);
        assert_ne!(after[0], before[0]);
        assert_eq!(after[1], before[1]);
        assert_ne!(versions(&vault).of(&a), told.of(&a));
        assert_eq!(versions(&vault).of(&b), told.of(&b));
        assert_eq!(vault.replaced([&b, &a].into_iter()), "model/a=1");
        // The file brings the same back, and one without such lines is as it was.
        let file = vault.root_file().unwrap();
        assert_eq!(file.reveal(), "one\nmodel/a 1\n");
        let mut again = Vault::default();
        again.set_root(&file);
        assert_eq!(all(&again), after);
        // Without the gateway's host, a container tells that nothing changed.
        let mut far = Vault::default();
        far.set_root_version(vault.root_version(), Some("model/a=1"));
        assert_eq!(versions(&far), versions(&vault));
        vault.replace("model/a");
        assert!(![&before[0], &after[0]].contains(&&all(&vault)[0]));
        // A new root key is new for all of them.
        vault.make_root().unwrap();
        assert_eq!(vault.replaced([&a].into_iter()), "");
    }

    #[tokio::test]
    async fn a_version_changes_with_the_value_and_shows_nothing_of_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let from = file.path().parent().unwrap().to_owned();
        let path = file.path().file_name().unwrap().display().to_string();
        let secret = SecretRef::File { path, from };
        let mut versions = Vec::new();
        for value in ["hunter2", "hunter3"] {
            std::fs::write(file.path(), value).unwrap();
            let vault = Vault::open([secret.clone()].into()).await;
            assert_eq!(vault.value(&secret).unwrap().reveal(), value);
            versions.push(vault.versions([&secret].into_iter()).of(&secret).to_owned());
        }
        assert_ne!(versions[0], versions[1]);
        assert!(!versions[0].contains("hunter"));
    }

    #[tokio::test]
    async fn a_command_is_no_shell_and_gives_no_more_than_a_secret() {
        let run = async |argv: &[&str]| {
            let secret = SecretRef::Command(argv.iter().map(|&word| word.to_owned()).collect());
            let read = read(&secret).await;
            read.map(|value| value.reveal().to_owned()).map_err(|why| why.what)
        };
        assert_eq!(run(&["printf", "%s\\r\\n\\n", "$(id) ;"]).await, Ok("$(id) ;".to_owned()));
        assert_eq!(run(&["true"]).await, Err("it is empty".to_owned()));
        assert!(run(&["false"]).await.unwrap_err().contains("ended with exit status: 1"));
        assert!(run(&["yes"]).await.unwrap_err().contains("more than 64 KiB"));
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_waited_for() {
        for (path, why) in
            [("/dev/zero", "is not a file"), ("/tmp", "is not a file"), ("/nowhere", "No such file")]
        {
            let secret = SecretRef::File { path: path.into(), from: "x".into() };
            assert!(read(&secret).await.unwrap_err().what.contains(why), "{path}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_is_not_there_says_how_to_give_it() {
        let vault = Vault::open([SecretRef::Env("HOMELAB_TEST_ABSENT".into())].into()).await;
        let failure = vault.value(&SecretRef::Env("HOMELAB_TEST_ABSENT".into())).unwrap_err();
        assert_eq!(failure.what, "HOMELAB_TEST_ABSENT is not set");
        assert!(failure.hint.unwrap().contains("export HOMELAB_TEST_ABSENT"));
    }
}
