//! The privacy service: reads and sets the policy, and redacts texts on request.

use std::{fmt, sync::Arc};

use engines_core::{
    Action, Batch, Code, Error, Guard, RequestContext, Result, Store,
    gate::Permit,
    nexus::{CommitError, Expect, FailedPrecondition, NewDocument},
    pii::{Operator, PolicyError, ScrubError, Scrubber},
};

use super::{
    NewPolicy, PolicyDocument, PrivacyPolicies, RedactFinding, RedactMode, RedactOutcome, RedactRequest,
    policies::{self, POLICY_KIND},
};

const SET_OPERATION: &str = "privacy.set_policy";
/// How often a policy that replaces any version is tried when other changes come in between.
const MAX_ATTEMPTS: usize = 32;
/// The name of the policy in audit records.
const RESOURCE: &str = "privacy/policy";

/// The privacy service of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct PrivacyService {
    store: Arc<dyn Store>,
    guard: Guard,
    policies: PrivacyPolicies,
}

impl PrivacyService {
    /// The most bytes of a policy as JSON.
    pub const POLICY_BYTES: usize = 64 << 10;

    /// Makes the service for the policies in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, policies: PrivacyPolicies) -> Self {
        Self { store, guard, policies }
    }

    /// The policies, which also return each scope's scrubber.
    #[must_use]
    pub fn policies(&self) -> &PrivacyPolicies {
        &self.policies
    }

    /// The policy of the caller's tenant and environment.
    ///
    /// # Errors
    /// Rejections of the guard; `BACKEND_UNAVAILABLE`.
    pub async fn policy(&self, context: &RequestContext) -> Result<PolicyDocument> {
        let _permit = self.guard.admit(context, Action::PrivacyPolicyRead, RESOURCE).await?;
        self.policies.to_policy_document(self.policies.load_document(context.scope()).await?)
    }

    /// Sets the policy of the caller's tenant and environment. It applies at once on this node, and within
    /// [`PrivacyPolicies::TTL`] on other nodes.
    ///
    /// # Errors
    /// `VERSION_MISMATCH` with the current `version` when that is not the version to replace; `BODY_INVALID` for a
    /// policy that has an unknown name, needs a key the deployment does not have, would keep secrets, or is larger than
    /// [`Self::POLICY_BYTES`]; rejections of the guard; `BACKEND_UNAVAILABLE`.
    pub async fn set_policy(&self, context: &RequestContext, new: NewPolicy) -> Result<PolicyDocument> {
        let permit = self.guard.admit(context, Action::PrivacyPolicyManage, RESOURCE).await?;
        let refused = |detail: String| Error::invalid_body(SET_OPERATION, "/policy", detail);
        policies::check_tenant_policy(&new.policy).map_err(refused)?;
        // Without a version the new policy replaces any version, including one that is set concurrently.
        let mut tries = if new.version.is_some() { 1 } else { MAX_ATTEMPTS };
        loop {
            match self.try_set_policy(context, &permit, &new).await {
                Err(error) if error.code() == Code::VersionMismatch && tries > 1 => tries -= 1,
                done => return done,
            }
        }
    }

    /// Tries once to set the policy.
    async fn try_set_policy(
        &self,
        context: &RequestContext,
        permit: &Permit,
        new: &NewPolicy,
    ) -> Result<PolicyDocument> {
        let refused = |detail: String| Error::invalid_body(SET_OPERATION, "/policy", detail);
        let scope = context.scope();
        let now = self.policies.load_document(scope).await?.map_or(0, |document| document.version);
        if new.version.is_some_and(|version| version != now) {
            return Err(version_mismatch(now));
        }
        let version = now + 1;
        let policy = policies::with_version_name(new.policy.clone(), version);
        let scrubber = self
            .policies
            .compile(scope, policy.clone(), version)
            .map_err(|error| refused(policy_error_detail(&error)))?;
        let document = NewDocument::new(POLICY_KIND, policies::document_id()?, &policy)?;
        if document.body.get().len() > Self::POLICY_BYTES {
            let limit = Self::POLICY_BYTES;
            return Err(refused(format!("it is larger than {limit} bytes")).with_member("limit", limit));
        }
        let updated_at = self.guard.clock().now();
        let expect = if now == 0 { Expect::Absent } else { Expect::Version(now) };
        let audit = permit.audit_entry(&self.guard, context, format!("{RESOURCE}/{version}"));
        let batch = Batch::new(updated_at).put(document, expect).audit(audit);
        match self.store.commit(scope, batch).await {
            Ok(_) => {}
            Err(CommitError::Precondition { failed: FailedPrecondition::Document { version, .. }, .. }) => {
                return Err(version_mismatch(version.unwrap_or(0)));
            }
            Err(error) => return Err(error.into()),
        }
        self.policies.cache_changed(scope, version, scrubber);
        Ok(PolicyDocument { version, updated_at: Some(updated_at), policy })
    }

    /// Scans a text or value under the tenant's policy, and redacts it. Nothing of it is stored or logged.
    ///
    /// # Errors
    /// `BODY_INVALID` unless the request has either a text or a value, or when pseudonyms are requested and the
    /// deployment has no key for them; rejections of the guard; `BACKEND_UNAVAILABLE` when the policy cannot be read.
    pub async fn redact(&self, context: &RequestContext, request: RedactRequest) -> Result<RedactOutcome> {
        const OPERATION: &str = "pii.redact";
        let _permit = self.guard.admit(context, Action::PiiRedact, "").await?;
        let mode = request.mode.unwrap_or_default();
        let scrubber = self.policies.scrubber(context.scope()).await?;
        let operator = if mode == RedactMode::Pseudonym { Operator::Pseudonym } else { Operator::Mask };
        let scrubber = scrubber.with_operator(operator).map_err(|_| {
            Error::invalid_body(OPERATION, "/mode", "this deployment has no key for pseudonyms; ask for mask or report")
        })?;
        let redacted = match (request.text, request.json) {
            (Some(text), None) => redact_text(&scrubber, mode, &text),
            (None, Some(value)) => redact_json(&scrubber, mode, &value),
            _ => return Err(Error::invalid_body(OPERATION, "/text", "send a `text` or a `json`, and not both")),
        };
        redacted.map_err(|error| match error {
            ScrubError::TooDeep { limit } => {
                Error::invalid_body(OPERATION, "/json", "it is nested too deeply").with_member("limit", limit)
            }
            ScrubError::TooLarge { limit, .. } => {
                Error::new(Code::BodyTooLarge, OPERATION, "it is too large").with_member("limit", limit)
            }
            error => Error::internal(OPERATION, error),
        })
    }
}

