//! A server with one object of each kind in `t_acme/dev`, and callers of all kinds.

use std::sync::atomic::{AtomicU64, Ordering};

use engines::{
    Clock, Engine, Role,
    auth::mail::{MailPurpose, MemoryMailer},
    core::testing::ManualClock,
};
use engines_server::{App, Route, routes::BodyKind};
use serde_json::{Value, json};

use super::{
    external_issuer,
    support::{self, Answer, SYSTEM_KEY, Server, acme, ask, token, token_at},
};

pub(crate) const PASSWORD: &str = "plum-Lantern-77 quiet";

const WEBSOCKET: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

pub(crate) struct IsolationFixture {
    pub(crate) server: Server,
    /// The owner of `t_acme`, with a token issued elsewhere.
    pub(crate) root: String,
    pub(crate) mailer: MemoryMailer,
}

/// A caller.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) token: Option<String>,
    pub(crate) tenant: &'static str,
    /// The expected result of admission: a status and a code, or this role.
    pub(crate) expected: Result<Role, (u16, &'static str)>,
    /// Whether the caller has an account.
    pub(crate) account: bool,
}

/// The objects in `t_acme/dev`, by the names of path parameters.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathIds {
    pub(crate) thing: String,
    pub(crate) user: String,
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Signs a user up; returns the token response.
pub(crate) async fn sign_up(server: &Server, name: &str) -> Value {
    let body = json!({ "email": format!("{name}@example.org"), "password": PASSWORD }).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = ask(server.address, "POST", "/auth/signup", &headers, Some(body.as_bytes())).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl IsolationFixture {
    pub(crate) async fn new() -> Self {
        let mailer = MemoryMailer::default();
        let engine: Engine = external_issuer::issuer(support::builder_with(mailer.clone())).build().await.unwrap();
        let acme_id = engines::TenantId::new("t_acme").unwrap();
        engine.identity().unwrap().ensure_tenant(&acme_id, "Acme").await.unwrap();
        let server = support::serve(App::new(engine).unwrap()).await;
        let world = Self { server, root: token("root", &[("t_acme", Role::Owner)]), mailer };
        sign_up(&world.server, "known").await;
        world.create("POST", "/chat/threads", json!({ "thread_id": "mine", "title": "acme's own" })).await;
        world.create("POST", "/canvas", json!({ "canvas_id": "mine" })).await;
        world.create("POST", "/chat/threads/mine/messages", json!({ "text": "acme's own" })).await;
        world.create("POST", "/events", json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {} })).await;
        world
    }

    /// Creates an object as the owner of `t_acme`.
    pub(crate) async fn create(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = acme(self.server.address, &self.root, method, path, Some(&body)).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn delete(&self, path: &str) {
        let answer = acme(self.server.address, &self.root, "DELETE", path, None).await;
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
    }

    /// A user whom the store knows as a member of `t_acme`, after accepting an invite.
    pub(crate) async fn add_member(&self, user: &str, role: &str) {
        let invite = self.invite(user, role).await;
        let (body, bearer) = (json!({ "invite_id": invite }).to_string(), format!("Bearer {}", token(user, &[])));
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let answer = ask(self.server.address, "POST", "/auth/invites/accept", &headers, Some(body.as_bytes())).await;
        assert_eq!(answer.status, 200, "{user}: {answer:?}");
    }

    /// Invites a user to `t_acme`; returns the invite's id.
    pub(crate) async fn invite(&self, user: &str, role: &str) -> String {
        self.create("POST", "/tenants/t_acme/members", json!({ "user_id": user, "role": role })).await;
        let bearer = format!("Bearer {}", token(user, &[]));
        let answer = ask(self.server.address, "GET", "/auth/invites", &[("Authorization", &bearer)], None).await;
        let own = answer.json()["items"].as_array().unwrap().clone();
        text(&own.iter().find(|invite| invite["tenant_id"] == "t_acme").unwrap()["invite_id"])
    }

    /// The token in the newest mail to an address; waits for the mail.
    pub(crate) async fn mailed_token(&self, email: &str, purpose: MailPurpose) -> String {
        for _ in 0..1000 {
            if let Some(token) = self.mailer.token(email, purpose) {
                return token;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no mail for {purpose:?} came");
    }

    pub(crate) async fn api_key(&self, role: &str) -> Value {
        self.create("POST", "/identity/api-keys", json!({ "name": "a robot", "role": role })).await
    }

    /// Creates the object of the route, so that it can be requested.
    pub(crate) async fn create_target(&self, route: &Route) -> PathIds {
        let mut ids = PathIds { thing: "mine".into(), user: format!("u{}", next_number()) };
        if route.path.contains("{user_id}") {
            self.add_member(&ids.user, "viewer").await;
        }
        ids.thing = match route.path {
            "/tenants/{t}/invites/{id}" => {
                text(&self.create("POST", "/tenants/t_acme/invites", json!({ "role": "viewer" })).await["invite_id"])
            }
            path if path.starts_with("/identity/api-keys/{id}") => text(&self.api_key("viewer").await["key_id"]),
            "/auth/tickets/{id}" => {
                let body = json!({ "path": "/sse/chat/mine", "reuse": "stream" });
                text(&self.create("POST", "/auth/tickets", body).await["ticket_id"])
            }
            "/auth/sessions/{id}" => "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            "/auth/purges/{id}" => "t_acme".into(),
            "/chat/threads/{id}" if route.method == "DELETE" => {
                text(&self.create("POST", "/chat/threads", json!({})).await["thread_id"])
            }
            "/canvas/{id}" if route.method == "DELETE" => {
                text(&self.create("POST", "/canvas", json!({})).await["canvas_id"])
            }
            _ => ids.thing,
        };
        if route.path.starts_with("/identity/keys") {
            self.create("PUT", "/identity/keys/mine", json!({ "secret": "sk-1" })).await;
        }
        ids
    }

    /// A body that the route accepts; from a caller without a token where that makes a difference.
    pub(crate) async fn body(&self, route: &Route) -> Option<Value> {
        if route.body == BodyKind::None {
            return None;
        }
        let email = format!("n{}@example.org", next_number());
        Some(match route.doc.request.unwrap() {
            "NewThread" | "NewCanvas" | "BootstrapTenants" | "RotateApiKey" | "Profile" | "DeleteAccount" => json!({}),
            "NewMessage" => json!({ "text": "hello" }),
            // A separate path for each, so that all of them can be rebased.
            "Command" => {
                let path = format!("/k{}", next_number());
                json!({ "v": 1, "base_rev": 0, "on_conflict": "rebase", "ops": [{ "op": "add", "path": path, "value": 1 }] })
            }
            "Gesture" => json!({ "kind": "point", "data": { "x": 1 } }),
            "RedactRequest" => json!({ "text": "ana@example.org" }),
            "NewPrivacyPolicy" | "NewRetention" => json!({ "policy": {} }),
            "TenantTrainPref" => json!({ "opt_out": false }),
            "UserTrainPref" => json!({ "user_id": "ada", "opt_out": false }),
            "DatasetEvent" => json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {} }),
            "Signup" => json!({ "email": email, "password": PASSWORD }),
            "Login" => json!({ "email": "known@example.org", "password": PASSWORD }),
            "Refresh" => {
                json!({ "refresh_token": sign_up(&self.server, &format!("n{}", next_number())).await["refresh_token"] })
            }
            "AcceptInvite" => {
                let invite = self.create("POST", "/tenants/t_acme/invites", json!({ "role": "viewer" })).await;
                json!({ "token": invite["token"], "email": email, "password": PASSWORD })
            }
            "MailToken" => {
                let name = format!("n{}", next_number());
                sign_up(&self.server, &name).await;
                json!({ "token": self.mailed_token(&format!("{name}@example.org"), MailPurpose::Verify).await })
            }
            "ForgotPassword" => json!({ "email": email }),
            "ResetPassword" => {
                let name = format!("n{}", next_number());
                let address = format!("{name}@example.org");
                sign_up(&self.server, &name).await;
                let post = async |path: &str, body: Value| {
                    let headers = [("Content-Type", "application/json")];
                    ask(self.server.address, "POST", path, &headers, Some(body.to_string().as_bytes())).await.status
                };
                let token = self.mailed_token(&address, MailPurpose::Verify).await;
                assert_eq!(post("/auth/verify", json!({ "token": token })).await, 204);
                assert_eq!(post("/auth/password/forgot", json!({ "email": address })).await, 202);
                json!({ "token": self.mailed_token(&address, MailPurpose::Reset).await, "password": "another 88 Lantern" })
            }
            "ChangeEmail" => json!({ "email": email, "password": "a guess" }),
            "DefaultTenant" => json!({ "tenant_id": "t_nobodys" }),
            "DeclineInvite" => json!({ "invite_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
            "ChangePassword" => json!({ "current_password": "a guess", "new_password": "another 88 Lantern" }),
            "NewTicket" => json!({ "path": "/sse/chat/mine" }),
            "NewTenant" => json!({ "name": "Acme" }),
            "NewMember" => json!({ "user_id": format!("u{}", next_number()), "role": "viewer" }),
            "NewRole" => json!({ "role": "member" }),
            "NewInvite" => json!({ "role": "viewer" }),
            "NewApiKey" => json!({ "name": "a robot", "role": "viewer" }),
            "NewSlotSecret" => json!({ "secret": "sk-1" }),
            other => panic!("say here what a good {other} is"),
        })
    }

    /// Sends a request to a route.
    pub(crate) async fn call(&self, route: &Route, token: Option<&str>, tenant: &str, ids: &PathIds) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("X-Tenant-Id", tenant), ("X-Env", "dev"), ("X-System-Key", SYSTEM_KEY)];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let body = self.body(route).await.map(|body| serde_json::to_vec(&body).unwrap());
        let kind = if route.body == BodyKind::Lines { "application/x-ndjson" } else { "application/json" };
        headers.extend(body.as_ref().map(|_| ("Content-Type", kind)));
        if route.doc.status == 101 {
            headers.extend(WEBSOCKET);
        }
        let path = path(route, tenant, ids);
        ask(self.server.address, route.method.as_str(), &path, &headers, body.as_deref()).await
    }
}

