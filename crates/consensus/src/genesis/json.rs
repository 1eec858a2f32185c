//! Values of a genesis file as met in the wild: numbers as JSON numbers, decimal strings or hex
//! strings; bytes with or without `0x`; `null` for "not given". Capitals in field names do not
//! matter, as in go-ethereum: its users write `mixHash` and `mixhash`.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// A parser of one scalar's text; the error says what was expected.
pub(crate) type Parse<T> = fn(&str) -> Result<T, &'static str>;

/// Reads a scalar without keeping its text; `null` is `None`.
struct Scalar<T>(Parse<T>);

impl<'de, T> DeserializeSeed<'de> for Scalar<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T> Scalar<T> {
    fn read<E: Error>(&self, text: &str) -> Result<Option<T>, E> {
        (self.0)(text).map(Some).map_err(|expected| {
            // A code of megabytes would drown the message.
            let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            E::custom(format_args!("expected {expected}, found `{shown}{more}`"))
        })
    }
}

/// Characters of a wrong value that an error repeats: one hash with its `0x`.
const SHOWN_CHARACTERS: usize = 66;

impl<'de, T> Visitor<'de> for Scalar<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.read(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.read(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.read(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.read(&number.to_string())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.read(if value { "true" } else { "false" })
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    // serde_json with `arbitrary_precision` hands every number over as a map with one odd key.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let number = serde_json::Number::deserialize(MapAccessDeserializer::new(map))
            .map_err(|_| A::Error::custom("expected a single value, found an object"))?;
        self.read(&number.to_string())
    }
}

/// Reads the value of key `name` into `slot`; a second value for the same key is an error.
pub(crate) fn scalar<'de, A: MapAccess<'de>, T>(
    map: &mut A,
    name: &str,
    slot: &mut Option<T>,
    parse: Parse<T>,
) -> Result<(), A::Error> {
    let value = map.next_value_seed(Scalar(parse)).map_err(|error| at(name, &error.to_string()))?;
    put(name, slot, value)
}

/// Reads the object of key `name` by `seed`; an error gets the key in front of its own path.
pub(crate) fn object<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
    map: &mut A,
    name: &str,
    slot: &mut Option<S::Value>,
    seed: S,
) -> Result<(), A::Error> {
    let value = map.next_value_seed(seed).map_err(|error| at(name, &error.to_string()))?;
    put(name, slot, Some(value))
}

fn put<T, E: Error>(name: &str, slot: &mut Option<T>, value: Option<T>) -> Result<(), E> {
    if slot.is_some() {
        return Err(at(name, "given twice"));
    }
    *slot = value;
    Ok(())
}

/// An error at field `name`: `.name: what`, or `.name.inner: what` when it happened further in.
///
/// serde_json finds line and column at the end of the text again and keeps them.
pub(crate) fn at<E: Error>(name: &str, error: &str) -> E {
    let colon = if error.starts_with('.') { "" } else { ": " };
    E::custom(format_args!(".{name}{colon}{error}"))
}

/// An object's key, read before its value.
pub(crate) fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    map.next_key::<String>()
}

/// Whole number of at most 256 bits.
pub(crate) fn quantity(text: &str) -> Result<U256, &'static str> {
    const EXPECTED: &str = "a whole number of at most 256 bits (decimal, or hex with 0x)";
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits),
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            U256::from_str_radix(text, 10).ok()
        }
        None => None,
    };
    parsed.ok_or(EXPECTED)
}

/// Whole number of at most 64 bits.
pub(crate) fn number(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "a whole number of at most 64 bits (decimal, or hex with 0x)";
    quantity(text).ok().and_then(|wide| u64::try_from(wide).ok()).ok_or(EXPECTED)
}

pub(crate) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("true or false"),
    }
}

pub(crate) fn bytes(text: &str) -> Result<Bytes, &'static str> {
    hex::decode(text).map(Bytes::from).map_err(|_| "an even number of hex digits")
}

pub(crate) fn address(text: &str) -> Result<Address, &'static str> {
    hex::decode_to_array(text).map(Address::new).map_err(|_| "an address of 40 hex digits")
}

pub(crate) fn hash(text: &str) -> Result<B256, &'static str> {
    hex::decode_to_array(text).map(B256::new).map_err(|_| "64 hex digits")
}

/// A storage key or value: at most 64 hex digits, zeros in front may be missing.
pub(crate) fn word(text: &str) -> Result<B256, &'static str> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    hexadecimal(digits).map(B256::from).ok_or("1 to 64 hex digits")
}

fn hexadecimal(digits: &str) -> Option<U256> {
    let plain = (1..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| U256::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hex_and_nothing_else() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(number(text).ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("0x", None);
        check("", None);
        check("0x10", Some(16));
        check("10", Some(10));
        check("-1", None);
        check("1.5", None);
        check("1e3", None);
        check("1_000", None);
        check("0x1_0", None);
        check("0xffffffffffffffff", Some(u64::MAX));
        check("0x10000000000000000", None);
    }

    #[test]
    fn short_storage_words_are_right_aligned() {
        let check = |text: &str, last: u8| {
            assert_eq!(word(text).ok(), Some(B256::with_last_byte(last)), "{text}");
        };
        check("0x01", 1);
        check("1", 1);
        check("0x000000000000000000000000000000000000000000000000000000000000000a", 10);
        assert!(word(&"0".repeat(65)).is_err());
        assert!(word("").is_err());
    }
}
