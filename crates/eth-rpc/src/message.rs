//! The envelope: single requests, batches, notifications (JSON-RPC 2.0), as go-ethereum reads them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{Namespaces, RpcError, Service, Unix, method::Context, params::Params};

/// Requests of one batch (go-ethereum's default since 1.12).
pub const MAX_BATCH: usize = 1000;
/// Bytes of all responses to one batch, and of one response (go-ethereum's default since 1.12).
pub const MAX_RESPONSE_BYTES: usize = 25_000_000;
/// Seconds for one batch; requests that were not begun by then are refused. One call has no limit
/// of time but of gas.
pub const MAX_BATCH_SECONDS: u64 = 30;

/// One request as far as it is needed; whatever else it holds is not looked at.
struct Message<'a> {
    id: Option<&'a RawValue>,
    method: String,
    params: Option<&'a RawValue>,
    is_response: bool,
}

impl<'a> Message<'a> {
    /// What is no object, or has no method, becomes a message that is invalid.
    fn read(raw: &'a RawValue) -> Self {
        let fields: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(raw.get()).unwrap_or_default();
        let field = |name| fields.get(name).copied();
        let method = field("method").and_then(|raw| String::deserialize(raw).ok());
        let has_answer = fields.contains_key("result") || fields.contains_key("error");
        Self {
            id: field("id"),
            is_response: method.is_none() && field("params").is_none() && has_answer,
            method: method.unwrap_or_default(),
            params: field("params"),
        }
    }

    fn has_valid_id(&self) -> bool {
        self.id.is_some_and(|id| !id.get().starts_with(['{', '[']))
    }
}

impl Service {
    /// Answers one request or one batch. `None` if nothing is to be said, as for a notification.
    /// `clock` is for filters that nobody asks for any more, and for batches without end.
    pub fn answer(
        &self,
        allowed: &Namespaces,
        request: &[u8],
        clock: impl Fn() -> Unix,
    ) -> Option<String> {
        let Ok(raw) = serde_json::from_slice::<&RawValue>(request) else {
            return Some(failure(None, &RpcError::parse()));
        };
        if !raw.get().starts_with('[') {
            let answer = self.one(allowed, raw, clock())?;
            return Some(within_limit(raw, answer));
        }
        let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
            return Some(failure(None, &RpcError::parse()));
        };
        if messages.is_empty() {
            return Some(failure(None, &RpcError::invalid_request("empty batch")));
        }
        if messages.len() > MAX_BATCH {
            return Some(failure(None, &RpcError::invalid_request("batch too large")));
        }
        self.batch(allowed, &messages, clock)
    }

    fn batch(
        &self,
        allowed: &Namespaces,
        messages: &[&RawValue],
        clock: impl Fn() -> Unix,
    ) -> Option<String> {
        let end = Unix(clock().0.saturating_add(MAX_BATCH_SECONDS));
        let mut answers = String::new();
        for raw in messages {
            let now = clock();
            let answer = if now > end {
                Some(failure(Message::read(raw).id, &RpcError::timed_out()))
            } else if answers.len() < MAX_RESPONSE_BYTES {
                self.one(allowed, raw, now).map(|answer| {
                    let is_too_large = answer.len() + answers.len() > MAX_RESPONSE_BYTES;
                    if is_too_large { too_large(raw) } else { answer }
                })
            } else {
                Some(too_large(raw))
            };
            let Some(answer) = answer else { continue };
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(&answer);
        }
        if answers.is_empty() {
            return None;
        }
        answers.push(']');
        Some(answers)
    }

    fn one(&self, allowed: &Namespaces, raw: &RawValue, now: Unix) -> Option<String> {
        let message = Message::read(raw);
        if message.has_valid_id() && message.is_response {
            return None;
        }
        if message.method.is_empty() {
            let id = message.id.filter(|_| message.has_valid_id());
            return Some(failure(id, &RpcError::invalid_request("invalid request")));
        }
        let Some(id) = message.id else {
            // A notification is carried out and not answered.
            let _unheard = self.result(allowed, &message, now);
            return None;
        };
        if !message.has_valid_id() {
            return Some(failure(None, &RpcError::invalid_request("invalid request")));
        }
        Some(match self.result(allowed, &message, now) {
            Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
            Err(error) => failure(Some(id), &error),
        })
    }

    fn result(
        &self,
        allowed: &Namespaces,
        message: &Message<'_>,
        now: Unix,
    ) -> Result<Value, RpcError> {
        let method = allowed.method(&message.method)?;
        method(self, Params::read(message.params)?, &Context { allowed, now })
    }
}

fn failure(id: Option<&RawValue>, error: &RpcError) -> String {
    let id = id.map_or("null", RawValue::get);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, error.to_json())
}

fn too_large(raw: &RawValue) -> String {
    failure(Message::read(raw).id, &RpcError::response_too_large())
}

fn within_limit(raw: &RawValue, answer: String) -> String {
    if answer.len() > MAX_RESPONSE_BYTES { too_large(raw) } else { answer }
}