/// A route's path with these ids.
pub(crate) fn path(route: &Route, tenant: &str, ids: &PathIds) -> String {
    let path = route.path.replace("{t}", tenant).replace("{user_id}", &ids.user).replace("{slot}", &ids.thing);
    path.replace("{id}", &ids.thing).replace("{*stream}", &format!("canvas/{}", ids.thing))
}

/// All callers: with tokens issued elsewhere, with accounts here, with accounts of another issuer, with keys; and those
/// who have lost what their credential still claims.
pub(crate) async fn all_callers(world: &IsolationFixture) -> Vec<Caller> {
    let past = std::sync::Arc::new(ManualClock::default()) as std::sync::Arc<dyn Clock>;
    let both = |user, acme, other| Some(token(user, &[("t_acme", acme), ("t_other", other)]));
    let caller = |name, token, expected| Caller { name, token, tenant: "t_acme", expected, account: false };
    let (missing, invalid) = (Err((401, "TOKEN_MISSING")), Err((401, "TOKEN_INVALID")));
    let forbidden = Err((403, "TENANT_FORBIDDEN"));
    let mut all = vec![
        caller("no token", None, missing),
        caller("garbage", Some("garbage".into()), invalid),
        caller("expired", Some(token_at(past, "ada", &[("t_acme", Role::Owner)])), Err((401, "TOKEN_EXPIRED"))),
        caller("another tenant's member", Some(token("ada", &[("t_other", Role::Owner)])), forbidden),
        // The same user in both tenants: the role in the other tenant must not count here.
        caller("viewer", both("ada", Role::Viewer, Role::Owner), Ok(Role::Viewer)),
        caller("member", both("ada", Role::Member, Role::Viewer), Ok(Role::Member)),
        caller("admin", both("ada", Role::Admin, Role::Viewer), Ok(Role::Admin)),
    ];

    // Keys, in their tenant and in another one.
    for (name, role, is) in [
        ("a viewer's key", "viewer", Role::Viewer),
        ("a member's key", "member", Role::Member),
        ("an admin's key", "admin", Role::Admin),
    ] {
        let key = text(&world.api_key(role).await["key"]);
        all.push(caller(name, Some(key.clone()), Ok(is)));
        all.push(Caller { tenant: "t_other", ..caller("a key elsewhere", Some(key), forbidden) });
    }
    let revoked = world.api_key("admin").await;
    world.delete(&format!("/identity/api-keys/{}", text(&revoked["key_id"]))).await;
    all.push(caller("a revoked key", Some(text(&revoked["key"])), invalid));

    // The store's memberships count, whatever the claims say.
    world.add_member("demoted", "viewer").await;
    all.push(caller("a demoted owner", both("demoted", Role::Owner, Role::Owner), Ok(Role::Viewer)));
    world.add_member("removed", "admin").await;
    world.delete("/tenants/t_acme/members/removed").await;
    all.push(caller("a removed admin", both("removed", Role::Owner, Role::Owner), forbidden));

    // Accounts here: one in both tenants with different roles, one in none, one whose session has ended, one disabled.
    let (twin, nowhere) = (sign_up(&world.server, "twin").await, sign_up(&world.server, "nowhere").await);
    world.add_member(twin["user"]["user_id"].as_str().unwrap(), "viewer").await;
    let own = json!({ "name": "Twin's own" }).to_string();
    let bearer = format!("Bearer {}", text(&twin["access_token"]));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let made = ask(world.server.address, "POST", "/tenants", &headers, Some(own.as_bytes())).await;
    assert_eq!(made.status, 201);
    let account = |name, tokens: &Value, expected| Caller {
        account: true,
        ..caller(name, Some(text(&tokens["access_token"])), expected)
    };
    all.push(account("an owner elsewhere who is a viewer here", &twin, Ok(Role::Viewer)));
    all.push(account("an account without a tenant", &nowhere, forbidden));
    let over = sign_up(&world.server, "over").await;
    let bearer = format!("Bearer {}", text(&over["access_token"]));
    let gone = ask(world.server.address, "POST", "/auth/logout", &[("Authorization", &bearer)], None).await;
    assert_eq!(gone.status, 204);
    all.push(account("who has logged out", &over, invalid));
    let disabled = sign_up(&world.server, "disabled").await;
    let user = text(&disabled["user"]["user_id"]);
    world.add_member(&user, "admin").await;
    let operator = format!("Bearer {}", token("ops", &[("t_system", Role::Admin)]));
    let path = format!("/users/{user}/disable");
    assert_eq!(ask(world.server.address, "POST", &path, &[("Authorization", &operator)], None).await.status, 204);
    all.push(account("a disabled admin", &disabled, invalid));

    // Accounts of another issuer: one whom its rules make a member, one without a membership, one who was removed here.
    let external = |name, sub, groups, expected| Caller {
        account: true,
        ..caller(name, Some(external_issuer::token(sub, groups)), expected)
    };
    all.push(external("an external member", "e-1", &["acme-members"], Ok(Role::Member)));
    all.push(external("an external stranger", "e-2", &[], forbidden));
    world.add_member("e-3", "viewer").await;
    world.delete("/tenants/t_acme/members/e-3").await;
    all.push(external("an external member who was removed", "e-3", &["acme-members"], forbidden));
    all
}
