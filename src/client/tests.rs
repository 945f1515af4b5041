//! Merging and choosing, as data.
