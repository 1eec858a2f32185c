//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use clap::{Args, Parser, Subcommand};
use rlpx::Enode;

use crate::trust::CanonicalHashRoot;

/// Ask LES servers, and believe only what they prove.
#[derive(Debug, Parser)]
#[command(name = "lesctl", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a server says about itself.
    Probe(Probe),
    /// Ask for something and print the answer if it is proven.
    Get(Box<Get>),
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// The server: enode://ID@HOST:PORT.
    pub(crate) enode: Enode,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Give up when the server is silent for this many seconds.
    #[arg(
        long, value_name = "SECONDS", default_value = "10", value_parser = seconds, global = true
    )]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is trusted, one of:
  --genesis FILE       nothing but the genesis: all headers are fetched and checked
  --trusted-hash HASH  a block that you know to be right; older ones follow from it
  --cht-root N:HASH    a canonical hash trie root that you know: all blocks up to section N's end
  --trust-head         the server's word for its newest block; proofs are still checked

BLOCK is a number, a hash, or `head`.")]
pub(crate) struct Get {
    /// The server: enode://ID@HOST:PORT.
    pub(crate) enode: Enode,
    #[command(flatten)]
    pub(crate) trust: TrustArguments,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArguments {
    /// The chain's genesis file: fetch every header from there on and check its rules and seal.
    #[arg(
        long, value_name = "FILE", global = true,
        conflicts_with_all = ["trusted_hash", "trust_head"]
    )]
    pub(crate) genesis: Option<PathBuf>,
    /// With --genesis: do not check seals, for development chains made without work.
    #[arg(long, global = true, requires = "genesis")]
    pub(crate) no_seals: bool,
    /// Hash of a block that you trust.
    #[arg(long, value_name = "HASH", global = true, conflicts_with = "trust_head")]
    pub(crate) trusted_hash: Option<B256>,
    /// Section number and root of a canonical hash trie that you trust.
    #[arg(
        long,
        value_name = "N:HASH",
        global = true,
        value_parser = cht_root,
        conflicts_with_all = ["genesis", "trusted_hash", "trust_head"],
    )]
    pub(crate) cht_root: Option<CanonicalHashRoot>,
    /// Believe the server which block is the newest: it could show a chain of its own.
    #[arg(long, global = true)]
    pub(crate) trust_head: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Balance of an account.
    Balance(AccountArguments),
    /// Nonce of an account: transactions sent, or contracts created.
    Nonce(AccountArguments),
    /// Value of a storage slot of a contract.
    Storage {
        #[command(flatten)]
        account: AccountArguments,
        /// The slot, decimal or 0x-hexadecimal.
        #[arg(value_parser = slot)]
        slot: B256,
    },
    /// Code of a contract.
    Code(AccountArguments),
    /// Header of a block.
    Header {
        /// Number, hash, or `head`.
        #[arg(default_value = "head")]
        block: BlockId,
    },
    /// Transactions of a block.
    Block {
        /// Number, hash, or `head`.
        #[arg(default_value = "head")]
        block: BlockId,
    },
    /// Receipts of a block.
    Receipts {
        /// Number, hash, or `head`.
        #[arg(default_value = "head")]
        block: BlockId,
    },
    /// A transaction, and the block that holds it.
    Tx {
        /// Its hash.
        hash: B256,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AccountArguments {
    /// The account.
    pub(crate) address: Address,
    /// The block whose state is meant.
    #[arg(long, value_name = "BLOCK", default_value = "head")]
    pub(crate) block: BlockId,
}

/// Names a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BlockId {
    Head,
    Number(u64),
    Hash(B256),
}

impl FromStr for BlockId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a block is a number, a hash of 64 hexadecimal digits, or `head`";
        if text == "head" {
            return Ok(Self::Head);
        }
        if let Some(digits) = text.strip_prefix("0x") {
            if digits.len() == 64 {
                return digits.parse().map(Self::Hash).map_err(|_| EXPECTED);
            }
            return u64::from_str_radix(digits, 16).map(Self::Number).map_err(|_| EXPECTED);
        }
        text.parse().map(Self::Number).map_err(|_| EXPECTED)
    }
}

fn slot(text: &str) -> Result<B256, &'static str> {
    let number = text.parse::<U256>();
    number.map(B256::from).map_err(|_| "a slot is a decimal or 0x-hexadecimal number")
}

fn cht_root(text: &str) -> Result<CanonicalHashRoot, &'static str> {
    let parse = || {
        let (section, root) = text.split_once(':')?;
        Some(CanonicalHashRoot { section: section.parse().ok()?, root: root.parse().ok()? })
    };
    parse().ok_or("a root is the number of its section, a colon and 64 hexadecimal digits")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=3_600) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err("a time-out is from 1 to 3600 seconds"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[track_caller]
    fn check(text: &str, expected: Option<BlockId>) {
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn a_block_is_a_number_a_hash_or_the_head() {
        check("head", Some(BlockId::Head));
        check("0", Some(BlockId::Number(0)));
        check("0x10", Some(BlockId::Number(16)));
        check(&format!("0x{}", "11".repeat(32)), Some(BlockId::Hash(B256::repeat_byte(0x11))));
        check("latest", None);
        check("-1", None);
        check("0x", None);
        check("18446744073709551616", None);
    }

    #[test]
    fn a_trie_root_names_its_section() {
        let root = B256::repeat_byte(0x22);
        let expected = CanonicalHashRoot { section: 3, root };
        assert_eq!(cht_root(&format!("3:{root}")), Ok(expected));
        assert!(cht_root("3").is_err() && cht_root(&root.to_string()).is_err());
    }

    #[test]
    fn slots_are_decimal_or_hexadecimal() {
        let number = |n: u64| B256::from(U256::from(n));
        assert_eq!(slot("16"), Ok(number(16)));
        assert_eq!(slot("0x10"), Ok(number(16)));
        assert!(slot("ten").is_err());
    }
}
