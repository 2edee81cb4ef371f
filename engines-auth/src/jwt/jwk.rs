//! JSON Web Keys (RFC 7517), and which of them may verify a token.

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engines_core::{Code, Error, Result};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

pub use super::verifying_key::{KeyAlgorithm, VerifyingKey};
use super::{
    jws::{UnverifiedToken, invalid_token},
    roca,
};

/// The result of the choice of a key for a token.
#[derive(Debug)]
pub enum KeyChoice<'a> {
    /// The key to use.
    Key(&'a VerifyingKey),
    /// The set has a matching key that must not be used: it has another algorithm, or its `kid` occurs twice.
    Unusable,
    /// The set has no matching key.
    Unknown,
}

/// The usable keys of a JSON Web Key Set (RFC 7517 section 5).
///
/// A key is usable when its members say, or leave open, that it verifies the algorithm of its kind: `alg` is exactly that
/// name, `use` is `sig`, `key_ops` has `verify`. Other keys are skipped, as the RFC advises, so that an issuer may publish
/// keys that we do not know:
///
/// - other kinds (`OKP`; EdDSA is not supported) and other curves,
/// - RSA keys outside 2,048 to 8,192 bits, with an exponent that is even or below 3, or with the fingerprint of ROCA,
/// - keys that contain their private half.
///
/// A `kid` that occurs twice makes its keys unusable.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    /// Every `kid` in the set that names no usable key.
    unusable: BTreeSet<String>,
}

/// The kind of keys in a set. A set never mixes them, so that no public key is used as a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeySetKind {
    Public,
    Shared,
}

/// The members of a JSON Web Key that are read. A name that occurs twice makes the key unusable.
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "use")]
    usage: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    key_ops: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    e: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    x: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    y: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    k: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    d: Option<Cow<'a, str>>,
}

