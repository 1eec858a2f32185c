//! Why a transaction is not taken, in the words of go-ethereum's pool.

/// Why a transaction is not taken. The text is what a client shows its user: that of go-ethereum
/// 1.10.26 (`core/tx_pool.go`, `core/error.go`) where it has the case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not the encoding of a transaction.
    #[error("{0}")]
    Malformed(String),
    /// A fee that does not fit 128 bits; nobody could pay it.
    #[error("max fee per gas higher than 2^128-1")]
    FeeVeryHigh,
    /// The signature is of no key, or for another chain.
    #[error("invalid sender")]
    InvalidSender,
    /// No such type, or not yet on this chain.
    #[error("transaction type not supported")]
    TypeNotSupported,
    /// A type that is never relayed.
    #[error("transaction type not supported: blob transactions are not relayed")]
    Blob,
    /// Longer than [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES).
    #[error("oversized data")]
    Oversized,
    /// Creation code longer than a contract may have (EIP-3860).
    #[error("max initcode size exceeded")]
    InitCodeTooLong,
    /// More gas than a block has.
    #[error("exceeds block gas limit")]
    GasLimit,
    /// More gas than a transaction may use (EIP-7825).
    #[error("transaction gas limit too high")]
    GasCap,
    /// The priority fee is above the fee.
    #[error("max priority fee per gas higher than max fee per gas")]
    TipAboveFeeCap,
    /// Less for the miner than the least that is relayed.
    #[error("transaction underpriced")]
    Underpriced,
    /// The nonce was used.
    #[error("nonce too low")]
    NonceTooLow,
    /// The sender cannot pay for this one.
    #[error("insufficient funds for gas * price + value")]
    InsufficientFunds,
    /// The sender cannot pay for this one and those that wait (go-ethereum 1.12.0).
    #[error("transaction would cause overdraft")]
    Overdraft,
    /// One of an account with a delegation waits, and this one would join it.
    #[error("in-flight transaction limit reached for delegated accounts")]
    DelegatedInFlight,
    /// One of an account with a delegation that the next block could not take.
    #[error("gapped-nonce tx from delegated accounts")]
    DelegatedGap,
    /// Less gas than the transaction costs before it runs.
    #[error("intrinsic gas too low")]
    IntrinsicGas,
    /// Less gas than its data costs at least (EIP-7623).
    #[error("insufficient gas for floor data gas cost")]
    FloorDataGas,
    /// A set-code transaction that sets none (EIP-7702).
    #[error("set code tx must have at least one authorization tuple")]
    NoAuthorization,
    /// One with this sender and nonce waits, and this one does not pay enough more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The sender has too many waiting.
    #[error("account limit exceeded: too many transactions of this sender are waiting")]
    SenderFull,
    /// This client has too many waiting.
    #[error("txpool is full: too many transactions of this client are waiting")]
    ClientFull,
    /// The set is full, and no client uses more of it than this one.
    #[error("txpool is full")]
    Full,
}
