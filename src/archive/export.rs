//! Exports a tenant from the store to an archive file.

use std::io::Write;

use engines_core::{Action, Batch, Code, Env, Error, RequestContext, Result, Scope, context::ContextOrigin};
use engines_storage::archive::{ArchiveHeader, ArchiveManifest, ArchiveWriter, Omission, TenantMember};
use tokio::sync::mpsc;

use super::{
    service::TenantArchives,
    transfer::{self, CHANNEL_CAPACITY, PartReceiver, PartSender, TransferPart},
};

const EXPORT_OPERATION: &str = "tenants.export";

/// What an export contains.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The environments to export; all that hold data if empty.
    pub envs: Vec<Env>,
    /// Includes the key slots, as they are sealed. They open only under the same tenant id, with the same sealing keys.
    /// Default: no.
    pub key_slots: bool,
}

impl TenantArchives {
    /// Writes an archive of the context's tenant to `to`: each environment as it is at one moment, independent of
    /// concurrent writes. A context that was admitted with a credential exports only its own environment.
    ///
    /// The archive is complete only when this returns; do not read it before.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` below owner; `NOT_FOUND` when the tenant has no data; `BACKEND_UNAVAILABLE` when the store
    /// does not answer, when the tenant is too large for the time a backend keeps a snapshot, and when the archive
    /// cannot be written.
    pub async fn export<W: Write + Send + 'static>(
        &self,
        context: &RequestContext,
        options: ExportOptions,
        to: W,
    ) -> Result<(W, ArchiveManifest)> {
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let writing = tokio::task::spawn_blocking(move || write_archive(to, receiver));
        let sent = self.send_tenant(context, &options, &sender).await;
        if let Err(error) = sent {
            // The writer must not take an incomplete archive for a complete one.
            let _ = sender.send(Err(aborted_error())).await;
            drop(sender);
            let _ = writing.await;
            return Err(error);
        }
        drop(sender);
        writing.await.map_err(|error| Error::internal(EXPORT_OPERATION, error))?
    }

    /// Sends all data of the context's tenant.
    pub(super) async fn send_tenant(
        &self,
        context: &RequestContext,
        options: &ExportOptions,
        to: &PartSender,
    ) -> Result<()> {
        let archive = self.require_archive(EXPORT_OPERATION)?;
        let tenant = context.scope().tenant();
        let resource = format!("tenants/{tenant}");
        let permit = self.guard.admit(context, Action::TenantsExport, &resource).await?;
        let own = [context.scope().env()];
        let wanted = match (context.origin(), options.envs.as_slice()) {
            (ContextOrigin::Credential { .. }, []) => &own[..],
            (ContextOrigin::Credential { .. }, envs) if envs != own => {
                let detail = "a credential takes out the environment it is used in; use one for each";
                return Err(Error::new(Code::ContextMismatch, EXPORT_OPERATION, detail));
            }
            (_, []) => &Env::ALL[..],
            (_, envs) => envs,
        };
        let mut envs = Vec::new();
        for env in Env::ALL.into_iter().filter(|env| wanted.contains(env)) {
            if !transfer::is_empty(archive, &Scope::new(tenant.clone(), env)).await? {
                envs.push(env);
            }
        }
        let archived = self.identity.archive_tenant(context).await?;
        let Some(first) = envs.first().copied() else {
            return Err(Error::new(Code::NotFound, EXPORT_OPERATION, "the tenant has no data"));
        };
        if !self.read_only {
            // The audit record goes to an environment that holds data, because the record alone would otherwise create
            // one.
            let env = envs.iter().copied().find(|env| *env == context.scope().env()).unwrap_or(first);
            let batch = Batch::new(self.guard.clock().now()).audit(permit.audit_entry(&self.guard, context, resource));
            self.store.commit(&Scope::new(tenant.clone(), env), batch).await?;
        }
        let now = self.guard.clock().now();
        let header =
            ArchiveHeader::new(tenant.clone(), envs.clone(), self.store.log_id(), now, env!("CARGO_PKG_VERSION"));
        let mut left_out = 0;
        // Sending fails only if the receiver has failed, and that reports its own error.
        let _ = to.send(Ok(TransferPart::Header(header.with_name(archived.name)))).await;
        for env in envs {
            let scope = Scope::new(tenant.clone(), env);
            transfer::send_scope(archive, &scope, options.key_slots, &mut left_out, to).await?;
        }
        let members = archived.members.into_iter();
        let members = members
            .map(|member| TenantMember { user_id: member.user_id, role: member.role, since: member.since })
            .collect();
        let _ = to.send(Ok(TransferPart::Members(members))).await;
        let _ = to.send(Ok(TransferPart::End(omissions(options.key_slots, left_out)))).await;
        Ok(())
    }
}

/// What an archive leaves out, including the key slots if they are not exported.
fn omissions(key_slots: bool, count: u64) -> Vec<Omission> {
    let of = |what: &str, count, reason: &str| Omission { what: what.into(), count, reason: reason.into() };
    let mut left_out = vec![
        of(
            "users",
            None,
            "addresses, passwords and sessions belong to the deployment; members are listed by user id and role",
        ),
        of(
            "credentials",
            None,
            "invites, API keys and tickets are valid only where they were created; create new ones",
        ),
    ];
    if !key_slots {
        let reason = "they are sealed with keys of the deployment; fill them again";
        left_out.push(of("key_slot documents", Some(count), reason));
    }
    left_out
}

/// Writes the parts in the order of their arrival.
fn write_archive<W: Write>(to: W, mut parts: PartReceiver) -> Result<(W, ArchiveManifest)> {
    let Some(TransferPart::Header(header)) = parts.blocking_recv().transpose()? else { return Err(aborted_error()) };
    let mut writer = ArchiveWriter::begin(to, header)?;
    let mut members = Vec::new();
    while let Some(part) = parts.blocking_recv().transpose()? {
        match part {
            TransferPart::Header(_) => return Err(aborted_error()),
            TransferPart::Records(env, records) => writer.add_records(env, &records)?,
            TransferPart::Members(some) => members = some,
            TransferPart::End(left_out) => return writer.finish(&members, left_out),
        }
    }
    Err(aborted_error())
}

pub(super) fn aborted_error() -> Error {
    Error::new(Code::BackendUnavailable, EXPORT_OPERATION, "reading the tenant ended early; start the export again")
}
