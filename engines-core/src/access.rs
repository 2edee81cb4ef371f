//! The table of everything anyone can do. Services enforce it, routes name it; OpenAPI, the isolation tests and the docs are made from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    context::RequestContext,
    error::{Error, Result},
};

/// A membership's role. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and writes.
    Member,
    /// Manages members and settings.
    Admin,
    /// Manages owners.
    Owner,
}

impl Role {
    /// All roles, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads a name of the wire.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What the gate chain looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateClass {
    /// Reading, which changes nothing.
    Read,
    /// Following a stream.
    Follow,
    /// Changing a tenant's content.
    Write,
    /// Managing a tenant.
    Manage,
    /// Taking content out in bulk.
    Export,
}

/// Which rate limit counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateClass {
    /// Small reads.
    Read,
    /// Small writes.
    Write,
    /// Many in one request.
    Bulk,
    /// Long-lived connections, counted when they open.
    Stream,
    /// What is only seen live and may be lost.
    Ephemeral,
    /// Managing.
    Manage,
    /// Ending something: revocations, cancellations, logout. Counted apart, so that no other traffic can delay it.
    Release,
}

impl RateClass {
    /// All classes.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Write, Self::Bulk, Self::Stream, Self::Ephemeral, Self::Manage, Self::Release];

    /// The name on the wire and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Bulk => "bulk",
            Self::Stream => "stream",
            Self::Ephemeral => "ephemeral",
            Self::Manage => "manage",
            Self::Release => "release",
        }
    }
}

/// How much harm a mistaken call can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// None: it changes nothing.
    None,
    /// It can be undone.
    Low,
    /// It is hard to undo.
    High,
}

/// One row of the table of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ActionSpec {
    /// The stable name: `canvas.command`.
    pub name: &'static str,
    /// The least role that may.
    pub min_role: Role,
    /// What the gate chain looks at.
    pub gate: GateClass,
    /// Which rate limit counts it.
    pub rate: RateClass,
    /// How much harm it can do.
    pub danger: Danger,
    /// Whether each call leaves an audit record, written with its effect in one transaction.
    pub audited: bool,
}

/// Something one can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Start a chat thread.
    ChatThreadCreate,
    /// List threads, look at one.
    ChatThreadRead,
    /// Say something in a thread.
    ChatMessagePost,
    /// Read or follow a thread's log.
    ChatFollow,
    /// Delete a thread with all its messages; whoever made it, or an admin.
    ChatThreadDelete,
    /// Make a canvas.
    CanvasCreate,
    /// Look at a canvas: its head, snapshots, commits, replay.
    CanvasRead,
    /// Follow a canvas.
    CanvasFollow,
    /// Edit a canvas.
    CanvasCommand,
    /// Show a gesture to those who are there.
    CanvasGesture,
    /// Delete a canvas with its whole history; whoever made it, or an admin.
    CanvasDelete,
    /// Open a socket that follows any number of streams; each is asked for by itself.
    StreamOpen,
    /// Show presence, see who is there.
    PresenceRead,
    /// Announce oneself in a stream.
    PresenceAnnounce,
    /// Record a dataset event.
    EventRecord,
    /// Record many.
    EventRecordBatch,
    /// Read the event log.
    EventRead,
    /// Delete recorded events by filter.
    EventDelete,
    /// See how long the tenant's data is kept.
    RetentionRead,
    /// Set how long the tenant's data is kept.
    RetentionManage,
    /// In process alone: remove what is older than it is kept.
    RetentionApply,
    /// See what is found in a text, and what it is without that; nothing of it is kept.
    PiiRedact,
    /// See the tenant's privacy policy.
    PrivacyPolicyRead,
    /// Set the tenant's privacy policy.
    PrivacyPolicyManage,
    /// Take out what may be learned from.
    EventExport,
    /// See the tenant's and one's own training preference.
    TrainPrefsRead,
    /// Set one's own training preference.
    TrainPrefsSet,
    /// Set the tenant's training preference.
    TrainPrefsManage,
    /// Read the audit log.
    AuditRead,
    /// List a tenant's members and its open invites.
    MembersList,
    /// Change or remove members; owners only by owners.
    MembersManage,
    /// Invite somebody to a tenant, or take an invite back; those that make owners only by owners.
    InvitesManage,
    /// List a tenant's API keys.
    ApiKeysList,
    /// Make, rotate or revoke API keys.
    ApiKeysManage,
    /// Get a ticket that opens one stream.
    TicketsCreate,
    /// End a ticket of one's own.
    TicketsEnd,
    /// Look at one's own tenant.
    TenantsRead,
    /// Rename a tenant.
    TenantsUpdate,
    /// Close a tenant of one's own.
    TenantsDisable,
    /// Have a tenant of one's own removed with all its data after a grace period, or call that off.
    TenantsPurge,
    /// Leave a tenant.
    TenantsLeave,
    /// In process alone: take a tenant out as an archive.
    TenantsExport,
    /// In the control plane, in process alone: put a tenant in from an archive, or copy one.
    TenantsImport,
    /// In the control plane: list, suspend and resume tenants.
    TenantsManage,
    /// In the control plane: disable and enable users.
    UsersManage,
    /// See which key slots are filled.
    KeySlotsList,
    /// Fill key slots, empty them, seal them anew.
    KeySlotsManage,
    /// In process alone: use a slot's secret on the tenant's behalf.
    KeySlotsOpen,
    /// In process alone, in the control plane: back up everything, remove old backups.
    BackupCreate,
    /// In process alone, in the control plane: list backups.
    BackupRead,
}

