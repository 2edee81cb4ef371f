//! Imports a tenant into the store, from a file or from another tenant.

use std::{collections::HashMap, io::Read};

use engines_auth::identity::{ArchivedMember, ArchivedTenant};
use engines_core::{
    Action, Code, Env, Error, RequestContext, Result, Scope, TenantId, UserId,
    event::scrub_archived,
    nexus::{
        CommitError, Document,
        archive::{Archive, ArchiveRecord, Publication, StoreMark},
    },
    stream::LogId,
};
use engines_storage::{
    archive::{self, ArchiveHeader, ArchiveLimits, TenantMember},
    event_log::privacy::PrivacyPolicies,
};
use tokio::sync::mpsc;

use super::{
    export::{ExportOptions, aborted_error},
    service::TenantArchives,
    transfer::{self, CHANNEL_CAPACITY, PartReceiver, TransferPart},
};

const IMPORT_OPERATION: &str = "tenants.import";
/// The action that events are scrubbed for. A policy can have operators for it.
const STORE_ACTION: &str = "store";
/// The tenant id of the control plane.
const CONTROL_PLANE_TENANT: &str = "t_system";

/// How a tenant is imported.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The tenant id to import under; the archive's own id if `None`.
    pub rename: Option<TenantId>,
    /// A user of this store who becomes an owner.
    pub owner: Option<UserId>,
    /// Gives the store's log a new id if the archive was taken from this log and the tenant keeps its id. Otherwise
    /// cursors from before the archive would be taken for cursors of the restored streams. With a new id, every cursor
    /// of the store leads to `REPLAY_MISS` once.
    pub new_log: bool,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// The imported tenant, under its present id.
    pub tenant: TenantId,
    /// Its environments.
    pub envs: Vec<Env>,
    /// The number of imported records.
    pub records: u64,
    /// Its members.
    pub members: Vec<UserId>,
    /// Members in the archive whom this store does not know as users. They are not members of the imported tenant.
    pub unknown: Vec<UserId>,
    /// The log's new id, if it has one.
    pub new_log: Option<LogId>,
}

