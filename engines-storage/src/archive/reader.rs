//! Reading an archive of anybody's, front to back.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use engines_core::{
    Code, Env, Error, Result,
    nexus::archive::{MAX_LINE_BYTES, Record, Section},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    limits::ArchiveLimits,
    manifest::{FORMAT, Header, Manifest, Member, MemberFile, VERSION},
    writer::{HEADER, MANIFEST, MEMBERS, hex, path},
};

const OPERATION: &str = "archive.read";
/// Bytes of a file of records, at the most: what a writer puts together, and one line more.
const FILE_BYTES: u64 = (4 << 20) + MAX_LINE_BYTES as u64;
/// Bytes of the header.
const HEADER_BYTES: u64 = 64 << 10;
/// Bytes of the manifest, and of the file of members.
const TABLE_BYTES: u64 = 512 << 20;

/// Something read. None of it counts before the whole archive was read: see [`read`].
#[derive(Debug, Clone)]
pub enum Part {
    /// The header. It comes first.
    Header(Header),
    /// Records of one section of an environment.
    Records(Env, Vec<Record>),
    /// Members. They come after all records.
    Members(Vec<Member>),
}

/// Which file comes next: the header, files of records by environment, section and number, the members, the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Begin,
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
pub fn read(from: impl Read, limits: &ArchiveLimits, mut take: impl FnMut(Part) -> Result<()>) -> Result<Manifest> {
    let mut tar = tar::Archive::new(from);
    // Raw: the extensions of tar, which can rename and resize what follows, are entries of another type then, and refused.
    let entries = tar.entries().map_err(unreadable)?.raw(true);
    let mut reading = Reading::default();
    let mut manifest = None;
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        if manifest.is_some() {
            return Err(invalid("something follows the manifest"));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(invalid("it holds something else than plain files"));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| invalid("a name is not UTF-8"))?;
        let place = reading.place(&name)?;
        let size = entry.header().entry_size().map_err(unreadable)?;
        let most = match place {
            Place::Begin | Place::Header => HEADER_BYTES,
            Place::Records(..) => FILE_BYTES,
            Place::Members | Place::Manifest => TABLE_BYTES,
        };
        reading.bytes = reading.bytes.saturating_add(size);
        if size > most {
            return Err(invalid("a file is too large"));
        }
        if reading.bytes > limits.total_bytes || reading.files.len() >= limits.files {
            let detail = format!("it has more than {} bytes or {} files", limits.total_bytes, limits.files);
            return Err(Error::new(Code::BodyTooLarge, OPERATION, detail));
        }
        // Not allocated by what the header claims, but by what comes.
        let mut bytes = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 != size {
            return Err(invalid("it is cut off"));
        }
        if place == Place::Manifest {
            manifest = Some(reading.check(&bytes)?);
            continue;
        }
        let part = reading.file(place, name, &bytes, limits)?;
        part.map_or(Ok(()), &mut take)?;
    }
    manifest.ok_or_else(|| invalid("it is cut off: there is no manifest at its end"))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    last: Option<Place>,
    header: Option<Header>,
    bytes: u64,
    records: u64,
    counts: BTreeMap<String, BTreeMap<Section, u64>>,
    files: Vec<MemberFile>,
}

impl Reading {
    /// Where a file of this name belongs; it must come after the one before.
    fn place(&mut self, name: &str) -> Result<Place> {
        let place = match name {
            HEADER => Place::Header,
            MEMBERS => Place::Members,
            MANIFEST => Place::Manifest,
            name => records_place(name).ok_or_else(|| invalid("a file has a name that no file of an archive has"))?,
        };
        let last = self.last.unwrap_or(Place::Begin);
        let follows = match (last, place) {
            (Place::Begin, Place::Header) => true,
            (Place::Begin, _) => false,
            (Place::Records(env, section, number), Place::Records(at, of, next)) if (env, section) == (at, of) => {
                number.checked_add(1) == Some(next)
            }
            (_, Place::Records(.., next)) => last < place && next == 1,
            (_, Place::Manifest) => last == Place::Members,
            _ => last < place,
        };
        if !follows {
            return Err(invalid("a file is missing, comes twice, or stands in the wrong place"));
        }
        self.last = Some(place);
        Ok(place)
    }

