//! ssh's configuration for a host: what homelab writes, and what ssh makes of all its files.
//! It asks ssh itself and connects to nothing; it is asked once, until a file it read has changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use super::private::{self, short_hash};
use super::{home_relative, login};
use crate::connection::Connection;
use crate::survey::Failure;

/// A file that changed this shortly ago may change again without a new time of change.
const SETTLED: Duration = Duration::from_secs(2);
/// How many seconds a host has to answer, handshake included, where neither the inventory nor the user's own
/// configuration says otherwise.
const LONG: u64 = 10;
/// The same of one that is often off. One that is there answers its network at once, and a lost packet is sent again after
/// a second.
const SHORT: u64 = 3;
/// Stands between the state of files and what ssh said.
const MARK: &str = "#said";

/// ssh's configuration: what must hold first, for ssh takes the first value it meets; then the
/// inventory's options; then the user's and the system's own files, which `-F` would leave out.
pub(super) fn config(connection: &Connection) -> String {
    let mut text = String::from(
        "LogLevel ERROR\nRemoteCommand none\nRequestTTY no\nClearAllForwardings yes\nPermitLocalCommand no\n",
    );
    for (keyword, value) in &connection.ssh_options {
        let relative = keyword.eq_ignore_ascii_case("Include") && !value.starts_with(['/', '~', '"']);
        let here = std::env::current_dir().ok().filter(|_| relative);
        // Relative to where homelab was called, as `-F` is; ssh would look in ~/.ssh.
        let value = here.map_or_else(|| value.clone(), |dir| dir.join(value).display().to_string());
        if !value.contains(char::is_control) && keyword.chars().all(|c| c.is_ascii_alphanumeric()) {
            let _ = writeln!(text, "{keyword} {value}");
        }
    }
    if connection.optional {
        // Everything else waits for a host that is off.
        let _ = writeln!(text, "ConnectTimeout {SHORT}");
    }
    text.push_str("Match all\nInclude ~/.ssh/config\nInclude /etc/ssh/ssh_config\n");
    let _ = writeln!(text, "ConnectTimeout {LONG}");
    text
}

/// What ssh makes of all its configuration for this host: `ssh -G`, which connects nowhere. Its answer
/// is kept in `base` with the state of every file it came from, and taken from there while that is
/// the same: on several hosts the answers cost more than all questions to the hosts.
pub(super) async fn effective(
    connection: &Connection,
    base: &Path,
    config: &Path,
) -> Result<String, Failure> {
    let arguments = arguments(connection, config);
    let mut parts: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_encoded_bytes()).collect();
    let (home, text) =
        (std::env::var_os("HOME").unwrap_or_default(), std::fs::read(config).unwrap_or_default());
    parts.extend([home.as_encoded_bytes(), text.as_slice()]);
    let name = format!("said-{}", short_hash(&parts));
    if let Some(said) = remembered(&base.join(&name)) {
        return Ok(said);
    }
    let mut command = tokio::process::Command::new("ssh");
    // `-v` makes it name the files that it reads.
    command.arg("-v").args(&arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|e| login::no_ssh(&e))?;
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        if let Some(mut files) = sources(&told) {
            // Written anew by every run; what it says is in the name already.
            files.remove(config);
            // Without it the next run asks again.
            let _ =
                settled(&files).map(|states| private::write(base, &name, &format!("{states}{MARK}\n{said}")));
        }
        return Ok(said.into_owned());
    }
    // What `-v` adds is not for the user: its version and what it does.
    let added = |line: &str| line.starts_with("debug") || line.starts_with("OpenSSH_");
    let words: Vec<&str> = told.lines().filter(|line| !added(line)).collect();
    let words = words.join("\n").replace(&config.display().to_string(), "the inventory");
    Err(login::bad_configuration(&words))
}

/// The value of a keyword in what `ssh -G` printed.
pub(super) fn said<'a>(effective: &'a str, keyword: &str) -> Option<&'a str> {
    effective.lines().find_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '))
}