impl TenantArchives {
    /// Imports a tenant from an archive. All of it becomes visible in one transaction, after the whole archive was read
    /// and every hash verified; until then no reader sees any of it. What a crash leaves behind is removed by the next
    /// import of the same id.
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` outside `t_system`; `ROLE_INSUFFICIENT` below admin; the errors of [`archive::read_archive`] for a
    /// file that is not a complete archive; `ALREADY_EXISTS` when data is stored under the id, and when the archive is
    /// of this log and keeps its id without [`ImportOptions::new_log`]; `OP_INVALID` for the control plane, and for key
    /// slots under another id; `BACKEND_UNAVAILABLE`.
    pub async fn import<R: Read + Send + 'static>(
        &self,
        context: &RequestContext,
        from: R,
        options: ImportOptions,
    ) -> Result<ImportReport> {
        self.admit_import(context, options.rename.as_ref()).await?;
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let limits = ArchiveLimits::clone(&self.limits);
        let reading = tokio::task::spawn_blocking(move || {
            let stopped = |_| aborted_error();
            let read = archive::read_archive(from, &limits, |part| {
                let part = match part {
                    archive::ArchivePart::Header(header) => TransferPart::Header(header),
                    archive::ArchivePart::Records(env, records) => TransferPart::Records(env, records),
                    archive::ArchivePart::Members(members) => TransferPart::Members(members),
                };
                sender.blocking_send(Ok(part)).map_err(stopped)
            });
            // If sending fails, the receiver has stopped and reports its own error.
            let _ = sender.blocking_send(read.map(|manifest| TransferPart::End(manifest.left_out)));
        });
        let imported = self.stage_and_publish(context, &options, receiver).await;
        reading.await.map_err(|error| Error::internal(IMPORT_OPERATION, error))?;
        imported
    }

    /// Copies the tenant of `source` under another id. Its members stay members. `source` is the context of an owner of
    /// the tenant, `operator` that of an admin of the control plane.
    ///
    /// # Errors
    /// As [`TenantArchives::export`] and [`TenantArchives::import`].
    pub async fn fork(
        &self,
        source: &RequestContext,
        operator: &RequestContext,
        tenant: &TenantId,
        owner: Option<UserId>,
    ) -> Result<ImportReport> {
        self.admit_import(operator, Some(tenant)).await?;
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let options = ImportOptions { rename: Some(tenant.clone()), owner, new_log: false };
        let sending = async {
            let sent = self.send_tenant(source, &ExportOptions::default(), &sender).await;
            if sent.is_err() {
                let _ = sender.send(Err(aborted_error())).await;
            }
            drop(sender);
            sent
        };
        let (sent, received) = tokio::join!(sending, self.stage_and_publish(operator, &options, receiver));
        sent.and(received)
    }

    async fn admit_import(&self, context: &RequestContext, tenant: Option<&TenantId>) -> Result<()> {
        if context.scope().tenant().as_str() != CONTROL_PLANE_TENANT {
            let detail = "only admins of the control plane, t_system, may do this";
            return Err(Error::new(Code::TenantForbidden, IMPORT_OPERATION, detail));
        }
        let resource = tenant.map(|tenant| format!("tenants/{tenant}")).unwrap_or_default();
        self.guard.admit(context, Action::TenantsImport, &resource).await.map(drop)
    }

    /// Stages the received parts and publishes them when all have arrived; otherwise removes them.
    async fn stage_and_publish(
        &self,
        context: &RequestContext,
        options: &ImportOptions,
        mut parts: PartReceiver,
    ) -> Result<ImportReport> {
        let archive = self.require_archive(IMPORT_OPERATION)?;
        let Some(TransferPart::Header(header)) = parts.recv().await.transpose()? else { return Err(aborted_error()) };
        let tenant = options.rename.clone().unwrap_or_else(|| header.tenant.clone());
        let scopes: Vec<_> = header.envs.iter().map(|env| Scope::new(tenant.clone(), *env)).collect();
        let new_log = self.check_and_clear(archive, &header, &tenant, &scopes, options).await?;
        let staged = self.stage_parts(archive, &header, &tenant, &mut parts).await;
        let published = match staged {
            Ok(staged) => self.publish_tenant(context, options, &header, &tenant, &scopes, staged, new_log).await,
            Err(error) => Err(error),
        };
        if published.is_err() {
            for scope in &scopes {
                if let Err(error) = archive.discard_staged(scope).await {
                    tracing::warn!(%error, %scope, "what is left of an import could not be removed; the next one removes it");
                }
            }
        }
        published
    }

    /// Checks what the header tells, and removes what an earlier import has left.
    async fn check_and_clear(
        &self,
        archive: &dyn Archive,
        header: &ArchiveHeader,
        tenant: &TenantId,
        scopes: &[Scope],
        options: &ImportOptions,
    ) -> Result<Option<LogId>> {
        if tenant.as_str() == CONTROL_PLANE_TENANT {
            let detail = "the control plane cannot be restored from an archive; restore a backup";
            return Err(Error::new(Code::OpInvalid, IMPORT_OPERATION, detail));
        }
        let same = *tenant == header.tenant && header.log_id() == Some(self.store.log_id());
        if same && !options.new_log {
            let detail = "the archive was taken from this store and keeps its id: cursors from before would be misread; \
                          import it under another id, or have the log given a new id";
            return Err(Error::new(Code::AlreadyExists, IMPORT_OPERATION, detail));
        }
        if let Err(taken) = self.identity.check_restorable(tenant).await {
            for scope in scopes {
                archive.discard_staged(scope).await?;
            }
            return Err(taken);
        }
        for scope in scopes {
            if !transfer::is_empty(archive, scope).await? {
                let detail = "something is stored under this id already; import it under another one";
                return Err(Error::new(Code::AlreadyExists, IMPORT_OPERATION, detail));
            }
            archive.discard_staged(scope).await?;
        }
        Ok(same.then(|| LogId::from_bytes(self.guard.ids().bytes())))
    }

    async fn stage_parts(
        &self,
        archive: &dyn Archive,
        header: &ArchiveHeader,
        tenant: &TenantId,
        parts: &mut PartReceiver,
    ) -> Result<StagedTenant> {
        let (mut staged, renamed) = (StagedTenant::default(), *tenant != header.tenant);
        while let Some(part) = parts.recv().await.transpose()? {
            match part {
                TransferPart::Header(_) => return Err(aborted_error()),
                TransferPart::Records(env, records) => {
                    if renamed && records.iter().any(transfer::is_key_slot) {
                        let detail =
                            "the archive has key slots, which are sealed for its own tenant id; export it without them";
                        return Err(Error::new(Code::OpInvalid, IMPORT_OPERATION, detail));
                    }
                    staged.records += records.len() as u64;
                    let scope = Scope::new(tenant.clone(), env);
                    let records = self.scrub_records(&scope, records, &mut staged.policies).await?;
                    archive.stage(&scope, records, "import").await?;
                }
                TransferPart::Members(members) => staged.members = members,
                TransferPart::End(_) => return Ok(staged),
            }
        }
        Err(aborted_error())
    }

    /// Scrubs the dataset events among the records and removes their feed positions. The policy of an environment comes
    /// before its events, in the order of [`engines_core::nexus::archive::Section`].
    async fn scrub_records(
        &self,
        scope: &Scope,
        records: Vec<ArchiveRecord>,
        policies: &mut HashMap<Env, Document>,
    ) -> Result<Vec<ArchiveRecord>> {
        for record in &records {
            if let ArchiveRecord::Document(document) = record
                && PrivacyPolicies::is_policy(document)
            {
                policies.insert(scope.env(), document.clone());
            }
        }
        if !records.iter().any(|record| matches!(record, ArchiveRecord::Event(..))) {
            return Ok(records);
        }
        let scrubber = self.policies.imported_scrubber(scope, policies.get(&scope.env())).for_action(STORE_ACTION);
        let scrub = move || {
            let scrubbed = records.into_iter().map(|record| match record {
                ArchiveRecord::Event(_, event) => Ok(ArchiveRecord::Event(None, scrub_archived(&scrubber, event)?)),
                record => Ok(record),
            });
            scrubbed.collect()
        };
        tokio::task::spawn_blocking(scrub).await.map_err(|error| Error::internal(IMPORT_OPERATION, error))?
    }

    #[expect(clippy::too_many_arguments, reason = "everything that was found out on the way")]
    async fn publish_tenant(
        &self,
        context: &RequestContext,
        options: &ImportOptions,
        header: &ArchiveHeader,
        tenant: &TenantId,
        scopes: &[Scope],
        staged: StagedTenant,
        new_log: Option<LogId>,
    ) -> Result<ImportReport> {
        let archive = self.require_archive(IMPORT_OPERATION)?;
        let members = staged.members.into_iter();
        let members =
            members.map(|TenantMember { user_id, role, since }| ArchivedMember { user_id, role, since }).collect();
        let archived = ArchivedTenant { name: header.name.clone(), members };
        let restoration = self.identity.prepare_restore(context, tenant, &archived, options.owner.as_ref()).await?;
        let mark = match new_log {
            Some(log) => Some(StoreMark { log_id: log, feed_position: archive.mark().await?.feed_position }),
            None => None,
        };
        let publication = Publication { scopes: scopes.to_vec(), mark, batch: restoration.batch };
        archive.publish(publication).await.map_err(|error| match error {
            CommitError::Precondition { .. } => Error::new(
                Code::AlreadyExists,
                IMPORT_OPERATION,
                "a tenant with this id was created meanwhile; use another id",
            ),
            error => error.into(),
        })?;
        self.identity.invalidate_restored_tenant(tenant);
        Ok(ImportReport {
            tenant: tenant.clone(),
            envs: header.envs.clone(),
            records: staged.records,
            members: restoration.members,
            unknown: restoration.unknown,
            new_log,
        })
    }
}

/// The staged data.
#[derive(Default)]
struct StagedTenant {
    records: u64,
    policies: HashMap<Env, Document>,
    members: Vec<TenantMember>,
}
