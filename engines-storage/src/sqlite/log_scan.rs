//! Tells damage in a write-ahead log from the end that a crash leaves.
//!
//! SQLite reads a log up to the first frame whose salt or checksum does not hold, and ignores the rest without a word. After a
//! crash that is right: the last transaction may be there in part, and nobody was told that it is stored. When a sector goes bad,
//! whole transactions that were acknowledged lie behind the first bad frame, and are lost as silently.
//!
//! The store syncs each transaction before it writes the first frame of the next. So where a frame follows a commit frame, that
//! transaction was on disk, and everything before it too. Such a pair behind the first bad frame proves that what is bad was
//! acknowledged once. It can be recognised although the checksums are cumulative: a frame's checksum is computed from the one of
//! its predecessor, which the predecessor's header holds, and the computation can be run backwards from the frame's own.
//!
//! Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of the log's header.
const HEADER_BYTES: usize = 32;
/// Bytes of a frame's header.
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number with its last bit cleared; the bit says whether checksums read big-endian words.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;
/// What a disk writes as a whole or not at all.
const SECTOR_BYTES: u64 = 512;
/// Pages by which the data file may have grown in a transaction that cannot be read, besides to twice its size.
const MAX_GROWTH_PAGES: u32 = 1024;
/// Frames of which one has to be whole for a log to be recognised whose header is not. A bad sector of 4 KiB takes one or two.
const PROBED_FRAMES: u64 = 3;
const PAGE_SIZES: [usize; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogScan {
    /// Frames up to the last commit frame before anything that does not hold: what SQLite takes up.
    pub(super) frames: u64,
    /// Transactions in these.
    pub(super) transactions: u64,
    /// Bytes of the file up to there.
    pub(super) bytes: u64,
    /// What was acknowledged and cannot be taken up any more, if anything.
    pub(super) damage: Option<LogDamage>,
}

/// Damage in front of transactions that were acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogDamage {
    /// Where the first frame that does not hold begins, in bytes; 0 for the log's own header.
    pub(super) offset: u64,
    /// Whole transactions that lie behind the damaged one.
    pub(super) transactions_after: u64,
}

/// The state of a checksum.
type FrameChecksum = (u32, u32);

/// Reads a log from its beginning. `data_bytes` is the data file's length; it tells sensible page numbers from others.
///
/// Keeps one frame in memory, whatever the log's length.
pub(super) fn scan<R: Read + Seek>(mut log: R, data_bytes: u64) -> io::Result<LogScan> {
    let length = log.seek(SeekFrom::End(0))?;
    let mut scan = LogScan { frames: 0, transactions: 0, bytes: 0, damage: None };
    if length <= HEADER_BYTES as u64 {
        return Ok(scan);
    }
    log.seek(SeekFrom::Start(0))?;
    let mut header = [0; HEADER_BYTES];
    log.read_exact(&mut header)?;
    scan.bytes = HEADER_BYTES as u64;
    if let Some(format) = WalFormat::from_valid_header(&header) {
        let mut frames = FrameReader::new(log, format, length, data_bytes)?;
        let Some(bad) = frames.valid_part(format.checksum(&header[..HEADER_BYTES - 8], (0, 0)), &mut scan)? else {
            return Ok(scan);
        };
        scan.damage = frames.find_damage(bad)?;
        return Ok(scan);
    }
    scan.bytes = 0;
    let Some((format, first)) = WalFormat::from_frames(&mut log, &header, length)? else { return Ok(scan) };
    scan.damage = FrameReader::new(log, format, length, data_bytes)?.find_damage_after_header(&header, first)?;
    Ok(scan)
}

/// How the frames of one generation of a log are read.
#[derive(Debug, Clone, Copy)]
struct WalFormat {
    page_size: usize,
    big_endian: bool,
    salt: [u8; 8],
}

impl WalFormat {
    /// What a header says that holds in every part.
    fn from_valid_header(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let format = Self::from_header(header)?;
        let stored = (read_u32(header, 24), read_u32(header, 28));
        (format.checksum(&header[..HEADER_BYTES - 8], (0, 0)) == stored && read_u32(header, 4) == VERSION)
            .then_some(format)
    }

    /// What a header says, whether or not its checksum holds.
    fn from_header(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let page_size = usize::try_from(read_u32(header, 8)).ok()?;
        let magic = read_u32(header, 0);
        (magic & !1 == MAGIC && PAGE_SIZES.contains(&page_size)).then(|| Self {
            page_size,
            big_endian: magic & 1 == 1,
            salt: read_bytes(header, 16),
        })
    }

