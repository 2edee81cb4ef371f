//! Scrubs a stream of chunks of text, such as a model's tokens.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use thiserror::Error;

use super::error::{PolicyError, ScrubError};
use super::finding::ScrubReport;
use super::scrubber::Scrubber;
use super::stream::StreamScrubber;

/// Why a scrubbed stream failed.
#[derive(Debug, Error)]
pub enum ChunkError<E> {
    /// The source failed. What it yields afterwards is still scrubbed.
    #[error("the source failed")]
    Source(#[source] E),
    /// The text could not be scrubbed. Nothing more is returned.
    #[error(transparent)]
    Scrub(#[from] ScrubError),
}

/// A stream of chunks of one text, scrubbed. Findings do not depend on the boundaries of the chunks. Text is returned
/// as soon as it can no longer belong to a finding, some 600 bytes later, or when the stream ends.
///
/// ```
/// use std::convert::Infallible;
///
/// use engines_pii::Scrubber;
/// use futures_util::{TryStreamExt as _, stream};
/// # futures_executor::block_on(async {
/// let tokens = stream::iter(["mail an", "a@exam", "ple.org"].map(Ok::<_, Infallible>));
/// let clean: String = Scrubber::default().scrub_chunks(tokens)?.try_collect().await?;
/// assert_eq!(clean, "mail [EMAIL_ADDRESS]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct ScrubbedChunks<S> {
    source: Pin<Box<S>>,
    /// `None` once it has ended.
    scrubber: Option<StreamScrubber>,
    receipt: Option<ScrubReport>,
}

impl Scrubber {
    /// Scrubs the chunks of a stream.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::stream`].
    pub fn scrub_chunks<S, T, E>(&self, source: S) -> Result<ScrubbedChunks<S>, PolicyError>
    where
        S: Stream<Item = Result<T, E>>,
        T: AsRef<str>,
    {
        Ok(ScrubbedChunks { source: Box::pin(source), scrubber: Some(self.stream()?), receipt: None })
    }
}

impl<S> ScrubbedChunks<S> {
    /// The report of the whole text; available once the stream has ended.
    pub fn receipt(&self) -> Option<&ScrubReport> {
        self.receipt.as_ref()
    }
}

impl<S, T, E> Stream for ScrubbedChunks<S>
where
    S: Stream<Item = Result<T, E>>,
    T: AsRef<str>,
{
    type Item = Result<String, ChunkError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(mut scrubber) = this.scrubber.take() {
            let polled = this.source.as_mut().poll_next(cx);
            let chunk = match polled {
                Poll::Pending => {
                    this.scrubber = Some(scrubber);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(error))) => {
                    this.scrubber = Some(scrubber);
                    return Poll::Ready(Some(Err(ChunkError::Source(error))));
                }
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(None) => {
                    let (rest, receipt) = match scrubber.finish() {
                        Ok(end) => end,
                        Err(error) => return Poll::Ready(Some(Err(error.into()))),
                    };
                    this.receipt = Some(receipt);
                    return Poll::Ready((!rest.is_empty()).then_some(Ok(rest)));
                }
            };
            let clean = match scrubber.push(chunk.as_ref()) {
                Ok(clean) => clean,
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            };
            this.scrubber = Some(scrubber);
            if !clean.is_empty() {
                return Poll::Ready(Some(Ok(clean)));
            }
        }
        Poll::Ready(None)
    }
}

impl<S> fmt::Debug for ScrubbedChunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScrubbedChunks").field("receipt", &self.receipt).finish_non_exhaustive()
    }
}
