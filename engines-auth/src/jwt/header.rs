//! The header of a token: accepted and forbidden parameters.

use std::borrow::Cow;

use serde::de::{Error as _, IgnoredAny, MapAccess};

use super::strict_json::{ObjectMembers, TextSeed};

/// The header of a JWS. It is read before the signature is checked, so it may only select the verifier.
#[derive(Debug, Default)]
pub(super) struct TokenHeader<'a> {
    /// The algorithm, compared exactly as written (RFC 7515 section 4.1.1).
    pub(super) alg: Option<Cow<'a, str>>,
    /// The media type.
    pub(super) typ: Option<Cow<'a, str>>,
    /// The name of a key. It is only looked up among the keys that the verifier already has.
    pub(super) kid: Option<Cow<'a, str>>,
}

/// Header parameters that are refused: those that bring a key (`jku` `jwk` `x5u` `x5c`, RFC 8725 section 3.10), change
/// what is signed (`b64`, RFC 7797), or belong to encryption (`enc` `zip`). `crit` names extensions that a reader must
/// understand, and this one understands none (RFC 7515 section 4.1.11).
const FORBIDDEN_PARAMETERS: [&str; 8] = ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"];

impl<'de> ObjectMembers<'de> for TokenHeader<'de> {
    fn member_index(name: &str) -> Option<u32> {
        Some(match name {
            "alg" => 0,
            "typ" => 1,
            "kid" => 2,
            _ if FORBIDDEN_PARAMETERS.contains(&name) => 3,
            _ => return None,
        })
    }

    fn read_member<A: MapAccess<'de>>(&mut self, place: u32, map: &mut A) -> Result<(), A::Error> {
        match place {
            0 => self.alg = Some(map.next_value_seed(TextSeed)?),
            1 => self.typ = Some(map.next_value_seed(TextSeed)?),
            2 => self.kid = Some(map.next_value_seed(TextSeed)?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("a header parameter that is not accepted"));
            }
        }
        Ok(())
    }
}

/// The type of a token according to its header (RFC 7515 section 4.1.9). The `typ` separates access tokens from other
/// kinds (`dpop+jwt`, `logout+jwt`, …; RFC 8725 section 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// No `typ`, or `JWT`: any kind of token.
    Unspecified,
    /// `at+jwt`: an access token (RFC 9068 section 2.1).
    AccessToken,
    /// Any other type: no access token.
    Other,
}

impl TokenHeader<'_> {
    /// Returns the type that `typ` names, in any letter case and with or without `application/` (RFC 7515 section
    /// 4.1.9).
    pub(super) fn token_type(&self) -> TokenType {
        let one_of = |names: [&str; 2]| {
            self.typ.as_deref().is_some_and(|typ| names.iter().any(|known| typ.eq_ignore_ascii_case(known)))
        };
        if self.typ.is_none() || one_of(["JWT", "application/jwt"]) {
            TokenType::Unspecified
        } else if one_of(["at+jwt", "application/at+jwt"]) {
            TokenType::AccessToken
        } else {
            TokenType::Other
        }
    }
}
