//! What llama.cpp does while it starts, from the lines of its log.
//! It reads one line at a time and remembers none.

use super::super::Phase;

/// What stands in messages and what it tells. Function names stand before most messages, and
/// they changed with the releases, so the words after them count. A download tells nothing where
/// there is no terminal (seen with 0.7.0; the other lines are of tools/server and common/).
const MESSAGES: &[(&str, &str)] = &[
    ("llama_server: initializing", "starting"),
    ("loading model '", "loading"),
    ("loading model tensors", "loading"),
    ("load_model: initializing, n_slots", "warming up"),
    ("warming up the model with an empty run", "warming up"),
    ("model loaded", "starting the server"),
    ("listening on http", "starting the server"),
];

pub(super) fn phase(line: &str) -> Option<Phase> {
    let line = line.trim();
    let (stamped, message) = message(line);
    let (_, what) = MESSAGES.iter().find(|(words, _)| stamped && message.contains(words))?;
    Some(Phase { what: (*what).to_owned(), percent: None })
}

/// Whether a line is one of the log's own, and what stands after its time and level, as in
/// `0.00.016.111 I srv    load_model: loading model '/m.gguf'`. A server of before 2026 stamps no
/// lines. Errors and warnings tell of no progress.
fn message(line: &str) -> (bool, &str) {
    let mut parts = line.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(time), Some(level), Some(rest)) if is_time(time) && level.len() == 1 => (level == "I", rest),
        _ => (line.starts_with("srv ") || line.starts_with("main: ") || line.contains("common_init"), line),
    }
}

fn is_time(word: &str) -> bool {
    word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Vec<String> {
        let mut told: Vec<String> = log.lines().filter_map(phase).map(|p| p.what).collect();
        told.dedup();
        told
    }

    #[test]
    fn a_whole_start_is_told_in_order() {
        let log = include_str!("../../../tests/data/engine/llama.cpp-0.7.0-start.log");
        assert_eq!(told(log), ["starting", "loading", "warming up", "starting the server"]);
    }

    #[test]
    fn a_failed_start_gets_no_further_than_it_did() {
        let loading = [
            include_str!("../../../tests/data/engine/llama.cpp-0.7.0-missing-file.log"),
            include_str!("../../../tests/data/engine/llama.cpp-0.7.0-not-gguf.log"),
            include_str!("../../../tests/data/engine/llama.cpp-0.7.0-truncated.log"),
            include_str!("../../../tests/data/engine/llama.cpp-0.7.0-unknown-arch.log"),
            include_str!("../../../tests/data/engine/llama.cpp-0.7.0-no-network.log"),
        ];
        for log in loading {
            assert_eq!(told(log), ["starting", "loading"]);
        }
        let log = include_str!("../../../tests/data/engine/llama.cpp-0.7.0-bad-flag.log");
        assert_eq!(told(log), Vec::<String>::new());
    }

    #[test]
    fn older_lines_without_a_stamp_are_known() {
        let log = "srv    load_model: loading model '/models/a.gguf'\n\
                   common_init_from_params: warming up the model with an empty run - please wait ...\n\
                   main: model loaded\n\
                   main: server is listening on http://0.0.0.0:8080 - starting the main loop";
        assert_eq!(told(log), ["loading", "warming up", "starting the server"]);
    }

    #[test]
    fn requests_tell_nothing() {
        for line in ["", ".", "I", "0.1 I", "{\"content\": \"model loaded\"}", "user: listening on http"] {
            assert_eq!(phase(line), None, "{line}");
        }
    }
}
