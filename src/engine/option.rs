//! An engine's option: its name and the values it takes.
//! It knows no engine; how options become arguments is in `command_line`.

/// What values an option takes and how they stand on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` gives `--flag`; `false` gives nothing.
    Flag,
    /// `true` gives `--flag`, `false` gives `--no-flag`.
    Switch,
    /// A whole number.
    Int,
    /// A whole number, or text that the engine reads as one: `32k`, `auto`.
    Size,
    /// Any number.
    Number,
    /// Text; numbers and booleans are taken as they are written.
    Text,
    /// One or several values after one flag: `--flag a b`.
    Many,
    /// One or several values, each after its own flag: `--flag a --flag b`.
    Each,
    /// One or several values in one argument: `--flag a,b`.
    Commas,
    /// A map or list, encoded as JSON; text is passed as it is.
    Json,
}

/// One option of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its name in the inventory: the engine's own, with `_` for `-`.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
}

// One word per row keeps the engines' tables readable.
macro_rules! rows {
    ($( $word:ident $takes:ident )*) => {
        $( pub(super) const fn $word(name: &'static str) -> Opt {
            Opt { name, takes: Takes::$takes }
        } )*
    };
}

rows! {
    flag Flag
    switch Switch
    int Int
    size Size
    number Number
    text Text
    many Many
    each Each
    commas Commas
    json Json
}
