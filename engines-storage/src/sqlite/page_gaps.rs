//! Overwrites the unallocated parts of pages, where SQLite leaves copies of removed content.
//!
//! `secure_delete` zeroes a removed cell and a freed page. But when SQLite rebuilds a page (`rebuildPage` in its
//! `btree.c`), cells that move within the page or to a neighbour leave their bytes between the cell pointers and the
//! cells. These copies outlive the cells: of 1.5 million removed values, an experiment found two in the file. After
//! something was removed, the store therefore reads the pages of the data file and zeroes that part of each.
//!
//! The file is written past SQLite, which is safe for these reasons:
//!
//! - SQLite never reads the unallocated part (file format, section 1.6), so a half-written or lost write of it does no
//!   harm. A write changes no neighbouring byte, even when the power fails; SQLite relies on the same for its log
//!   (`SQLITE_POWERSAFE_OVERWRITE`).
//! - It is done by the writer's thread, in a write transaction, while the write-ahead log is empty: no newer image of a page exists, and nobody makes one.
//! - The writer's page cache is emptied first, so that it does not write an old image of a page later. Readers' caches are never written.
//! - Which pages are b-tree pages is read from the pointer map, which every file with `auto_vacuum` has, and checked by the page's own header.
//! - The file stays open until all connections are closed: closing it would drop the process's POSIX locks on it.
//! - Nothing is written unless the file is the one that the store has opened, and its log exists and is empty.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use rusqlite::Connection;

use super::{
    erasure::ErasureState,
    error::SqliteFailure,
    files::{LOG_SUFFIX, sibling_path},
    state::StoreState,
};

/// Number of bytes examined at a time, which takes some milliseconds. Nothing is written to the store meanwhile.
const CHUNK_BYTES: u64 = 16 << 20;
/// The page at this offset is used for locks and contains nothing.
const LOCK_PAGE_OFFSET: u64 = 1 << 30;
/// Size of the file's header, at the start of the first page.
const FILE_HEADER_BYTES: usize = 100;
/// Size of an entry of the pointer map, and the values of its first byte for a root page and for another b-tree page.
const POINTER_ENTRY_BYTES: u64 = 5;
const ROOT_PAGE: u8 = 1;
const BTREE_PAGE: u8 = 5;

/// A pass over the file.
#[derive(Debug, Clone, Copy)]
struct FilePass {
    /// Number of removals before the pass began.
    removals_at_start: u64,
    /// The offset of the next page.
    next_offset: u64,
}

/// Erases unallocated parts; used by the writer's thread.
#[derive(Debug)]
pub(super) struct GapEraser {
    shared: Arc<StoreState>,
    enabled: bool,
    pass: Option<FilePass>,
}

/// Why a pass was aborted.
#[derive(Debug)]
enum PassError {
    /// The file could not be read; nothing is wrong with what is stored.
    Read(io::Error),
    /// Writing or syncing failed: a fault of the disk, as in a checkpoint.
    Write(io::Error),
    /// The disk is full. A copy-on-write file system can report this for a part of a file that exists. Nothing that
    /// SQLite wrote is lost, so the pass is repeated later.
    Full(io::Error),
}

impl From<io::Error> for PassError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The fields of the file's header that are needed here.
#[derive(Debug, Clone, Copy)]
struct PageLayout {
    page_bytes: u64,
    usable_bytes: u64,
}

impl GapEraser {
    pub(super) fn new(shared: Arc<StoreState>, enabled: bool) -> Self {
        Self { shared, enabled, pass: None }
    }

    /// Continues the pass by one chunk, or starts one. Must be called directly after the log was emptied. Returns
    /// whether all content removed before is gone from the file.
    pub(super) fn run_step(&mut self, connection: &Connection) -> Result<bool, SqliteFailure> {
        let erasure = &self.shared.erasure;
        let removals = erasure.removal_count();
        if !self.enabled {
            ErasureState::clear_mark(connection)?;
            return Ok(true);
        }
        let pass = *self.pass.get_or_insert(FilePass { removals_at_start: removals, next_offset: 0 });
        erasure.set_walking(true);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let walked = self.erase_chunk(connection, pass);
        connection.prepare_cached("ROLLBACK")?.execute([])?;
        match walked {
            Ok(Some(next)) => {
                self.pass = Some(FilePass { next_offset: next, ..pass });
                Ok(false)
            }
            Ok(None) => {
                self.pass = None;
                erasure.set_walking(false);
                let done = erasure.removal_count() == pass.removals_at_start;
                if done {
                    ErasureState::clear_mark(connection)?;
                }
                Ok(done)
            }
            Err(broken) => {
                self.pass = None;
                erasure.set_walking(false);
                match broken {
                    PassError::Read(error) | PassError::Full(error) => {
                        let path = self.shared.files.path().display();
                        tracing::warn!(%path, kind = %error.kind(), "unallocated parts of pages could not be overwritten; it is tried again");
                        Ok(false)
                    }
                    PassError::Write(error) => Err(SqliteFailure::io(&error)),
                }
            }
        }
    }

