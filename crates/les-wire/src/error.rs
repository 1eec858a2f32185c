//! What a peer did wrong in a message, in a form that costs nothing to keep.

/// A payload that is not a message: which message, which field of it, and the deed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}: {field} {deed}")]
pub struct DecodeError {
    /// Name of the message as in the specification.
    pub message: &'static str,
    /// The field that could not be read.
    pub field: &'static str,
    /// What is wrong with it.
    pub deed: Deed,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// The bytes end before the item does.
    Truncated,
    /// Bytes or elements follow where the message should end.
    Trailing,
    /// An element is missing: its list ends before it.
    Missing,
    /// A list stands where a byte string must be.
    NotAString,
    /// A byte string stands where a list must be.
    NotAList,
    /// A length or integer is not written in its shortest form.
    NotCanonical,
    /// A byte string has a length that the field cannot have.
    WrongLength {
        /// The length that was sent, in bytes.
        bytes: usize,
    },
    /// A value that the field cannot have.
    OutOfRange,
    /// A message code that this side does not accept in this version.
    UnknownCode(u8),
    /// A transaction type that is not known here.
    UnknownTransactionType(u8),
    /// More key and value bytes than one message may carry.
    TooLarge {
        /// Their sum, in bytes, up to and including the entry that crossed the limit.
        bytes: usize,
    },
    /// More items than one message may carry.
    TooManyItems {
        /// How many it may.
        most: usize,
    },
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("is cut short"),
            Self::Trailing => f.write_str("is followed by something that does not belong there"),
            Self::Missing => f.write_str("is missing"),
            Self::NotAString => f.write_str("is a list, not a byte string"),
            Self::NotAList => f.write_str("is a byte string, not a list"),
            Self::NotCanonical => f.write_str("is not in its shortest form"),
            Self::WrongLength { bytes } => write!(f, "cannot be {bytes} bytes long"),
            Self::OutOfRange => f.write_str("has a value that it cannot have"),
            Self::UnknownCode(code) => write!(f, "{code:#04x} is not accepted"),
            Self::UnknownTransactionType(number) => write!(f, "has unknown type {number:#04x}"),
            Self::TooLarge { bytes } => write!(f, "has {bytes} bytes of keys and values"),
            Self::TooManyItems { most } => write!(f, "has more than {most} items"),
        }
    }
}

impl From<alloy_rlp::Error> for Deed {
    fn from(error: alloy_rlp::Error) -> Self {
        use alloy_rlp::Error;
        match error {
            Error::InputTooShort => Self::Truncated,
            Error::LeadingZero | Error::NonCanonicalSize | Error::NonCanonicalSingleByte => {
                Self::NotCanonical
            }
            Error::UnexpectedList => Self::NotAString,
            Error::UnexpectedString => Self::NotAList,
            Error::Overflow
            | Error::UnexpectedLength
            | Error::ListLengthMismatch { .. }
            | Error::Custom(_) => Self::OutOfRange,
        }
    }
}
