//! Why there is no result: the error object of a response.

use chain_backend::{BackendError, CallError};
use serde_json::{Value, json};

/// An error object (JSON-RPC 2.0, section 5.1).
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// What kind of error, by number.
    pub code: i32,
    /// What is wrong.
    pub message: String,
    /// More about it, such as what a reverted call returned.
    pub details: Option<Value>,
}

/// go-ethereum's code for everything that has no other.
const SERVER: i32 = -32000;
const PARSE: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const NO_METHOD: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const LIMIT: i32 = -32005;
const TOO_LARGE: i32 = -32003;
const TIMED_OUT: i32 = -32002;
const REVERTED: i32 = 3;

impl RpcError {
    const fn new(code: i32, message: String) -> Self {
        Self { code, message, details: None }
    }

    /// The method could not do what it was asked for.
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(SERVER, message.into())
    }

    pub(crate) fn parse() -> Self {
        Self::new(PARSE, "parse error".to_owned())
    }

    pub(crate) fn invalid_request(message: &str) -> Self {
        Self::new(INVALID_REQUEST, message.to_owned())
    }

    pub(crate) fn no_method(name: &str) -> Self {
        Self::new(NO_METHOD, format!("the method {name} does not exist/is not available"))
    }

    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message.into())
    }

    /// The answer would be larger than allowed.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(LIMIT, message.into())
    }

    pub(crate) fn response_too_large() -> Self {
        Self::new(TOO_LARGE, "response too large".to_owned())
    }

    pub(crate) fn timed_out() -> Self {
        Self::new(TIMED_OUT, "request timed out".to_owned())
    }

    pub(crate) fn reverted(message: String, output: Value) -> Self {
        Self { code: REVERTED, message, details: Some(output) }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({ "code": self.code, "message": self.message });
        if let (Some(details), Some(fields)) = (&self.details, object.as_object_mut()) {
            fields.insert("data".to_owned(), details.clone());
        }
        object
    }
}

impl From<BackendError> for RpcError {
    fn from(error: BackendError) -> Self {
        Self::server(error.to_string())
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        Self::server(error.to_string())
    }
}
