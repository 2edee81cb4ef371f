//! An app without a listener, and a client for it.

use std::net::SocketAddr;

use engines::{
    EngineBuilder,
    auth::mail::{MailPurpose, MemoryMailer},
    core::testing::ManualClock,
};
use engines_server::{App, HttpSettings, Peer};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support;

pub(crate) const PASSWORD: &str = "plum-Lantern-77 quiet";

/// A response that was read.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Returns the status and code of an error, which must be a complete problem document.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        for member in ["title", "detail", "request_id"] {
            assert!(self.body[member].is_string(), "{self:?}");
        }
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.headers.contains_key("www-authenticate"), self.status == 401, "{self:?}");
        assert_eq!(self.body["decision_id"].is_string(), [403, 429].contains(&self.status.as_u16()), "{self:?}");
        (self.status.as_u16(), self.body["code"].as_str().unwrap())
    }

    /// Returns the body of a success.
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A builder of requests.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    app: App,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    peer: Option<SocketAddr>,
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the tenant and the environment.
    pub(crate) fn within(self, tenant: &str) -> Self {
        self.header("x-tenant-id", tenant).header("x-env", "dev")
    }

    pub(crate) fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer = Some(SocketAddr::new(address.parse().unwrap(), 4711));
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        if self.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(self.body.map(|body| body.to_string()).unwrap_or_default()).unwrap();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        let (parts, body) = self.app.handle(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// An app and its clock.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    /// Has the mails of a world that [`world`] has created.
    pub(crate) mailer: MemoryMailer,
}

/// A user with an account and a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Somebody {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
    pub(crate) tenant: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Somebody {
    pub(crate) fn of(tokens: &Value) -> Self {
        Self {
            id: text(&tokens["user"]["user_id"]),
            token: text(&tokens["access_token"]),
            refresh: text(&tokens["refresh_token"]),
            tenant: tokens["tenant"]["tenant_id"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

pub(crate) async fn world() -> World {
    let mailer = MemoryMailer::default();
    let world = world_of(support::builder_with(mailer.clone()), HttpSettings::default()).await;
    World { mailer, ..world }
}

pub(crate) async fn world_of(builder: EngineBuilder, settings: HttpSettings) -> World {
    let clock = ManualClock::default();
    let engine = builder.clock(clock.clone()).build().await.unwrap();
    let mailer = MemoryMailer::default();
    World { app: App::builder(engine).settings(settings).build().unwrap(), clock, mailer }
}

impl World {
    pub(crate) fn ask(&self, method: &'static str, path: impl Into<String>) -> Ask {
        Ask { app: self.app.clone(), method, path: path.into(), headers: Vec::new(), body: None, peer: None }
    }

    pub(crate) fn post(&self, path: impl Into<String>, body: Value) -> Ask {
        self.ask("POST", path).json(body)
    }

    /// Signs up with a new tenant.
    pub(crate) async fn signup(&self, name: &str) -> Somebody {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "password": PASSWORD, "tenant_name": format!("{name}'s") });
        Somebody::of(&self.post("/auth/signup", body).send().await.ok(201))
    }

    pub(crate) async fn login(&self, name: &str) -> Somebody {
        let body = json!({ "email": format!("{name}@example.org"), "password": PASSWORD });
        Somebody::of(&self.post("/auth/login", body).send().await.ok(200))
    }

    /// Makes `who` a member of the owner's tenant with an invite that they accept.
    pub(crate) async fn join(&self, owner: &Somebody, who: &Somebody, role: &str) {
        let path = format!("/tenants/{}/members", owner.tenant);
        let body = json!({ "user_id": who.id, "role": role });
        self.post(path, body).bearer(&owner.token).within(&owner.tenant).send().await.ok(202);
        let own = self.ask("GET", "/auth/invites").bearer(&who.token).send().await.ok(200);
        let invite =
            own["items"].as_array().unwrap().iter().find(|invite| invite["tenant_id"] == owner.tenant.as_str());
        let body = json!({ "invite_id": invite.unwrap()["invite_id"] });
        self.post("/auth/invites/accept", body).bearer(&who.token).send().await.ok(200);
    }

    /// Returns the token in the newest mail to `name`, and waits for it.
    pub(crate) async fn mailed(&self, name: &str, purpose: MailPurpose) -> String {
        for _ in 0..1000 {
            if let Some(token) = self.mailer.token(&format!("{name}@example.org"), purpose) {
                return token;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no mail for {purpose:?} came");
    }

    /// Verifies the address of `name`.
    pub(crate) async fn verify(&self, name: &str) {
        let body = json!({ "token": self.mailed(name, MailPurpose::Verify).await });
        assert_eq!(self.post("/auth/verify", body).send().await.status, 204);
    }

    /// Returns the status of a request for the tenant's threads.
    pub(crate) async fn look(&self, token: &str, tenant: &str) -> u16 {
        self.ask("GET", "/chat/threads").bearer(token).within(tenant).send().await.status.as_u16()
    }
}
