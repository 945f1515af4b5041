//! The cluster that all clients ask: one model on lab1, the gateway on lab3. The sweep after all tests removes it.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::cluster::Cluster;

/// The name that clients are told, by which the gateway knows the model.
pub(crate) const MODEL: &str = "tiny/agent:270m";

/// All that a client sends reaches the model, its tools too.
const TEMPLATE: &str = "\
{{ bos_token }}{% if tools %}{{ tools | tojson }}
{% endif %}{% for message in messages %}{{ message.role }}: {{ message.content }}
{% endfor %}{% if add_generation_prompt %}assistant: A banana is{% endif %}";

/// One test at a time has it: a client's prompt takes both cores.
pub(crate) fn stack() -> MutexGuard<'static, Cluster> {
    static STACK: LazyLock<Mutex<Cluster>> = LazyLock::new(|| Mutex::new(deploy()));
    STACK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn deploy() -> Cluster {
    let mut cluster = Cluster::new("clients");
    cluster.model("lab1", MODEL, 1);
    let model = &mut cluster.hosts["lab1"]["models"][MODEL];
    model["ctx_size"] = json!(32768);
    model["threads"] = json!(2);
    // It was trained on texts, not on dialogues: it answers in one sentence, or it would not know where to end.
    model["chat_template_file"] = json!("/templates/chat.jinja");
    model["configs"] = json!({"/templates/chat.jinja": "chat.jinja"});
    model["reverse_prompt"] = json!(".");
    model["n_predict"] = json!(256);
    model["aliases"] = json!(["small"]);
    cluster.file("chat.jinja", TEMPLATE);
    cluster.deploy();
    cluster
}
