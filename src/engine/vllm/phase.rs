//! What vLLM does while it starts and why it ends, from the lines of its log.
//! It judges what it is given and remembers nothing.

use super::super::Phase;

/// The beginnings of messages and what they tell, for 0.33 and back to the 0.11 of NVIDIA's
/// 26.01 image. A finished step tells of the next one, so "Loading weights took" is no longer
/// loading. (vllm/v1/worker/gpu_model_runner.py, vllm/v1/worker/gpu_worker.py,
/// vllm/compilation/monitor.py and backends.py, vllm/v1/core/kv_cache_utils.py,
/// vllm/v1/engine/core.py, vllm/entrypoints/launchers/)
const BEGINNINGS: &[(&str, &str)] = &[
    ("non-default args:", STARTING),
    ("Resolved architecture:", STARTING),
    ("Using max model len", STARTING),
    ("Initializing a V1 LLM engine", STARTING),
    ("Starting to load model", LOADING),
    ("Loading model from scratch", LOADING),
    ("Loading drafter model", LOADING),
    ("Time spent downloading weights", LOADING),
    ("Filesystem type for checkpoints", LOADING),
    ("Loading safetensors", LOADING),
    ("Loading pt checkpoint shards", LOADING),
    ("Loading np_cache checkpoint shards", LOADING),
    ("Multi-thread loading", LOADING),
    ("Loading weights took", WARMING_UP),
    ("Model loading took", WARMING_UP),
    ("Starting torch.compile", COMPILING),
    ("Using cache directory:", COMPILING),
    ("Dynamo bytecode transform time", COMPILING),
    ("Cache the graph", COMPILING),
    ("Compiling a graph", COMPILING),
    ("Directly load the compiled graph", COMPILING),
    ("Warming up model for the compilation", COMPILING),
    ("torch.compile took", WARMING_UP),
    ("torch.compile takes", WARMING_UP),
    ("saved AOT compiled function", WARMING_UP),
    ("Initial profiling/warmup run took", WARMING_UP),
    ("Warming up done", WARMING_UP),
    ("Available KV cache memory", WARMING_UP),
    ("GPU KV cache size", WARMING_UP),
    ("CPU KV cache size", WARMING_UP),
    ("Maximum concurrency for", WARMING_UP),
    ("Profiling CUDA graph memory", WARMING_UP),
    ("Capturing CUDA graph", WARMING_UP),
    ("Graph capturing finished", WARMING_UP),
    ("JIT kernel warmup", WARMING_UP),
    ("DeepGEMM warmup", WARMING_UP),
    ("init engine (", SERVING),
    ("Supported tasks:", SERVING),
    ("Starting vLLM server on", SERVING),
    ("Starting vLLM API server", SERVING),
    ("Started server process", SERVING),
    ("Waiting for application startup", SERVING),
    ("Application startup complete", SERVING),
];

const STARTING: &str = "starting";
const LOADING: &str = "loading";
const COMPILING: &str = "compiling";
const WARMING_UP: &str = "warming up";
const SERVING: &str = "starting the server";

pub(super) fn phase(line: &str) -> Option<Phase> {
    // Some bars redraw themselves, so one line holds many states; the last one counts.
    let line = line.trim_end().rsplit('\r').next()?;
    let message = message(line);
    let (_, what) = BEGINNINGS.iter().find(|(beginning, _)| message.starts_with(beginning))?;
    Some(Phase { what: (*what).to_owned(), percent: percent(message) })
}

/// The error of the process that has the model, where the server's own last words are "See root cause
/// above" (vllm/v1/engine/utils.py, `wait_for_engine_startup`; vllm/v1/executor/multiproc_executor.py):
/// the first exception that a process logged. The traceback of a server follows every one of them.
pub(super) fn cause(log: &[String]) -> Option<usize> {
    let refers = log.iter().any(|line| line.contains("root cause"));
    log.iter().position(|line| refers && is_exception(line))
}

/// `… ERROR 11-22 10:31:07 [core.py:1510] ValueError: why`, and no line of its traceback.
fn is_exception(line: &str) -> bool {
    let logged = line.split_once("] ").filter(|(place, _)| place.contains("ERROR "));
    let name = logged.and_then(|(_, message)| message.split_once(": ")).map_or("", |(name, _)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    name.chars().all(plain) && ["Error", "Exception"].iter().any(|end| name.ends_with(end))
}

/// A line without what stands before the message (vllm/logger.py): the process, as in
/// `(EngineCore pid=123)`; the level with time and place; a part of the model in brackets.
pub(super) fn message(line: &str) -> &str {
    let line = line.trim_start();
    let line = match line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        Some((process, rest)) if process.contains("pid=") => rest.trim_start(),
        _ => line,
    };
    let line = level(line).unwrap_or(line).trim_start();
    line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(line, |(_, rest)| rest)
}

/// What follows `INFO 11-22 10:31:07 [file.py:12] `, or uvicorn's `INFO:     `.
fn level(line: &str) -> Option<&str> {
    let (level, _) = line.split_once(|c: char| !c.is_ascii_uppercase())?;
    if !["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].contains(&level) {
        return None;
    }
    let rest = &line[level.len()..];
    match rest.strip_prefix(':') {
        Some(message) => Some(message),
        None => rest.split_once("] ").map(|(_, message)| message),
    }
}

