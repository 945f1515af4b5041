//! How a container ended that Docker has restarted since: its own account forgets that.
//! It reads Docker's events and nothing else.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bollard::Docker;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::survey::State;

/// Docker keeps its last 256 events; had this one gone, the answer would never come.
const ANSWER: Duration = Duration::from_secs(2);

/// How a container's run ended that began at `started_at`, which is RFC 3339; none if Docker does not
/// tell.
pub(super) async fn ending(docker: &Docker, id: &str, started_at: &str) -> Option<State> {
    let since: Timestamp = started_at.parse().ok()?;
    let since = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
    let filters = HashMap::from([("container", vec![id]), ("event", vec!["oom", "die"])]);
    let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
    timeout(ANSWER, first_end(docker.events(Some(options)))).await.ok().flatten()
}

/// The kernel kills for memory before the container ends, or kills one of its processes only, and
/// the others give up then.
async fn first_end<E>(events: impl Stream<Item = Result<EventMessage, E>>) -> Option<State> {
    let mut events = pin!(events);
    let mut oom = false;
    while let Some(Ok(event)) = events.next().await {
        match event.action.as_deref() {
            Some("oom") => oom = true,
            Some("die") => {
                let code = event.actor?.attributes?.get("exitCode")?.parse().ok()?;
                return Some(State::Exited { code, oom });
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use serde_json::json;

    use super::*;

    fn ended(events: &[serde_json::Value]) -> Option<State> {
        let events = events.iter().map(|event| serde_json::from_value::<EventMessage>(event.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(first_end(stream::iter(events)))
    }

    #[test]
    fn the_first_end_counts_and_what_the_kernel_did_before_it() {
        let die = |code: &str| json!({"Type": "container", "Action": "die", "Actor": {"Attributes": {"exitCode": code}}});
        let oom = json!({"Type": "container", "Action": "oom", "Actor": {"ID": "1"}});
        let exited = |code, oom| Some(State::Exited { code, oom });
        assert_eq!(ended(&[die("2"), oom.clone(), die("137")]), exited(2, false));
        assert_eq!(ended(&[oom.clone(), die("137")]), exited(137, true));
        assert_eq!(ended(&[oom.clone(), die("1"), die("2")]), exited(1, true));
        assert_eq!(ended(&[oom]), None);
        assert_eq!(ended(&[json!({"Action": "die"})]), None);
        assert_eq!(ended(&[json!("gone")]), None);
    }
}
