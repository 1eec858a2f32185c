//! Numbers and bytes in hexadecimal, as the execution API writes them ("quantity" and "data").

use alloy_primitives::{Address, B256, U256};
use serde_json::Value;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes as `0x…`, two digits each.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 + 2 * bytes.len());
    out.push_str("0x");
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0')));
        }
    }
    out
}

/// Bytes of any length.
pub(crate) fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(text(bytes.as_ref()))
}

/// A number without leading zeros; zero is `0x0`.
pub(crate) fn quantity(number: impl Into<Wide>) -> Value {
    Value::String(format!("{:#x}", number.into().0))
}

/// Any unsigned integer.
pub(crate) struct Wide(U256);

macro_rules! wide {
    ($($from:ty),*) => {$(
        impl From<$from> for Wide {
            fn from(number: $from) -> Self {
                Self(U256::from(number))
            }
        }
    )*};
}
wide!(u8, u64, u128, usize, U256);

/// go-ethereum's words for text that is no hexadecimal.
fn digits(text: &str) -> Result<&str, &'static str> {
    if text.is_empty() {
        return Err("empty hex string");
    }
    text.strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .ok_or("hex string without 0x prefix")
}

/// The bytes of `0x…`.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits = digits(text)?;
    if !digits.len().is_multiple_of(2) {
        let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return Err(if all_hex { "hex string of odd length" } else { "invalid hex string" });
    }
    alloy_primitives::hex::decode(digits).map_err(|_| "invalid hex string")
}

/// go-ethereum's words for digits that are no value of the Go type `name`.
pub(crate) fn unmarshal(error: impl std::fmt::Display, name: &str) -> String {
    format!("json: cannot unmarshal {error} into Go value of type {name}")
}

/// Bytes of a fixed number.
pub(crate) fn decode_fixed<const N: usize>(text: &str, kind: &str) -> Result<[u8; N], String> {
    let bytes = decode(text).map_err(|error| unmarshal(error, kind))?;
    if bytes.len() == N {
        return bytes.try_into().map_err(|_| "invalid hex string".to_owned());
    }
    Err(format!("hex string has length {}, want {} for {kind}", 2 * bytes.len(), 2 * N))
}

/// A number of at most 256 bits.
pub(crate) fn decode_quantity(text: &str) -> Result<U256, &'static str> {
    let digits = digits(text)?;
    match digits.as_bytes() {
        [] => return Err("hex string \"0x\""),
        [b'0', _, ..] => return Err("hex number with leading zero digits"),
        _ => {}
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("invalid hex string");
    }
    U256::from_str_radix(digits, 16).map_err(|_| "hex number > 256 bits")
}

/// A number of at most 64 bits.
pub(crate) fn decode_u64(text: &str) -> Result<u64, &'static str> {
    match decode_quantity(text) {
        Ok(number) => u64::try_from(number).map_err(|_| "hex number > 64 bits"),
        Err("hex number > 256 bits") => Err("hex number > 64 bits"),
        Err(error) => Err(error),
    }
}

/// A storage key as go-ethereum takes it: any text. Digits that are too many lose their front,
/// too few are filled with zeros there; what is no hexadecimal is zero.
pub(crate) fn lenient_hash(text: &str) -> B256 {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let is_even = digits.len().is_multiple_of(2);
    let even = if is_even { digits.to_owned() } else { format!("0{digits}") };
    let bytes = alloy_primitives::hex::decode(even).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(32)..).unwrap_or_default();
    B256::left_padding_from(tail)
}

/// An address in lower case, as go-ethereum writes it.
pub(crate) fn address(address: &Address) -> Value {
    bytes(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_leading_zeros_and_bytes_all() {
        assert_eq!(quantity(0u64), Value::from("0x0"));
        assert_eq!(quantity(1000u64), Value::from("0x3e8"));
        assert_eq!(bytes([0, 255]), Value::from("0x00ff"));
        assert_eq!(bytes([]), Value::from("0x"));
    }

    #[test]
    fn text_that_is_no_number_is_refused_in_go_ethereums_words() {
        let max = format!("0x{}", "f".repeat(64));
        for (text, expected) in [
            ("", Err("empty hex string")),
            ("1", Err("hex string without 0x prefix")),
            ("0x", Err("hex string \"0x\"")),
            ("0x01", Err("hex number with leading zero digits")),
            ("0xg", Err("invalid hex string")),
            ("0x0", Ok(U256::ZERO)),
            (max.as_str(), Ok(U256::MAX)),
            (&format!("{max}f"), Err("hex number > 256 bits")),
        ] {
            assert_eq!(decode_quantity(text), expected, "{text}");
        }
        assert_eq!(decode_u64("0x10000000000000000"), Err("hex number > 64 bits"));
        assert_eq!(decode_u64(&format!("{max}f")), Err("hex number > 64 bits"));
    }

    #[test]
    fn any_text_is_a_storage_key() {
        let one = B256::with_last_byte(1);
        for (text, expected) in [
            ("0x1", one),
            ("1", one),
            ("0x", B256::ZERO),
            ("x", B256::ZERO),
            (&format!("0xff{}", "01".repeat(32)), B256::repeat_byte(1)),
        ] {
            assert_eq!(lenient_hash(text), expected, "{text}");
        }
    }
}
