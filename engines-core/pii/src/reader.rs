//! Scrubs the text of an asynchronous reader.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncRead;

use super::error::{PolicyError, ScrubError};
use super::finding::ScrubReport;
use super::scrubber::Scrubber;
use super::stream::StreamScrubber;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 8 << 10;

/// A reader whose text is scrubbed while it is read, with bounded memory and a delay of some 600 bytes. Bytes that are
/// not UTF-8 become U+FFFD.
///
/// It uses the traits of `futures-io`; `tokio_util::compat` converts those of tokio (`reader.compat()`), and back. For
/// `std::io::Read` there is [`scrub_reader`](super::scrub_reader).
///
/// ```
/// use engines_pii::Scrubber;
/// use futures_util::{AsyncReadExt as _, io::Cursor};
/// # futures_executor::block_on(async {
/// let mut clean = String::new();
/// Scrubber::default().scrub_async_read(Cursor::new("mail ana@example.org"))?.read_to_string(&mut clean).await?;
/// assert_eq!(clean, "mail [EMAIL_ADDRESS]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of the source, after which reading may continue; and `InvalidData` with a [`ScrubError`] inside when the text
/// cannot be scrubbed, after which every read fails.
pub struct ScrubbedReader<R> {
    source: Pin<Box<R>>,
    state: ReaderState,
    chunk: Box<[u8]>,
    /// Scrubbed text that is ready to be read.
    scrubbed: Vec<u8>,
    /// How much of it was read.
    scrubbed_read: usize,
}

enum ReaderState {
    Open(Box<StreamScrubber>),
    Ended(ScrubReport),
    Failed(ScrubError),
}

impl Scrubber {
    /// Scrubs the text of a reader.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::stream`].
    pub fn scrub_async_read<R: AsyncRead>(&self, source: R) -> Result<ScrubbedReader<R>, PolicyError> {
        Ok(ScrubbedReader {
            source: Box::pin(source),
            state: ReaderState::Open(Box::new(self.stream()?)),
            chunk: vec![0; CHUNK_BYTES].into(),
            scrubbed: Vec::new(),
            scrubbed_read: 0,
        })
    }
}

impl<R> ScrubbedReader<R> {
    /// The report of the whole text; available once the source has ended.
    pub fn receipt(&self) -> Option<&ScrubReport> {
        match &self.state {
            ReaderState::Ended(receipt) => Some(receipt),
            ReaderState::Open(_) | ReaderState::Failed(_) => None,
        }
    }
}

impl<R: AsyncRead> AsyncRead for ScrubbedReader<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if this.scrubbed_read < this.scrubbed.len() {
                let rest = &this.scrubbed[this.scrubbed_read..];
                let taken = rest.len().min(buffer.len());
                buffer[..taken].copy_from_slice(&rest[..taken]);
                this.scrubbed_read += taken;
                return Poll::Ready(Ok(taken));
            }
            match &this.state {
                ReaderState::Open(_) => {}
                ReaderState::Ended(_) => return Poll::Ready(Ok(0)),
                ReaderState::Failed(error) => return Poll::Ready(Err(to_io_error(error.clone()))),
            }
            let got = match this.source.as_mut().poll_read(cx, &mut this.chunk) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(got) => got?,
            };
            // After any failure from here on, nothing more is returned.
            let ReaderState::Open(mut scrubber) =
                std::mem::replace(&mut this.state, ReaderState::Failed(ScrubError::Seal))
            else {
                continue;
            };
            let done = if got == 0 {
                scrubber.finish().map(|(rest, receipt)| (rest, ReaderState::Ended(receipt)))
            } else {
                scrubber.push_bytes(&this.chunk[..got]).map(|clean| (clean, ReaderState::Open(scrubber)))
            };
            match done {
                Ok((clean, state)) => {
                    (this.scrubbed, this.scrubbed_read) = (clean.into_bytes(), 0);
                    this.state = state;
                }
                Err(error) => this.state = ReaderState::Failed(error),
            }
        }
    }
}

fn to_io_error(error: ScrubError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R> fmt::Debug for ScrubbedReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScrubbedReader").field("receipt", &self.receipt()).finish_non_exhaustive()
    }
}
