//! The claims of an access token: read with their types, then checked against settings and clock.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use engines_core::{Actor, ActorType, Principal, Result, Role, TenantId, Timestamp, context::Email};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::{
    claim_checks::{CheckedToken, TokenDates, check_audience, check_issuer, check_subject_and_dates},
    jws::invalid_token,
    numeric_date::NumericDate,
    settings::JwtSettings,
    strict_json::{self, ObjectMembers, TextSeed},
};

/// The known claims. Registered claims (RFC 7519 section 4.1) must have their type. Our own claims may also be null,
/// which means absent. Unknown claims are ignored.
#[derive(Default)]
pub(super) struct AccessTokenClaims<'a> {
    sub: Option<Cow<'a, str>>,
    iss: Option<Cow<'a, str>>,
    aud: Option<Texts<'a>>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    email: Option<Cow<'a, str>>,
    email_verified: Option<Value>,
    tenant_ids: Option<Texts<'a>>,
    default_tenant: Option<Cow<'a, str>>,
    roles: Option<RoleMap<'a>>,
    actor_type: Option<Cow<'a, str>>,
}

impl<'de> ObjectMembers<'de> for AccessTokenClaims<'de> {
    fn member_index(name: &str) -> Option<u32> {
        const NAMES: [&str; 14] = [
            "sub",
            "iss",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "email",
            "tenant_ids",
            "default_tenant_id",
            "role_map",
            "actor_type",
            "sid",
            "email_verified",
        ];
        NAMES.iter().position(|known| *known == name).and_then(|place| u32::try_from(place).ok())
    }

    fn read_member<A: MapAccess<'de>>(&mut self, place: u32, map: &mut A) -> Result<(), A::Error> {
        match place {
            0 => self.sub = Some(map.next_value_seed(TextSeed)?),
            1 => self.iss = Some(map.next_value_seed(TextSeed)?),
            2 => self.aud = Some(map.next_value_seed(TextOrArraySeed)?),
            3 => self.exp = Some(map.next_value()?),
            4 => self.nbf = Some(map.next_value()?),
            5 => self.iat = Some(map.next_value()?),
            6 => self.jti = Some(map.next_value_seed(TextSeed)?),
            7 => self.email = map.next_value_seed(NullableSeed(TextSeed))?,
            8 => self.tenant_ids = map.next_value_seed(NullableSeed(TextArraySeed))?,
            9 => self.default_tenant = map.next_value_seed(NullableSeed(TextSeed))?,
            10 => self.roles = map.next_value_seed(NullableSeed(RoleMapSeed))?,
            11 => self.actor_type = map.next_value_seed(NullableSeed(TextSeed))?,
            13 => self.email_verified = Some(map.next_value()?),
            _ => self.sid = map.next_value_seed(NullableSeed(TextSeed))?,
        }
        Ok(())
    }
}

impl<'a> AccessTokenClaims<'a> {
    /// Reads a payload.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self> {
        strict_json::parse_object(payload)
            .map_err(|_| invalid_token("the token's claims are malformed, of a wrong type, or repeat a name"))
    }

    /// Checks the claims at `now` and returns the principal. The expiry is checked last, so that only an otherwise
    /// valid token is `TOKEN_EXPIRED`.
    pub(super) fn check(&self, settings: &JwtSettings, now: Timestamp) -> Result<Principal> {
        check_issuer(self.iss.as_deref(), &settings.issuer)?;
        let named = |audience: &str| self.aud.iter().flatten().any(|named| named == audience);
        check_audience(settings.audience.is_empty() || settings.audience.iter().any(|audience| named(audience)))?;
        let dates = TokenDates { exp: self.exp, nbf: self.nbf, iat: self.iat };
        let CheckedToken { sub, expires_at } =
            check_subject_and_dates(self.sub.as_deref(), dates, settings.leeway, now)?;
        let actor = Actor { id: sub, kind: self.actor_type_claim() };
        let mut principal = Principal::assume_verified(actor, Arc::clone(&settings.issuer));
        principal.email = self.email.as_deref().filter(|_| !self.email_is_unverified()).map(Email::new);
        principal.memberships = self.memberships();
        principal.default_tenant = self.default_tenant.as_deref().and_then(|tenant| TenantId::new(tenant).ok());
        principal.issued_at = self.iat.map(|iat| iat.0);
        principal.expires_at = Some(expires_at);
        principal.credential_id = self.jti.as_deref().map(Into::into);
        principal.session = self.sid.as_deref().map(Into::into);
        Ok(principal)
    }

    /// Returns whether the token says that its address is not verified. Some issuers write booleans as text. Such an
    /// address is not used.
    fn email_is_unverified(&self) -> bool {
        self.email_verified.as_ref().is_some_and(|said| *said == Value::Bool(false) || *said == "false")
    }

    /// Returns `Agent` or `Human`. No token makes its bearer `System`.
    fn actor_type_claim(&self) -> ActorType {
        if self.actor_type.as_deref() == Some(ActorType::Agent.as_str()) { ActorType::Agent } else { ActorType::Human }
    }

    /// Returns the tenants that are in both `tenant_ids` and `role_map`. A malformed tenant id or an unknown role
    /// yields no membership and does not affect the others.
    fn memberships(&self) -> BTreeMap<TenantId, Role> {
        let role = |tenant: &str| self.roles.as_ref().and_then(|roles| *roles.get(tenant)?);
        let member = |tenant: &Cow<'_, str>| Some((TenantId::new(tenant).ok()?, role(tenant)?));
        self.tenant_ids.iter().flatten().filter_map(member).collect()
    }
}

type Texts<'a> = Vec<Cow<'a, str>>;

/// The claim `role_map`. Unknown roles are `None`.
type RoleMap<'a> = BTreeMap<Cow<'a, str>, Option<Role>>;

/// Reads a value or null.
struct NullableSeed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for NullableSeed<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for NullableSeed<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// Reads an array of texts.
struct TextArraySeed;

impl<'de> DeserializeSeed<'de> for TextArraySeed {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TextArraySeed {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = array.next_element_seed(TextSeed)? {
            texts.push(text);
        }
        Ok(texts)
    }
}

/// Reads `aud`: one text or an array of texts (RFC 7519 section 4.1.3).
struct TextOrArraySeed;

impl<'de> DeserializeSeed<'de> for TextOrArraySeed {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextOrArraySeed {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an array of texts")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Borrowed(text)])
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(text.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        TextArraySeed.visit_seq(array)
    }
}

/// Reads `role_map`: an object of texts in which no tenant occurs twice.
struct RoleMapSeed;

impl<'de> DeserializeSeed<'de> for RoleMapSeed {
    type Value = RoleMap<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RoleMapSeed {
    type Value = RoleMap<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of roles by tenant")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut roles = BTreeMap::new();
        while let Some(tenant) = map.next_key_seed(TextSeed)? {
            let role = Role::from_wire(&map.next_value_seed(TextSeed)?);
            if roles.insert(tenant, role).is_some() {
                return Err(de::Error::custom("a tenant occurs twice"));
            }
        }
        Ok(roles)
    }
}
