//! Segments on their way from the core to the chain's writer.

use chain_backend::{Block, ImportError, Refusal, SegmentError};
use eth_sync::{
    BlockId, Event, FetchedBlock, ImportResult, SEGMENTS_IN_FLIGHT, SealedHeader, SegmentId,
};
use tokio::sync::mpsc;
use tracing::error;

use crate::{ChainWriter, WriteError};

type Segment = (SegmentId, Vec<FetchedBlock>);
/// The blocks up to the first that is none, and what is wrong with that.
type Decoded = (Vec<Block>, Option<ImportResult>);

/// Imports what is sent, in order, and says how each segment ended. Ends with its sender. While one
/// segment is imported, the next is decoded.
pub(super) fn start(writer: ChainWriter) -> (mpsc::Sender<Segment>, mpsc::Receiver<Event>) {
    let (segments, mut received) = mpsc::channel::<Segment>(SEGMENTS_IN_FLIGHT);
    let (decoder, mut decoded) = mpsc::channel(1);
    let (results, ended) = mpsc::channel(SEGMENTS_IN_FLIGHT);
    tokio::spawn(async move {
        while let Some((segment, blocks)) = received.recv().await {
            // It takes milliseconds: not on a thread that serves light clients.
            let blocks = tokio::task::spawn_blocking(move || decode(&blocks)).await;
            if decoder.send((segment, blocks)).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((segment, blocks)) = decoded.recv().await {
            let result = match blocks {
                Ok(blocks) => import(&writer, blocks).await,
                Err(error) => {
                    error!(%error, "Cannot decode blocks");
                    ImportResult::Failed
                }
            };
            if results.send(Event::Imported { segment, result }).await.is_err() {
                return;
            }
        }
    });
    (segments, ended)
}

async fn import(writer: &ChainWriter, (blocks, undecodable): Decoded) -> ImportResult {
    let result = match writer.import(blocks).await {
        Ok(_) => ImportResult::Done,
        Err(WriteError::Stopped) => ImportResult::Failed,
        Err(WriteError::Segment(error)) => refused(*error),
    };
    match (result, undecodable) {
        (ImportResult::Done, Some(refused)) => refused,
        (result, _) => result,
    }
}

fn decode(fetched: &[FetchedBlock]) -> Decoded {
    let mut blocks = Vec::with_capacity(fetched.len());
    for FetchedBlock { header, body } in fetched {
        let header_rlp = alloy_rlp::encode(header.inner());
        let joined = Block::join(&header_rlp, body.rlp());
        let decoded = joined.as_deref().map_or_else(
            || Err("its body is no list".to_owned()),
            |bytes| Block::decode(bytes).map_err(|error| error.to_string()),
        );
        match decoded {
            Ok(block) => blocks.push(block),
            Err(reason) => {
                return (blocks, Some(ImportResult::Refused { block: id(header), reason }));
            }
        }
    }
    (blocks, None)
}

fn id(header: &SealedHeader) -> BlockId {
    BlockId { hash: header.seal(), number: header.inner().number }
}

fn refused(SegmentError { error, .. }: SegmentError) -> ImportResult {
    let ImportError::Refused(refused) = error else {
        error!(%error, "Cannot import");
        return ImportResult::Failed;
    };
    if let Refusal::Backend(error) = &refused.reason {
        error!(%error, "Cannot import");
        return ImportResult::Failed;
    }
    if matches!(refused.reason, Refusal::TooOld(_)) {
        return ImportResult::TooDeep;
    }
    ImportResult::Refused {
        block: BlockId { hash: refused.hash, number: refused.number },
        reason: refused.reason.to_string(),
    }
}
