//! Reading an archive of anybody's, front to back.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use engines_core::{
    Code, Env, Error, Result,
    nexus::archive::{ArchiveRecord, MAX_LINE_BYTES, Section},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    limits::ArchiveLimits,
    manifest::{ArchiveFile, ArchiveHeader, ArchiveManifest, FORMAT, TenantMember, VERSION},
    writer::{HEADER_FILE, MANIFEST_FILE, MEMBERS_FILE, encode_hex, records_path},
};

const OPERATION: &str = "archive.read";
/// Bytes of a file of records, at the most: what a writer puts together, and one line more.
const MAX_FILE_BYTES: u64 = (4 << 20) + MAX_LINE_BYTES as u64;
/// Bytes of the header.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// Bytes of the manifest, and of the file of members.
const MAX_TABLE_BYTES: u64 = 512 << 20;

/// Something read. None of it counts before the whole archive was read: see [`read`].
#[derive(Debug, Clone)]
pub enum ArchivePart {
    /// The header. It comes first.
    Header(ArchiveHeader),
    /// Records of one section of an environment.
    Records(Env, Vec<ArchiveRecord>),
    /// Members. They come after all records.
    Members(Vec<TenantMember>),
}

/// Which file comes next: the header, files of records by environment, section and number, the members, the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FilePosition {
    Start,
    Header,
    Records(Env, Section, u32),
    Members,
    Manifest,
}

/// Reads an archive and hands each part to `take` as it comes. Returns the manifest when the archive is whole and every count and hash is right;
/// before that, nothing that was handed over may take effect.
///
/// # Errors
/// `BODY_INVALID` for what is no archive: another format or version, a file that does not belong there, comes twice or out of order, is too large, is cut
/// off, holds something else than records, or does not have the hash or count of the manifest; `BODY_TOO_LARGE` beyond `limits`; what `take` returns.
pub fn read_archive(
    from: impl Read,
    limits: &ArchiveLimits,
    mut take: impl FnMut(ArchivePart) -> Result<()>,
) -> Result<ArchiveManifest> {
    let mut tar = tar::Archive::new(from);
    // Raw: the extensions of tar, which can rename and resize what follows, are entries of another type then, and refused.
    let entries = tar.entries().map_err(read_error)?.raw(true);
    let mut reading = ArchiveParser::default();
    let mut manifest = None;
    for entry in entries {
        let mut entry = entry.map_err(read_error)?;
        if manifest.is_some() {
            return Err(invalid_archive("something follows the manifest"));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(invalid_archive("it holds something else than plain files"));
        }
        let name =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| invalid_archive("a name is not UTF-8"))?;
        let place = reading.next_position(&name)?;
        let size = entry.header().entry_size().map_err(read_error)?;
        let most = match place {
            FilePosition::Start | FilePosition::Header => MAX_HEADER_BYTES,
            FilePosition::Records(..) => MAX_FILE_BYTES,
            FilePosition::Members | FilePosition::Manifest => MAX_TABLE_BYTES,
        };
        reading.bytes = reading.bytes.saturating_add(size);
        if size > most {
            return Err(invalid_archive("a file is too large"));
        }
        if reading.bytes > limits.total_bytes || reading.files.len() >= limits.files {
            let detail = format!("it has more than {} bytes or {} files", limits.total_bytes, limits.files);
            return Err(Error::new(Code::BodyTooLarge, OPERATION, detail));
        }
        // Not allocated by what the header claims, but by what comes.
        let mut bytes = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut bytes).map_err(read_error)?;
        if bytes.len() as u64 != size {
            return Err(invalid_archive("it is cut off"));
        }
        if place == FilePosition::Manifest {
            manifest = Some(reading.check_manifest(&bytes)?);
            continue;
        }
        let part = reading.read_file(place, name, &bytes, limits)?;
        part.map_or(Ok(()), &mut take)?;
    }
    manifest.ok_or_else(|| invalid_archive("it is cut off: there is no manifest at its end"))
}

/// What was read so far.
#[derive(Default)]
struct ArchiveParser {
    last_position: Option<FilePosition>,
    header: Option<ArchiveHeader>,
    bytes: u64,
    records: u64,
    counts: BTreeMap<String, BTreeMap<Section, u64>>,
    files: Vec<ArchiveFile>,
}

impl ArchiveParser {
    /// Where a file of this name belongs; it must come after the one before.
    fn next_position(&mut self, name: &str) -> Result<FilePosition> {
        let place = match name {
            HEADER_FILE => FilePosition::Header,
            MEMBERS_FILE => FilePosition::Members,
            MANIFEST_FILE => FilePosition::Manifest,
            name => records_position(name)
                .ok_or_else(|| invalid_archive("a file has a name that no file of an archive has"))?,
        };
        let last = self.last_position.unwrap_or(FilePosition::Start);
        let follows = match (last, place) {
            (FilePosition::Start, FilePosition::Header) => true,
            (FilePosition::Start, _) => false,
            (FilePosition::Records(env, section, number), FilePosition::Records(at, of, next))
                if (env, section) == (at, of) =>
            {
                number.checked_add(1) == Some(next)
            }
            (_, FilePosition::Records(.., next)) => last < place && next == 1,
            (_, FilePosition::Manifest) => last == FilePosition::Members,
            _ => last < place,
        };
        if !follows {
            return Err(invalid_archive("a file is missing, comes twice, or stands in the wrong place"));
        }
        self.last_position = Some(place);
        Ok(place)
    }

