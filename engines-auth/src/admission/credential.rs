//! The credential that a request presents.

use engines_core::{Code, Error, Result};

use crate::{auth_input::AuthInput, authenticator::Credential, jwt::invalid_token};

/// The place of a credential in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialPlace {
    /// The `Authorization` header, with the scheme before the credential.
    Header,
    /// A bearer token without a scheme.
    Bearer,
    /// The query parameter `ticket`.
    Ticket,
}

/// Returns the credential of the request (RFC 6750 section 2: never more than one).
pub(super) fn credential<'a>(input: &AuthInput<'a>) -> Result<Credential<'a>> {
    let headers = input.authorization.iter().map(|value| (value, CredentialPlace::Header));
    let bearer = input.bearer.iter().map(|value| (value.as_bytes(), CredentialPlace::Bearer));
    let tickets = input.ticket.iter().map(|value| (value, CredentialPlace::Ticket));
    let mut all = headers.chain(bearer).chain(tickets);
    let (value, place) = all.next().ok_or_else(missing_credential)?;
    if all.next().is_some() {
        return Err(invalid_token("several credentials were sent; send one"));
    }
    if value.len() > Credential::MAX_BYTES + "Bearer ".len() {
        return Err(invalid_token("the credential is longer than 8 KiB"));
    }
    let text = if place == CredentialPlace::Header { strip_bearer_scheme(value)? } else { value };
    if text.is_empty() {
        return Err(missing_credential());
    }
    if text.len() > Credential::MAX_BYTES {
        return Err(invalid_token("the credential is longer than 8 KiB"));
    }
    let text = std::str::from_utf8(text)
        .ok()
        // A fold without an early exit is compiled to vector instructions.
        .filter(|text| text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()))
        .ok_or_else(|| invalid_token("a credential must be visible ASCII without spaces"))?;
    if place != CredentialPlace::Ticket {
        return Ok(Credential::Bearer(text));
    }
    let mut lists = input.streams.iter();
    let streams = lists.next().map(|list| std::str::from_utf8(list).unwrap_or_default());
    if lists.next().is_some() {
        return Err(invalid_token("a ticket is valid for one list of streams, and several were sent"));
    }
    Ok(Credential::Ticket { ticket: text, path: input.path, streams, head: input.head })
}

/// Returns what follows `Bearer`. Schemes are compared in any letter case (RFC 9110 section 11.1).
fn strip_bearer_scheme(value: &[u8]) -> Result<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = match value.iter().position(u8::is_ascii_whitespace) {
        Some(at) => value.split_at(at),
        None => (value, &[][..]),
    };
    if value.is_empty() {
        return Err(missing_credential());
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(invalid_token("the Authorization header must be `Bearer` and a token"));
    }
    Ok(rest.trim_ascii())
}

fn missing_credential() -> Error {
    Error::new(Code::TokenMissing, "admission.token", "send `Authorization: Bearer` and a token")
}
