//! Choices from bytes: equal bytes make equal worlds, and smaller bytes make simpler ones, so that
//! a failure shrinks to a world a person can read.

/// Bytes that are used up choice by choice; when they run out, every choice is the first.
pub(crate) struct Dice<'a> {
    bytes: &'a [u8],
}

impl<'a> Dice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % n
    }

    /// True once in `n` times; false when the bytes have run out.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.once_in(2)
    }
}
