//! The status table, and the same as JSON.
//! Rows come as data; what is fine was decided there.

use std::collections::BTreeSet;

use anyhow::Result;
use comfy_table::Table;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::out;
use crate::diagnostic::clean;
use crate::names::HostName;
use crate::plan::{Behind, Condition, JSON_VERSION, Row, dropped_note};

/// Shows the rows.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(rows: &[Row], dropped: &BTreeSet<HostName>, as_json: bool) -> Result<()> {
    if as_json {
        return super::plan::json_out(&json(rows, dropped));
    }
    let notes: String = dropped.iter().map(|host| dropped_note(host) + "\n").collect();
    if rows.is_empty() {
        return out(&format!("The inventory asks for nothing, and nothing is there.\n{notes}"));
    }
    let with_gpus = rows.iter().any(|row| !row.gpus.is_empty());
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let with_numbers = rows.iter().any(|row| row.traffic.is_some());
    let mut head = vec!["HOST", "SERVICE", "MODEL", "STATE", "SINCE", "RESTARTS", "ENDPOINT"];
    if with_gpus {
        head.insert(6, "GPU MEMORY");
    }
    if with_numbers {
        head.splice(4..4, ["REQ/MIN", "TOKENS/S", "QUEUE"]);
    }
    table.set_header(head);
    let now = Timestamp::now();
    for row in rows {
        let mut cells = vec![
            row.host.to_string(),
            row.service.as_ref().map_or("-".to_owned(), ToString::to_string),
            model(row),
            state(&row.condition),
            row.since.as_deref().map_or("-".to_owned(), |since| ago(since, now)),
            row.since.as_ref().map_or("-".to_owned(), |_| row.restarts.to_string()),
            row.endpoint.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        if with_gpus {
            cells.insert(6, memory(row));
        }
        if with_numbers {
            cells.splice(4..4, numbers(row));
        }
        table.add_row(cells);
    }
    let text: String =
        table.lines().map(|line| format!("{}\n", line.trim_end().trim_start_matches(' '))).collect();
    out(&clean(&(text + &hints(rows) + &notes)))
}

/// Requests per minute, tokens per second, and how many wait.
fn numbers(row: &Row) -> [String; 3] {
    let traffic = row.traffic.clone().unwrap_or_default();
    let shown = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.1}"));
    let queue = traffic.queue.map_or("-".to_owned(), |number| format!("{number:.0}"));
    [shown(traffic.requests_per_minute), shown(traffic.tokens_per_second), queue]
}

/// What to do about what is known.
fn hints(rows: &[Row]) -> String {
    let hint = |row: &Row| {
        let (finding, service) = (row.finding.as_ref()?, row.service.as_ref()?);
        Some(format!("{}: {service}: {}\n  hint: {}\n", row.host, finding.cause, finding.advice()))
    };
    rows.iter().filter_map(hint).collect()
}

fn json(rows: &[Row], dropped: &BTreeSet<HostName>) -> Value {
    let ok = rows.iter().all(Row::is_fine);
    json!({"version": JSON_VERSION, "ok": ok, "dropped": dropped, "services": rows})
}

fn state(condition: &Condition) -> String {
    let clipped = |why: &str| clean(why).replace('\n', " ").chars().take(80).collect::<String>();
    match condition {
        Condition::InSync => "in sync".to_owned(),
        Condition::Differs(why) => format!("differs: {}", clipped(why)),
        Condition::Unhealthy(why) => format!("unhealthy: {}", clipped(why)),
        Condition::Starting(why) => format!("starting: {}", clipped(why)),
        Condition::Missing(why) if why.is_empty() => "missing".to_owned(),
        Condition::Missing(why) => format!("missing: {}", clipped(why)),
        Condition::Unreachable(why) => format!("unreachable: {}", clipped(why)),
        Condition::Away(why) => format!("away: {}", clipped(why)),
        Condition::Blocked(why) => format!("blocked: {}", clipped(why)),
        Condition::NotAsked => "not asked".to_owned(),
        Condition::NotInInventory => "not in the inventory".to_owned(),
    }
}