fn arguments(connection: &Connection, config: &Path) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["-F".into(), config.into()];
    if let Some(user) = &connection.user {
        all.extend(["-l".into(), user.into()]);
    }
    if let Some(port) = connection.port {
        all.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(identity) = &connection.identity {
        all.extend(["-i".into(), identity.into()]);
    }
    all.extend(["-G".into(), connection.address.as_str().into()]);
    all
}

/// What ssh said when every file was as it is now.
fn remembered(memory: &Path) -> Option<String> {
    let text = std::fs::read_to_string(memory).ok()?;
    let (states, said) = text.split_once(&format!("{MARK}\n"))?;
    states
        .lines()
        .all(|line| line.split_once('\t').is_some_and(|(path, old)| state(path) == old))
        .then(|| said.to_owned())
}

/// All files and directories that an answer came from, from what `ssh -v` tells of them; none where it
/// depends on more than files: on a program, on the network, on the environment.
fn sources(told: &str) -> Option<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    for line in told.lines() {
        let Some(file) = line.strip_prefix("debug1: Reading configuration data ") else { continue };
        let file = PathBuf::from(file.trim_end());
        let system = file.starts_with("/etc");
        for line in std::fs::read_to_string(&file).ok()?.lines() {
            let mut words = line.trim_start().splitn(2, [' ', '\t', '=']);
            let (keyword, value) = (words.next()?.to_ascii_lowercase(), words.next().unwrap_or_default());
            match keyword.as_str() {
                "match" if !value.trim().eq_ignore_ascii_case("all") => return None,
                "canonicalizehostname" => return None,
                "include" => all.extend(directories(value, system)?),
                _ if value.contains("${") => return None,
                _ => {}
            }
        }
        all.insert(file);
    }
    (!all.is_empty()).then_some(all)
}

/// Where the files of an `Include` lie: a file that comes into one of these directories is a new source.
fn directories(patterns: &str, system: bool) -> Option<Vec<PathBuf>> {
    let one = |pattern: &str| {
        let pattern = pattern.trim_matches('"');
        let home = if system { PathBuf::from("/etc/ssh") } else { home_relative("~/.ssh") };
        let path = if pattern.starts_with("~/") { home_relative(pattern) } else { home.join(pattern) };
        let directory = path.parent()?.to_path_buf();
        let plain = !directory.as_os_str().to_string_lossy().contains(['*', '?', '[', '%', '$', '~']);
        plain.then_some(directory)
    };
    patterns.split_whitespace().map(one).collect()
}

/// The state of each, one a line; none if one of them has only just changed, or has an odd name.
fn settled(files: &BTreeSet<PathBuf>) -> Option<String> {
    let mut text = String::new();
    for file in files {
        let changed = std::fs::metadata(file).and_then(|m| m.modified()).ok();
        if changed.is_some_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < SETTLED)) {
            return None;
        }
        let path = file.to_str().filter(|path| !path.contains(['\n', '\t']))?;
        let _ = writeln!(text, "{path}\t{}", state(path));
    }
    Some(text)
}