    /// What the frames themselves say behind a header that does not hold, and the first frame that says it; none when they are no
    /// frames.
    fn from_frames<R: Read + Seek>(
        log: &mut R,
        header: &[u8; HEADER_BYTES],
        length: u64,
    ) -> io::Result<Option<(Self, u64)>> {
        for (page_size, big_endian) in PAGE_SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            let format = Self { page_size, big_endian, salt: [0; 8] };
            let mut frames = FrameReader::new(&mut *log, format, length, 0)?;
            for number in 1..=frames.count.min(PROBED_FRAMES) {
                let first = frames.read_frame(number)?;
                let required = frames.required_checksum();
                let salt = read_bytes(&frames.frame, 8);
                let said = (read_u32(header, 24), read_u32(header, 28));
                let link = FrameLink {
                    sums: [said, format.checksum(&header[..HEADER_BYTES - 8], (0, 0))],
                    ..FrameLink::default()
                };
                let follows_header = number == 1 && link.leads_to(required);
                frames.format.salt = salt;
                // Zeros in the middle of a page follow each other too; a frame has a page number.
                let followed = number < frames.count && {
                    let second = frames.read_frame(number + 1)?;
                    second.salt_matches && second.page > 0 && frames.required_checksum() == first.stored_checksum
                };
                if first.page > 0 && (follows_header || followed) {
                    return Ok(Some((Self { salt, ..format }, number)));
                }
            }
        }
        Ok(None)
    }

    /// The checksum over `bytes`, which are a multiple of 8, begun with `sum`.
    fn checksum(self, bytes: &[u8], sum: FrameChecksum) -> FrameChecksum {
        self.words(bytes).fold(sum, |(one, two), (first, second)| {
            let one = one.wrapping_add(first).wrapping_add(two);
            (one, two.wrapping_add(second).wrapping_add(one))
        })
    }

    /// The checksum from which `bytes` lead to `sum`.
    fn checksum_before(self, bytes: &[u8], sum: FrameChecksum) -> FrameChecksum {
        self.words(bytes).rev().fold(sum, |(one, two), (first, second)| {
            let before = two.wrapping_sub(second).wrapping_sub(one);
            (one.wrapping_sub(first).wrapping_sub(before), before)
        })
    }

    /// The one pair of words that leads from a checksum to another.
    fn words_between(self, before: FrameChecksum, after: FrameChecksum) -> [u8; 8] {
        let first = after.0.wrapping_sub(before.0).wrapping_sub(before.1);
        let second = after.1.wrapping_sub(before.1).wrapping_sub(after.0);
        let [first, second] = [first, second].map(|word| match self.big_endian {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        });
        let mut pair = [0; 8];
        pair[..4].copy_from_slice(&first);
        pair[4..].copy_from_slice(&second);
        pair
    }

    fn words(self, bytes: &[u8]) -> impl DoubleEndedIterator<Item = (u32, u32)> + '_ {
        let word = move |bytes: &[u8], at: usize| {
            let word: [u8; 4] = self::read_bytes(bytes, at);
            if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        bytes.chunks_exact(8).map(move |pair| (word(pair, 0), word(pair, 4)))
    }
}

/// What a frame's header says.
#[derive(Debug, Clone, Copy)]
struct FrameHeader {
    /// Its number, from 1 on.
    number: u64,
    /// It has the salt of the log's header.
    salt_matches: bool,
    page: u32,
    /// The size of the data file after the transaction, if it is a transaction's last frame.
    commit_pages: u32,
    stored_checksum: FrameChecksum,
}

/// The frames of a log, of which one is in memory.
struct FrameReader<R> {
    log: R,
    format: WalFormat,
    /// Whole frames that fit into the file.
    count: u64,
    frame: Vec<u8>,
    /// The position in the file.
    position: u64,
    /// Page numbers and sizes up to this make sense.
    max_page: u32,
}

impl<R: Read + Seek> FrameReader<R> {
    fn new(log: R, format: WalFormat, length: u64, data_bytes: u64) -> io::Result<Self> {
        let size = FRAME_HEADER_BYTES + format.page_size;
        let count = length.saturating_sub(HEADER_BYTES as u64) / size as u64;
        let pages = u32::try_from(data_bytes / format.page_size as u64).unwrap_or(u32::MAX);
        let mut frames = Self {
            log,
            format,
            count,
            frame: vec![0; size],
            position: HEADER_BYTES as u64,
            max_page: max_page_number(pages),
        };
        frames.log.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
        Ok(frames)
    }

    /// Where a frame begins.
    fn frame_offset(&self, number: u64) -> u64 {
        HEADER_BYTES as u64 + (number - 1) * self.frame.len() as u64
    }

