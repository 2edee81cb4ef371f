//! The retention worker: applies retention, removes tenants and reclaims space in the background.

use std::{sync::Arc, time::Duration};

use engines_auth::Identity;
use engines_core::{
    Clock, Env, Error, Guard, RequestContext, ResourceId, Result, Scope, TenantId, Timestamp,
    nexus::{Backend, DocumentKind, DocumentQuery, PageRequest, Removal},
};
use engines_storage::{
    outbox::OutboxHandle,
    retention::{RemovalStepOptions, RetentionKind, RetentionService, RetentionSettings},
};
use engines_stream::{
    canvas::{CANVAS, CanvasService},
    chat::{ChatService, THREAD},
};
use tokio::{sync::Mutex, time::sleep};

/// Scopes and documents listed at a time.
const ITEMS_PER_PAGE: usize = 100;
/// The most steps of reclaiming space in one run; the next run continues.
const MAX_RECLAIM_STEPS: usize = 10_000;
/// The reason in the audit records of the worker.
const CONTEXT_REASON: &str = "retention";

/// The result of one pass of the worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionReport {
    /// Scopes that were visited.
    pub scopes: u64,
    /// Messages, commits, events, audit records and receipts that were removed.
    pub removed: u64,
    /// Tenants that were removed with all their data.
    pub tenants: u64,
    /// Scopes in which something failed; the next pass retries them.
    pub failed: u64,
}

/// The retention worker. One pass runs at a time in a process. Passes of several processes repeat each other's work,
/// without harm.
pub(crate) struct RetentionWorker {
    backend: Arc<dyn Backend>,
    guard: Guard,
    retention: RetentionService,
    chat: ChatService,
    canvas: CanvasService,
    identity: Option<Identity>,
    outbox: Option<OutboxHandle>,
    pass_lock: Mutex<()>,
}

