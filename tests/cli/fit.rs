//! `homelab fit` against a hub that is a stand-in: a small server in this test, which answers as Hugging Face's hub is
//! documented to, or badly. Nothing here asks the real one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::program::Test;
use crate::schema;

/// The stand-in; it ends with the test.
struct Hub {
    address: String,
    /// Each request: its first line and its headers, in lower case but for values.
    asked: Receiver<Vec<String>>,
}

/// What is answered at a path: status, further headers, body.
type Answer = (u16, &'static str, Vec<u8>);

fn hub(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (asked_by, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(stream, &answer, &asked_by);
        }
    });
    Hub { address, asked }
}

fn serve(
    mut stream: TcpStream,
    answer: &impl Fn(&str) -> Answer,
    asked: &Sender<Vec<String>>,
) -> std::io::Result<()> {
    let lines =
        BufReader::new(stream.try_clone()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("").to_owned();
    let range = lines.iter().find_map(|line| line.strip_prefix("Range: bytes=0-")?.parse::<usize>().ok());
    let _ = asked.send(lines);
    let (status, headers, body) = answer(&path);
    if headers == ENDLESS {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 1 << 16])?;
        }
    }
    let (status, body) = match range {
        Some(last) if status == 200 => (206, &body[..body.len().min(last + 1)]),
        _ => (status, &body[..]),
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

const ENDLESS: &str = "endless";

impl Hub {
    fn fit(&self, args: &[&str]) -> Test {
        Test::new().env("HF_ENDPOINT", &self.address).args(["fit"]).args(args.iter().copied())
    }

    fn requests(&self) -> Vec<Vec<String>> {
        self.asked.try_iter().collect()
    }

    /// Asks for a model that cannot be found out, and gives what stands in the place of a verdict.
    fn error(&self, model: &str) -> String {
        let ran = self.fit(&[model, "--gpu", "24GB", "--json"]).code(1).run();
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(schema::problems("fit_output", &json), [""; 0]);
        json["models"][0]["error"]["what"].as_str().unwrap().replace(&self.address, "HUB")
    }
}

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn data(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/data/fit/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A repository of safetensors: its list has the sizes, another path the config.
fn qwen(path: &str) -> Answer {
    let list = json!({
        "sha": SHA,
        "siblings": [{"rfilename": "config.json", "size": 700}, {"rfilename": "model-00001-of-00002.safetensors", "size": 4_000_000_000_u64}],
        "safetensors": {"parameters": {"BF16": 4_022_468_096_u64}, "total": 4_022_468_096_u64},
    });
    match path {
        "/api/models/Qwen/Qwen3-4B?blobs=true" => (200, "", list.to_string().into_bytes()),
        "/Qwen/Qwen3-4B/resolve/0123456789abcdef0123456789abcdef01234567/config.json" => {
            (200, "", data("configs/qwen3-4b.json"))
        }
        _ => (404, "", vec![]),
    }
}

#[test]
fn a_repository_is_judged_from_two_answers_and_no_weights() {
    let hub = hub(qwen);
    let expected = format!(
        "✗ too large: Qwen/Qwen3-4B, GPU of 8.00 GiB: the weights alone take 7.49 GiB, and there are 7.36 GiB\n    \
         weights                 7.49 GiB  bfloat16\n    \
         budget                  7.36 GiB  at the very most, of 8.00 GiB\n  \
         instead: A version with 4-bit weights (AWQ or GPTQ, about 2.48 GiB) fits with 8,192 tokens.\n  \
         instead: On 2 such GPUs (tensor_parallel_size) it fits with 8,192 tokens.\n  \
         from: Qwen/Qwen3-4B on {}\n",
        hub.address
    );
    let _ = hub.fit(&["Qwen/Qwen3-4B", "--gpu", "8GB", "--context", "8192"]).stdout(&expected).code(1).run();
    let paths: Vec<String> = hub.requests().iter().map(|lines| lines[0].clone()).collect();
    let config = format!("GET /Qwen/Qwen3-4B/resolve/{SHA}/config.json HTTP/1.1");
    assert_eq!(paths, ["GET /api/models/Qwen/Qwen3-4B?blobs=true HTTP/1.1", config.as_str()]);
    let ran = hub.fit(&["Qwen/Qwen3-4B", "--gpu", "24GB", "--context", "8192", "--json"]).run();
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema::problems("fit_output", &json), [""; 0]);
    assert_eq!(json["models"][0]["verdict"]["outcome"], "fits");
}

#[test]
fn a_token_goes_to_the_hub_alone_and_shows_nowhere() {
    let other = hub(qwen);
    let there = Box::leak(
        format!(
            "Location: {}/Qwen/Qwen3-4B/resolve/{SHA}/config.json\r\n",
            other.address.replace("127.0.0.1", "localhost")
        )
        .into_boxed_str(),
    );
    let there: &'static str = there;
    let first = hub(move |path| if path.starts_with("/api") { qwen(path) } else { (302, there, vec![]) });
    let fit = first.fit(&["Qwen/Qwen3-4B", "--gpu", "24GB", "--json"]).env("HF_TOKEN", "hf_MARKED");
    let ran = fit.run();
    assert!(!ran.stdout.contains("MARKED"));
    let with_token = |lines: &Vec<String>| lines.iter().any(|line| line == "Authorization: Bearer hf_MARKED");
    let (asked, led) = (first.requests(), other.requests());
    assert_eq!(asked.iter().filter(|lines| with_token(lines)).count(), 2, "{asked:?}");
    assert!(led.len() == 1 && !with_token(&led[0]), "{led:?}");
}

/// A repository of GGUF files.
fn gguf(path: &str) -> Answer {
    let file = |name: &str, size: u64| json!({"rfilename": name, "size": size});
    let siblings =
        [file("tiny-Q4_K_M.gguf", 20_000), file("tiny-Q8_0.gguf", 40_000), file("mmproj-F16.gguf", 1 << 20)];
    match path {
        "/api/models/me/tiny-GGUF?blobs=true" => {
            (200, "", json!({"sha": SHA, "siblings": siblings}).to_string().into_bytes())
        }
        path if path.ends_with("Q4_K_M.gguf") => (200, "", data("gguf/qwen3.gguf")),
        path if path.ends_with("Q8_0.gguf") => {
            (200, "", b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0".to_vec())
        }
        _ => (404, "", vec![]),
    }
}

#[test]
fn of_a_gguf_file_only_the_first_bytes_are_asked_for() {
    let hub = hub(gguf);
    let ran = hub.fit(&["me/tiny-GGUF", "--gpu", "8GB"]).run();
    assert!(
        ran.stdout.starts_with("✓ fits: me/tiny-GGUF, GPU of 8.00 GiB: it fits with 40,960 tokens;"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("the projector mmproj-F16.gguf"), "{}", ran.stdout);
    let asked = hub.requests();
    assert!(asked[1].contains(&"Range: bytes=0-1048575".to_owned()), "{asked:?}");
    assert_eq!(
        hub.error("me/tiny-GGUF:Q8_0"),
        "tiny-Q8_0.gguf: it claims 18446744073709551615 tensors and 0 keys"
    );
    let missing = "tiny-Q4_K_M.gguf, tiny-Q8_0.gguf";
    assert_eq!(
        hub.error("me/tiny-GGUF:Q2_K"),
        format!("me/tiny-GGUF on HUB has no GGUF file of the quantisation Q2_K: mmproj-F16.gguf, {missing}")
    );
}

#[test]
fn what_a_hub_refuses_or_says_badly_is_told() {
    let told = |answer: Answer| hub(move |_| answer.clone()).error("me/model");
    assert_eq!(told((404, "", vec![])), "HUB has no me/model");
    assert_eq!(
        told((401, "", vec![])),
        "HUB shows me/model to nobody without the right to see it, or has none of that name"
    );
    assert_eq!(told((503, "", vec![])), "HUB answers 503 when asked for me/model");
    assert_eq!(
        told((200, "", b"{}".to_vec())),
        "me/model on HUB has neither safetensors with a config.json nor GGUF files"
    );
    assert!(
        told((200, "", b"\x1b[2J<html>".to_vec())).starts_with("HUB sends a list of files that is none: ")
    );
    assert_eq!(
        told((200, ENDLESS, vec![])),
        "HUB sends more than 16 MiB for /api/models/me/model?blobs=true"
    );
    assert!(told((302, "Location: /again\r\n", vec![])).contains("Maximum (5) redirects followed"));
    assert!(told((302, "Location: file:///etc/passwd\r\n", vec![])).contains("not supported or disabled"));
    let hostile = r#"{"siblings": [{"rfilename": "../../x.gguf", "size": 18446744073709551615}]}"#;
    assert_eq!(
        told((200, "", hostile.as_bytes().to_vec())),
        "me/model on HUB has neither safetensors with a config.json nor GGUF files"
    );
}

#[test]
fn no_hub_is_asked_for_what_is_no_repository() {
    let hub = hub(qwen);
    for name in ["model", "a/b/c", "-K/x", "../nowhere", "a/b?x=1", "@/etc/passwd"] {
        let mut all = vec!["--gpu", "8GB", "--json"];
        all.extend(["--", name]);
        let ran = hub.fit(&all).code(1).run();
        assert!(ran.stdout.contains("is no repository, directory or file"), "{}", ran.stdout);
    }
    assert!(hub.requests().is_empty());
}

#[test]
fn a_directory_and_a_model_of_the_inventory_need_no_hub() {
    let config = String::from_utf8(data("configs/qwen3-4b.json")).unwrap();
    let inventory = "all:\n  hosts:\n    box:\n      ansible_host: 10.0.0.9\n      models:\n        small: {engine: vllm, model: ./m, port: 8000, \
                     gpu: 0, gpu_memory_utilization: 0.25, max_model_len: 8192}\n      gateway: {engine: litellm}\n";
    let test = |args: &[&str]| {
        let test = Test::new().file("inventory.yml", inventory).file("m/config.json", &config);
        test.file("m/model.safetensors", &"x".repeat(1000)).args(["fit"]).args(args.iter().copied())
    };
    let _ = test(&["./m", "--gpu", "8GB"])
        .stdout_holds("! tight: ./m, GPU of 8.00 GiB: it should fit with 40,960 tokens")
        .run();
    let ran = test(&["small", "--gpu", "24GB"]).run();
    assert!(
        ran.stdout.starts_with("✓ fits: small on box, GPU of 24.00 GiB: it fits with 8,192 tokens"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("0.25 of 23.52 GiB"), "{}", ran.stdout);
    let ran = test(&["--gpu", "24GB"]).run();
    assert!(ran.stdout.contains("small on box"), "{}", ran.stdout);
}
