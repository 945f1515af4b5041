//! Whether JSON that the program prints is what docs/output.schema.json says, and nothing more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema that is published.
pub(crate) const PUBLISHED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/output.schema.json"));

/// What is wrong with an output, measured by one of the schema's definitions. The published schema
/// lets fields be added; here a field that it does not name is wrong.
pub(crate) fn problems(definition: &str, output: &Value) -> Vec<String> {
    let validator = validator(definition);
    validator.iter_errors(output).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Made once: making one takes longer than thousands of outputs.
fn validator(definition: &str) -> Arc<Validator> {
    static MADE: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut schema: Value = serde_json::from_str(PUBLISHED).unwrap();
        close(&mut schema);
        let whole = json!({"$ref": format!("#/$defs/{definition}"), "$defs": schema["$defs"]});
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    };
    Arc::clone(made.entry(definition.to_owned()).or_insert_with(make))
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(close);
            if map.contains_key("required") {
                map.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
