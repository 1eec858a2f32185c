//! Stop and Resume (les/3).

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::writer::{write_list_head, write_u64};

/// Appends the payload of StopMsg: the empty list that go-ethereum sends. Receivers ignore it.
pub fn encode_stop(out: &mut Vec<u8>) {
    write_list_head(0, out);
}

/// Appends the payload of ResumeMsg: the client's buffer value in cost units, as a bare integer
/// (the specification says a list, but go-ethereum neither sends nor accepts one).
pub fn encode_resume(buffer_value: u64, out: &mut Vec<u8>) {
    write_u64(buffer_value, out);
}

/// The buffer value of a ResumeMsg, in cost units.
///
/// # Errors
/// When the payload is not one integer.
pub fn decode_resume(payload: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new("ResumeMsg", payload);
    let buffer_value = reader.u64("buffer value")?;
    reader.end("message")?;
    Ok(buffer_value)
}
