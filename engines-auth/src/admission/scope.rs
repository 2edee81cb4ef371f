//! The tenant and the environment that a request names.

use std::str::FromStr;

use engines_core::{Code, Env, Error, Principal, Result, TenantId};

use crate::auth_input::{AuthInput, BodyClaims, single_agreed_value};

/// Returns the tenant that the request names (step 2).
pub(super) fn named_tenant(input: &AuthInput<'_>, body: &BodyClaims<'_>) -> Result<Option<TenantId>> {
    let sources = input.tenant_headers.iter().chain(input.tenant_queries.iter());
    let sources = sources.chain(body.tenant_id.map(str::as_bytes));
    let named = single_agreed_value(
        sources,
        |left, right| left == right,
        || context_mismatch("tenant_id", "X-Tenant-Id, query and body name different tenants"),
    )?;
    named.map(|named| TenantId::new(text(named))).transpose()
}

/// Returns the environment of the request (step 3).
pub(super) fn requested_env(principal: &Principal, input: &AuthInput<'_>, body: &BodyClaims<'_>) -> Result<Env> {
    let sources = input.env_headers.iter().chain(input.env_queries.iter()).chain(body.env.map(str::as_bytes));
    let same = |left: &[u8], right: &[u8]| match (Env::from_str(text(left)), Env::from_str(text(right))) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    };
    match single_agreed_value(sources, same, || {
        context_mismatch("env", "X-Env, query and body name different environments")
    })? {
        Some(named) => text(named).parse(),
        None => principal.restriction.as_ref().and_then(|bound| bound.env).ok_or_else(|| {
            Error::new(
                Code::EnvRequired,
                "admission.env",
                "name the environment: X-Env, env in the query or in the body",
            )
        }),
    }
}

fn context_mismatch(member: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, "admission.agreement", detail).with_member("field", member)
}

/// Returns the bytes as text. Bytes that are no UTF-8 become the empty text, which is neither an id nor a name.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
