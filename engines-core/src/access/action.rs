//! Every action, and what the table says of it.

use std::fmt;

use super::{Danger, GateClass, RateClass, Role};
use crate::{
    code::Code,
    error::{Error, Result},
};

/// One row of the table of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSpec {
    /// The stable name: `canvas.command`.
    pub name: &'static str,
    /// The lowest role that may perform the action.
    pub min_role: Role,
    /// The class of the action for gates.
    pub gate: GateClass,
    /// The rate limit in which the action counts.
    pub rate: RateClass,
    /// The rate limit in which a call counts that removes or revokes what the action manages.
    pub removal_rate: RateClass,
    /// How much harm a mistaken call can do.
    pub danger: Danger,
    /// Whether each call leaves an audit record, written in the same transaction as its effect.
    pub audited: bool,
}

/// An action that a caller can request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Start a chat thread.
    ChatThreadCreate,
    /// List threads, read one.
    ChatThreadRead,
    /// Post a message to a thread.
    ChatMessagePost,
    /// Read or follow a thread's log.
    ChatFollow,
    /// Delete a thread with all its messages; for its creator or an admin.
    ChatThreadDelete,
    /// Create a canvas.
    CanvasCreate,
    /// Read a canvas: its head, snapshots, commits, replay.
    CanvasRead,
    /// Follow a canvas.
    CanvasFollow,
    /// Edit a canvas.
    CanvasCommand,
    /// Show a gesture to the canvas's live subscribers.
    CanvasGesture,
    /// Delete a canvas with its whole history; for its creator or an admin.
    CanvasDelete,
    /// Open a socket that follows any number of streams; each subscription is checked separately.
    StreamOpen,
    /// List the presence entries of a stream.
    PresenceRead,
    /// Announce one's own presence in a stream.
    PresenceAnnounce,
    /// Record a dataset event.
    EventRecord,
    /// Record a batch of dataset events.
    EventRecordBatch,
    /// Read the event log.
    EventRead,
    /// Delete recorded events by filter.
    EventDelete,
    /// Read the tenant's retention policy.
    RetentionRead,
    /// Set the tenant's retention policy.
    RetentionManage,
    /// In process only: remove data that is older than the retention policy allows.
    RetentionApply,
    /// Scan a text for personal data and redact it; nothing of it is stored.
    PiiRedact,
    /// Read the tenant's privacy policy.
    PrivacyPolicyRead,
    /// Set the tenant's privacy policy.
    PrivacyPolicyManage,
    /// Export the events that may be used for training.
    EventExport,
    /// Read the tenant's and one's own training preference.
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
    /// Invite a person to a tenant, or withdraw an invite; invites of owners only by owners.
    InvitesManage,
    /// List a tenant's API keys.
    ApiKeysList,
    /// Create, rotate or revoke API keys.
    ApiKeysManage,
    /// Create a ticket that opens one stream.
    TicketsCreate,
    /// End one's own ticket.
    TicketsEnd,
    /// Read one's own tenant.
    TenantsRead,
    /// Rename a tenant.
    TenantsUpdate,
    /// Close one's own tenant.
    TenantsDisable,
    /// Schedule the removal of one's own tenant with all its data after a grace period, or cancel it.
    TenantsPurge,
    /// Leave a tenant.
    TenantsLeave,
    /// In process only: export a tenant as an archive.
    TenantsExport,
    /// In the control plane, in process only: import a tenant from an archive, or copy one.
    TenantsImport,
    /// In the control plane: list, suspend and resume tenants.
    TenantsManage,
    /// In the control plane: disable and enable users.
    UsersManage,
    /// List which key slots are filled.
    KeySlotsList,
    /// Fill key slots, empty them, or seal them with a new key.
    KeySlotsManage,
    /// In process only: use a slot's secret on the tenant's behalf.
    KeySlotsOpen,
    /// In process only, in the control plane: back up all data, remove old backups.
    BackupCreate,
    /// In process only, in the control plane: list backups.
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
    ActionSpec { name, min_role: least, gate, rate, removal_rate: rate, danger, audited }
}

impl ActionSpec {
    /// Returns the row of an action whose removals count as [`RateClass::Release`].
    const fn releasing(mut self) -> Self {
        self.removal_rate = RateClass::Release;
        self
    }
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

    /// The action's row in the table.
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
            Self::MembersManage => spec("members.manage", L::Admin, G::Manage, R::Manage, D::High, true).releasing(),
            Self::InvitesManage => spec("invites.manage", L::Admin, G::Manage, R::Manage, D::Low, true).releasing(),
            Self::ApiKeysList => spec("api_keys.list", L::Admin, G::Read, R::Manage, D::None, false),
            Self::ApiKeysManage => spec("api_keys.manage", L::Admin, G::Manage, R::Manage, D::High, true).releasing(),
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

    /// Checks whether a role allows this action. Every service checks this first, with the role of its context.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, naming the action and the lowest role that may perform it.
    pub fn require_role(self, role: Role) -> Result<()> {
        let spec = self.spec();
        if role >= spec.min_role {
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