    /// Reads a frame into memory.
    fn read_frame(&mut self, number: u64) -> io::Result<FrameHeader> {
        let at = self.frame_offset(number);
        if self.position != at {
            self.log.seek(SeekFrom::Start(at))?;
        }
        self.log.read_exact(&mut self.frame)?;
        self.position = at + self.frame.len() as u64;
        let frame = &self.frame;
        Ok(FrameHeader {
            number,
            salt_matches: read_bytes::<8>(frame, 8) == self.format.salt,
            page: read_u32(frame, 0),
            commit_pages: read_u32(frame, 4),
            stored_checksum: (read_u32(frame, 16), read_u32(frame, 20)),
        })
    }

    /// The checksum after the frame in memory, if `before` is the one before it.
    fn computed_checksum(&self, before: FrameChecksum) -> FrameChecksum {
        let sum = self.format.checksum(&self.frame[..8], before);
        self.format.checksum(&self.frame[FRAME_HEADER_BYTES..], sum)
    }

    /// The checksum that the predecessor of the frame in memory must have had.
    fn required_checksum(&self) -> FrameChecksum {
        let sum = self
            .format
            .checksum_before(&self.frame[FRAME_HEADER_BYTES..], (read_u32(&self.frame, 16), read_u32(&self.frame, 20)));
        self.format.checksum_before(&self.frame[..8], sum)
    }

    /// The commit field of the frame in memory as it follows from everything else of it, if that makes sense: if one of the two
    /// fields that follow agrees with what is there, or both are in a range that few numbers are in.
    fn solve_commit_field(&self, before: FrameChecksum) -> Option<u32> {
        let after = self
            .format
            .checksum_before(&self.frame[FRAME_HEADER_BYTES..], (read_u32(&self.frame, 16), read_u32(&self.frame, 20)));
        let pair = self.format.words_between(before, after);
        let (page, commit) = (read_u32(&pair, 0), read_u32(&pair, 4));
        let agrees = page == read_u32(&self.frame, 0) || commit == read_u32(&self.frame, 4);
        (page > 0 && (agrees || self.is_plausible(page, commit))).then_some(commit)
    }

    /// Whether these may be a page number and a commit field.
    fn is_plausible(&self, page: u32, commit: u32) -> bool {
        page > 0 && page <= self.max_page && commit <= self.max_page && (commit == 0 || page <= commit)
    }

    /// Reads up to the first frame that SQLite does not take, which is returned with what is known of it.
    fn valid_part(&mut self, mut sum: FrameChecksum, scan: &mut LogScan) -> io::Result<Option<InvalidFrame>> {
        for number in 1..=self.count {
            let header = self.read_frame(number)?;
            let computed = self.computed_checksum(sum);
            if !header.salt_matches || header.page == 0 || computed != header.stored_checksum {
                return Ok(Some(InvalidFrame {
                    header,
                    computed,
                    commit: self.is_probable_commit(&header, computed, sum),
                }));
            }
            sum = computed;
            self.max_page = self.max_page.max(max_page_number(header.page.max(header.commit_pages)));
            if header.commit_pages > 0 {
                scan.frames = number;
                scan.transactions += 1;
                scan.bytes = self.position;
            }
        }
        Ok(None)
    }

    /// Whether the frame in memory, which does not hold, is the last of its transaction.
    fn is_probable_commit(&self, header: &FrameHeader, computed: FrameChecksum, before: FrameChecksum) -> bool {
        // Salts are not in the checksum: where it holds, they alone are damaged. Where the page and the checksum hold, the rest
        // follows from them.
        if computed == header.stored_checksum && header.page > 0 {
            return header.commit_pages > 0;
        }
        // Where the page is damaged, by a bit say, what follows from it may look sensible and be wrong: a sensible header comes first.
        match self.solve_commit_field(before) {
            Some(commit) if !header.salt_matches || !self.is_plausible(header.page, header.commit_pages) => commit > 0,
            _ => self.claims_commit(header),
        }
    }

    /// Whether a header that cannot be verified says that its frame is the last of its transaction. What a torn write leaves may be
    /// the older content of one sector and the new one of the next, so that a field counts only with a salt of its own sector.
    fn claims_commit(&self, header: &FrameHeader) -> bool {
        let start = self.frame_offset(header.number);
        header.salt_matches && header.commit_pages > 0 && (start + 4) / SECTOR_BYTES == (start + 15) / SECTOR_BYTES
    }