    /// Reads a file; notes its hash and counts.
    fn file(&mut self, place: Place, name: String, bytes: &[u8], limits: &ArchiveLimits) -> Result<Option<Part>> {
        let (part, records) = match place {
            Place::Header => {
                let header = self.read_header(bytes)?;
                self.header = Some(header.clone());
                (Part::Header(header), 1)
            }
            Place::Records(env, section, _) => {
                if !self.header.as_ref().is_some_and(|header| header.envs.contains(&env)) {
                    return Err(invalid("it has records of an environment that its header does not name"));
                }
                let mut records = Vec::new();
                for line in lines(bytes)? {
                    records.push(Record::read_line(section, line)?);
                }
                let count = records.len() as u64;
                self.records = self.records.saturating_add(count);
                if self.records > limits.records {
                    let detail = format!("it has more than {} records", limits.records);
                    return Err(Error::new(Code::BodyTooLarge, OPERATION, detail));
                }
                *self.counts.entry(env.to_string()).or_default().entry(section).or_default() += count;
                (Part::Records(env, records), count)
            }
            _ => {
                let members = lines(bytes)?.map(parse).collect::<Result<Vec<Member>>>()?;
                let count = members.len() as u64;
                (Part::Members(members), count)
            }
        };
        let sha256 = hex(&Sha256::digest(bytes));
        self.files.push(MemberFile { path: name, bytes: bytes.len() as u64, records, sha256 });
        Ok(Some(part))
    }

    fn read_header(&self, bytes: &[u8]) -> Result<Header> {
        /// What every version has.
        #[derive(serde::Deserialize)]
        struct Named {
            format: String,
            version: u32,
        }
        let Named { format, version } = parse(bytes)?;
        if format != FORMAT {
            return Err(invalid("it is not a tenant archive"));
        }
        if version != VERSION {
            let detail = format!(
                "it has version {version} of the format, and this program reads {VERSION}; use the program that wrote it"
            );
            return Err(Error::new(Code::BodyInvalid, OPERATION, detail));
        }
        let header: Header = parse(bytes)?;
        if header.log_id().is_none() || header.envs.is_empty() || !header.envs.is_sorted_by(|one, other| one < other) {
            return Err(invalid("its header names no log, or its environments twice or not in order"));
        }
        Ok(header)
    }

    /// Compares with the manifest.
    fn check(&self, bytes: &[u8]) -> Result<Manifest> {
        let manifest: Manifest = parse(bytes)?;
        if Some(&manifest.header) != self.header.as_ref() {
            return Err(invalid("its header is another one than the manifest's"));
        }
        if manifest.files.len() != self.files.len() {
            return Err(invalid("it has other files than the manifest says"));
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
            return Err(invalid("it has other counts than the manifest says"));
        }
        Ok(manifest)
    }
}

/// The place of a file of records.
fn records_place(name: &str) -> Option<Place> {
    let mut parts = name.split('/');
    let (env, section, file) = (parts.next()?, parts.next()?, parts.next()?);
    let env: Env = env.parse().ok()?;
    let section = Section::from_name(section)?;
    let number: u32 = file.strip_suffix(".ndjson")?.parse().ok()?;
    // Only the one way to write it.
    (name == path(env, section, number)).then_some(Place::Records(env, section, number))
}

/// The lines of a file, each with its line feed taken off.
fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        return Err(invalid("a file does not end with a line feed"));
    }
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    Ok(bytes.split(|byte| *byte == b'\n').take(count))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // The message of serde_json can quote the text.
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::BodyInvalid, OPERATION, format!("a file of it is malformed (line {line}, column {column})"))
    })
}

fn unreadable(error: io::Error) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("the archive cannot be read: {error}"))
}

fn invalid(detail: &'static str) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, format!("this is no whole tenant archive: {detail}"))
}
