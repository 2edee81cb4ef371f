//! Reads an untrusted archive in one pass.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use engines_core::{
    Code, Env, Error, Result, hex,
    nexus::archive::{ArchiveRecord, MAX_LINE_BYTES, Section},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    limits::ArchiveLimits,
    manifest::{ArchiveFile, ArchiveHeader, ArchiveManifest, FORMAT, TenantMember, VERSION},
    writer::{HEADER_FILE, MANIFEST_FILE, MEMBERS_FILE, records_path},
};

const OPERATION: &str = "archive.read";
/// Maximum size of a file of records: the size at which the writer begins the next file, and one more line.
const MAX_FILE_BYTES: u64 = (4 << 20) + MAX_LINE_BYTES as u64;
/// Maximum size of the header.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// Maximum size of the manifest, and of the file of members.
const MAX_TABLE_BYTES: u64 = 512 << 20;

/// A part of an archive. The caller must not apply it before [`read_archive`] has returned successfully.
#[derive(Debug, Clone)]
pub enum ArchivePart {
    /// The header. It is always the first part.
    Header(ArchiveHeader),
    /// Records of one section of one environment.
    Records(Env, Vec<ArchiveRecord>),
    /// Members of the tenant. They follow all records.
    Members(Vec<TenantMember>),
}

/// The position of a file in the archive's order: the header; files of records by environment, section and number;
/// the members; the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FilePosition {
    Start,
    Header,
    Records(Env, Section, u32),
    Members,
    Manifest,
}

/// Reads an archive and passes each part to `take` as it is read. Returns the manifest when the archive is complete
/// and every count and hash matches.
///
/// The caller must not apply any part before this function has returned the manifest.
///
/// # Errors
///
/// - `BODY_INVALID` when the input is not a complete archive of [`VERSION`](super::VERSION): another format or
///   version; a file that is unknown, repeated, out of order, too large or truncated; content that is not a record; a
///   hash or count that differs from the manifest.
/// - `BODY_TOO_LARGE` when the archive exceeds `limits`.
/// - Every error that `take` returns.
pub fn read_archive(
    from: impl Read,
    limits: &ArchiveLimits,
    mut take: impl FnMut(ArchivePart) -> Result<()>,
) -> Result<ArchiveManifest> {
    let mut tar = tar::Archive::new(from);
    // Raw mode treats tar extensions, which can rename and resize the next entry, as entries of another type. They
    // are rejected below.
    let entries = tar.entries().map_err(read_error)?.raw(true);
    let mut reading = ArchiveParser::default();
    let mut manifest = None;
    for entry in entries {
        let mut entry = entry.map_err(read_error)?;
        if manifest.is_some() {
            return Err(invalid_archive("a file follows the manifest"));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(invalid_archive("an entry is not a plain file"));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| invalid_archive("a file name is not UTF-8"))?;
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
            let detail = format!("the archive has more than {} bytes or {} files", limits.total_bytes, limits.files);
            return Err(Error::new(Code::BodyTooLarge, OPERATION, detail));
        }
        // The buffer grows with the bytes read: the size in the tar header is untrusted.
        let mut bytes = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut bytes).map_err(read_error)?;
        if bytes.len() as u64 != size {
            return Err(invalid_archive("it is truncated"));
        }
        if place == FilePosition::Manifest {
            manifest = Some(reading.check_manifest(&bytes)?);
            continue;
        }
        let part = reading.read_file(place, name, &bytes, limits)?;
        part.map_or(Ok(()), &mut take)?;
    }
    manifest.ok_or_else(|| invalid_archive("it is truncated: the manifest at its end is missing"))
}

/// The state of the reader.
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
    /// Returns the position of the file called `name`, which must come after the previous file's position.
    fn next_position(&mut self, name: &str) -> Result<FilePosition> {
        let place = match name {
            HEADER_FILE => FilePosition::Header,
            MEMBERS_FILE => FilePosition::Members,
            MANIFEST_FILE => FilePosition::Manifest,
            name => records_position(name)
                .ok_or_else(|| invalid_archive("a file has a name that the format does not define"))?,
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
            return Err(invalid_archive("a file is missing, repeated or out of order"));
        }
        self.last_position = Some(place);
        Ok(place)
    }

    /// Reads one file and records its hash and counts.
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
                    return Err(invalid_archive("it contains records of an environment that its header does not name"));
                }
                let mut records = Vec::new();
                for line in split_lines(bytes)? {
                    records.push(ArchiveRecord::read_line(section, line)?);
                }
                let count = records.len() as u64;
                self.records = self.records.saturating_add(count);
                if self.records > limits.records {
                    let detail = format!("the archive has more than {} records", limits.records);
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
        let sha256 = hex::encode(&Sha256::digest(bytes));
        self.files.push(ArchiveFile { path: name, bytes: bytes.len() as u64, records, sha256 });
        Ok(Some(part))
    }

    fn read_header(&self, bytes: &[u8]) -> Result<ArchiveHeader> {
        /// The fields that the header has in every version of the format.
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
                "the archive has format version {version} and this program reads {VERSION}; use the program that wrote it"
            );
            return Err(Error::new(Code::BodyInvalid, OPERATION, detail));
        }
        let header: ArchiveHeader = parse_line(bytes)?;
        if header.log_id().is_none() || header.envs.is_empty() || !header.envs.is_sorted_by(|one, other| one < other) {
            return Err(invalid_archive("its header has a malformed log id, or repeated or unordered environments"));
        }
        Ok(header)
    }

    /// Compares what was read with the manifest.
    fn check_manifest(&self, bytes: &[u8]) -> Result<ArchiveManifest> {
        let manifest: ArchiveManifest = parse_line(bytes)?;
        if Some(&manifest.header) != self.header.as_ref() {
            return Err(invalid_archive("its header differs from the manifest's"));
        }
        if manifest.files.len() != self.files.len() {
            return Err(invalid_archive("its files differ from those that the manifest lists"));
        }
        for (found, wanted) in self.files.iter().zip(&manifest.files) {
            if found != wanted {
                return Err(Error::new(
                    Code::HashMismatch,
                    OPERATION,
                    format!("the file {} differs from the manifest; get another copy of the archive", found.path),
                ));
            }
        }
        if manifest.counts != self.counts {
            return Err(invalid_archive("its record counts differ from the manifest's"));
        }
        Ok(manifest)
    }
}

/// Parses the position of a file of records from its name.
fn records_position(name: &str) -> Option<FilePosition> {
    let mut parts = name.split('/');
    let (env, section, file) = (parts.next()?, parts.next()?, parts.next()?);
    let env: Env = env.parse().ok()?;
    let section = Section::from_name(section)?;
    let number: u32 = file.strip_suffix(".ndjson")?.parse().ok()?;
    // Accept only the canonical spelling of the name.
    (name == records_path(env, section, number)).then_some(FilePosition::Records(env, section, number))
}

/// Splits a file into its lines, without their line feeds.
fn split_lines(bytes: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        return Err(invalid_archive("a file does not end with a line feed"));
    }
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    Ok(bytes.split(|byte| *byte == b'\n').take(count))
}

fn parse_line<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // The error of serde_json is not included, because its message can quote the content.
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(
            Code::BodyInvalid,
            OPERATION,
            format!("a file of the archive is malformed (line {line}, column {column})"),
        )
    })
}

fn read_error(error: io::Error) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("the archive cannot be read: {error}"))
}

fn invalid_archive(detail: &'static str) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("this is not a complete tenant archive: {detail}"))
}
