//! The header and the manifest of an archive.

use std::collections::BTreeMap;

use engines_core::{Env, Role, TenantId, Timestamp, UserId, nexus::archive::Section, stream::LogId};
use serde::{Deserialize, Serialize};

/// The format's name, as written in every header.
pub const FORMAT: &str = "engines-tenant-archive";
/// The format's version. This is the version that the program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// The archive's first file: its format, its tenant and its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveHeader {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// The id of the archived tenant.
    pub tenant: TenantId,
    /// The tenant's display name; `None` when the deployment has no identity service that stores it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The environments that the archive contains.
    pub envs: Vec<Env>,
    /// The id of the log that was archived, as 16 hexadecimal digits.
    pub log: String,
    /// The time at which the archive was made.
    pub created_at: Timestamp,
    /// The version of the program that wrote the archive.
    pub program: String,
}

impl ArchiveHeader {
    /// Creates a header in the current format.
    #[must_use]
    pub fn new(tenant: TenantId, envs: Vec<Env>, log: LogId, created_at: Timestamp, program: &str) -> Self {
        let log = format!("{:016x}", u64::from_be_bytes(log.to_bytes()));
        let (format, program) = (FORMAT.to_owned(), program.to_owned());
        Self { format, version: VERSION, tenant, name: None, envs, log, created_at, program }
    }

    /// Sets the tenant's display name.
    #[must_use]
    pub fn with_name(mut self, name: Option<String>) -> Self {
        self.name = name;
        self
    }

    /// Parses the id of the archived log; `None` when [`log`](Self::log) is malformed.
    #[must_use]
    pub fn log_id(&self) -> Option<LogId> {
        let number = u64::from_str_radix(&self.log, 16).ok().filter(|_| self.log.len() == 16)?;
        Some(LogId::from_bytes(number.to_be_bytes()))
    }
}

/// A member of the tenant. It contains neither an address nor a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantMember {
    /// The user's id.
    pub user_id: UserId,
    /// The user's role in the tenant.
    pub role: Role,
    /// The time at which the user became a member.
    pub since: Timestamp,
}

/// One file of the archive, as listed in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveFile {
    /// The file's path in the archive.
    pub path: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The number of the file's lines; each is one record.
    pub records: u64,
    /// SHA-256 of the file's content, as 64 hexadecimal digits.
    pub sha256: String,
}

/// A kind of data that the archive omits on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// What is omitted.
    pub what: String,
    /// How many items are omitted; `None` when the number is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The reason, and what the operator has to do about it.
    pub reason: String,
}

/// The archive's last file: it lists all other files with their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveManifest {
    /// A copy of the header.
    pub header: ArchiveHeader,
    /// The number of records by environment and section.
    pub counts: BTreeMap<String, BTreeMap<Section, u64>>,
    /// Every other file, in the archive's order.
    pub files: Vec<ArchiveFile>,
    /// The data that the archive omits on purpose.
    pub left_out: Vec<Omission>,
}
