//! `RLPTests`: the decoder under all of ours is exact, in both directions.

use alloy_primitives::{Bytes, U512};
use alloy_rlp::{BufMut, Encodable, Header, PayloadView};
use serde_json::Value;

use super::support::{bytes, fixture, json, object, official};

/// Any RLP item.
#[derive(Debug, Eq, PartialEq)]
enum Item {
    String(Bytes),
    List(Vec<Self>),
}

impl Item {
    fn decode(rlp: &mut &[u8]) -> alloy_rlp::Result<Self> {
        Ok(match Header::decode_raw(rlp)? {
            PayloadView::String(bytes) => Self::String(bytes.to_vec().into()),
            PayloadView::List(items) => {
                let items = items.into_iter().map(|mut item| Self::decode(&mut item));
                Self::List(items.collect::<Result<_, _>>()?)
            }
        })
    }

    /// An item that is the whole input.
    fn decode_exact(mut rlp: &[u8]) -> alloy_rlp::Result<Self> {
        let item = Self::decode(&mut rlp)?;
        if rlp.is_empty() { Ok(item) } else { Err(alloy_rlp::Error::UnexpectedLength) }
    }

    /// What a test's `in` stands for: numbers also as `#` and decimal digits.
    fn from_json(value: &Value) -> Self {
        let number = |digits: &str| {
            let number = U512::from_str_radix(digits, 10).unwrap();
            Self::String(number.to_be_bytes_trimmed_vec().into())
        };
        match value {
            Value::Number(digits) => number(&digits.to_string()),
            Value::String(text) => match text.strip_prefix('#') {
                Some(digits) => number(digits),
                None => Self::String(text.clone().into_bytes().into()),
            },
            Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Value::Null | Value::Bool(_) | Value::Object(_) => panic!("{value}"),
        }
    }
}

impl Encodable for Item {
    fn encode(&self, out: &mut dyn BufMut) {
        match self {
            Self::String(bytes) => bytes.encode(out),
            Self::List(items) => items.encode(out),
        }
    }
}

fn check_file(file: &Value) -> usize {
    let mut count = 0;
    for (name, case) in object(file) {
        let rlp = bytes(case, "out");
        let decoded = Item::decode_exact(&rlp);
        match case["in"].as_str() {
            Some("INVALID") => assert!(decoded.is_err(), "{name}"),
            Some("VALID") => assert_eq!(alloy_rlp::encode(decoded.unwrap()), rlp, "{name}"),
            Some(_) | None => {
                let expected = Item::from_json(&case["in"]);
                assert_eq!(alloy_rlp::encode(&expected), rlp, "{name}");
                assert_eq!(decoded, Ok(expected), "{name}");
            }
        }
        count += 1;
    }
    count
}

#[test]
fn the_official_items_decode_and_encode_as_published() {
    let check = |name: &str| check_file(&json(&fixture("consensus/rlp").join(name)));
    assert_eq!(check("rlptest.json"), 28);
    assert_eq!(check("invalidRLPTest.json"), 26);
    assert_eq!(check("random_example.json"), 1);
}

#[test]
fn all_official_items_decode_and_encode_as_published() {
    for path in official("RLPTests").unwrap_or_default() {
        assert!(check_file(&json(&path)) > 0, "{}", path.display());
    }
}
