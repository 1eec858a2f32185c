//! Which block a request means.

use alloy_primitives::B256;
use serde_json::Value;

use crate::{
    hex,
    params::{self, Argument},
};

/// A block by its place in the canonical chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockTag {
    Number(u64),
    Latest,
    /// The block that is being made: there is none here but what `latest` is.
    Pending,
    Safe,
    Finalized,
}

/// A block by place or hash (EIP-1898).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    Tag(BlockTag),
    Hash { hash: B256, must_be_canonical: bool },
}

impl BlockTag {
    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "earliest" => Self::Number(0),
            "latest" => Self::Latest,
            "pending" => Self::Pending,
            "safe" => Self::Safe,
            "finalized" => Self::Finalized,
            _ => return None,
        })
    }

    fn parse(text: &str, too_high: &str) -> Result<Self, String> {
        if let Some(tag) = Self::named(text) {
            return Ok(tag);
        }
        let number = hex::decode_u64(text)?;
        if i64::try_from(number).is_err() {
            return Err(too_high.to_owned());
        }
        Ok(Self::Number(number))
    }
}

impl Argument for BlockTag {
    fn decode(value: &Value) -> Result<Self, String> {
        let bare = value.to_string();
        let text = value.as_str().unwrap_or(&bare);
        Self::parse(text, "block number larger than int64")
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Self::decode(&Value::Null))
    }
}

impl Argument for BlockId {
    fn decode(value: &Value) -> Result<Self, String> {
        if let Value::Object(fields) = value {
            let field = |name| fields.get(name).filter(|value| !value.is_null());
            let number = field("blockNumber").map(BlockTag::decode).transpose()?;
            let hash = field("blockHash").map(B256::decode).transpose()?;
            let must_be_canonical =
                field("requireCanonical").map(bool::decode).transpose()?.unwrap_or(false);
            return match (number, hash) {
                (Some(_), Some(_)) => Err("cannot specify both BlockHash and BlockNumber, choose \
                                           one or the other"
                    .to_owned()),
                (Some(number), None) => Ok(Self::Tag(number)),
                (None, Some(hash)) => Ok(Self::Hash { hash, must_be_canonical }),
                (None, None) => {
                    Err("invalid arguments; neither block nor hash specified".to_owned())
                }
            };
        }
        let text = params::text(value, "string")?;
        if text.len() == 66 {
            let hash = B256::decode(value)?;
            return Ok(Self::Hash { hash, must_be_canonical: false });
        }
        BlockTag::parse(text, "blocknumber too high").map(Self::Tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: Value, expected: Result<BlockId, &str>) {
        assert_eq!(BlockId::decode(&value), expected.map_err(str::to_owned), "{value}");
    }

    #[test]
    fn a_block_is_a_number_a_name_or_a_hash() {
        let hash = B256::repeat_byte(0xab);
        let by_hash = |must_be_canonical| Ok(BlockId::Hash { hash, must_be_canonical });
        check(json!("0x10"), Ok(BlockId::Tag(BlockTag::Number(16))));
        check(json!("earliest"), Ok(BlockId::Tag(BlockTag::Number(0))));
        check(json!("finalized"), Ok(BlockId::Tag(BlockTag::Finalized)));
        check(json!(hash), by_hash(false));
        check(json!({ "blockHash": hash, "requireCanonical": true }), by_hash(true));
        check(json!({ "blockNumber": "0x1" }), Ok(BlockId::Tag(BlockTag::Number(1))));
        check(json!("16"), Err("hex string without 0x prefix"));
        check(json!("0x8000000000000000"), Err("blocknumber too high"));
        check(
            json!({ "blockHash": hash, "blockNumber": "0x1" }),
            Err("cannot specify both BlockHash and BlockNumber, choose one or the other"),
        );
    }
}
