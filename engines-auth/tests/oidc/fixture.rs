//! An admission with our own tokens and another issuer's.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use async_trait::async_trait;
use engines_auth::{
    Admission, AuthInput, BodyClaims, FieldValues, JwtSettings, SigningSecret, TokenVerifier,
    oidc::{
        ExternalUsers, FetchLimits, IssuerSettings, JwksFetch, JwksSettings, JwksUrl, KeySetResponse, Oidc, RoleRule,
        TokenKind,
    },
};
use engines_core::{Clock, Code, Error, IdGenerator, Principal, RequestContext, Result, testing::ManualClock};
use futures_util::FutureExt;

use crate::stand_in_issuer::{RSA, Signer, Standin};

/// 2026-01-01T00:00:00Z, where the manual clock starts.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) const CLIENT: &str = "client-of-ours";

/// A minimal HTTP client. It blocks the thread.
#[derive(Debug)]
pub(crate) struct PlainFetch;

#[async_trait]
impl JwksFetch for PlainFetch {
    async fn fetch(&self, url: &JwksUrl, _: FetchLimits) -> Result<KeySetResponse> {
        let failed = |error: std::io::Error| Error::unavailable("test.fetch", error);
        let rest = url.as_str().strip_prefix("http://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(authority).map_err(failed)?;
        write!(stream, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.ok_or_else(|| Error::unavailable("test.fetch", "no answer"))?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 200") {
            return Err(Error::unavailable("test.fetch", head));
        }
        let cache_control = head.lines().find_map(|line| line.strip_prefix("cache-control: ")).map(str::to_owned);
        Ok(KeySetResponse { body: answer[end + 4..].to_vec(), cache_control })
    }
}

pub(crate) struct World {
    pub(crate) issuer: Standin,
    pub(crate) clock: ManualClock,
    pub(crate) admission: Admission,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) kind: Option<TokenKind>,
    pub(crate) rules: Vec<RoleRule>,
    pub(crate) users: Option<Arc<dyn ExternalUsers>>,
    pub(crate) keys: JwksSettings,
    pub(crate) any_client: bool,
}

pub(crate) fn settings_of(issuer: &Standin) -> IssuerSettings {
    let name = issuer.issuer();
    let jwks = JwksUrl::new(&format!("{name}/.well-known/jwks.json")).unwrap();
    let mut settings = IssuerSettings::new(name, jwks, CLIENT);
    settings.kind = TokenKind::CognitoAccess;
    settings
}

pub(crate) fn world_with(options: Options) -> World {
    let (issuer, clock) = (Standin::new(), ManualClock::default());
    issuer.serve(&[RSA[0].jwk("rsa"), crate::stand_in_issuer::EC.jwk("ec")]);
    let mut settings = settings_of(&issuer);
    settings.kind = options.kind.unwrap_or(TokenKind::CognitoAccess);
    settings.rules = options.rules;
    if options.any_client {
        settings.audience.clear();
    }
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let mut oidc = Oidc::builder(Arc::clone(&shared), Arc::new(PlainFetch)).issuer(settings).keys(options.keys);
    if let Some(users) = options.users {
        oidc = oidc.users(users);
    }
    let secret = SigningSecret::new("the secret of these tests, 32 bytes and more").unwrap();
    let own = TokenVerifier::new(&secret, JwtSettings::default(), Arc::clone(&shared)).unwrap();
    let admission =
        Admission::builder(shared, IdGenerator::seeded(1)).authenticator(own).authenticator(oidc.build().unwrap());
    World { issuer, clock, admission: admission.build() }
}

pub(crate) fn world() -> World {
    world_with(Options::default())
}

impl World {
    pub(crate) fn enter(&self, token: &str) -> Result<Arc<Principal>, Code> {
        let bearer = format!("Bearer {token}");
        let presented = AuthInput { authorization: FieldValues::one(&bearer), ..AuthInput::default() };
        self.admission.authenticate(&presented).now_or_never().unwrap().map_err(|error| error.code())
    }

    pub(crate) fn code(&self, token: &str) -> Result<(), Code> {
        self.enter(token).map(|_| ())
    }

    /// Runs all steps of admission, to `dev` of `tenant`.
    pub(crate) fn go(&self, token: &str, tenant: &str) -> Result<RequestContext, Code> {
        let principal = self.enter(token)?;
        let presented = AuthInput {
            tenant_headers: FieldValues::one(tenant),
            env_headers: FieldValues::one("dev"),
            user_ids: FieldValues::one(principal.actor.id.as_str()),
            ..AuthInput::default()
        };
        let body = BodyClaims::default();
        self.admission.admit(&principal, &presented, &body).now_or_never().unwrap().map_err(|error| error.code())
    }

    /// Valid claims of an access token, followed by `more`.
    pub(crate) fn access(&self, more: &str) -> String {
        let more = if more.is_empty() { String::new() } else { format!(",{more}") };
        format!(
            r#"{{"sub":"ada","iss":"{}","exp":{},"iat":{NOW},"token_use":"access","client_id":"{CLIENT}","username":"ada","scope":"openid","jti":"j1"{more}}}"#,
            self.issuer.issuer(),
            NOW + 600
        )
    }

    /// Like [`World::access`], without the named members, and followed by `more`.
    pub(crate) fn access_but(&self, without: &[&str], more: &str) -> String {
        let mut claims: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&self.access("")).unwrap();
        claims.retain(|name, _| !without.contains(&name.as_str()));
        let text = serde_json::to_string(&claims).unwrap();
        if more.is_empty() { text } else { format!("{},{more}}}", text.strip_suffix('}').unwrap()) }
    }

    pub(crate) fn id_token(&self, more: &str) -> String {
        let more = if more.is_empty() { String::new() } else { format!(",{more}") };
        format!(
            r#"{{"sub":"ada","iss":"{}","exp":{},"iat":{NOW},"token_use":"id","aud":"{CLIENT}","cognito:username":"ada"{more}}}"#,
            self.issuer.issuer(),
            NOW + 600
        )
    }
}

pub(crate) fn header(signer: &Signer, kid: &str) -> String {
    format!(r#"{{"alg":"{}","kid":"{kid}"}}"#, signer.alg())
}

/// Returns a token signed by the first RSA key.
pub(crate) fn rs(claims: impl AsRef<[u8]>) -> String {
    RSA[0].sign(header(&RSA[0], "rsa"), claims)
}
