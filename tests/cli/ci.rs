//! docs/ci.md: its own commands, run on a git repository with two branches; what its workflows may.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml::Value;

use crate::program::FINE;

/// The YAML blocks of the page: two workflows of GitHub's, one of GitLab's.
fn blocks() -> Vec<Value> {
    let page = include_str!("../../docs/ci.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.map(|text| serde_yaml::from_str(text).unwrap()).collect()
}

fn steps(workflow: &Value) -> Vec<Value> {
    let jobs = workflow["jobs"].as_mapping().unwrap();
    jobs.values().flat_map(|job| job["steps"].as_sequence().unwrap().clone()).collect()
}

/// The script of a step.
fn script(workflow: &Value, name: &str) -> String {
    let steps = steps(workflow);
    let step = steps.iter().find(|step| step["name"].as_str() == Some(name)).unwrap();
    step["run"].as_str().unwrap().to_owned()
}

/// A repository whose branch `change` differs from `main`, and a place for what a runner has.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new(head: &str) -> Self {
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(repository.path("work")).unwrap();
        fs::create_dir_all(repository.path("temp")).unwrap();
        let git = |script: &str| repository.succeeds(script, &[]);
        git("git init --quiet --initial-branch main");
        fs::write(repository.path("work/inventory.yml"), FINE).unwrap();
        git("git add . && git commit --quiet -m base && git checkout --quiet -b change");
        fs::write(repository.path("work/inventory.yml"), head).unwrap();
        git("git commit --quiet -am change && git checkout --quiet main");
        // Somebody else was merged meanwhile: the base is not what the branch began from.
        fs::write(repository.path("work/README"), "later").unwrap();
        git("git add . && git commit --quiet -m later");
        repository
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Runs a script as a runner does, with nothing secret and no ssh.
    fn run(&self, script: &str, env: &[(&str, &str)]) -> Output {
        let homelab = Path::new(env!("CARGO_BIN_EXE_homelab")).parent().unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.path("bin").display(), homelab.display());
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(self.path("work"));
        command.env_clear().env("PATH", path).env("HOME", self.dir.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "me").env(format!("GIT_{who}_EMAIL"), "me@example.net");
        }
        command.env("RUNNER_TEMP", self.path("temp")).env("GITHUB_STEP_SUMMARY", self.path("summary"));
        command.envs(env.iter().copied()).output().unwrap()
    }

    fn succeeds(&self, script: &str, env: &[(&str, &str)]) -> String {
        let output = self.run(script, env);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What GitHub checks out for a pull request: the change merged into its base.
    fn merged(self) -> Self {
        let merge = "git checkout --quiet --detach && git merge --quiet --no-ff -m merge change";
        let _ = self.succeeds(merge, &[]);
        self
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

fn changed() -> String {
    FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}")
}

#[test]
fn github_s_plan_is_that_of_the_pull_request() {
    let repository = Repository::new(&changed()).merged();
    let _ = repository.succeeds(&script(&blocks()[0], "Plan"), &[("NUMBER", "7")]);
    let plan = repository.read("temp/result/plan.md");
    assert!(
        plan.starts_with("**homelab plan**: 2 to change, 1 to remove; 1 service is interrupted.\n"),
        "{plan}"
    );
    assert!(plan.contains("- `~ replace tiny: --ctx-size 8192 is new  (interrupts it)`\n"), "{plan}");
    assert!(plan.contains("<details><summary><code>box/compose.yml</code></summary>"), "{plan}");
    assert_eq!(repository.read("summary"), plan);
    assert_eq!(repository.read("temp/result/number"), "7\n");
}

#[test]
fn github_s_plan_of_a_broken_inventory_fails_and_says_so() {
    let repository = Repository::new("all: {hosts: [}").merged();
    let output = repository.run(&script(&blocks()[0], "Plan"), &[("NUMBER", "7")]);
    assert_eq!(output.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--> inventory.yml:1:"));
    let said = "homelab cannot read the inventory; the log of this check says where.\n";
    assert_eq!(repository.read("temp/result/plan.md"), said);
}

#[test]
fn gitlab_s_plan_is_that_of_the_merge_request() {
    let repository = Repository::new(&changed());
    let _ = repository.succeeds("git checkout --quiet change && git remote add origin .", &[]);
    let base = repository.succeeds("git merge-base main change", &[]);
    let lines = blocks()[2]["homelab-plan"]["script"].as_sequence().unwrap().clone();
    let script: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    let work = repository.path("work").display().to_string();
    let env = [("CI_PROJECT_DIR", work.as_str()), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.trim())];
    let said = repository.succeeds(&script.join("\n"), &env);
    let plan = repository.read("work/plan.md");
    assert!(plan.starts_with("**homelab plan**: 2 to change"), "{plan}");
    assert!(said.ends_with(&plan), "{said}");
}

/// A stand-in for GitHub's client, which a test cannot ask: it answers from files and writes down
/// what it is asked. What GitHub makes of that is not tested here.
const GH: &str = r#"#!/bin/bash
echo "$*" >> "$HOME/asked"
case "$*" in
  *pulls/7*) echo c0ffee ;;
  *"--paginate"*) cat "$HOME/comments" ;;
  *body=@body.md*) cp body.md "$HOME/posted" ;;
