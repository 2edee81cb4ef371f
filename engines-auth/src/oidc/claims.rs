//! The claims of a token of another issuer: read with their types, then checked against the issuer's settings and the
//! clock.

use engines_core::{Result, Timestamp, UserId};
use serde::{Deserialize, de::MapAccess};
use serde_json::Value;

use super::{IssuerSettings, TokenKind};
use crate::jwt::{
    TokenType,
    claim_checks::{CheckedToken, TokenDates, check_audience, check_issuer, check_subject_and_dates},
    invalid_token,
    numeric_date::NumericDate,
    strict_json::{self, ObjectMembers},
};

/// The claim `iss`, which is read before the signature is checked. It only selects one of the configured issuers.
#[derive(Default)]
pub(super) struct IssuerClaim(pub(super) Option<String>);

impl<'de> ObjectMembers<'de> for IssuerClaim {
    fn member_index(name: &str) -> Option<u32> {
        (name == "iss").then_some(0)
    }

    fn read_member<A: MapAccess<'de>>(&mut self, _: u32, map: &mut A) -> Result<(), A::Error> {
        self.0 = Some(map.next_value()?);
        Ok(())
    }
}

/// Returns the issuer that a payload claims.
pub(super) fn issuer(payload: &[u8]) -> Result<String> {
    strict_json::parse_object::<IssuerClaim>(payload)
        .map_err(|_| invalid_token("the token's claims are malformed, of a wrong type, or repeat a name"))?
        .0
        .ok_or_else(|| invalid_token("the token has no iss"))
}

/// The known claims. Each must have its type, and none may be null.
#[derive(Default)]
pub(super) struct ExternalClaims {
    pub(super) sub: Option<String>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    pub(super) jti: Option<String>,
    pub(super) email: Option<String>,
    email_verified: Option<Value>,
    token_use: Option<String>,
    client_id: Option<String>,
}

/// The claim `aud` (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl<'de> ObjectMembers<'de> for ExternalClaims {
    fn member_index(name: &str) -> Option<u32> {
        const NAMES: [&str; 11] =
            ["sub", "iss", "aud", "exp", "nbf", "iat", "jti", "email", "email_verified", "token_use", "client_id"];
        NAMES.iter().position(|known| *known == name).and_then(|place| u32::try_from(place).ok())
    }

    fn read_member<A: MapAccess<'de>>(&mut self, place: u32, map: &mut A) -> Result<(), A::Error> {
        match place {
            0 => self.sub = Some(map.next_value()?),
            1 => self.iss = Some(map.next_value()?),
            2 => self.aud = Some(map.next_value()?),
            3 => self.exp = Some(map.next_value()?),
            4 => self.nbf = Some(map.next_value()?),
            5 => self.iat = Some(map.next_value()?),
            6 => self.jti = Some(map.next_value()?),
            7 => self.email = Some(map.next_value()?),
            8 => self.email_verified = Some(map.next_value()?),
            9 => self.token_use = Some(map.next_value()?),
            _ => self.client_id = Some(map.next_value()?),
        }
        Ok(())
    }
}

/// The claims that passed all checks.
pub(super) struct VerifiedClaims {
    pub(super) sub: UserId,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
    /// Whether the token is that of a client acting for itself, not for a person.
    pub(super) machine: bool,
}

impl ExternalClaims {
    /// Reads a payload.
    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        strict_json::parse_object(payload)
            .map_err(|_| invalid_token("the token's claims are malformed, of a wrong type, or repeat a name"))
    }

    /// Checks the claims at `now`. The expiry is checked last, so that only an otherwise valid token is
    /// `TOKEN_EXPIRED`.
    pub(super) fn check(&self, settings: &IssuerSettings, typ: TokenType, now: Timestamp) -> Result<VerifiedClaims> {
        check_issuer(self.iss.as_deref(), &settings.issuer)?;
        self.check_kind(settings, typ)?;
        let dates = TokenDates { exp: self.exp, nbf: self.nbf, iat: self.iat };
        let CheckedToken { sub, expires_at } =
            check_subject_and_dates(self.sub.as_deref(), dates, settings.leeway, now)?;
        // RFC 9068 section 2.2: without a resource owner, `sub` is the client.
        let machine = self.client_id.as_deref() == Some(sub.as_str());
        Ok(VerifiedClaims { sub, issued_at: self.iat.map(|iat| iat.0), expires_at, machine })
    }

    /// Checks that the token has the accepted kind and audience.
    fn check_kind(&self, settings: &IssuerSettings, typ: TokenType) -> Result<()> {
        let one_of_ours = |name: &str| {
            let any = settings.audience.is_empty() && !name.is_empty();
            any || settings.audience.iter().any(|known| **known == *name)
        };
        let (kind, audience) = match settings.kind {
            TokenKind::CognitoAccess => (
                typ != TokenType::Other && self.token_use.as_deref() == Some("access"),
                self.client_id.as_deref().is_some_and(one_of_ours),
            ),
            TokenKind::CognitoId => (
                typ == TokenType::Unspecified && self.token_use.as_deref() == Some("id"),
                matches!(&self.aud, Some(OneOrMany::One(client)) if one_of_ours(client)),
            ),
            TokenKind::Access => (
                typ == TokenType::AccessToken && self.token_use.as_deref().is_none_or(|said| said == "access"),
                match &self.aud {
                    Some(OneOrMany::One(name)) => one_of_ours(name),
                    Some(OneOrMany::Many(names)) => names.iter().any(|name| one_of_ours(name)),
                    None => false,
                },
            ),
        };
        if !kind {
            return Err(invalid_token("the kind of the token is not accepted here"));
        }
        check_audience(audience)
    }

    /// Returns whether the issuer calls the address verified. Cognito writes a boolean or text.
    pub(super) fn email_is_verified(&self) -> bool {
        self.email_verified.as_ref().is_some_and(|said| *said == Value::Bool(true) || *said == "true")
    }
}