const fn spec(
    name: &'static str,
    least: Role,
    gate: GateClass,
    rate: RateClass,
    danger: Danger,
    audited: bool,
) -> ActionSpec {
    ActionSpec { name, min_role: least, gate, rate, danger, audited }
}

impl Action {
    /// Every action.
    pub const ALL: &'static [Self] = &[
        Self::ChatThreadCreate,
        Self::ChatThreadRead,
        Self::ChatMessagePost,
        Self::ChatFollow,
        Self::ChatThreadDelete,
        Self::CanvasCreate,
        Self::CanvasRead,
        Self::CanvasFollow,
        Self::CanvasCommand,
        Self::CanvasGesture,
        Self::CanvasDelete,
        Self::StreamOpen,
        Self::PresenceRead,
        Self::PresenceAnnounce,
        Self::EventRecord,
        Self::EventRecordBatch,
        Self::EventRead,
        Self::EventDelete,
        Self::RetentionRead,
        Self::RetentionManage,
        Self::RetentionApply,
        Self::PiiRedact,
        Self::PrivacyPolicyRead,
        Self::PrivacyPolicyManage,
        Self::EventExport,
        Self::TrainPrefsRead,
        Self::TrainPrefsSet,
        Self::TrainPrefsManage,
        Self::AuditRead,
        Self::MembersList,
        Self::MembersManage,
        Self::InvitesManage,
        Self::ApiKeysList,
        Self::ApiKeysManage,
        Self::TicketsCreate,
        Self::TicketsEnd,
        Self::TenantsRead,
        Self::TenantsUpdate,
        Self::TenantsDisable,
        Self::TenantsPurge,
        Self::TenantsLeave,
        Self::TenantsExport,
        Self::TenantsImport,
        Self::TenantsManage,
        Self::UsersManage,
        Self::KeySlotsList,
        Self::KeySlotsManage,
        Self::KeySlotsOpen,
        Self::BackupCreate,
        Self::BackupRead,
    ];

    /// This action's row.
    #[must_use]
    pub const fn spec(self) -> ActionSpec {
        use {Danger as D, GateClass as G, RateClass as R, Role as L};
        match self {
            Self::ChatThreadCreate => spec("chat.thread.create", L::Member, G::Write, R::Write, D::Low, true),
            Self::ChatThreadRead => spec("chat.thread.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::ChatMessagePost => spec("chat.message.post", L::Member, G::Write, R::Write, D::Low, true),
            Self::ChatFollow => spec("chat.follow", L::Viewer, G::Follow, R::Stream, D::None, false),
            Self::ChatThreadDelete => spec("chat.thread.delete", L::Member, G::Write, R::Write, D::High, true),
            Self::CanvasCreate => spec("canvas.create", L::Member, G::Write, R::Write, D::Low, true),
            Self::CanvasRead => spec("canvas.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::CanvasFollow => spec("canvas.follow", L::Viewer, G::Follow, R::Stream, D::None, false),
            Self::CanvasCommand => spec("canvas.command", L::Member, G::Write, R::Write, D::Low, true),
            Self::CanvasGesture => spec("canvas.gesture", L::Member, G::Write, R::Ephemeral, D::None, false),
            Self::CanvasDelete => spec("canvas.delete", L::Member, G::Write, R::Write, D::High, true),
            Self::StreamOpen => spec("stream.open", L::Viewer, G::Follow, R::Stream, D::None, false),
            Self::PresenceRead => spec("presence.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::PresenceAnnounce => spec("presence.announce", L::Viewer, G::Follow, R::Ephemeral, D::None, false),
            Self::EventRecord => spec("event.record", L::Member, G::Write, R::Write, D::Low, true),
            Self::EventRecordBatch => spec("event.record_batch", L::Member, G::Write, R::Bulk, D::Low, true),
            Self::EventRead => spec("event.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::EventDelete => spec("event.delete", L::Admin, G::Manage, R::Bulk, D::High, true),
            Self::RetentionRead => spec("retention.read", L::Admin, G::Read, R::Manage, D::None, false),
            Self::RetentionManage => spec("retention.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::RetentionApply => spec("retention.apply", L::Owner, G::Manage, R::Manage, D::High, true),
            Self::PiiRedact => spec("pii.redact", L::Member, G::Read, R::Write, D::None, false),
            Self::PrivacyPolicyRead => spec("privacy_policy.read", L::Admin, G::Read, R::Manage, D::None, false),
            Self::PrivacyPolicyManage => spec("privacy_policy.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::EventExport => spec("event.export", L::Admin, G::Export, R::Bulk, D::High, true),
            Self::TrainPrefsRead => spec("train_prefs.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::TrainPrefsSet => spec("train_prefs.set", L::Viewer, G::Write, R::Write, D::Low, true),
            Self::TrainPrefsManage => spec("train_prefs.manage", L::Admin, G::Manage, R::Manage, D::Low, true),
            Self::AuditRead => spec("audit.read", L::Admin, G::Manage, R::Manage, D::None, false),
            Self::MembersList => spec("members.list", L::Admin, G::Read, R::Manage, D::None, false),
            Self::MembersManage => spec("members.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::InvitesManage => spec("invites.manage", L::Admin, G::Manage, R::Manage, D::Low, true),
            Self::ApiKeysList => spec("api_keys.list", L::Admin, G::Read, R::Manage, D::None, false),
            Self::ApiKeysManage => spec("api_keys.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::TicketsCreate => spec("tickets.create", L::Viewer, G::Follow, R::Stream, D::None, false),
            Self::TicketsEnd => spec("tickets.end", L::Viewer, G::Follow, R::Release, D::None, false),
            Self::TenantsRead => spec("tenants.read", L::Viewer, G::Read, R::Read, D::None, false),
            Self::TenantsUpdate => spec("tenants.update", L::Admin, G::Manage, R::Manage, D::Low, true),
            Self::TenantsDisable => spec("tenants.disable", L::Owner, G::Manage, R::Release, D::High, true),
            Self::TenantsPurge => spec("tenants.purge", L::Owner, G::Manage, R::Manage, D::High, true),
            Self::TenantsLeave => spec("tenants.leave", L::Viewer, G::Manage, R::Release, D::Low, true),
            Self::TenantsExport => spec("tenants.export", L::Owner, G::Export, R::Bulk, D::High, true),
            Self::TenantsImport => spec("tenants.import", L::Admin, G::Manage, R::Bulk, D::High, true),
            Self::TenantsManage => spec("tenants.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::UsersManage => spec("users.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::KeySlotsList => spec("key_slots.list", L::Admin, G::Read, R::Manage, D::None, false),
            Self::KeySlotsManage => spec("key_slots.manage", L::Admin, G::Manage, R::Manage, D::High, true),
            Self::KeySlotsOpen => spec("key_slots.open", L::Member, G::Read, R::Read, D::Low, false),
            Self::BackupCreate => spec("backup.create", L::Owner, G::Export, R::Bulk, D::High, true),
            Self::BackupRead => spec("backup.read", L::Admin, G::Read, R::Manage, D::None, false),
        }
    }

    /// Whether the context's role allows this action; the first thing every service asks.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, naming the action and the least role.
    pub fn require_role(self, context: &RequestContext) -> Result<()> {
        let spec = self.spec();
        if context.role() >= spec.min_role {
            return Ok(());
        }
        Err(Error::new(
            Code::RoleInsufficient,
            spec.name,
            format!("this needs the role {} or above", spec.min_role.as_str()),
        )
        .with_member("action", spec.name)
        .with_member("least_role", spec.min_role.as_str()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}