impl RetentionWorker {
    /// Makes the worker. Events that a sink of `outbox` has not received yet are kept. Without `identity`, no tenant is
    /// removed.
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        guard: Guard,
        retention: RetentionService,
        chat: ChatService,
        canvas: CanvasService,
        identity: Option<Identity>,
        outbox: Option<OutboxHandle>,
    ) -> Self {
        Self { backend, guard, retention, chat, canvas, identity, outbox, pass_lock: Mutex::default() }
    }

    /// The settings of its passes.
    pub(crate) fn settings(&self) -> &RetentionSettings {
        self.retention.settings()
    }

    /// Visits all scopes once, removes data that is older than the policies allow, and the tenants whose grace period
    /// is over.
    ///
    /// # Errors
    /// When scopes cannot be listed; failures in one scope are logged and counted.
    pub(crate) async fn run_pass(&self) -> Result<RetentionReport> {
        let _one_at_a_time = self.pass_lock.lock().await;
        let mut pass = RetentionReport::default();
        self.purge_tenants(&mut pass).await;
        let mut after: Option<Scope> = None;
        loop {
            let scopes = self.backend.scopes(after.as_ref(), ITEMS_PER_PAGE).await?;
            let Some(last) = scopes.last().cloned() else { break };
            for scope in scopes {
                pass.scopes += 1;
                match self.apply_to_scope(&scope).await {
                    Ok(removed) => pass.removed += removed,
                    Err(error) => {
                        pass.failed += 1;
                        tracing::warn!(%scope, %error, "retention could not be applied; the next pass tries again");
                    }
                }
            }
            after = Some(last);
        }
        Ok(pass)
    }

    /// Returns freed space and makes removed content unreadable in the store's files, as far as possible now. Returns
    /// whether all of it was done.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn reclaim(&self) -> Result<bool> {
        for _ in 0..MAX_RECLAIM_STEPS {
            if self.backend.reclaim().await? {
                return Ok(true);
            }
            self.pause().await;
        }
        Ok(false)
    }

    /// Removes old data from one scope.
    async fn apply_to_scope(&self, scope: &Scope) -> Result<u64> {
        let context = self.system_context(scope.clone(), CONTEXT_REASON)?;
        while self.canvas.finish_deletions(&context).await? > 0 {
            self.pause().await;
        }
        let policy = self.retention.effective_policy(scope).await?;
        let mut total = 0;
        if let Some(kept) = policy.messages_s {
            total += self.apply_to_streams(scope, THREAD, "messages", self.retention.cutoff(kept)).await?;
        }
        if let Some(kept) = policy.commits_s {
            total += self.apply_to_streams(scope, CANVAS, "commits", self.retention.cutoff(kept)).await?;
        }
        for kind in RetentionKind::ALL {
            let kept = match kind {
                RetentionKind::Events => policy.events_s,
                RetentionKind::Audit => policy.audit_s,
                RetentionKind::Receipts => policy.receipts_s,
            };
            let Some(kept) = kept else { continue };
            total += self.apply_to_stored(scope, kind, self.retention.cutoff(kept)).await?;
        }
        Ok(total)
    }

    /// Trims all streams of one kind. Threads and canvases are listed by id, so that new ones do not shift the list.
    async fn apply_to_streams(
        &self,
        scope: &Scope,
        kind: DocumentKind,
        name: &'static str,
        before: Timestamp,
    ) -> Result<u64> {
        let context = self.system_context(scope.clone(), CONTEXT_REASON)?;
        let query = DocumentQuery::of_kind(kind.clone());
        let (mut total, mut page) = (0, PageRequest::first(ITEMS_PER_PAGE));
        loop {
            let found = self.backend.query(scope, &query, page).await?;
            for document in found.items {
                let id = ResourceId::new(document.id.as_str())?;
                let removed = match kind == THREAD {
                    true => self.chat.retain(&context, &id, before).await?,
                    false => self.canvas.retain(&context, &id, before).await?,
                };
                total += removed;
                if removed > 0 {
                    self.pause().await;
                }
            }
            match found.next {
                Some(next) => page = PageRequest::after(ITEMS_PER_PAGE, next),
                None => break,
            }
        }
        self.record_audit(scope, name, total, before).await?;
        Ok(total)
    }

    async fn apply_to_stored(&self, scope: &Scope, kind: RetentionKind, before: Timestamp) -> Result<u64> {
        let context = self.system_context(scope.clone(), CONTEXT_REASON)?;
        let (mut total, mut limits) = (0, RemovalStepOptions { after: None, delivered: self.delivered_position() });
        loop {
            let step = self.retention.remove_step(&context, kind, before, limits.clone()).await?;
            total += step.removed;
            if step.done {
                break;
            }
            limits.after = step.position;
            self.pause().await;
        }
        self.record_audit(scope, kind.as_str(), total, before).await?;
        Ok(total)
    }

    /// Writes an audit record with the number of removed items.
    async fn record_audit(&self, scope: &Scope, kind: &str, removed: u64, before: Timestamp) -> Result<()> {
        if removed == 0 {
            return Ok(());
        }
        let context =
            self.system_context(scope.clone(), &format!("{CONTEXT_REASON}: {removed} {kind} before {before}"))?;
        self.retention.record_audit(&context, kind).await
    }

    /// The position of the feed that every sink has received; `None` without sinks.
    fn delivered_position(&self) -> Option<u64> {
        let sinks = self.outbox.as_ref()?;
        sinks.status().iter().map(|sink| sink.position).min()
    }

    async fn purge_tenants(&self, pass: &mut RetentionReport) {
        let Some(identity) = &self.identity else { return };
        let due = match identity.begin_due_purges().await {
            Ok(due) => due,
            Err(error) => {
                pass.failed += 1;
                tracing::warn!(%error, "tenants that are to be removed could not be listed");
                return;
            }
        };
        for tenant in due {
            match self.purge_tenant(identity, &tenant).await {
                Ok(()) => pass.tenants += 1,
                Err(error) => {
                    pass.failed += 1;
                    tracing::warn!(%tenant, %error, "a tenant could not be removed yet; the next pass goes on");
                }
            }
        }
    }

    /// Removes a tenant's data in all environments, and its records. If it is interrupted at any point, the next pass
    /// continues.
    async fn purge_tenant(&self, identity: &Identity, tenant: &TenantId) -> Result<()> {
        // Requests that were admitted before the tenant was closed may still write; none has been admitted for this
        // long.
        const DRAIN_WAIT: Duration = Duration::from_millis(200);
        self.empty_scopes(tenant).await?;
        while !identity.remove_tenant_records(tenant).await? {
            self.pause().await;
        }
        sleep(DRAIN_WAIT).await;
        self.empty_scopes(tenant).await?;
        let context = self.system_context(Scope::system()?, "a tenant's grace period is over")?;
        identity.finish_purge(&context, tenant).await?;
        tracing::info!(%tenant, "a tenant was removed with all its data");
        Ok(())
    }

    async fn empty_scopes(&self, tenant: &TenantId) -> Result<()> {
        let items = self.retention.settings().step_items.max(1);
        for env in Env::ALL {
            let scope = Scope::new(tenant.clone(), env);
            let mut after = None;
            loop {
                let step = self.backend.remove(&scope, &Removal::Scope, items, after.as_deref()).await?;
                if step.done {
                    break;
                }
                after = step.position;
                self.pause().await;
            }
            // Data that an import has staged under the id and never published.
            let Some(archive) = self.backend.archive() else { continue };
            while archive.discard(&scope).await? {
                self.pause().await;
            }
        }
        Ok(())
    }

    fn system_context(&self, scope: Scope, reason: &str) -> Result<RequestContext, Error> {
        let clock: &dyn Clock = &**self.guard.clock();
        RequestContext::system(scope, reason, clock, self.guard.ids())
    }

    async fn pause(&self) {
        sleep(self.retention.settings().step_pause()).await;
    }
}

impl std::fmt::Debug for RetentionWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetentionWorker").field("retention", &self.retention).finish_non_exhaustive()
    }
}
