//! Invites addressed to the caller: those for the caller's id, and those for the caller's verified address.

use engines_core::{
    Batch, DocId, Error, Principal, Result, Trace, UserId,
    nexus::{DocumentQuery, Expect, Page, PageRequest},
};
use ulid::Ulid;

use super::{
    documents::{InviteBody, UserBody},
    records::{self, INVITE, StoredDocument},
    service::Identity,
    state::IdentityState,
    wire::{DeclineRequest, OwnInviteView},
};
use crate::{directory::Directory, jwt::invalid_token};

const DECLINE: &str = "invites.decline";

/// Prefixes of the cursor. They say which of the two lists it belongs to; the cursor of the store follows.
const ID_CURSOR_PREFIX: &str = "i.";
const ADDRESS_CURSOR_PREFIX: &str = "a.";

/// A person who calls with a token of their own, with or without an account here.
pub(super) struct Requester {
    pub(super) user_id: UserId,
    pub(super) account: Option<StoredDocument<UserBody>>,
}

impl Identity {
    /// Lists the open invites of the caller: first those for the caller's id, then those for the verified address. A
    /// page may hold fewer invites than the limit, or none, and still have a `next`.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for an API key and a ticket; `CURSOR_INVALID`.
    pub async fn own_invites(&self, principal: &Principal, page: PageRequest) -> Result<Page<OwnInviteView>> {
        let state = &*self.state;
        let requester = state.requester(self, principal).await?;
        let by_id = records::invitee_tag(&requester.user_id);
        let by_address = state.verified_key(&requester)?.map(|key| records::invited_address_tag(&key));
        let (first, after) = match page.after.as_deref() {
            None => (true, None),
            Some(after) => match (after.strip_prefix(ID_CURSOR_PREFIX), after.strip_prefix(ADDRESS_CURSOR_PREFIX)) {
                (Some(after), _) => (true, Some(after)),
                (_, Some(after)) => (false, Some(after)),
                (None, None) => return Err(invalid_cursor()),
            },
        };
        // The first page of a list has an empty cursor.
        let within = |after: Option<&str>, limit| PageRequest {
            limit,
            after: after.filter(|at| !at.is_empty()).map(Into::into),
        };
        let (tag, prefix) = match (first, &by_address) {
            (true, _) => (by_id, ID_CURSOR_PREFIX),
            (false, Some(by_address)) => (by_address.clone(), ADDRESS_CURSOR_PREFIX),
            // The address was verified when the list began, and is not any more.
            (false, None) => return Ok(Page { items: Vec::new(), next: None }),
        };
        let query = DocumentQuery::of_kind(INVITE).tag(tag);
        let found = state.records.page::<InviteBody>(&query, within(after, page.limit)).await?;
        let next = match found.next {
            Some(next) => Some(format!("{prefix}{next}")),
            None if first && by_address.is_some() => Some(ADDRESS_CURSOR_PREFIX.to_owned()),
            None => None,
        };
        let mut items = Vec::new();
        for invite in found.items {
            if state.check_open(&invite).await.is_ok() {
                items.push(state.own_view(invite).await?);
            }
        }
        // A first page with room left also shows the second list.
        if first && next.as_deref() == Some(ADDRESS_CURSOR_PREFIX) && items.len() < page.limit {
            let rest = PageRequest { limit: page.limit - items.len(), after: Some(ADDRESS_CURSOR_PREFIX.to_owned()) };
            let rest = Box::pin(self.own_invites(principal, rest)).await?;
            items.extend(rest.items);
            return Ok(Page { items, next: rest.next });
        }
        Ok(Page { items, next })
    }

    /// Declines an invite of the caller, which ends it.
    ///
    /// # Errors
    /// `NOT_FOUND` for an invite that is not addressed to the caller; `TOKEN_INVALID` for an API key and a ticket.
    pub async fn decline_invite(&self, principal: &Principal, request: DeclineRequest, trace: &Trace) -> Result<()> {
        let state = &*self.state;
        let requester = state.requester(self, principal).await?;
        let invite = state.own_invite(DECLINE, &requester, &request.invite_id).await?;
        let now = state.now();
        let audit = state.audit(now, DECLINE, format!("invites/{}", invite.id), &requester.user_id, trace);
        let batch = Batch::spanning(now).audit(audit);
        let batch = batch.delete_system(INVITE, invite.id, Expect::Version(invite.version));
        let declined = state.records.try_commit(state.records.system(), batch).await?;
        declined.then_some(()).ok_or_else(|| Error::not_found(DECLINE, "invite"))
    }
}

impl IdentityState {
    /// Returns the person that a principal stands for.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user, an API key and a ticket.
    pub(super) async fn requester(&self, directory: &Identity, principal: &Principal) -> Result<Requester> {
        directory.check(principal).await?;
        if principal.restriction.is_some() {
            return Err(invalid_token("this needs the token of a person"));
        }
        let account = self.user(&principal.actor.id).await?;
        if account.as_ref().is_some_and(|account| account.body.disabled) {
            return Err(invalid_token("the account is disabled"));
        }
        Ok(Requester { user_id: principal.actor.id.clone(), account })
    }

    /// Returns the keyed hash of the verified address, by which invites are found.
    fn verified_key(&self, requester: &Requester) -> Result<Option<String>> {
        let address = requester.account.as_ref().and_then(|account| account.body.verified_email());
        // Without an index there are no invites by address.
        Ok(address.and_then(|address| Some(self.accounts().ok()?.address_key(address))))
    }

    /// Returns an invite that is addressed to the person.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for an invite that is addressed to someone else.
    pub(super) async fn own_invite(
        &self,
        operation: &'static str,
        requester: &Requester,
        invite: &str,
    ) -> Result<StoredDocument<InviteBody>> {
        let missing = || Error::not_found(operation, "invite");
        let id = DocId::from(Ulid::from_string(invite).map_err(|_| missing())?);
        let key = self.verified_key(requester)?;
        let found = self.records.get::<InviteBody>(&INVITE, &id).await?;
        let own = |invite: &InviteBody| {
            let by_id = invite.user_id.as_ref() == Some(&requester.user_id);
            by_id || invite.user_id.is_none() && invite.email.is_some() && invite.email == key
        };
        found.filter(|found| own(&found.body)).ok_or_else(missing)
    }

    async fn own_view(&self, invite: StoredDocument<InviteBody>) -> Result<OwnInviteView> {
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

fn invalid_cursor() -> Error {
    Error::new(engines_core::Code::CursorInvalid, "invites.own", "not a cursor of this list")
}
