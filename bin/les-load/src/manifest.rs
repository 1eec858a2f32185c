//! What is known of a chain before it is asked about.

use std::collections::BTreeMap;
use std::path::Path;

use alloy_primitives::{Address, B256};
use serde::Deserialize;

use crate::error::Error;

/// The parts of `manifest.json` (scripts/make-chain.sh) that requests are made of.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) accounts: Vec<Address>,
    /// Name to address.
    #[serde(default)]
    pub(crate) contracts: BTreeMap<String, Address>,
    /// Slots that are set.
    #[serde(default)]
    pub(crate) slots: BTreeMap<Address, Vec<B256>>,
    /// Hashes of transactions in the chain.
    #[serde(default)]
    pub(crate) transactions: Vec<B256>,
}

impl Manifest {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |reason: String| Error::Manifest { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}
