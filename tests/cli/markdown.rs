//! `--format markdown`: a plan as a comment on a pull request, whoever wrote the pull request.

use crate::program::{FINE, Test};

fn markdown(base: &str, head: &str) -> Test {
    let test = Test::new().file("base/inventory.yml", base).file("inventory.yml", head);
    test.args(["plan", "--offline", "--against", "base", "--format", "markdown"])
}

const NOTE: &str = "\
> `Not known offline: what really runs (the base counts as deployed as it stands); free ports, images, networks and GPUs; \
home directories (shown as ~); addresses from ssh's own configuration.`
";

#[test]
fn a_plan_is_a_list_per_host() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    let expected = format!(
        "\
**homelab plan**: 2 to change, 1 to remove; 1 service is interrupted.

{NOTE}
### `box`

- `~ write compose.yml`
- `~ replace tiny: --ctx-size 8192 is new  (interrupts it)`
- `ask the gateway for tiny: a model behind it changed`
- `- remove tiny's previous version`
"
    );
    let _ = markdown(FINE, &head).stdout(&expected).run();
    let _ =
        markdown(FINE, FINE).stdout(&format!("**homelab plan**: Nothing changes on 1 host.\n\n{NOTE}")).run();
}

#[test]
fn diffs_fold_out() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    let ran = markdown(FINE, &head).args(["--diff"]).run();
    let from = ran.stdout.find("<details>").unwrap();
    let shown = &ran.stdout[from..];
    assert!(
        shown.starts_with(
            "<details><summary><code>box/compose.yml</code></summary>\n\n```diff\n--- box/compose.yml\n"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("\n```\n\n</details>\n"), "{shown}");
}

/// What of Markdown stands outside of code: what a reader's browser makes something of.
fn outside_of_code(markdown: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.lines() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        match fence {
            Some(open) => {
                if ticks >= open && line[ticks..].trim().is_empty() {
                    fence = None;
                }
            }
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => out += &(without_spans(line) + "\n"),
        }
    }
    assert_eq!(fence, None, "a fence is never closed");
    out
}

/// A line without its code spans: each ends at the next run of as many backticks.
fn without_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].chars().take_while(|c| *c == '`').count();
        let fence = "`".repeat(ticks);
        out += &rest[..start];
        let after = &rest[start + ticks..];
        let mut at = 0;
        let end = loop {
            let Some(found) = after[at..].find(&fence) else { panic!("a span is never closed: {line}") };
            let run = after[at + found..].chars().take_while(|c| *c == '`').count();
            if run == ticks {
                break at + found;
            }
            at += found + run;
        };
        rest = &after[end + ticks..];
    }
    out + rest
}

#[test]
fn nothing_in_it_is_markdown_or_html_of_somebody_else() {
    let evil = "@all #1 <img src=x onerror=alert(1)> </details> ``` `` ` ![x](http://evil.example/) | a |";
    let quoted = serde_json::to_string(&format!("x\n```\n\n# {evil}\n</details>\n~~~\n{evil}")).unwrap();
    let keys = format!(
        "image: {quoted}, environment: {{V: {quoted}}}, labels: {{{quoted}: {quoted}}}, configs: {{/c: {quoted}}}"
    );
    let head = FINE.replace("gpu: none}", &format!("gpu: none, {keys}}}"));
    let file = format!("x\n```\n\n# {evil}\n</details>\n~~~\n{evil}");
    // No file can be called that: it holds slashes.
    let head = head.replace(&format!("configs: {{/c: {quoted}}}"), "configs: {/c: \"`<b>@all.txt\"}");
    let ran = markdown(FINE, &head).file("`<b>@all.txt", &file).args(["--diff"]).run();
    assert!(ran.stdout.contains("onerror"), "it must be there, in code: {}", ran.stdout);
    let shown = outside_of_code(&ran.stdout);
    let tags = ["<details><summary><code>", "</code></summary>", "</details>"];
    let bare = tags.iter().fold(shown, |text, tag| text.replace(tag, ""));
    for bad in ["<", "@", "http", "[", "|", "onerror", "~~~"] {
        assert!(!bare.contains(bad), "{bad} is outside of code in\n{bare}");
    }
    assert!(bare.contains("&#96;&#60;b&#62;&#64;all"), "{bare}");
    let headings: Vec<&str> =
        bare.lines().filter(|line| line.contains('#') && !line.contains("&#")).collect();
    assert_eq!(headings, ["### "]);
}

#[test]
fn a_file_cannot_end_the_block_it_is_shown_in() {
    let inventory = FINE.replace("gpu: none}", "gpu: none, configs: {/t.md: t.md}}");
    let ran = markdown(&inventory, &inventory)
        .file("base/t.md", "```\n</details>\n@all\nold\n")
        .file("t.md", "```\n</details>\n@all\nnew\n")
        .args(["--diff"])
        .run();
    assert!(ran.stdout.contains("\n ```\n </details>\n @all\n-old\n+new\n````\n"), "{}", ran.stdout);
    assert!(!outside_of_code(&ran.stdout).contains('@'), "{}", ran.stdout);
}

#[test]
fn however_large_it_fits_into_a_comment() {
    let models: String = (0..400)
        .map(|i| {
            format!(
                "        m{i}: {{engine: llama_cpp, model: /models/a.gguf, port: {}, gpu: none}}\n",
                9000 + i
            )
        })
        .collect();
    let head = FINE.replace("      models:\n", &format!("      models:\n{models}"));
    let ran = markdown(FINE, &head).args(["--diff"]).run();
    assert!(ran.stdout.chars().count() <= 65_536 && ran.stdout.len() > 60_000, "{}", ran.stdout.len());
    assert!(ran.stdout.contains("more lines"), "it says that it is cut");
    let _ = outside_of_code(&ran.stdout);
    let file: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    let inventory = FINE.replace("gpu: none}", "gpu: none, configs: {/a: a.txt, /b: b.txt}}");
    let ran = markdown(FINE, &inventory).file("a.txt", &file).file("b.txt", &file).args(["--diff"]).run();
    assert!(ran.stdout.chars().count() <= 65_536, "{}", ran.stdout.len());
    assert!(
        ran.stdout.contains("\n… ") && ran.stdout.contains(" more lines\n```\n"),
        "a diff is cut between lines"
    );
    assert!(ran.stdout.contains(" more files; `homelab plan --diff` shows them.\n"));
    let _ = outside_of_code(&ran.stdout);
}
