//! One value for each kind of request.

use les_wire::RequestKind;

/// What belongs to each kind, in the order of [`RequestKind::ALL`].
#[derive(Debug, Default)]
pub(crate) struct PerKind<T>([T; RequestKind::ALL.len()]);

impl<T> PerKind<T> {
    pub(crate) const fn of(&self, kind: RequestKind) -> &T {
        let [headers, bodies, receipts, code, proofs, helper_tries, send, status] = &self.0;
        match kind {
            RequestKind::Headers => headers,
            RequestKind::Bodies => bodies,
            RequestKind::Receipts => receipts,
            RequestKind::Code => code,
            RequestKind::Proofs => proofs,
            RequestKind::HelperTrieProofs => helper_tries,
            RequestKind::SendTx => send,
            RequestKind::TxStatus => status,
        }
    }
}
