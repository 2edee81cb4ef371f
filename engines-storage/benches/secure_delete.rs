//! The cost of overwriting removed content: the same writes with and without `secure_delete`, in turns.
//!
//! `cargo bench -p engines-storage --bench secure_delete [-- SECONDS [ROUNDS [FOLDER]]]` prints batches per second,
//! the median of the rounds. The folder must be on a real disk.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use engines_core::{
    DocId, Env, IdGenerator, RequestContext, Role, Scope, Store, Timestamp,
    nexus::{Batch, DocumentKind, Expect, ExpectedHead, NewDocument},
    stream::NewEvent,
    testing,
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::value::RawValue;

type BenchError = Box<dyn std::error::Error + Send + Sync>;

const NOTE: DocumentKind = DocumentKind::from_static("note");
/// Number of concurrent batches.
const IN_FLIGHT: usize = 64;
/// Number of documents that are rewritten, and their size in bytes.
const DOCUMENTS: u64 = 2000;
const DOCUMENT_BYTES: usize = 2048;

#[derive(Debug, Clone, Copy)]
enum WriteLoad {
    /// One event of a stream each: nothing is removed.
    Append,
    /// A document replaces an older one.
    Replace,
    /// One document is deleted, and another one is written.
    Delete,
}

struct BatchMaker {
    scope: Scope,
    context: RequestContext,
    ids: IdGenerator,
    data: Box<RawValue>,
}

impl BatchMaker {
    fn document(&self, n: u64) -> Result<NewDocument, BenchError> {
        let tags = vec!["all".to_owned()];
        Ok(NewDocument { kind: NOTE, id: DocId::new(format!("d{n}"))?, tags, body: self.data.clone() })
    }

    fn batch(&self, load: WriteLoad, n: u64) -> Result<Batch, BenchError> {
        let at = Timestamp::from_secs(1_770_000_000);
        let batch = Batch::new(at);
        // An order that visits each document and differs from the order of the tree.
        let place = n.wrapping_mul(7919) % DOCUMENTS;
        Ok(match load {
            WriteLoad::Append => {
                let event = NewEvent::new(self.ids.ulid(at), at, "canvas_commit", &self.context, self.data.clone());
                batch.append(format!("canvas/c{}", n % 16).parse()?, ExpectedHead::Any, vec![event])
            }
            WriteLoad::Replace => batch.put(self.document(place)?, Expect::Any),
            WriteLoad::Delete => {
                let other = (place + DOCUMENTS / 2) % DOCUMENTS;
                batch.put(self.document(place)?, Expect::Any).delete(
                    NOTE,
                    DocId::new(format!("d{other}"))?,
                    Expect::Any,
                )
            }
        })
    }
}

async fn rate(folder: &PathBuf, load: WriteLoad, secure: bool, time: Duration) -> Result<f64, BenchError> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut options = SqliteOptions::default();
    options.secure_delete = secure;
    let store = Arc::new(SqliteStore::open(folder.path().join("engines.db"), options)?);
    let text = "x".repeat(DOCUMENT_BYTES);
    let maker = BatchMaker {
        scope: testing::scope("t_bench", Env::Dev)?,
        context: testing::context("t_bench", "ada", Role::Member)?,
        ids: IdGenerator::seeded(1),
        data: RawValue::from_string(format!("\"{text}\""))?,
    };
    let (mut flight, mut sent, mut done) = (FuturesUnordered::new(), 0, 0_u32);
    let begin = Instant::now();
    while begin.elapsed() < time {
        while flight.len() < IN_FLIGHT {
            flight.push(store.commit(&maker.scope, maker.batch(load, sent)?));
            sent += 1;
        }
        if let Some(receipt) = flight.next().await {
            receipt?;
            done += 1;
        }
    }
    let rate = f64::from(done) / begin.elapsed().as_secs_f64();
    drop(flight);
    store.close().await;
    Ok(rate)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), BenchError> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let seconds = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let folder = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    for load in [WriteLoad::Append, WriteLoad::Replace, WriteLoad::Delete] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..rounds.max(1) {
            for (secure, rates) in [false, true].into_iter().zip(&mut rates) {
                rates.push(rate(&folder, load, secure, Duration::from_secs(seconds)).await?);
            }
        }
        let [without, with] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        println!("{load:?}: {without:.0} batches/s without, {with:.0} with secure_delete ({:.2})", with / without);
    }
    Ok(())
}
