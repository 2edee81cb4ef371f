//! Sessions: a login, and the chain of refresh tokens that follows from it.

use std::{sync::Arc, time::Duration};

use engines_core::{
    Batch, Code, DocId, Error, Principal, Result, Timestamp, UserId,
    context::Email,
    nexus::{DocumentQuery, Expect, Page, PageRequest},
};
use ulid::Ulid;
use zeroize::Zeroizing;

use super::{
    documents::{SessionBody, UserBody},
    opaque_token::{OpaqueTokenKind, TokenHash},
    own_memberships::MembershipSubject,
    records::{self, MAX_ATTEMPTS, SESSION, StoredDocument, conflict_error},
    service::Identity,
    state::IdentityState,
    wire::{Caller, RefreshRequest, SessionView, TokenResponse},
};
use crate::{
    jwt::{TokenRequest, invalid_token},
    revocation::Revocation,
    secret::SecretText,
};

const REFRESH: &str = "sessions.refresh";

/// The part of a refresh token before the `.` is shared by all tokens of the session. It distinguishes a used token
/// from an unknown one. The part after the `.` changes with each use.
const REFRESH_TOKEN: OpaqueTokenKind = OpaqueTokenKind("rt");

/// Memberships named in an access token. The store has the others.
const MAX_MEMBERSHIPS_IN_TOKEN: usize = 50;

/// Characters of a `User-Agent` that are kept.
const MAX_USER_AGENT: usize = 256;

impl Identity {
    /// Exchanges a refresh token for the next token response. This consumes the refresh token.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for an unknown token, and when its session has ended. A token that was used before ends its
    /// session, because either its first or its second user has stolen it (RFC 9700 section 4.14.2). For
    /// [`IdentitySettings::refresh_reuse_s`](super::IdentitySettings::refresh_reuse_s) after its first use it yields
    /// the same next token instead, so that two tabs of one client that refresh at the same time keep their session.
    /// `TOKEN_EXPIRED`; `RATE_LIMITED`.
    pub async fn refresh(&self, request: RefreshRequest, caller: Caller<'_>) -> Result<TokenResponse> {
        let answer = self.try_refresh(request.refresh_token.expose(), &caller).await;
        answer.inspect_err(|error| self.state.record_failure(REFRESH, error, None, &caller))
    }

    async fn try_refresh(&self, token: &str, caller: &Caller<'_>) -> Result<TokenResponse> {
        let state = &*self.state;
        state.charge_address(caller)?;
        let unknown = || invalid_token("the refresh token is unknown, or its session has ended; log in again");
        let (family, _) = token.split_once('.').ok_or_else(unknown)?;
        let id = DocId::from(REFRESH_TOKEN.id(family).ok_or_else(unknown)?);
        for attempt in 0..MAX_ATTEMPTS {
            let session = state.records.get::<SessionBody>(&SESSION, &id).await?.ok_or_else(unknown)?;
            if !session.body.family.matches(family) {
                return Err(unknown());
            }
            let now = state.now();
            let repeated = !session.body.current.matches(token);
            if repeated && !state.was_just_replaced(&session.body, token, now) {
                return Err(state.end_reused_session(&session, caller).await?);
            }
            if now >= session.body.expires_at {
                return Err(Error::new(Code::TokenExpired, REFRESH, "the session has ended; log in again"));
            }
            let user = state.user(&session.body.user_id).await?;
            let user = user.filter(|user| !user.body.disabled).ok_or_else(unknown)?;
            if session.body.generation < user.body.generation {
                // The session has ended, unless the user's password was changed between the two reads, which wrote the
                // session again.
                if attempt == 0 {
                    continue;
                }
                return Err(unknown());
            }
            if repeated {
                // Another tab of the same client was faster. It gets the same next token, and nothing changes.
                let current = state.derived_token(family, session.body.uses)?;
                let response = state.token_response(&user, session.id.as_str(), current).await?;
                state.refund_address(caller);
                return Ok(response);
            }
            let uses = session.body.uses + 1;
            let refresh_token = state.derived_token(family, uses)?;
            // A session created while the clock was ahead counts as created now.
            let created_at = session.created_at.if_not_future(now).unwrap_or(now);
            let ends = created_at.plus(Duration::from_secs(state.settings.session_max_s));
            let body = SessionBody {
                current: TokenHash::of(refresh_token.expose()),
                uses,
                previous: Some((session.body.current.clone(), now)),
                last_used_at: now,
                expires_at: ends.min(now.plus(Duration::from_secs(state.settings.session_idle_s))),
                ..session.body.clone()
            };
            // The response is built first, because a token must only be consumed when there is a response with the next
            // one.
            let response = state.token_response(&user, session.id.as_str(), refresh_token).await?;
            let tags = [records::user_tag(&session.body.user_id)];
            let expect = Expect::Version(session.version);
            let batch = records::put(Batch::spanning(now), SESSION, id.clone(), &tags, &body, expect)?;
            // False if the token was used in the meantime, which the next attempt detects, or if the password of the
            // user was changed.
            if state.records.try_commit(state.records.system(), batch).await? {
                state.refund_address(caller);
                return Ok(response);
            }
        }
        Err(conflict_error(REFRESH))
    }

