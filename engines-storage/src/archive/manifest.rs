//! What an archive says about itself.

use std::collections::BTreeMap;

use engines_core::{Env, Role, TenantId, Timestamp, UserId, nexus::archive::Section, stream::LogId};
use serde::{Deserialize, Serialize};

/// The name of the format.
pub const FORMAT: &str = "engines-tenant-archive";
/// The version that this program writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// The first file: what this is, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveHeader {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's name for people; none where no identity service keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The environments it holds.
    pub envs: Vec<Env>,
    /// The id of the log it was taken from, as 16 hexadecimal digits.
    pub log: String,
    /// When it was taken.
    pub created_at: Timestamp,
    /// The version of the program that wrote it.
    pub program: String,
}

impl ArchiveHeader {
    /// A header of today's format.
    #[must_use]
    pub fn new(tenant: TenantId, envs: Vec<Env>, log: LogId, created_at: Timestamp, program: &str) -> Self {
        let log = format!("{:016x}", u64::from_be_bytes(log.to_bytes()));
        let (format, program) = (FORMAT.to_owned(), program.to_owned());
        Self { format, version: VERSION, tenant, name: None, envs, log, created_at, program }
    }

    /// With the tenant's name for people.
    #[must_use]
    pub fn with_name(mut self, name: Option<String>) -> Self {
        self.name = name;
        self
    }

    /// The id of the log it was taken from; none if the text is none.
    #[must_use]
    pub fn log_id(&self) -> Option<LogId> {
        let number = u64::from_str_radix(&self.log, 16).ok().filter(|_| self.log.len() == 16)?;
        Some(LogId::from_bytes(number.to_be_bytes()))
    }
}

/// A member of the tenant: by id, without an address or a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantMember {
    /// The user.
    pub user_id: UserId,
    /// The role.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveFile {
    /// Its name in the archive.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its lines.
    pub records: u64,
    /// SHA-256 of it, as 64 hexadecimal digits.
    pub sha256: String,
}

/// Something that is not in the archive on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// What.
    pub what: String,
    /// How many; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Why, and what to do about it.
    pub reason: String,
}

/// The last file: what all the others are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveManifest {
    /// The header again.
    pub header: ArchiveHeader,
    /// How many records of each section each environment has.
    pub counts: BTreeMap<String, BTreeMap<Section, u64>>,
    /// Every other file, in the order of the archive.
    pub files: Vec<ArchiveFile>,
    /// What is not in it.
    pub left_out: Vec<Omission>,
}