fn redact_text(scrubber: &Scrubber, mode: RedactMode, text: &str) -> Result<RedactOutcome, ScrubError> {
    let clean = scrubber.scrub_text(text)?;
    Ok(RedactOutcome {
        mode,
        policy: clean.receipt.policy.as_ref().to_owned(),
        findings: clean.findings.into_iter().take(RedactOutcome::MAX_FINDINGS).map(RedactFinding::Text).collect(),
        counts: clean.receipt.counts,
        text: (mode != RedactMode::Report).then(|| clean.value.into_owned()),
        json: None,
    })
}

fn redact_json(scrubber: &Scrubber, mode: RedactMode, value: &serde_json::Value) -> Result<RedactOutcome, ScrubError> {
    let (clean, receipt, findings) = scrubber.scrub_json_located(value, RedactOutcome::MAX_FINDINGS)?;
    Ok(RedactOutcome {
        mode,
        policy: receipt.policy.as_ref().to_owned(),
        findings: findings.into_iter().map(RedactFinding::Json).collect(),
        counts: receipt.counts,
        text: None,
        json: (mode != RedactMode::Report).then_some(clean),
    })
}

/// Why a policy cannot be followed, as a text for its author. Names in the policy may be anything and are not repeated.
fn policy_error_detail(error: &PolicyError) -> String {
    match error {
        PolicyError::UnknownEntity(_) => "it names an unknown entity".into(),
        PolicyError::Score(_) => "a min_score is from 0 to 1".into(),
        PolicyError::KeyMissing { entity } => {
            format!("the operator for {entity} needs a key that this deployment does not have")
        }
        PolicyError::TooMany { what: "bytes of a term", limit } => {
            format!("a term of `allow` or `deny` has 1 to {limit} bytes")
        }
        PolicyError::TooMany { what, limit } => format!("`{what}` has more than {limit} entries"),
        error => error.to_string(),
    }
}

fn version_mismatch(version: u64) -> Error {
    let detail = "the policy was changed in the meantime; read it again and retry";
    Error::new(Code::VersionMismatch, SET_OPERATION, detail).with_member("version", version)
}

impl fmt::Debug for PrivacyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivacyService").field("store", &self.store).finish_non_exhaustive()
    }
}
