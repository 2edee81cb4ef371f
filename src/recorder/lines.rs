//! Records dataset events from lines that arrive over time.

use std::time::Duration;

use engines_core::{RequestContext, Result};
use engines_storage::event_log::{BatchSummary, EventLog, LineResult};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

/// How long the next chunk may take before the lines that have arrived are written.
const FLUSH_AFTER: Duration = Duration::from_millis(5);

/// Records the events in `chunks`. See [`Engine::record_lines`](crate::Engine::record_lines).
pub(crate) async fn record_lines<C: AsRef<[u8]>>(
    events: &EventLog,
    context: &RequestContext,
    key: Option<String>,
    mut chunks: impl Stream<Item = Result<C>> + Unpin,
    mut on_results: impl FnMut(Vec<LineResult>) -> Result<()>,
) -> Result<(Vec<LineResult>, BatchSummary)> {
    let mut batch = events.batch(context, key).await?;
    let fault = loop {
        let chunk = match timeout(FLUSH_AFTER, chunks.next()).await {
            Ok(chunk) => chunk,
            Err(_) => {
                batch.flush().await?;
                chunks.next().await
            }
        };
        match chunk {
            None => break None,
            Some(Err(fault)) => break Some(fault),
            Some(Ok(chunk)) => {
                let wants_more = batch.push(chunk.as_ref()).await?;
                if let Err(fault) = on_results(batch.results().collect()) {
                    break Some(fault);
                }
                if !wants_more {
                    break None;
                }
            }
        }
    };
    batch.finish(fault).await
}
