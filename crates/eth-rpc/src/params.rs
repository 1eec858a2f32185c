//! Positional arguments, decoded in order, with go-ethereum's words for those that are wrong.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, value::RawValue};

use crate::{RpcError, hex};

/// The arguments of one request.
pub(crate) struct Params<'a> {
    items: Vec<&'a RawValue>,
    taken: usize,
}

impl<'a> Params<'a> {
    /// Reads `params`, which may be absent or null.
    pub(crate) fn read(params: Option<&'a RawValue>) -> Result<Self, RpcError> {
        let items = match params {
            None => Vec::new(),
            Some(raw) if raw.get() == "null" => Vec::new(),
            Some(raw) if raw.get().starts_with('[') => serde_json::from_str(raw.get())
                .map_err(|error| RpcError::params(error.to_string()))?,
            Some(_) => return Err(RpcError::params("non-array args")),
        };
        Ok(Self { items, taken: 0 })
    }

    /// The next argument, which must be there.
    pub(crate) fn required<T: Argument>(&mut self) -> Result<T, RpcError> {
        let at = self.taken;
        if let Some(argument) = self.optional()? {
            return Ok(argument);
        }
        match self.items.get(at).and_then(|_| T::of_null()) {
            Some(Ok(argument)) => Ok(argument),
            Some(Err(error)) => Err(RpcError::params(format!("invalid argument {at}: {error}"))),
            None => Err(RpcError::params(format!("missing value for required argument {at}"))),
        }
    }

    /// The next argument; absent or null is `None`.
    pub(crate) fn optional<T: Argument>(&mut self) -> Result<Option<T>, RpcError> {
        let at = self.taken;
        self.taken = at.saturating_add(1);
        let Some(raw) = self.items.get(at) else { return Ok(None) };
        let invalid = |error: String| RpcError::params(format!("invalid argument {at}: {error}"));
        // Nested more than 128 levels deep is an error here.
        let value: Value =
            serde_json::from_str(raw.get()).map_err(|error| invalid(error.to_string()))?;
        if value.is_null() {
            return Ok(None);
        }
        T::decode(&value).map(Some).map_err(invalid)
    }

    /// There are no more arguments.
    pub(crate) fn end(self) -> Result<(), RpcError> {
        if self.items.len() > self.taken {
            let most = self.taken;
            return Err(RpcError::params(format!("too many arguments, want at most {most}")));
        }
        Ok(())
    }
}

/// What an argument can be.
pub(crate) trait Argument: Sized {
    /// Reads the argument from JSON that is not null.
    ///
    /// # Errors
    /// In go-ethereum's words.
    fn decode(value: &Value) -> Result<Self, String>;

    /// What go-ethereum takes null for where an argument must be there; `None` if it is missing
    /// then.
    fn of_null() -> Option<Result<Self, String>> {
        None
    }
}

/// How Go names what JSON holds.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Text in JSON, or what go-ethereum says if it is something else. `name` is the Go type.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let kind = kind(value);
            let kind = if name.starts_with("common.") || name.starts_with("hexutil.") {
                "non-string"
            } else {
                kind
            };
            Err(format!("json: cannot unmarshal {kind} into Go value of type {name}"))
        }
    }
}

impl Argument for B256 {
    fn decode(value: &Value) -> Result<Self, String> {
        const NAME: &str = "common.Hash";
        let text = text(value, NAME)?;
        hex::decode_fixed::<32>(text, NAME).map(Self::from)
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Self::decode(&Value::Null))
    }
}

impl Argument for Address {
    fn decode(value: &Value) -> Result<Self, String> {
        const NAME: &str = "common.Address";
        let text = text(value, NAME)?;
        hex::decode_fixed::<20>(text, NAME).map(Self::from)
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Self::decode(&Value::Null))
    }
}

impl Argument for Bytes {
    fn decode(value: &Value) -> Result<Self, String> {
        const NAME: &str = "hexutil.Bytes";
        let text = text(value, NAME)?;
        hex::decode(text).map(Self::from).map_err(|error| hex::unmarshal(error, NAME))
    }
}

impl Argument for U256 {
    fn decode(value: &Value) -> Result<Self, String> {
        const NAME: &str = "*hexutil.Big";
        let text = text(value, "hexutil.Big")?;
        hex::decode_quantity(text).map_err(|error| hex::unmarshal(error, NAME))
    }
}

impl Argument for u64 {
    fn decode(value: &Value) -> Result<Self, String> {
        const NAME: &str = "hexutil.Uint64";
        let text = text(value, NAME)?;
        hex::decode_u64(text).map_err(|error| hex::unmarshal(error, NAME))
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Self::decode(&Value::Null))
    }
}

impl Argument for bool {
    fn decode(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| {
            let kind = kind(value);
            format!("json: cannot unmarshal {kind} into Go value of type bool")
        })
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Ok(false))
    }
}

impl Argument for String {
    fn decode(value: &Value) -> Result<Self, String> {
        text(value, "string").map(str::to_owned)
    }

    fn of_null() -> Option<Result<Self, String>> {
        Some(Ok(Self::new()))
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn decode(value: &Value) -> Result<Self, String> {
        let Value::Array(items) = value else {
            let kind = kind(value);
            return Err(format!("json: cannot unmarshal {kind} into Go value of type []string"));
        };
        items.iter().map(T::decode).collect()
    }
}