esac
"#;

fn comment(number: &str, comments: &str, head: &str) -> (Repository, Output) {
    let repository = Repository::new(&changed());
    fs::create_dir_all(repository.path("bin")).unwrap();
    fs::write(repository.path("bin/gh"), GH).unwrap();
    fs::set_permissions(repository.path("bin/gh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(repository.path("work/result")).unwrap();
    fs::write(repository.path("work/result/number"), number).unwrap();
    fs::write(repository.path("work/result/plan.md"), "x".repeat(70_000)).unwrap();
    fs::write(repository.path("comments"), comments).unwrap();
    let script = script(&blocks()[1], "Comment");
    let output = repository.run(&script, &[("GH_REPO", "me/home"), ("HEAD_SHA", head)]);
    (repository, output)
}

#[test]
fn a_comment_is_made_once_and_renewed_then() {
    for (comments, wanted) in [
        ("", "api --silent --method POST repos/me/home/issues/7/comments --field body=@body.md"),
        ("41\n42\n", "api --silent --method PATCH repos/me/home/issues/comments/41 --field body=@body.md"),
    ] {
        let (repository, output) = comment("7\n", comments, "c0ffee");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(repository.read("asked").lines().last(), Some(wanted));
        let posted = repository.read("posted");
        assert!(posted.starts_with("<!-- homelab plan -->\nxxx") && posted.len() < 65_536);
    }
}

#[test]
fn a_number_that_is_not_the_pull_request_s_is_refused() {
    for (number, head) in [("7", "another"), ("8", "c0ffee"), ("../../x", "c0ffee"), ("", "c0ffee")] {
        let (repository, output) = comment(number, "", head);
        assert!(!output.status.success(), "{number} {head}");
        assert!(!repository.path("posted").exists(), "{number} {head}");
    }
}

#[test]
fn workflows_pin_what_they_use_and_ask_for_little() {
    let blocks = blocks();
    for workflow in &blocks[..2] {
        for step in steps(workflow) {
            if let Some(uses) = step["uses"].as_str() {
                let (_, commit) = uses.split_once('@').unwrap();
                assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses}");
            }
            // What an event says goes in by the environment, never into a script.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step:?}");
        }
    }
    let yaml = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    assert_eq!(blocks[0]["permissions"], yaml("{contents: read}"));
    assert_eq!(blocks[0]["on"], yaml("pull_request"));
    assert_eq!(blocks[1]["permissions"], yaml("{}"));
    assert_eq!(blocks[1]["jobs"]["comment"]["permissions"], yaml("{actions: read, pull-requests: write}"));
    let page = include_str!("../../docs/ci.md");
    assert!(!page.contains("secrets."), "no workflow is given a secret");
    assert!(
        !steps(&blocks[1]).iter().any(|step| step["uses"].as_str().is_some_and(|u| u.contains("checkout")))
    );
}