    /// Reads a file; notes its hash and counts.
    fn read_file(
        &mut self,
        place: FilePosition,
        name: String,
        bytes: &[u8],
        limits: &ArchiveLimits,
    ) -> Result<Option<ArchivePart>> {
        let (part, records) = match place {
            FilePosition::Header => {
                let header = self.read_header(bytes)?;
                self.header = Some(header.clone());
                (ArchivePart::Header(header), 1)
            }
            FilePosition::Records(env, section, _) => {
                if !self.header.as_ref().is_some_and(|header| header.envs.contains(&env)) {
                    return Err(invalid_archive("it has records of an environment that its header does not name"));
                }
                let mut records = Vec::new();
                for line in split_lines(bytes)? {
                    records.push(ArchiveRecord::read_line(section, line)?);
                }
                let count = records.len() as u64;
                self.records = self.records.saturating_add(count);
                if self.records > limits.records {
                    let detail = format!("it has more than {} records", limits.records);
                    return Err(Error::new(Code::BodyTooLarge, OPERATION, detail));
                }
                *self.counts.entry(env.to_string()).or_default().entry(section).or_default() += count;
                (ArchivePart::Records(env, records), count)
            }
            _ => {
                let members = split_lines(bytes)?.map(parse_line).collect::<Result<Vec<TenantMember>>>()?;
                let count = members.len() as u64;
                (ArchivePart::Members(members), count)
            }
        };
        let sha256 = encode_hex(&Sha256::digest(bytes));
        self.files.push(ArchiveFile { path: name, bytes: bytes.len() as u64, records, sha256 });
        Ok(Some(part))
    }

    fn read_header(&self, bytes: &[u8]) -> Result<ArchiveHeader> {
        /// What every version has.
        #[derive(serde::Deserialize)]
        struct ArchiveVersion {
            format: String,
            version: u32,
        }
        let ArchiveVersion { format, version } = parse_line(bytes)?;
        if format != FORMAT {
            return Err(invalid_archive("it is not a tenant archive"));
        }
        if version != VERSION {
            let detail = format!(
                "it has version {version} of the format, and this program reads {VERSION}; use the program that wrote it"
            );
            return Err(Error::new(Code::BodyInvalid, OPERATION, detail));
        }
        let header: ArchiveHeader = parse_line(bytes)?;
        if header.log_id().is_none() || header.envs.is_empty() || !header.envs.is_sorted_by(|one, other| one < other) {
            return Err(invalid_archive("its header names no log, or its environments twice or not in order"));
        }
        Ok(header)
    }

    /// Compares with the manifest.
    fn check_manifest(&self, bytes: &[u8]) -> Result<ArchiveManifest> {
        let manifest: ArchiveManifest = parse_line(bytes)?;
        if Some(&manifest.header) != self.header.as_ref() {
            return Err(invalid_archive("its header is another one than the manifest's"));
        }
        if manifest.files.len() != self.files.len() {
            return Err(invalid_archive("it has other files than the manifest says"));
        }
        for (found, wanted) in self.files.iter().zip(&manifest.files) {
            if found != wanted {
                return Err(Error::new(
                    Code::HashMismatch,
                    OPERATION,
                    format!("{} is not what the manifest says; get another copy of the archive", found.path),
                ));
            }
        }
        if manifest.counts != self.counts {
            return Err(invalid_archive("it has other counts than the manifest says"));
        }
        Ok(manifest)
    }
}

/// The place of a file of records.
fn records_position(name: &str) -> Option<FilePosition> {
    let mut parts = name.split('/');
    let (env, section, file) = (parts.next()?, parts.next()?, parts.next()?);
    let env: Env = env.parse().ok()?;
    let section = Section::from_name(section)?;
    let number: u32 = file.strip_suffix(".ndjson")?.parse().ok()?;
    // Only the one way to write it.
    (name == records_path(env, section, number)).then_some(FilePosition::Records(env, section, number))
}

/// The lines of a file, each with its line feed taken off.
fn split_lines(bytes: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        return Err(invalid_archive("a file does not end with a line feed"));
    }
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    Ok(bytes.split(|byte| *byte == b'\n').take(count))
}

fn parse_line<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // The message of serde_json can quote the text.
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::BodyInvalid, OPERATION, format!("a file of it is malformed (line {line}, column {column})"))
    })
}

fn read_error(error: io::Error) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("the archive cannot be read: {error}"))
}

fn invalid_archive(detail: &'static str) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("this is no whole tenant archive: {detail}"))
}
