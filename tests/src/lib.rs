//! Tests that need several crates. Each file beside this folder is one suite.
