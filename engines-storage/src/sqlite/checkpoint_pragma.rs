//! The pragma that moves the log's pages to the data file.

use rusqlite::Connection;

use super::error::SqliteFailure;

/// The result of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckpointResult {
    /// Number of frames in the log.
    pub(super) frames: usize,
    /// Number of these frames that are in the data file. When all are, the data file was synced.
    pub(super) moved_frames: usize,
}

/// Runs a checkpoint of this mode.
pub(super) fn run_checkpoint(connection: &Connection, mode: &str) -> Result<CheckpointResult, SqliteFailure> {
    let (frames, moved): (i64, i64) =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    let count = |number| usize::try_from(number).unwrap_or(0);
    Ok(CheckpointResult { frames: count(frames), moved_frames: count(moved) })
}