    /// Looks through a chunk; returns where the next begins.
    fn erase_chunk(&self, connection: &Connection, pass: FilePass) -> Result<Option<u64>, PassError> {
        let emptied = || io::Error::other("the page cache could not be emptied");
        connection.execute_batch("PRAGMA shrink_memory").map_err(|_| emptied())?;
        let path = self.shared.files.path();
        // A log that does not exist was removed with its frames, so the state of the data file is unknown.
        if std::fs::metadata(sibling_path(path, LOG_SUFFIX))?.len() > 0 {
            // Another program has written; the next step empties the log again.
            return Ok(Some(pass.next_offset));
        }
        let mut file = self.shared.data_file().map_err(|failure| io::Error::other(failure.to_string()))?;
        let size = file.metadata()?.len();
        let Some(layout) = read_layout(&mut file)? else { return Ok(None) };
        let end = size.min(pass.next_offset + CHUNK_BYTES);
        let (mut map, mut map_at) = (Vec::new(), u64::MAX);
        let mut page = vec![0; usize::try_from(layout.page_bytes).map_err(io::Error::other)?];
        let (mut offset, mut written) = (pass.next_offset, false);
        while offset + layout.page_bytes <= end {
            let number = offset / layout.page_bytes + 1;
            if offset != LOCK_PAGE_OFFSET && !layout.is_pointer_map_page(number) {
                let (map_offset, entry) = layout.pointer_map_entry(number);
                if number > 1 && map_at != map_offset {
                    map.resize(page.len(), 0);
                    read_at(file, map_offset, &mut map)?;
                    map_at = map_offset;
                }
                let kind = if number == 1 { Some(&ROOT_PAGE) } else { map.get(entry) };
                if kind.is_some_and(|kind| matches!(*kind, ROOT_PAGE | BTREE_PAGE)) {
                    read_at(file, offset, &mut page)?;
                    if let Some((from, to)) = unallocated_range(&page, number == 1, layout.usable_bytes)
                        && let Some(part) = page.get_mut(from..to)
                        && part.iter().any(|byte| *byte != 0)
                    {
                        part.fill(0);
                        write_at(file, offset + from as u64, part)?;
                        written = true;
                    }
                }
            }
            offset += layout.page_bytes;
        }
        if written {
            file.sync_data().map_err(PassError::Write)?;
        }
        Ok((offset + layout.page_bytes <= size).then_some(offset))
    }
}

impl PageLayout {
    /// Returns the number of pages from one page of the pointer map to the next: the map's entries, and the map page
    /// itself.
    fn pages_per_map(self) -> u64 {
        self.usable_bytes / POINTER_ENTRY_BYTES + 1
    }

    /// Returns the page of the pointer map that precedes this page, or the page itself.
    fn pointer_map_page(self, number: u64) -> u64 {
        let map = (number - 2) / self.pages_per_map() * self.pages_per_map() + 2;
        if (map - 1) * self.page_bytes == LOCK_PAGE_OFFSET { map + 1 } else { map }
    }

    fn is_pointer_map_page(self, number: u64) -> bool {
        number >= 2 && self.pointer_map_page(number) == number
    }

    /// Returns where the pointer map has the entry of a page: the offset of the map's page, and the entry's offset in
    /// it.
    fn pointer_map_entry(self, number: u64) -> (u64, usize) {
        if number < 3 {
            return (0, 0);
        }
        let map = self.pointer_map_page(number);
        let place = number.saturating_sub(map + 1) * POINTER_ENTRY_BYTES;
        ((map - 1) * self.page_bytes, usize::try_from(place).unwrap_or(usize::MAX))
    }
}

