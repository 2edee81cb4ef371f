//! The invites of the one who asks: those for their id, and those for the address they have verified.

use engines_core::{
    Batch, DocId, Error, Principal, Result, Trace, UserId,
    nexus::{CommitError, Expect, Page, Paged, Query},
};
use ulid::Ulid;

use super::{
    bodies::{InviteBody, UserBody},
    records::{self, INVITE, Stored},
    service::{Identity, Inner},
    wire_accounts::{DeclineRequest, OwnInviteView},
};
use crate::{directory::Directory, jwt::invalid};

const DECLINE: &str = "invites.decline";

/// Before the store's own cursor: in which of the two lists it is.
const BY_ID: &str = "i.";
const BY_ADDRESS: &str = "a.";

/// A person who asks with a token of their own, with an account here or without.
pub(super) struct Asking {
    pub(super) user_id: UserId,
    pub(super) account: Option<Stored<UserBody>>,
}

impl Identity {
    /// One's own open invites, those for one's id first; by an address only when it is verified. A page may hold fewer than the limit, and
    /// none, with a `next`.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for an API key and a ticket; `CURSOR_INVALID`.
    pub async fn own_invites(&self, principal: &Principal, page: Page) -> Result<Paged<OwnInviteView>> {
        let inner = &*self.inner;
        let asking = inner.asking(self, principal).await?;
        let by_id = records::invitee_tag(&asking.user_id);
        let by_address = inner.verified_key(&asking)?.map(|key| records::invited_address_tag(&key));
        let (first, after) = match page.after.as_deref() {
            None => (true, None),
            Some(after) => match (after.strip_prefix(BY_ID), after.strip_prefix(BY_ADDRESS)) {
                (Some(after), _) => (true, Some(after)),
                (_, Some(after)) => (false, Some(after)),
                (None, None) => return Err(wrong_cursor()),
            },
        };
        // A list begins without the store's cursor.
        let within =
            |after: Option<&str>, limit| Page { limit, after: after.filter(|at| !at.is_empty()).map(Into::into) };
        let (tag, prefix) = match (first, &by_address) {
            (true, _) => (by_id, BY_ID),
            (false, Some(by_address)) => (by_address.clone(), BY_ADDRESS),
            // The address was verified when the list was begun.
            (false, None) => return Ok(Paged { items: Vec::new(), next: None }),
        };
        let query = Query::kind(INVITE).tag(tag);
        let found = inner.records.page::<InviteBody>(&query, within(after, page.limit)).await?;
        let next = match found.next {
            Some(next) => Some(format!("{prefix}{next}")),
            None if first && by_address.is_some() => Some(BY_ADDRESS.to_owned()),
            None => None,
        };
        let mut items = Vec::new();
        for invite in found.items {
            if inner.check_open(&invite).await.is_ok() {
                items.push(inner.own_view(invite).await?);
            }
        }
        // The two lists look like one to who has few.
        if first && next.as_deref() == Some(BY_ADDRESS) && items.len() < page.limit {
            let rest = Page { limit: page.limit - items.len(), after: Some(BY_ADDRESS.to_owned()) };
            let rest = Box::pin(self.own_invites(principal, rest)).await?;
            items.extend(rest.items);
            return Ok(Paged { items, next: rest.next });
        }
        Ok(Paged { items, next })
    }

    /// Turns one of one's own invites down: it ends.
    ///
    /// # Errors
    /// `NOT_FOUND` for what is no invite of one's own; `TOKEN_INVALID` for an API key and a ticket.
    pub async fn decline_invite(&self, principal: &Principal, request: DeclineRequest, trace: &Trace) -> Result<()> {
        let inner = &*self.inner;
        let asking = inner.asking(self, principal).await?;
        let invite = inner.own_invite(DECLINE, &asking, &request.invite_id).await?;
        let now = inner.now();
        let audit = inner.audit(now, DECLINE, format!("invites/{}", invite.id), &asking.user_id, trace);
        let batch = Batch::spanning(now).audit(audit);
        let batch = batch.delete_system(INVITE, invite.id, Expect::Version(invite.version));
        match inner.records.commit(inner.records.system(), batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Precondition { .. }) => Err(Error::not_found(DECLINE, "invite")),
            Err(error) => Err(error.into()),
        }
    }
}

impl Inner {
    /// The person behind a principal.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user, an API key and a ticket.
    pub(super) async fn asking(&self, directory: &Identity, principal: &Principal) -> Result<Asking> {
        directory.check(principal).await?;
        if principal.bound.is_some() {
            return Err(invalid("this needs the token of a person"));
        }
        let account = self.user(&principal.actor.id).await?;
        if account.as_ref().is_some_and(|account| account.body.disabled) {
            return Err(invalid("the account is disabled"));
        }
        Ok(Asking { user_id: principal.actor.id.clone(), account })
    }

    /// What invites for the address are found by that the person has verified.
    fn verified_key(&self, asking: &Asking) -> Result<Option<String>> {
        let address = asking.account.as_ref().and_then(|account| account.body.verified_email());
        // Without an index there are no invites by address.
        Ok(address.and_then(|address| Some(self.accounts().ok()?.address_key(address))))
    }

    /// One of the person's own invites.
    ///
    /// # Errors
    /// `NOT_FOUND` for what is none, alike for what is another's.
    pub(super) async fn own_invite(
        &self,
        operation: &'static str,
        asking: &Asking,
        invite: &str,
    ) -> Result<Stored<InviteBody>> {
        let missing = || Error::not_found(operation, "invite");
        let id = DocId::from(Ulid::from_string(invite).map_err(|_| missing())?);
        let key = self.verified_key(asking)?;
        let found = self.records.get::<InviteBody>(&INVITE, &id).await?;
        let own = |invite: &InviteBody| {
            let by_id = invite.user_id.as_ref() == Some(&asking.user_id);
            by_id || invite.user_id.is_none() && invite.email.is_some() && invite.email == key
        };
        found.filter(|found| own(&found.body)).ok_or_else(missing)
    }

    async fn own_view(&self, invite: Stored<InviteBody>) -> Result<OwnInviteView> {
        let tenant_name = self.tenant(&invite.body.tenant_id).await?.map(|tenant| tenant.body.name);
        Ok(OwnInviteView {
            invite_id: invite.id.to_string(),
            tenant_id: invite.body.tenant_id,
            tenant_name,
            role: invite.body.role,
            invited_by: invite.body.invited_by,
            expires_at: invite.body.expires_at,
        })
    }
}

fn wrong_cursor() -> Error {
    Error::new(engines_core::Code::CursorInvalid, "invites.own", "not a cursor of this list")
}
