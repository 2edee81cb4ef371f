//! Distinguishes damage in a write-ahead log from the incomplete end that a crash leaves.
//!
//! SQLite reads a log up to the first frame whose salt or checksum is invalid, and silently ignores the rest. After a
//! crash that is correct: the last transaction may be incomplete, and it was not acknowledged. When a sector goes
//! bad, acknowledged transactions follow the first invalid frame, and they are silently lost as well.
//!
//! The store syncs each transaction before it writes the first frame of the next. A frame that follows a commit frame
//! therefore proves that this transaction, and everything before it, was on disk. Such a pair after the first invalid
//! frame proves that the invalid part was acknowledged. The pair can be recognised although checksums are cumulative:
//! a frame's checksum is computed from its predecessor's, which is stored in the predecessor's header, and the
//! computation can be inverted, starting from the frame's own checksum.
//!
//! Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::io::{self, Read, Seek, SeekFrom};

/// Size of the log's header.
const HEADER_BYTES: usize = 32;
/// Size of a frame's header.
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number with its last bit cleared. The bit states whether checksums read words as big-endian.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;
/// Size of the unit that a disk writes completely or not at all.
const SECTOR_BYTES: u64 = 512;
/// Number of pages by which an unreadable transaction may have grown the data file, in addition to doubling it.
const MAX_GROWTH_PAGES: u32 = 1024;
/// Number of frames of which one must be valid to recognise a log with an invalid header. A bad sector of 4 KiB
/// damages one or two.
const PROBED_FRAMES: u64 = 3;
const PAGE_SIZES: [usize; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// The content of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogScan {
    /// Number of frames up to the last commit frame before the first invalid frame: the frames that SQLite recovers.
    pub(super) frames: u64,
    /// Number of transactions in these frames.
    pub(super) transactions: u64,
    /// Size of the file up to the end of these frames.
    pub(super) bytes: u64,
    /// Damage that makes acknowledged transactions unreadable, if there is any.
    pub(super) damage: Option<LogDamage>,
}

/// Damage that is followed by acknowledged transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogDamage {
    /// Offset of the first invalid frame in bytes; 0 for the log's own header.
    pub(super) offset: u64,
    /// Number of complete transactions after the damaged one.
    pub(super) transactions_after: u64,
}

/// The state of a checksum: its two words.
type FrameChecksum = (u32, u32);

/// Reads a log from its beginning. `data_bytes` is the size of the data file; it limits the plausible page numbers.
///
/// Keeps one frame in memory, whatever the length of the log.
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

/// The format of the frames of one generation of a log.
#[derive(Debug, Clone, Copy)]
struct WalFormat {
    page_size: usize,
    big_endian: bool,
    salt: [u8; 8],
}

impl WalFormat {
    /// Reads the format from a header whose every field is valid.
    fn from_valid_header(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let format = Self::from_header(header)?;
        let stored = (read_u32(header, 24), read_u32(header, 28));
        (format.checksum(&header[..HEADER_BYTES - 8], (0, 0)) == stored && read_u32(header, 4) == VERSION)
            .then_some(format)
    }

    /// Reads the format from a header, whether or not its checksum is valid.
    fn from_header(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let page_size = usize::try_from(read_u32(header, 8)).ok()?;
        let magic = read_u32(header, 0);
        (magic & !1 == MAGIC && PAGE_SIZES.contains(&page_size)).then(|| Self {
            page_size,
            big_endian: magic & 1 == 1,
            salt: read_bytes(header, 16),
        })
    }

    /// Infers the format from the frames after an invalid header. Returns it with the first frame that supports it;
    /// `None` when they are not frames.
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
                // Zeros within a page also match zeros; a frame has a page number.
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

    /// Computes the checksum over `bytes`, a multiple of 8 bytes, starting from `sum`.
    fn checksum(self, bytes: &[u8], sum: FrameChecksum) -> FrameChecksum {
        self.words(bytes).fold(sum, |(one, two), (first, second)| {
            let one = one.wrapping_add(first).wrapping_add(two);
            (one, two.wrapping_add(second).wrapping_add(one))
        })
    }