/// The number of a progress bar, as in `…:  43%|███ | 3/7` and `…:  43% Completed | 3/7`.
fn percent(message: &str) -> Option<u8> {
    let (before, after) = message.split_once('%')?;
    let bar = after.starts_with('|') || after.starts_with(" Completed");
    let number = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok().filter(|percent| bar && *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        match phase(line) {
            Some(Phase { what, percent: Some(percent) }) => format!("{what} {percent} %"),
            Some(Phase { what, percent: None }) => what,
            None => "-".to_owned(),
        }
    }

    #[test]
    fn a_whole_start_is_told_in_order() {
        let log = include_str!("../../../tests/data/engine/vllm-0.32-cpu-start.log");
        let mut told: Vec<String> = log.lines().map(told).filter(|t| t != "-").collect();
        told.dedup();
        assert_eq!(
            told,
            [
                "starting",
                "loading",
                "loading 0 %",
                "loading 100 %",
                "warming up",
                "compiling",
                "warming up",
                "starting the server"
            ]
        );
    }

    macro_rules! failed {
        ($name:literal) => {
            include_str!(concat!("../../../tests/data/engine/vllm-0.32-cpu-", $name, ".log"))
        };
    }

    #[test]
    fn a_failed_start_gets_no_further_than_it_did() {
        let told = |log: &str| {
            let mut told: Vec<String> = log.lines().map(told).filter(|t| t != "-").collect();
            told.dedup();
            told
        };
        assert_eq!(told(failed!("bad-flag")), Vec::<String>::new());
        for log in [
            failed!("bad-tool-parser"),
            failed!("context-too-long"),
            failed!("unsupported-architecture"),
            failed!("no-network"),
            failed!("out-of-memory"),
            failed!("no-config"),
            failed!("unknown-quantization"),
            failed!("two-parts"),
        ] {
            assert_eq!(told(log), ["starting"], "{log}");
        }
        assert_eq!(told(failed!("truncated-weights")), ["starting", "loading", "loading 0 %"]);
        let loaded = ["starting", "loading", "loading 0 %", "loading 100 %", "warming up"];
        assert_eq!(told(failed!("kv-cache-too-small")), loaded);
    }

    #[test]
    fn the_error_that_the_last_lines_refer_to_is_found() {
        let why = |log: &str| {
            let lines: Vec<String> = log.lines().map(str::to_owned).collect();
            cause(&lines).map(|at| lines[at].split_once("] ").unwrap().1.to_owned()).unwrap_or_default()
        };
        let found = why(failed!("kv-cache-too-small"));
        assert!(found.starts_with("ValueError: To serve at least one request"), "{found}");
        // The worker's, not that of the engine that had the worker.
        let found = why(failed!("truncated-weights"));
        let wanted = "safetensors._safetensors_rust.SafetensorError: Error while deserializing header";
        assert!(found.starts_with(wanted), "{found}");
        // These end with their error.
        for log in
            [failed!("bad-flag"), failed!("no-config"), failed!("no-network"), failed!("out-of-memory")]
        {
            assert_eq!(why(log), "", "{log}");
        }
        let older = "(EngineCore_DP0 pid=95) ERROR 11-22 10:31:07 [core.py:708]     self.run()\n\
            (EngineCore_DP0 pid=95) ERROR 11-22 10:31:07 [core.py:708] ValueError: no room\n\
            RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}";
        assert_eq!(why(older), "ValueError: no room");
        assert_eq!(why("ERROR 11-22 10:31:07 [serving.py:7] ValueError: a bad question"), "");
    }

    #[test]
    fn requests_and_warnings_tell_nothing() {
        for line in [
            "INFO:     172.17.0.1:59042 - \"GET /health HTTP/1.1\" 200 OK",
            "(APIServer pid=1) INFO 11-22 10:57:55 [launcher.py:195] Route: /health, Methods: GET",
            "(APIServer pid=1) INFO 11-22 10:57:55 [loggers.py:9] Engine 000: GPU KV cache usage: 50.0%",
            "Traceback (most recent call last):",
            "INFO",
            "(",
            "",
        ] {
            assert_eq!(told(line), "-", "{line}");
        }
    }

    #[test]
    fn the_lines_of_gpus_and_of_older_releases_are_known() {
        let cases = [
            (
                "(EngineCore pid=28) INFO 11-22 10:31:07 [gpu_model_runner.py:5089] Model loading took 2.49 GiB memory and 4.1 seconds",
                "warming up",
            ),
            (
                "(EngineCore_DP0 pid=95) INFO 11-22 10:31:07 [backends.py:559] Using cache directory: /root/.cache/vllm/torch_compile_cache/4f/rank_0_0/backbone for vLLM's torch.compile",
                "compiling",
            ),
            (
                "(EngineCore pid=28) INFO 11-22 10:31:07 [monitor.py:40] [backbone] torch.compile took 21.20 s in total",
                "warming up",
            ),
            ("INFO 06-22 10:31:07 [monitor.py:34] torch.compile takes 40.00 s in total", "warming up"),
            ("INFO 11-22 10:31:07 [kv_cache_utils.py:1087] GPU KV cache size: 23,456 tokens", "warming up"),
            (
                "Capturing CUDA graphs (decode, FULL):  43%|████▎     | 3/7 [00:01<00:01,  2.9it/s]",
                "warming up 43 %",
            ),
            (
                "\rCapturing CUDA graphs (PIECEWISE):   0%|   | 0/7\rCapturing CUDA graphs (PIECEWISE): 100%|███| 7/7 [00:02<00:00]",
                "warming up 100 %",
            ),
            (
                "(EngineCore_DP0 pid=95) Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01,  1.2s/it]",
                "loading 50 %",
            ),
            (
                "(Worker_TP0 pid=96) INFO 11-22 10:31:07 [weight_utils.py:518] Time spent downloading weights for Qwen/Qwen3-4B: 93.1 seconds",
                "loading",
            ),
            (
                "(APIServer pid=1) INFO 11-22 10:31:07 [api_server.py:1977] Starting vLLM API server 0 on http://0.0.0.0:8000",
                "starting the server",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(told(line), expected, "{line}");
        }
    }
}