    /// Ends the session of the credential. A credential without a session (a token minted elsewhere, an API key) has
    /// nothing to end.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn logout(&self, principal: &Principal) -> Result<()> {
        match &principal.session {
            Some(session) => match self.revoke_session(principal, session).await {
                Err(error) if error.code() == Code::NotFound => Ok(()),
                answer => answer,
            },
            None => Ok(()),
        }
    }

    /// Lists the caller's own sessions, the newest first.
    ///
    /// # Errors
    /// `CURSOR_INVALID`; errors of the store.
    pub async fn sessions(&self, principal: &Principal, page: PageRequest) -> Result<Page<SessionView>> {
        let now = self.state.now();
        let after = page.after.as_deref().map(|after| {
            let wrong = |_| Error::new(Code::CursorInvalid, "sessions.list", "not a cursor of this list");
            Ulid::from_string(after).map(DocId::from).map_err(wrong)
        });
        let after = after.transpose()?;
        let mut found = self.state.sessions_of(&principal.actor.id).await?;
        let generation = self.state.user(&principal.actor.id).await?.map_or(0, |user| user.body.generation);
        found.retain(|session| session.body.generation >= generation && session.body.expires_at > now);
        found.retain(|session| after.as_ref().is_none_or(|after| session.id < *after));
        found.reverse();
        let more = found.len() > page.limit.max(1);
        found.truncate(page.limit.max(1));
        let next = found.last().filter(|_| more).map(|session| session.id.to_string());
        let view = |session: StoredDocument<SessionBody>| SessionView {
            current: principal.session.as_deref() == Some(session.id.as_str()),
            session_id: session.id.to_string(),
            created_at: session.created_at,
            last_used_at: session.body.last_used_at,
            expires_at: session.body.expires_at,
            user_agent: session.body.user_agent,
        };
        Ok(Page { items: found.into_iter().map(view).collect(), next })
    }

    /// Ends a session of the caller. Its refresh token and its access tokens become invalid at once.
    ///
    /// # Errors
    /// `NOT_FOUND` for a session of another user; errors of the store.
    pub async fn revoke_session(&self, principal: &Principal, session: &str) -> Result<()> {
        let state = &*self.state;
        let missing = || Error::new(Code::NotFound, "sessions.revoke", "you have no session with this id");
        let id = DocId::from(Ulid::from_string(session).map_err(|_| missing())?);
        let found = state.records.get::<SessionBody>(&SESSION, &id).await?;
        let found = found.filter(|found| found.body.user_id == principal.actor.id).ok_or_else(missing)?;
        state.end_session(&found).await
    }
}

impl IdentityState {
    /// Starts a session of a generation, and returns its tokens.
    pub(super) async fn start_session(
        &self,
        user: &UserId,
        generation: u64,
        caller: &Caller<'_>,
    ) -> Result<TokenResponse> {
        let now = self.now();
        let user = self.user(user).await?.ok_or_else(|| invalid_token("the account does not exist any more"))?;
        let id = self.guard.ids().ulid(now);
        let (family, _) = REFRESH_TOKEN.mint(id, self.guard.ids());
        let refresh_token = self.derived_token(family.expose(), 0)?;
        let body = SessionBody {
            user_id: user.body.user_id.clone(),
            generation,
            family: TokenHash::of(family.expose()),
            current: TokenHash::of(refresh_token.expose()),
            uses: 0,
            previous: None,
            last_used_at: now,
            expires_at: now.plus(Duration::from_secs(self.settings.session_idle_s.min(self.settings.session_max_s))),
            user_agent: caller.user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        };
        let tags = [records::user_tag(&user.body.user_id)];
        let batch = records::put(Batch::spanning(now), SESSION, id, &tags, &body, Expect::Absent)?;
        let mut batch = self.record_network(batch, &user.body.user_id, caller).await?;
        let dropped = self.sessions_to_evict(&user.body.user_id, now).await?;
        for session in &dropped {
            batch = batch.delete_system(SESSION, session.id.clone(), Expect::Any);
        }
        let response = self.token_response(&user, &id.to_string(), refresh_token).await?;
        let resource = format!("sessions/{id}");
        batch = batch.audit(self.audit(now, "accounts.login", resource, &user.body.user_id, caller.trace));
        self.records.commit(self.records.system(), batch).await?;
        for session in dropped {
            self.publish_revocation(Revocation::Session(session.id.to_string()));
        }
        Ok(response)
    }