    /// Returns the checksum from which `bytes` lead to `sum`.
    fn checksum_before(self, bytes: &[u8], sum: FrameChecksum) -> FrameChecksum {
        self.words(bytes).rev().fold(sum, |(one, two), (first, second)| {
            let before = two.wrapping_sub(second).wrapping_sub(one);
            (one.wrapping_sub(first).wrapping_sub(before), before)
        })
    }

    /// Returns the only pair of words that leads from the checksum `before` to `after`.
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

/// The fields of a frame's header.
#[derive(Debug, Clone, Copy)]
struct FrameHeader {
    /// The frame's number; the first is 1.
    number: u64,
    /// Whether the frame has the salt of the log's header.
    salt_matches: bool,
    page: u32,
    /// The size of the data file in pages after the transaction, if this is a transaction's last frame; otherwise 0.
    commit_pages: u32,
    stored_checksum: FrameChecksum,
}

/// Reads the frames of a log, one at a time.
struct FrameReader<R> {
    log: R,
    format: WalFormat,
    /// Number of complete frames in the file.
    count: u64,
    frame: Vec<u8>,
    /// The position in the file.
    position: u64,
    /// The largest plausible page number and file size in pages.
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

    /// Returns the offset of a frame.
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

    /// Returns the checksum after the frame in memory, if `before` is the checksum before it.
    fn computed_checksum(&self, before: FrameChecksum) -> FrameChecksum {
        let sum = self.format.checksum(&self.frame[..8], before);
        self.format.checksum(&self.frame[FRAME_HEADER_BYTES..], sum)
    }

    /// Returns the checksum that the predecessor of the frame in memory must have had.
    fn required_checksum(&self) -> FrameChecksum {
        let sum = self
            .format
            .checksum_before(&self.frame[FRAME_HEADER_BYTES..], (read_u32(&self.frame, 16), read_u32(&self.frame, 20)));
        self.format.checksum_before(&self.frame[..8], sum)
    }

    /// Computes the commit field of the frame in memory from the rest of the frame. Returns it if it is plausible: if
    /// one of the two fields that are computed equals the stored one, or both are in a range that few numbers are in.
    fn solve_commit_field(&self, before: FrameChecksum) -> Option<u32> {
        let after = self
            .format
            .checksum_before(&self.frame[FRAME_HEADER_BYTES..], (read_u32(&self.frame, 16), read_u32(&self.frame, 20)));
        let pair = self.format.words_between(before, after);
        let (page, commit) = (read_u32(&pair, 0), read_u32(&pair, 4));
        let agrees = page == read_u32(&self.frame, 0) || commit == read_u32(&self.frame, 4);
        (page > 0 && (agrees || self.is_plausible(page, commit))).then_some(commit)
    }

    /// Returns whether these may be a page number and a commit field.
    fn is_plausible(&self, page: u32, commit: u32) -> bool {
        page > 0 && page <= self.max_page && commit <= self.max_page && (commit == 0 || page <= commit)
    }

    /// Reads up to the first frame that SQLite rejects, and returns that frame.
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

    /// Returns whether the frame in memory, which is invalid, is the last one of its transaction.
    fn is_probable_commit(&self, header: &FrameHeader, computed: FrameChecksum, before: FrameChecksum) -> bool {
        // Checksums do not cover salts: when the checksum is valid, only the salt is damaged. When page and checksum
        // are valid, the other fields follow from them.
        if computed == header.stored_checksum && header.page > 0 {
            return header.commit_pages > 0;
        }
        // When the page is damaged, for example by one bit, the computed fields may be plausible and wrong: a
        // plausible stored header takes precedence.
        match self.solve_commit_field(before) {
            Some(commit) if !header.salt_matches || !self.is_plausible(header.page, header.commit_pages) => commit > 0,
            _ => self.claims_commit(header),
        }
    }

