//! What services are doing, in the numbers that Prometheus has of them.
//! It reads an answer; it asks nobody.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Role, api_base};
use crate::desired::{Desired, DesiredService};
use crate::names::{HostName, ServiceName};

use super::Row;

/// What a service or an endpoint is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// What the gateway asked it for in the last five minutes, per minute.
    pub requests_per_minute: Option<f64>,
    /// Tokens of its answers in the last minute, per second.
    pub tokens_per_second: Option<f64>,
    /// Requests that wait in it now.
    pub queue: Option<f64>,
}

/// Numbers by whose they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// By the URLs that the gateway asked: what it knows a backend by, and often what it asked there.
    requests: BTreeMap<String, f64>,
    /// By host and name of the model.
    tokens: BTreeMap<(String, String), f64>,
    queue: BTreeMap<(String, String), f64>,
}

impl Numbers {
    /// Reads Prometheus's answer to [`crate::companion::question`]; nothing of what has another form.
    #[must_use]
    pub fn read(answer: &Value) -> Self {
        let mut all = Self::default();
        for sample in answer["data"]["result"].as_array().into_iter().flatten() {
            let value = sample["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let label = |name: &str| sample["metric"][name].as_str().unwrap_or_default().to_owned();
            let whose = (label("host"), label("model"));
            match label("number").as_str() {
                "requests" => drop(all.requests.insert(label("api_base"), value)),
                "tokens" => drop(all.tokens.insert(whose, value)),
                "queue" => drop(all.queue.insert(whose, value)),
                _ => {}
            }
        }
        all
    }

    fn of(&self, whose: &(String, String), api_base: Option<&str>) -> Option<Traffic> {
        let traffic = Traffic {
            requests_per_minute: api_base.and_then(|url| self.below(url)),
            tokens_per_second: self.tokens.get(whose).copied(),
            queue: self.queue.get(whose).copied(),
        };
        (traffic != Traffic::default()).then_some(traffic)
    }

    /// The requests to a URL and to what is below it.
    fn below(&self, url: &str) -> Option<f64> {
        let url = url.trim_end_matches('/');
        let is_below = |asked: &str| {
            asked.strip_prefix(url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let all: Vec<f64> =
            self.requests.iter().filter(|(asked, _)| is_below(asked)).map(|(_, value)| *value).collect();
        (!all.is_empty()).then(|| all.iter().sum())
    }
}

impl Row {
    /// The same with its numbers.
    #[must_use]
    pub fn with_numbers(mut self, desired: &Desired, numbers: &Numbers) -> Self {
        let Some(model) = &self.model else { return self };
        let whose = (self.host.to_string(), model.to_string());
        let url = match &self.service {
            Some(name) => url(desired, &self.host, name),
            None => self.endpoint.clone(),
        };
        self.traffic = numbers.of(&whose, url.as_deref());
        self
    }
}

/// The URL that the gateway knows a model's server by.
fn url(desired: &Desired, host: &HostName, name: &ServiceName) -> Option<String> {
    let service: &DesiredService = desired.hosts.get(host)?.services.get(name)?;
    let Role::Model(served) = &service.role else { return None };
    api_base(served.address.as_deref(), name, &service.service)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_read_by_its_labels_and_what_is_no_number_is_left_out() {
        let sample = |labels: Value, value: &str| json!({"metric": labels, "value": [1.5, value]});
        let on = |number: &str| json!({"number": number, "host": "box", "model": "a"});
        let answer = json!({"status": "success", "data": {"resultType": "vector", "result": [
            sample(json!({"number": "requests", "api_base": "http://10.0.0.7:8000/v1/chat/completions"}), "12"),
            sample(json!({"number": "requests", "api_base": "http://10.0.0.7:8000/v1"}), "0.5"),
            sample(json!({"number": "requests", "api_base": "http://10.0.0.7:8000/v10"}), "7"),
            sample(on("tokens"), "31.25"),
            sample(on("queue"), "2"),
            sample(json!({"number": "tokens", "host": "box", "model": "b"}), "NaN"),
            sample(json!({"number": "other"}), "1"),
            json!("nonsense"),
        ]}});
        let numbers = Numbers::read(&answer);
        let whose = |model: &str| ("box".to_owned(), model.to_owned());
        let all =
            Traffic { requests_per_minute: Some(12.5), tokens_per_second: Some(31.25), queue: Some(2.0) };
        assert_eq!(numbers.of(&whose("a"), Some("http://10.0.0.7:8000/v1")), Some(all));
        assert_eq!(numbers.of(&whose("b"), None), None);
        assert_eq!(Numbers::read(&json!({"status": "error"})), Numbers::default());
    }
}