/// Reads the file's header; `None` when the file has no pointer map.
fn read_layout(file: &mut &File) -> io::Result<Option<PageLayout>> {
    let mut header = [0; FILE_HEADER_BYTES];
    read_at(file, 0, &mut header)?;
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        page => page,
    };
    let largest_root = u32::from_be_bytes([header[52], header[53], header[54], header[55]]);
    let usable = page.saturating_sub(u64::from(header[20]));
    let sound = header.starts_with(b"SQLite format 3\0") && page.is_power_of_two() && page >= 512 && usable >= 480;
    Ok((sound && largest_root > 0).then_some(PageLayout { page_bytes: page, usable_bytes: usable }))
}

/// Returns the unallocated part of a b-tree page, between its cell pointers and its cells; `None` when the page does
/// not look like a b-tree page.
fn unallocated_range(page: &[u8], first: bool, usable: u64) -> Option<(usize, usize)> {
    let header = if first { FILE_HEADER_BYTES } else { 0 };
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let pointers = match page.get(header)? {
        2 | 5 => header + 12,
        10 | 13 => header + 8,
        _ => return None,
    };
    let from = pointers + 2 * number(header + 3)?;
    let to = match number(header + 5)? {
        0 => 65_536,
        to => to,
    };
    let usable = usize::try_from(usable).ok()?;
    (from <= to && to <= usable && usable <= page.len()).then_some((from, to))
}

fn read_at(mut file: &File, offset: u64, into: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(into)
}

/// Writes all of `bytes`, although the system may accept only a part at a time.
fn write_at(mut file: impl Write + Seek, offset: u64, bytes: &[u8]) -> Result<(), PassError> {
    let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PassError::Full(error),
        _ => PassError::Write(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the arithmetic of the pointer map with SQLite's (`ptrmapPageno`), around map pages and the lock page.
    #[test]
    fn pointer_map_pages_match_sqlite() {
        for (page, usable) in [(4096_u64, 4096_u64), (512, 480), (65_536, 65_536)] {
            let layout = PageLayout { page_bytes: page, usable_bytes: usable };
            let lock = LOCK_PAGE_OFFSET / page + 1;
            let per_map = usable / 5 + 1;
            for number in (2..4000).chain(lock - 2000..lock + 2000) {
                let mut wanted = (number - 2) / per_map * per_map + 2;
                if wanted == lock {
                    wanted += 1;
                }
                assert_eq!(layout.pointer_map_page(number), wanted, "page {number} of {page} bytes");
            }
            assert!(
                layout.is_pointer_map_page(2)
                    && !layout.is_pointer_map_page(3)
                    && layout.is_pointer_map_page(2 + per_map)
            );
            assert_eq!(layout.pointer_map_entry(3), (page, 0));
            assert_eq!(layout.pointer_map_entry(4), (page, 5));
        }
    }

    /// A file whose first write accepts one byte and whose second write fails.
    struct FailingFile(io::ErrorKind, usize);

    impl Write for FailingFile {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 1 { Ok(1) } else { Err(self.0.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for FailingFile {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn only_a_full_disk_is_not_treated_as_a_disk_fault() {
        use io::ErrorKind::{Other, QuotaExceeded, StorageFull, WriteZero};
        for (kind, full) in [(StorageFull, true), (QuotaExceeded, true), (Other, false), (WriteZero, false)] {
            let broken = write_at(FailingFile(kind, 0), 0, b"12").unwrap_err();
            assert_eq!(matches!(broken, PassError::Full(_)), full, "{kind}");
            assert_eq!(matches!(broken, PassError::Write(_)), !full, "{kind}");
        }
        let mut file = io::Cursor::new(vec![0; 4]);
        write_at(&mut file, 1, b"12").unwrap();
        assert_eq!(file.into_inner(), b"\x0012\x00");
    }

    #[test]
    fn a_page_that_is_not_a_b_tree_page_has_no_gap() {
        let mut page = vec![0; 512];
        assert_eq!(unallocated_range(&page, false, 512), None);
        page[0] = 13;
        (page[3], page[4], page[5], page[6]) = (0, 2, 1, 0);
        assert_eq!(unallocated_range(&page, false, 512), Some((12, 256)));
        // More pointers than fit before the cells, and cells after the end.
        page[4] = 200;
        assert_eq!(unallocated_range(&page, false, 512), None);
        (page[4], page[5], page[6]) = (2, 2, 1);
        assert_eq!(unallocated_range(&page, false, 512), None);
    }
}