    /// Returns expired sessions, and the least recently used ones if a user has as many as are allowed.
    async fn sessions_to_evict(&self, user: &UserId, now: Timestamp) -> Result<Vec<StoredDocument<SessionBody>>> {
        let (mut ended, mut live): (Vec<_>, Vec<_>) =
            self.sessions_of(user).await?.into_iter().partition(|session| session.body.expires_at <= now);
        live.sort_by_key(|session| session.body.last_used_at);
        let over = (live.len() + 1).saturating_sub(self.settings.sessions_per_user);
        ended.extend(live.into_iter().take(over));
        Ok(ended)
    }

    pub(super) async fn sessions_of(&self, user: &UserId) -> Result<Vec<StoredDocument<SessionBody>>> {
        let query = DocumentQuery::of_kind(SESSION).tag(records::user_tag(user));
        // Concurrent logins may each leave one session too many.
        self.records.all(&query, self.settings.sessions_per_user.saturating_mul(2)).await
    }

    /// Returns the refresh token of a session that was used `uses` times. It is derived, with a key of the deployment,
    /// from the part that only the client has. So it can be returned a second time
    /// ([`IdentitySettings::refresh_reuse_s`]), although the store keeps only its hash.
    ///
    /// [`IdentitySettings::refresh_reuse_s`]: super::IdentitySettings::refresh_reuse_s
    fn derived_token(&self, family: &str, uses: u64) -> Result<SecretText> {
        let part = Zeroizing::new(self.accounts()?.index.hash("refresh", &Zeroizing::new(format!("{family}.{uses}"))));
        Ok(SecretText::new(format!("{family}.{}", *part)))
    }

    /// Returns whether this is the previous token, replaced so recently that a second tab of one client may have sent
    /// it.
    fn was_just_replaced(&self, session: &SessionBody, token: &str, now: Timestamp) -> bool {
        let interval = Duration::from_secs(self.settings.refresh_reuse_s);
        session.previous.as_ref().is_some_and(|(hash, at)| {
            at.if_not_future(now).is_some_and(|at| now.since(at) < interval) && hash.matches(token)
        })
    }

    /// Ends a session of which a token was used twice.
    async fn end_reused_session(&self, session: &StoredDocument<SessionBody>, caller: &Caller<'_>) -> Result<Error> {
        self.end_session(session).await?;
        let error = invalid_token("this refresh token was used before, so its session has been ended; log in again");
        self.record_failure("sessions.reuse", &error, Some(session.body.user_id.as_str()), caller);
        Ok(error)
    }

    pub(super) async fn end_session(&self, session: &StoredDocument<SessionBody>) -> Result<()> {
        let batch = Batch::spanning(self.now()).delete_system(SESSION, session.id.clone(), Expect::Any);
        self.records.commit(self.records.system(), batch).await?;
        self.publish_revocation(Revocation::Session(session.id.to_string()));
        Ok(())
    }

    pub(super) async fn token_response(
        &self,
        user: &StoredDocument<UserBody>,
        session: &str,
        refresh_token: SecretText,
    ) -> Result<TokenResponse> {
        let subject = MembershipSubject::User(&user.body.user_id);
        let memberships = self.first_memberships(subject).await?;
        let chosen = self.chosen_tenant(subject, user.body.default_tenant.as_ref()).await?;
        let mut request = TokenRequest::new(user.body.user_id.clone(), Duration::from_secs(self.settings.access_ttl_s));
        request.email = user.body.email.as_deref().map(Email::new);
        request.email_verified = user.body.email.as_ref().map(|_| user.body.email_verified);
        request.session = Some(Arc::from(session));
        request.default_tenant = chosen.as_ref().map(|(tenant, _)| tenant.tenant_id.clone());
        // The chosen tenant, and as many others as fit, tenants that the user owns first.
        let chosen_role = chosen.iter().map(|(tenant, role)| (tenant.tenant_id.clone(), *role));
        let named =
            memberships.items.iter().map(|one| (one.tenant_id.clone(), one.role)).take(MAX_MEMBERSHIPS_IN_TOKEN - 1);
        request.memberships = named.chain(chosen_role).collect();
        let token = self.accounts()?.tokens.issue(&request)?;
        Ok(TokenResponse {
            access_token: SecretText::new(token.expose()),
            token_type: "bearer",
            expires_in: token.expires_in,
            refresh_token,
            user: self.user_view(user),
            tenant: chosen.map(|(tenant, _)| tenant),
            memberships: memberships.items,
            memberships_next: memberships.next,
        })
    }
}