/// `3d 4h`: the two largest units.
fn ago(since: &str, now: Timestamp) -> String {
    let Ok(then) = since.parse::<Timestamp>() else { return "-".to_owned() };
    let seconds = now.duration_since(then).as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}

/// The model, or those behind a server of several, with which of them are loaded.
fn model(row: &Row) -> String {
    let one = |model: &Behind| match (model.loaded, &model.amiss) {
        (Some(true), None) => format!("{} (loaded)", model.name),
        (Some(true), Some(amiss)) => format!("{} (loaded, but {amiss})", model.name),
        (Some(false), Some(amiss)) => format!("{} ({amiss})", model.name),
        (Some(false) | None, _) => model.name.to_string(),
    };
    match row.models.as_slice() {
        [] => row.model.as_ref().map_or("-".to_owned(), ToString::to_string),
        several => several.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn memory(row: &Row) -> String {
    let one = |gpu: &crate::survey::Gpu| match (gpu.memory_used, gpu.memory_total) {
        (Some(used), Some(total)) => format!("{used}/{total} MiB"),
        _ => "-".to_owned(),
    };
    if row.gpus.is_empty() { "-".to_owned() } else { row.gpus.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{self, Evidence, Place};
    use crate::names::ServiceName;
    use crate::plan::Traffic;
    use crate::ui::schema;

    #[test]
    fn the_table_as_json_is_what_the_schema_says() {
        let dropped = [HostName::new("old-box").unwrap()].into();
        assert_eq!(schema::problems("status_output", &json(&[], &dropped)), [""; 0]);
        assert_eq!(json(&[], &dropped)["ok"], true);
    }

    #[test]
    fn what_is_known_of_a_service_stands_below_the_table_and_in_the_json() {
        let lines = vec!["LiteLLM proxy refused to start: no master key is set, so".to_owned()];
        let seen = Evidence { lines: &lines, ..Evidence::default() };
        let found = diagnosis::find([crate::gateway::CAUSES], &seen).unwrap();
        let place = |_: &str| Some(Place { at: "hosts.yml:9:5".into(), add_to: Some("the gateway".into()) });
        let row = Row {
            host: HostName::new("nas").unwrap(),
            service: Some(ServiceName::gateway()),
            model: None,
            models: vec![],
            condition: Condition::Unhealthy("it keeps restarting (7 times): it has no master key".into()),
            since: None,
            restarts: 7,
            gpus: vec![],
            endpoint: None,
            traffic: Some(Traffic {
                requests_per_minute: Some(12.34),
                tokens_per_second: None,
                queue: Some(2.0),
            }),
            finding: Some(found.placed(place)),
        };
        let told = hints(std::slice::from_ref(&row));
        assert!(
            told.starts_with("nas: litellm: it has no master key\n  hint: set `master_key` (not set; add it to the gateway, hosts.yml:9:5)"),
            "{told}"
        );
        assert_eq!(numbers(&row), ["12.3", "-", "2"]);
        let json = json(&[row], &BTreeSet::new());
        assert_eq!(schema::problems("status_output", &json), [""; 0]);
        assert_eq!(json["services"][0]["finding"]["id"], "litellm-no-master-key");
    }

    #[test]
    fn a_time_shows_its_two_largest_units() {
        let now: Timestamp = "2026-01-03T04:05:06Z".parse().unwrap();
        for (since, shown) in [
            ("2026-01-03T04:05:01.5Z", "4s"),
            ("2026-01-03T04:02:06Z", "3m 0s"),
            ("2026-01-03T01:00:00Z", "3h 5m"),
            ("2026-01-01T00:00:00Z", "2d 4h"),
            ("never", "-"),
        ] {
            assert_eq!(ago(since, now), shown);
        }
    }
}