    /// Returns whether an unverifiable header claims that its frame is the last of its transaction. A torn write may
    /// leave older content in one sector and newer content in the next, so a field counts only with a salt in the
    /// same sector.
    fn claims_commit(&self, header: &FrameHeader) -> bool {
        let start = self.frame_offset(header.number);
        header.salt_matches && header.commit_pages > 0 && (start + 4) / SECTOR_BYTES == (start + 15) / SECTOR_BYTES
    }

    /// Searches for acknowledged transactions after the first invalid frame.
    fn find_damage(&mut self, bad: InvalidFrame) -> io::Result<Option<LogDamage>> {
        let at = self.frame_offset(bad.header.number);
        // The checksum of the invalid frame is the stored one or, if the stored one is damaged, the computed one.
        let sums = [bad.header.stored_checksum, bad.computed];
        let before = FrameLink { sums, commit: bad.commit, commit_if_computed: bad.header.commit_pages > 0 };
        self.find_following_frame(bad.header.number + 1, before, at)
    }

    /// Searches for acknowledged transactions after an invalid header, in frames that are known to belong to a log.
    fn find_damage_after_header(&mut self, header: &[u8; HEADER_BYTES], first: u64) -> io::Result<Option<LogDamage>> {
        let frame = self.read_frame(first)?;
        let found =
            self.find_following_frame(first + 1, FrameLink::after_frame(&frame, self.claims_commit(&frame)), 0)?;
        // The header is synced before the first frame is written. A header of zeros was never written, which a crash
        // can cause. Any other header was on disk, and so was each complete transaction.
        if found.is_none() && header.iter().any(|byte| *byte != 0) && self.has_following_commit(first)? {
            return Ok(Some(LogDamage { offset: 0, transactions_after: 0 }));
        }
        Ok(found)
    }

    /// Searches, from frame `next` on, for a frame that follows a commit frame; `before` is the predecessor of
    /// `next`. Such a pair proves that the transaction was synced.
    fn find_following_frame(&mut self, next: u64, mut before: FrameLink, at: u64) -> io::Result<Option<LogDamage>> {
        let (mut proven, mut behind) = (false, 0);
        for number in next..=self.count {
            let header = self.read_frame(number)?;
            if !header.salt_matches {
                // An older generation, or zeros. No frame continues this one.
                before = FrameLink::after_frame(&header, false);
                continue;
            }
            let required = self.required_checksum();
            let follows = header.page > 0 && before.leads_to(required);
            if follows && required == before.sums[1] {
                // The fields that the invalid frame's checksum covers are intact, including its commit field.
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

    /// Returns whether frame `first`, or a later frame that continues its predecessor, is a transaction's last.
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

/// The first invalid frame.
struct InvalidFrame {
    header: FrameHeader,
    /// The checksum computed from the frame's content.
    computed: FrameChecksum,
    /// Whether the frame is probably the last of its transaction.
    commit: bool,
}

/// A frame as the predecessor of the next one.
#[derive(Default)]
struct FrameLink {
    /// The checksums that the frame may have had.
    sums: [FrameChecksum; 2],
    /// Whether the frame is the last of its transaction.
    commit: bool,
    /// Whether the frame is the last of its transaction, if the second checksum is the right one.
    commit_if_computed: bool,
}

impl FrameLink {
    fn after_frame(header: &FrameHeader, commit: bool) -> Self {
        Self { sums: [header.stored_checksum; 2], commit, commit_if_computed: commit }
    }

    /// Returns whether the frame that requires this checksum before it follows this frame. One equal word is enough,
    /// because the other may be damaged; a word is equal by chance once in four billion cases.
    fn leads_to(&self, required: FrameChecksum) -> bool {
        self.sums.iter().any(|sum| sum.0 == required.0 || sum.1 == required.1)
    }
}

/// Returns the largest plausible page number for a data file that has had `pages` pages.
fn max_page_number(pages: u32) -> u32 {
    pages.saturating_mul(2).saturating_add(MAX_GROWTH_PAGES)
}

/// Reads a big-endian word.
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