/// Changes whenever the file does.
pub(super) fn state(path: impl AsRef<Path>) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok();
    format!("{:?}", found.map(|m| (m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::HostName;

    fn connection() -> Connection {
        Connection::new(HostName::new("lab1").unwrap())
    }

    #[test]
    fn ssh_reads_our_options_before_the_users() {
        let mut connection = connection();
        connection.ssh_options = vec![
            ("ProxyCommand".into(), "ssh -W %h:%p jump".into()),
            ("Include".into(), "conf".into()),
            ("User".into(), "x\nProxyCommand evil".into()),
        ];
        let here = std::env::current_dir().unwrap();
        let expected = format!(
            "LogLevel ERROR\nRemoteCommand none\nRequestTTY no\nClearAllForwardings yes\nPermitLocalCommand no\n\
             ProxyCommand ssh -W %h:%p jump\nInclude {}/conf\n\
             Match all\nInclude ~/.ssh/config\nInclude /etc/ssh/ssh_config\nConnectTimeout 10\n",
            here.display()
        );
        assert_eq!(config(&connection), expected);
    }

    #[tokio::test]
    async fn nobody_waits_long_for_an_optional_host_unless_the_inventory_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let asked = |connection: Connection| {
            let path = dir.path().join("config");
            // Without the configuration of whoever runs the test.
            let text = config(&connection).replace("Include ", "#Include ");
            std::fs::write(&path, text).unwrap();
            async move {
                let mut ssh = tokio::process::Command::new("ssh");
                let output = ssh.arg("-F").arg(path).args(["-G", "lab1"]).output().await.unwrap();
                said(&String::from_utf8_lossy(&output.stdout), "connecttimeout").unwrap().to_owned()
            }
        };
        let typed = vec![("ConnectTimeout".to_owned(), "20".to_owned())];
        for (optional, ssh_options, seconds) in
            [(false, vec![], "10"), (true, vec![], "3"), (false, typed.clone(), "20"), (true, typed, "20")]
        {
            assert_eq!(asked(Connection { optional, ssh_options, ..connection() }).await, seconds);
        }
    }

    /// `ssh -v` on a configuration of these files, the first of which is the one it is given.
    async fn asked(dir: &Path) -> Option<BTreeSet<PathBuf>> {
        let mut ssh = tokio::process::Command::new("ssh");
        let output =
            ssh.arg("-v").arg("-F").arg(dir.join("config")).args(["-G", "lab1"]).output().await.unwrap();
        assert!(output.status.success());
        sources(&String::from_utf8_lossy(&output.stderr))
    }

    #[tokio::test]
    async fn the_files_an_answer_came_from_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let (path, more) = (dir.path(), dir.path().join("more"));
        std::fs::create_dir(&more).unwrap();
        std::fs::write(path.join("config"), format!("Match all\nInclude {}/*.conf\n", more.display()))
            .unwrap();
        assert_eq!(asked(path).await.unwrap(), [path.join("config"), more.clone()].into());
        std::fs::write(more.join("a.conf"), "User me\n").unwrap();
        let all = [path.join("config"), more.clone(), more.join("a.conf")].into();
        assert_eq!(asked(path).await.unwrap(), all);
        for unsure in ["Match exec true", "IdentityAgent ${HOME}", "CanonicalizeHostname=no", "Include */x"] {
            std::fs::write(more.join("a.conf"), format!("  {unsure}\n")).unwrap();
            assert_eq!(asked(path).await, None, "{unsure}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_a_file_it_came_from_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (base, include) = (dir.path().join("base"), dir.path().join("include"));
        private::make_directory(&base).unwrap();
        std::fs::create_dir(&include).unwrap();
        let config = base.join("config");
        std::fs::write(&config, format!("Include {}/*\n", include.display())).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        let age = |path: &Path| std::fs::File::open(path).unwrap().set_modified(old).unwrap();
        let kept = || std::fs::read_dir(&base).unwrap().count() == 2;
        let ask = || async { effective(&connection(), &base, &config).await.unwrap() };
        let user = |answer: &str| said(answer, "user").unwrap().to_owned();

        let first = ask().await;
        assert!(!kept(), "a file that has just changed is not relied on");
        age(&include);
        assert_eq!((ask().await, kept()), (first.clone(), true));
        assert_eq!(ask().await, first);
        std::fs::write(include.join("a"), "User other\n").unwrap();
        assert_eq!(user(&ask().await), "other");
        age(&include.join("a"));
        age(&include);
        assert_eq!(user(&ask().await), "other");
        std::fs::write(include.join("a"), "User third\n").unwrap();
        assert_eq!(user(&ask().await), "third");
    }
}
