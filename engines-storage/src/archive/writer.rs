//! Writes an archive in one pass.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use engines_core::{
    Env, Error, Result, hex,
    nexus::archive::{ArchiveRecord, Section},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{ArchiveFile, ArchiveHeader, ArchiveManifest, Omission, TenantMember};

const OPERATION: &str = "archive.write";
/// Size of a file of records at which the next file begins. A longer line gets a file of its own.
const MAX_FILE_BYTES: usize = 4 << 20;
/// The Unix mode of every file.
const FILE_MODE: u32 = 0o600;

/// The name of the first file.
pub(super) const HEADER_FILE: &str = "archive.json";
/// The name of the file of members.
pub(super) const MEMBERS_FILE: &str = "members.ndjson";
/// The name of the last file.
pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// Writes an archive. Records must be added by environment and section, in the order of [`Env::ALL`] and
/// [`Section::ALL`].
pub struct ArchiveWriter<W: Write> {
    tar: tar::Builder<W>,
    header: ArchiveHeader,
    /// Environment, section and number of the file that the buffered records belong to.
    current_file: Option<(Env, Section, u32)>,
    buffer: Vec<u8>,
    lines: u64,
    counts: BTreeMap<String, BTreeMap<Section, u64>>,
    files: Vec<ArchiveFile>,
}

/// Returns the name of a file of records.
pub(super) fn records_path(env: Env, section: Section, number: u32) -> String {
    format!("{env}/{}/{number:06}.ndjson", section.as_str())
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive by writing its header.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when `to` cannot be written.
    pub fn begin(to: W, header: ArchiveHeader) -> Result<Self> {
        let mut writer = Self {
            tar: tar::Builder::new(to),
            header: header.clone(),
            current_file: None,
            buffer: Vec::new(),
            lines: 0,
            counts: BTreeMap::new(),
            files: Vec::new(),
        };
        writer.add_file(HEADER_FILE, &to_json(&header)?, 1)?;
        Ok(writer)
    }

    /// Adds records of one environment. All records of one section must be added consecutively.
    ///
    /// # Errors
    ///
    /// The errors of [`ArchiveWriter::begin`], and `INTERNAL` when a record cannot be serialised.
    pub fn add_records(&mut self, env: Env, records: &[ArchiveRecord]) -> Result<()> {
        for record in records {
            let section = record.section();
            match self.current_file {
                Some((at, of, _)) if (at, of) == (env, section) => {}
                _ => {
                    self.write_records_file()?;
                    self.current_file = Some((env, section, 1));
                }
            }
            record.write_line(&mut self.buffer)?;
            self.lines += 1;
            *self.counts.entry(env.to_string()).or_default().entry(section).or_default() += 1;
            if self.buffer.len() >= MAX_FILE_BYTES {
                self.write_records_file()?;
            }
        }
        Ok(())
    }

    /// Writes the members and the manifest. Returns the writer and the manifest.
    ///
    /// # Errors
    ///
    /// The errors of [`ArchiveWriter::begin`].
    pub fn finish(mut self, members: &[TenantMember], left_out: Vec<Omission>) -> Result<(W, ArchiveManifest)> {
        self.write_records_file()?;
        let mut lines = Vec::new();
        for member in members {
            serde_json::to_writer(&mut lines, member).map_err(|error| Error::internal(OPERATION, error))?;
            lines.push(b'\n');
        }
        self.add_file(MEMBERS_FILE, &lines, members.len() as u64)?;
        let manifest = ArchiveManifest {
            header: self.header.clone(),
            counts: std::mem::take(&mut self.counts),
            files: std::mem::take(&mut self.files),
            left_out,
        };
        self.add_file(MANIFEST_FILE, &to_json(&manifest)?, 1)?;
        let mut to = self.tar.into_inner().map_err(write_error)?;
        to.flush().map_err(write_error)?;
        Ok((to, manifest))
    }

    /// Writes the buffered records as a file.
    fn write_records_file(&mut self) -> Result<()> {
        let Some((env, section, number)) = self.current_file.filter(|_| self.lines > 0) else { return Ok(()) };
        let (lines, bytes) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.buffer));
        self.add_file(&records_path(env, section, number), &bytes, lines)?;
        self.current_file = Some((env, section, number + 1));
        Ok(())
    }

    fn add_file(&mut self, path: &str, bytes: &[u8], records: u64) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(FILE_MODE);
        header.set_mtime(u64::try_from(self.header.created_at.as_secs()).unwrap_or(0));
        self.tar.append_data(&mut header, path, bytes).map_err(write_error)?;
        let sha256 = hex::encode(&Sha256::digest(bytes));
        self.files.push(ArchiveFile { path: path.to_owned(), bytes: bytes.len() as u64, records, sha256 });
        Ok(())
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::internal(OPERATION, error))?;
    text.push(b'\n');
    Ok(text)
}

fn write_error(error: io::Error) -> Error {
    Error::new(engines_core::Code::BackendUnavailable, OPERATION, format!("the archive cannot be written: {error}"))
}
