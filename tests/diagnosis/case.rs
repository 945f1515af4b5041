//! What a test of a row is.
//! It knows no row.

use homelab::diagnosis::{self, Evidence, Finding, PULLS, REFUSALS, Row, SHARED};
use homelab::diagnostic::clean;
use homelab::{engine, gateway};

/// Which table a row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Vllm,
    LlamaCpp,
    Litellm,
    /// Whatever runs in a container.
    Shared,
    /// What Docker says when it makes or starts a container, but for what is shared.
    Refusals,
    /// What Docker says when it pulls, but for what is shared.
    Pulls,
    /// What it says of an image that is pinned to a digest.
    Pins,
}

impl Of {
    pub(crate) const ALL: [Self; 7] =
        [Self::Vllm, Self::LlamaCpp, Self::Litellm, Self::Shared, Self::Refusals, Self::Pulls, Self::Pins];

    pub(crate) fn tables(self) -> Vec<&'static [Row]> {
        let causes = |name| engine::by_name(name).unwrap().causes();
        match self {
            Self::Vllm => vec![causes("vllm")],
            Self::LlamaCpp => vec![causes("llama_cpp")],
            Self::Litellm => vec![gateway::CAUSES],
            Self::Shared => SHARED.to_vec(),
            Self::Refusals => vec![diagnosis::DOCKER],
            Self::Pulls => vec![diagnosis::REGISTRY],
            Self::Pins => vec![diagnosis::PINNED],
        }
    }

    pub(crate) fn rows(self) -> impl Iterator<Item = &'static Row> {
        self.tables().into_iter().flatten()
    }

    /// Every list of tables in which a row of this one is looked for.
    fn looked_for_in(self) -> Vec<Vec<&'static [Row]>> {
        let with_shared = |of: Self| [of.tables(), SHARED.to_vec()].concat();
        match self {
            Self::Vllm | Self::LlamaCpp | Self::Litellm => vec![with_shared(self)],
            Self::Shared => [Self::Vllm, Self::LlamaCpp, Self::Litellm].map(with_shared).to_vec(),
            Self::Refusals => vec![REFUSALS.to_vec()],
            Self::Pulls => vec![PULLS.to_vec()],
            Self::Pins => vec![[&[diagnosis::PINNED], &PULLS[..]].concat()],
        }
    }
}

/// What shows that a row is right.
pub(crate) enum Proof {
    /// What was recorded of a real failure.
    Captured(&'static str),
    /// What such a failure prints by its source, which is named, or as people quote it.
    Source(&'static str, &'static str),
    /// The exit code alone.
    Code(i64),
    /// The kernel killed it for its memory, and it said this before.
    OutOfMemory(&'static str),
}

/// The test of a row.
pub(crate) struct Case {
    pub(crate) of: Of,
    /// The row's name with underscores.
    pub(crate) row: &'static str,
    pub(crate) proof: Proof,
    pub(crate) cause: &'static str,
    pub(crate) advice: &'static str,
}

/// One test per row, named as the row.
macro_rules! cases {
    ($list:ident, $of:expr, { $($name:ident: $proof:expr, $cause:literal, $advice:literal;)* }) => {
        pub(crate) const $list: &[crate::case::Case] = &[$(crate::case::Case {
            of: $of,
            row: stringify!($name),
            proof: $proof,
            cause: $cause,
            advice: $advice,
        }),*];
        $(
            #[test]
            fn $name() {
                let case = $list.iter().find(|case| case.row == stringify!($name));
                case.unwrap().check();
            }
        )*
    };
}

/// What a recorded failure said.
macro_rules! captured {
    ($path:literal) => {
        crate::case::Proof::Captured(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/", $path)))
    };
}

/// What may stand in front of a message and behind it: processes and levels of now and of before,
/// stamps of llama.cpp, Python's tracebacks and their ends.
const AROUND: [(&str, &str); 6] = [
    ("", ""),
    ("(EngineCore pid=28) ERROR 11-25 10:31:07 [core.py:1510] ValueError: ", ""),
    ("(EngineCore_DP0 pid=95) ERROR 11-25 10:31:07 [core.py:708] ", "\nTraceback (most recent call last):"),
    (
        "ERROR 06-22 10:31:07 [core.py:390] RuntimeError: ",
        "\nRuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    ),
    (
        "0.00.024.087 E srv    load_model: ",
        "\n0.00.025.059 E srv  llama_server: exiting due to model loading error",
    ),
    ("\u{1b}[31m", "\u{1b}[0m\nERROR:    Application startup failed. Exiting.\n\n"),
];

impl Case {
    pub(crate) fn check(&self) {
        for tables in self.of.looked_for_in() {
            match self.proof {
                Proof::Captured(text) => self.is(find(&tables, text, false, None)),
                Proof::Code(code) => self.is(find(&tables, "loading\n", false, Some(code))),
                Proof::OutOfMemory(text) => self.is(find(&tables, text, true, Some(137))),
                Proof::Source(source, text) => {
                    assert!(!source.is_empty(), "where does it say so?");
                    for (before, after) in AROUND {
                        self.is(find(&tables, &format!("{before}{text}{after}"), false, Some(1)));
                    }
                }
            }
        }
    }

    fn is(&self, found: Option<Finding>) {
        let found = found.unwrap_or_else(|| panic!("no row knows it"));
        assert_eq!(found.id.replace('-', "_"), self.row, "{:?}", found.line);
        assert_eq!(found.cause, self.cause);
        assert_eq!(found.advice(), self.advice);
        let line = found.line.as_deref();
        let spoken = matches!(self.proof, Proof::Captured(_) | Proof::Source(..));
        assert!(line.is_some_and(|line| !line.is_empty()) == spoken, "{line:?}");
    }
}

fn find(tables: &[&'static [Row]], text: &str, out_of_memory: bool, code: Option<i64>) -> Option<Finding> {
    // As the host's log is read.
    let lines: Vec<String> = text.lines().map(clean).collect();
    let names = [("image", "registry.lab/qwen:1"), ("registry", "registry.lab")];
    diagnosis::find(tables.iter().copied(), &Evidence { lines: &lines, out_of_memory, code, names: &names })
}