    /// Looks behind the first bad frame.
    fn find_damage(&mut self, bad: InvalidFrame) -> io::Result<Option<LogDamage>> {
        let at = self.frame_offset(bad.header.number);
        // The bad frame's own checksum is either the stored or, if that is what is damaged, the computed one.
        let sums = [bad.header.stored_checksum, bad.computed];
        let before = FrameLink { sums, commit: bad.commit, commit_if_computed: bad.header.commit_pages > 0 };
        self.find_following_frame(bad.header.number + 1, before, at)
    }

    /// Looks behind a header that does not hold, in frames that are known to be a log's.
    fn find_damage_after_header(&mut self, header: &[u8; HEADER_BYTES], first: u64) -> io::Result<Option<LogDamage>> {
        let frame = self.read_frame(first)?;
        let found =
            self.find_following_frame(first + 1, FrameLink::after_frame(&frame, self.claims_commit(&frame)), 0)?;
        // A header is synced before the first frame is written. One that was never written is a part of what a crash leaves; every
        // other was on disk, and with it each transaction that is whole.
        if found.is_none() && header.iter().any(|byte| *byte != 0) && self.has_following_commit(first)? {
            return Ok(Some(LogDamage { offset: 0, transactions_after: 0 }));
        }
        Ok(found)
    }

    /// Looks for a frame that follows a commit frame, from frame `next` on, of which `before` is the predecessor. That is the proof
    /// that the transaction was synced.
    fn find_following_frame(&mut self, next: u64, mut before: FrameLink, at: u64) -> io::Result<Option<LogDamage>> {
        let (mut proven, mut behind) = (false, 0);
        for number in next..=self.count {
            let header = self.read_frame(number)?;
            if !header.salt_matches {
                // An older generation, or zeros. Nothing follows this frame.
                before = FrameLink::after_frame(&header, false);
                continue;
            }
            let required = self.required_checksum();
            let follows = header.page > 0 && before.leads_to(required);
            if follows && required == before.sums[1] {
                // What the bad frame's checksum is computed from is as it was, also its commit field.
                before.commit = before.commit_if_computed;
            }
            let solved = if follows { None } else { self.solve_commit_field(before.sums[0]) };
            let commit = match solved {
                Some(commit) if !self.is_plausible(header.page, header.commit_pages) => commit > 0,
                Some(_) => self.claims_commit(&header),
                None if follows => header.commit_pages > 0,
                None => self.claims_commit(&header),
            };
            proven |= before.commit && (follows || solved.is_some());
            behind += u64::from(proven && commit);
            before = FrameLink::after_frame(&header, commit);
        }
        Ok(proven.then_some(LogDamage { offset: at, transactions_after: behind }))
    }

    /// Whether frame `first`, or any later one that follows its predecessor, is a transaction's last.
    fn has_following_commit(&mut self, first: u64) -> io::Result<bool> {
        let mut before = self.read_frame(first)?;
        if self.claims_commit(&before) {
            return Ok(true);
        }
        for number in first + 1..=self.count {
            let header = self.read_frame(number)?;
            if header.salt_matches && header.commit_pages > 0 && self.required_checksum() == before.stored_checksum {
                return Ok(true);
            }
            before = header;
        }
        Ok(false)
    }
}

/// The first frame that does not hold.
struct InvalidFrame {
    header: FrameHeader,
    /// What its checksum would be by its content.
    computed: FrameChecksum,
    /// It is, as far as can be told, the last of its transaction.
    commit: bool,
}

/// A frame's predecessor.
#[derive(Default)]
struct FrameLink {
    /// The checksums it may have had.
    sums: [FrameChecksum; 2],
    /// It is the last of its transaction.
    commit: bool,
    /// It is, if the second of the checksums is the right one.
    commit_if_computed: bool,
}

impl FrameLink {
    fn after_frame(header: &FrameHeader, commit: bool) -> Self {
        Self { sums: [header.stored_checksum; 2], commit, commit_if_computed: commit }
    }

    /// Whether the frame that needs this checksum before it follows. One word of it is enough: the other may be what is damaged, and
    /// that a word agrees by chance has odds of one in four billion.
    fn leads_to(&self, required: FrameChecksum) -> bool {
        self.sums.iter().any(|sum| sum.0 == required.0 || sum.1 == required.1)
    }
}

/// The largest sensible page number where `pages` is one of the data file's.
fn max_page_number(pages: u32) -> u32 {
    pages.saturating_mul(2).saturating_add(MAX_GROWTH_PAGES)
}

/// The big-endian word at `at`.
fn read_u32(from: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(read_bytes(from, at))
}

fn read_bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    if let Some(part) = from.get(at..at + N) {
        found.copy_from_slice(part);
    }
    found
}

#[cfg(test)]
mod tests;