/// The name of a key that cannot be used, so that the set knows of it.
#[derive(Deserialize)]
struct KeyName<'a> {
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// The largest number of keys in a set.
    pub const MAX_KEYS: usize = 64;

    /// Reads the public keys of an issuer: RS256 and ES256. Shared keys (`oct`) in the set are skipped.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`, because the token is not at fault: when the text is no key set, or has more than
    /// [`KeySet::MAX_KEYS`] keys.
    pub fn public(json: &[u8]) -> Result<Self> {
        Self::read(json, KeySetKind::Public)
    }

    /// Reads keys shared with the signer: HS256, HS384 and HS512. Each key names its algorithm. A set that also holds
    /// public keys is refused, because its intent is unclear.
    ///
    /// # Errors
    /// As [`KeySet::public`], and for such a mixture.
    pub fn shared(json: &[u8]) -> Result<Self> {
        Self::read(json, KeySetKind::Shared)
    }

    fn read(json: &[u8], kind: KeySetKind) -> Result<Self> {
        let set: JwkSet<'_> =
            serde_json::from_slice(json).map_err(|_| invalid_key_set("the text is not a JSON Web Key Set"))?;
        if set.keys.len() > Self::MAX_KEYS {
            return Err(invalid_key_set("the key set has more keys than are accepted"));
        }
        let (mut found, mut kids, mut unusable) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for text in set.keys {
            let jwk: Option<Jwk<'_>> = serde_json::from_str(text.get()).ok();
            if kind == KeySetKind::Shared && jwk.as_ref().is_none_or(|jwk| jwk.kty != "oct") {
                return Err(invalid_key_set("the key set mixes shared keys with others"));
            }
            let named = serde_json::from_str::<KeyName<'_>>(text.get()).ok().and_then(|named| named.kid);
            let key = jwk.and_then(|jwk| jwk.into_verifying_key(kind));
            if let Some(kid) = named
                && (!kids.insert(kid.clone().into_owned()) || key.is_none())
            {
                unusable.insert(kid.into_owned());
            }
            found.extend(key);
        }
        found.retain(|key: &VerifyingKey| key.kid.as_ref().is_none_or(|kid| !unusable.contains(kid)));
        Ok(Self { keys: found, unusable })
    }

    /// Returns the key for a token: the key that its `kid` names, or the only key if it names none (OpenID Connect Core
    /// section 10.1). The key must have the algorithm of the token.
    #[must_use]
    pub fn choose_key(&self, token: &UnverifiedToken<'_>) -> KeyChoice<'_> {
        let found = match token.kid() {
            Some(kid) if self.unusable.contains(kid) => return KeyChoice::Unusable,
            Some(kid) => self.keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            None if self.keys.len() > 1 => return KeyChoice::Unusable,
            None => self.keys.first(),
        };
        match found {
            Some(key) if key.alg.name() == token.alg() => KeyChoice::Key(key),
            Some(_) => KeyChoice::Unusable,
            None => KeyChoice::Unknown,
        }
    }

    /// Verifies `token` with the key that [`KeySet::choose_key`] returns, and returns its payload.
    ///
    /// # Errors
    /// `TOKEN_INVALID` when there is no such key, or the signature does not match.
    pub fn verify(&self, token: &UnverifiedToken<'_>) -> Result<Vec<u8>> {
        match self.choose_key(token) {
            KeyChoice::Key(key) => token.verify(key),
            KeyChoice::Unusable | KeyChoice::Unknown => {
                Err(invalid_token("the issuer has no key that may verify this token"))
            }
        }
    }

    /// Returns the number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are no usable keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Jwk<'_> {
    /// Returns the key if it is of `kind` and may verify tokens.
    fn into_verifying_key(self, kind: KeySetKind) -> Option<VerifyingKey> {
        let ours = match (kind, &*self.kty) {
            (KeySetKind::Public, "RSA") => KeyAlgorithm::Rs256,
            (KeySetKind::Public, "EC") if self.crv.as_deref() == Some("P-256") => KeyAlgorithm::Es256,
            (KeySetKind::Shared, "oct") => {
                let named = self.alg.as_deref()?;
                let found = KeyAlgorithm::ALL.into_iter().find(|alg| alg.name() == named)?;
                matches!(found, KeyAlgorithm::Hs256 | KeyAlgorithm::Hs384 | KeyAlgorithm::Hs512).then_some(found)?
            }
            _ => return None,
        };
        let says = |member: &Option<Cow<'_, str>>, text: &str| member.as_deref().is_none_or(|said| said == text);
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !says(&self.alg, ours.name()) || !says(&self.usage, "sig") || !verifies {
            return None;
        }
        let key = match ours {
            KeyAlgorithm::Rs256 => self.rsa()?,
            KeyAlgorithm::Es256 => self.p256()?,
            _ => self.secret(ours)?,
        };
        Some(VerifyingKey { alg: ours, kid: self.kid.map(Cow::into_owned), key })
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let (modulus, exponent) = (decode_base64url(self.n.as_deref()?)?, decode_base64url(self.e.as_deref()?)?);
        let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
        // At most 40 bits (NIST SP 800-89 allows more, which only costs time), odd, and not 1.
        let exponent_fits = exponent.len() <= 5 && exponent.last()? & 1 == 1 && *exponent != [1];
        let fits =
            (2048..=8192).contains(&bits) && exponent_fits && self.d.is_none() && !roca::has_roca_fingerprint(&modulus);
        fits.then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
    }

    fn p256(&self) -> Option<DecodingKey> {
        let (x, y) = (self.x.as_deref()?, self.y.as_deref()?);
        // RFC 7518 section 6.2.1.2: as long as the field of the curve. The verification checks that it is a point on
        // the curve.
        let fits =
            [x, y].iter().all(|part| decode_base64url(part).is_some_and(|part| part.len() == 32)) && self.d.is_none();
        fits.then(|| DecodingKey::from_ec_components(x, y).ok())?
    }

    fn secret(&self, alg: KeyAlgorithm) -> Option<DecodingKey> {
        let secret = decode_base64url(self.k.as_deref()?)?;
        (secret.len() >= alg.min_secret_bytes()).then(|| DecodingKey::from_secret(&secret))
    }
}

fn decode_base64url(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

fn invalid_key_set(detail: &'static str) -> Error {
    Error::new(Code::BackendUnavailable, "auth.jwks", detail)
}
