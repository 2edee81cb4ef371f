//! Every route, requested by all callers. The expected answers come from the tables of routes and actions, so that a
//! new route is tested as soon as it exists.
#![expect(clippy::unwrap_used, reason = "tests")]

mod external_issuer;
mod fixture;
#[path = "../../engines-server/tests/support/mod.rs"]
mod support;
mod tickets;

use engines::{Action, Role, auth::mail::MailPurpose};
use engines_server::routes::{self, BodyKind, RouteAccess};
use fixture::{IsolationFixture, PathIds, all_callers};
use serde_json::{Value, json};
use support::{ask, token};

/// Routes that would end the credentials used for the next ones; see the tests of sessions and accounts.
const ROUTES_ENDING_THE_CALLER: [(&str, &str); 3] =
    [("POST", "/auth/logout"), ("DELETE", "/auth/sessions"), ("DELETE", "/auth/me")];

/// Routes about an account of this deployment.
const ACCOUNT_ROUTES: [(&str, &str); 7] = [
    ("POST", "/tenants"),
    ("PATCH", "/auth/me"),
    ("DELETE", "/auth/me"),
    ("POST", "/auth/password"),
    ("POST", "/auth/verify/request"),
    ("POST", "/auth/email"),
    ("PUT", "/auth/me/default-tenant"),
];

/// Routes about a person: an API key has no invites.
const PERSON_ROUTES: [&str; 2] = ["/auth/invites", "/auth/invites/decline"];

#[tokio::test]
async fn every_route_authorizes_every_caller_by_the_action_table() {
    let world = IsolationFixture::new().await;
    let callers = all_callers(&world).await;
    let mut asked = 0;
    for route in routes::all() {
        for caller in &callers {
            let expected = match (route.access, caller.expected) {
                (RouteAccess::Public, _) | (RouteAccess::Guest, Err((_, "TOKEN_MISSING"))) => Ok(()),
                (_, Err((401, code))) => Err((401, code)),
                // A caller with a token accepts without an address; see the tests of invites.
                (RouteAccess::Guest, _) => continue,
                // It would end the credentials used for the next routes; see the tests of sessions.
                (RouteAccess::Token, _)
                    if ROUTES_ENDING_THE_CALLER.contains(&(route.method.as_str(), route.path)) && caller.account =>
                {
                    continue;
                }
                // No caller has this session; see the tests of sessions.
                (RouteAccess::Token, _) if ["/auth/sessions/{id}", "/auth/purges/{id}"].contains(&route.path) => {
                    Err((404, "NOT_FOUND"))
                }
                // Callers whose session or account would end; also a tenant's first owner.
                (RouteAccess::Token, _)
                    if ACCOUNT_ROUTES.contains(&(route.method.as_str(), route.path)) && !caller.account =>
                {
                    Err((401, "TOKEN_INVALID"))
                }
                (RouteAccess::Token, _) if PERSON_ROUTES.contains(&route.path) && caller.name.ends_with("key") => {
                    Err((401, "TOKEN_INVALID"))
                }
                (RouteAccess::Token, _) if PERSON_ROUTES.contains(&route.path) && caller.name == "a key elsewhere" => {
                    Err((401, "TOKEN_INVALID"))
                }
                // The caller has no invite with this id, and no caller is a member of this tenant.
                (RouteAccess::Token, _) if route.path == "/auth/invites/decline" => Err((404, "NOT_FOUND")),
                (RouteAccess::Token, _) if route.path == "/auth/me/default-tenant" => Err((403, "TENANT_FORBIDDEN")),
                // Their issuer manages their address.
                (RouteAccess::Token, _)
                    if ["/auth/verify/request", "/auth/email"].contains(&route.path)
                        && caller.name.starts_with("an external") =>
                {
                    Err((422, "OP_INVALID"))
                }
                (RouteAccess::Token, _) if route.path == "/auth/email" => Err((401, "CREDENTIALS_INVALID")),
                // A wrong password, so that no password changes; users of another issuer have none here.
                (RouteAccess::Token, _) if route.path == "/auth/password" && caller.name.starts_with("an external") => {
                    Err((422, "OP_INVALID"))
                }
                (RouteAccess::Token, _) if route.path == "/auth/password" => Err((401, "CREDENTIALS_INVALID")),
                (RouteAccess::Token, _) => Ok(()),
                // No caller is in t_system.
                (RouteAccess::Operator, _) => Err((403, "TENANT_FORBIDDEN")),
                (RouteAccess::Action(_), Err(refusal)) => Err(refusal),
                (RouteAccess::Action(action), Ok(role)) if role < action.spec().min_role => {
                    Err((403, "ROLE_INSUFFICIENT"))
                }
                // Another user created it.
                (RouteAccess::Action(Action::ChatThreadDelete | Action::CanvasDelete), Ok(Role::Member)) => {
                    Err((403, "ROLE_INSUFFICIENT"))
                }
                // The body names ada; all other callers may only name themselves.
                (RouteAccess::Action(Action::TrainPrefsSet), Ok(_))
                    if route.method == "POST" && !["viewer", "member", "admin"].contains(&caller.name) =>
                {
                    Err((403, "USER_MISMATCH"))
                }
                // These callers have a membership to lose; see the tests of members.
                (RouteAccess::Action(Action::TenantsLeave), Ok(_))
                    if caller.account || caller.name == "a demoted owner" =>
                {
                    continue;
                }
                (RouteAccess::Action(Action::TenantsLeave), Ok(_)) => Err((404, "NOT_FOUND")),
                // A key reaches itself and the keys made with it; the target is another one.
                (RouteAccess::Action(Action::ApiKeysManage), Ok(_))
                    if route.path.contains("/{id}") && caller.name.ends_with("key") =>
                {
                    Err((403, "ROLE_INSUFFICIENT"))
                }
                // A key raises no roles, because these would outlast it.
                (RouteAccess::Action(Action::MembersManage), Ok(_))
                    if route.method == "PATCH" && caller.name.ends_with("key") =>
                {
                    Err((403, "ROLE_INSUFFICIENT"))
                }
                // The caller has not created it.
                (RouteAccess::Action(Action::TicketsEnd), Ok(_)) => Err((404, "NOT_FOUND")),
                (RouteAccess::Action(_), Ok(_)) => Ok(()),
            };
            let ids = world.create_target(route).await;
            let answer = world.call(route, caller.token.as_deref(), caller.tenant, &ids).await;
            let told = format!("{route:?} by {}: {}", caller.name, String::from_utf8_lossy(&answer.body));
            match expected {
                Ok(()) => assert_eq!(answer.status, route.doc.status, "{told}"),
                Err((status, code)) => {
                    assert_eq!(answer.status, status, "{told}");
                    assert_eq!(answer.code(), code, "{told}");
                    assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{told}");
                    assert_eq!(answer.json()["decision_id"].is_string(), status == 403, "{told}");
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 1000, "the matrix has lost its size: {asked}");
}

#[tokio::test]
async fn what_is_another_tenants_cannot_be_told_from_what_does_not_exist() {
    let world = IsolationFixture::new().await;
    // In t_other, acme's ids mean nothing, even to a user who is an owner everywhere.
    let ada = token("ada", &[("t_acme", Role::Owner), ("t_other", Role::Owner)]);
    let without_ids = |mut problem: Value| {
        problem["request_id"] = Value::Null;
        problem
    };
    let of_actions = || routes::all().filter(|route| matches!(route.access, RouteAccess::Action(_)));
    let mut with_ids = 0;
    for route in of_actions().filter(|route| route.path.replace("{t}", "").contains('{')) {
        // A PUT creates the object where it does not exist.
        if route.method == "PUT" {
            continue;
        }
        let ids = world.create_target(route).await;
        let theirs = world.call(route, Some(&ada), "t_other", &ids).await;
        let nothing = PathIds { thing: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(), user: "nobody-at-all".into() };
        let nobodys = world.call(route, Some(&ada), "t_other", &nothing).await;
        assert_eq!((theirs.status, theirs.code().as_str()), (404, "NOT_FOUND"), "{route:?}");
        assert_eq!(without_ids(theirs.json()), without_ids(nobodys.json()), "{route:?}");
        with_ids += 1;
    }
    assert!(with_ids > 20, "the table has lost its routes");
    for route in of_actions().filter(|route| route.doc.response.is_some_and(|name| name.ends_with("Page"))) {
        if route.path.contains("{id}") || route.path.contains("{*") {
            continue;
        }
        world.add_member(&format!("m{with_ids}"), "viewer").await;
        world.create("POST", "/tenants/t_acme/invites", json!({ "role": "viewer" })).await;
        world.api_key("viewer").await;
        with_ids += 1;
        let ids = world.create_target(route).await;
        let theirs = world.call(route, Some(&ada), "t_other", &ids).await;
        assert_eq!(theirs.json()["items"], json!([]), "{route:?}");
        let own = world.call(route, Some(&ada), "t_acme", &ids).await;
        assert!(!own.json()["items"].as_array().unwrap().is_empty(), "{route:?}");
    }
}

#[tokio::test]
async fn invites_and_mailed_tokens_work_only_for_their_recipient() {
    let world = IsolationFixture::new().await;
    let invite = world.invite("carol", "admin").await;
    let send = async |method: &str, path: &str, bearer: Option<&str>, body: Value| {
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        ask(world.server.address, method, path, &headers, Some(body.to_string().as_bytes())).await
    };
    let without_ids = |mut problem: Value| {
        problem["request_id"] = Value::Null;
        problem
    };
    // An owner of another tenant, and of this one, a member, an account with a verified address, a user of another
    // issuer.
    let eve = fixture::sign_up(&world.server, "eve").await;
    let token_of_eve = world.mailed_token("eve@example.org", MailPurpose::Verify).await;
    assert_eq!(send("POST", "/auth/verify", None, json!({ "token": token_of_eve })).await.status, 204);
    let strangers = [
        token("ada", &[("t_acme", Role::Owner), ("t_other", Role::Owner)]),
        token("ada", &[("t_acme", Role::Member)]),
        eve["access_token"].as_str().unwrap().to_owned(),
        external_issuer::token("e-9", &["acme-members"]),
    ];
    for stranger in &strangers {
        for path in ["/auth/invites/accept", "/auth/invites/decline"] {
            let theirs = send("POST", path, Some(stranger), json!({ "invite_id": invite })).await;
            let nobodys = json!({ "invite_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
            let nobodys = send("POST", path, Some(stranger), nobodys).await;
            assert_eq!((theirs.status, theirs.code().as_str()), (404, "NOT_FOUND"), "{path}");
            assert_eq!(without_ids(theirs.json()), without_ids(nobodys.json()), "{path}");
        }
        let bearer = format!("Bearer {stranger}");
        let listed = ask(world.server.address, "GET", "/auth/invites", &[("Authorization", &bearer)], None).await;
        assert_eq!(listed.json()["items"], json!([]));
    }
    // A token that was mailed to one user is rejected from another, and is not used up by that.
    fixture::sign_up(&world.server, "dave").await;
    let mailed = world.mailed_token("dave@example.org", MailPurpose::Verify).await;
    for stranger in &strangers {
        let answer = send("POST", "/auth/verify", Some(stranger), json!({ "token": mailed })).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "TOKEN_INVALID"));
    }
    assert_eq!(send("POST", "/auth/verify", None, json!({ "token": mailed })).await.status, 204);
    let carol = token("carol", &[]);
    assert_eq!(send("POST", "/auth/invites/accept", Some(&carol), json!({ "invite_id": invite })).await.status, 200);
}

#[tokio::test]
async fn the_tenant_in_the_path_must_match_the_context() {
    let world = IsolationFixture::new().await;
    let ada = token("ada", &[("t_acme", Role::Owner), ("t_other", Role::Owner)]);
    let bearer = format!("Bearer {ada}");
    let mut asked = 0;
    for route in routes::all().filter(|route| route.tenant_in_path()) {
        let ids = world.create_target(route).await;
        let path = fixture::path(route, "t_other", &ids);
        let mut body = world.body(route).await;
        let send = async |headers: &[(&str, &str)], query: &str, body: Option<&Value>| {
            let headers = [&[("Authorization", bearer.as_str()), ("X-Env", "dev")], headers].concat();
            let body = body.map(|body| serde_json::to_vec(body).unwrap());
            let path = format!("{path}{query}");
            ask(world.server.address, route.method.as_str(), &path, &headers, body.as_deref()).await
        };
        let by_header = send(&[("X-Tenant-Id", "t_acme")], "", body.as_ref()).await;
        let by_query = send(&[], "?tenant_id=t_acme", body.as_ref()).await;
        let mut all = vec![by_header, by_query];
        if route.body != BodyKind::None {
            body.as_mut().unwrap()["tenant_id"] = json!("t_acme");
            all.push(send(&[], "", body.as_ref()).await);
        }
        for answer in all {
            assert_eq!((answer.status, answer.code().as_str()), (400, "CONTEXT_MISMATCH"), "{route:?}");
            asked += 1;
        }
    }
    assert!(asked > 20, "the table has lost its routes: {asked}");
    // The path alone selects the tenant.
    let headers = [("Authorization", bearer.as_str()), ("X-Env", "dev")];
    assert_eq!(ask(world.server.address, "GET", "/tenants/t_acme", &headers, None).await.status, 200);
}

#[tokio::test]
async fn environments_are_isolated_from_each_other() {
    let world = IsolationFixture::new().await;
    world.create("PUT", "/identity/keys/mine", json!({ "secret": "sk-1" })).await;
    let bearer = format!("Bearer {}", world.root);
    let paths =
        ["/chat/threads/mine", "/canvas/mine", "/canvas/mine/snapshot", "/presence/canvas/mine", "/identity/keys/mine"];
    for (env, status) in [("dev", 200), ("DEV", 200), ("prod", 404), ("staging", 404), ("stage", 404), ("moon", 400)] {
        let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", env)];
        for path in paths {
            assert_eq!(ask(world.server.address, "GET", path, &headers, None).await.status, status, "{path} in {env}");
        }
    }
}

#[tokio::test]
async fn control_plane_routes_require_a_control_plane_admin() {
    let world = IsolationFixture::new().await;
    let address = world.server.address;
    for (role, status) in [(Role::Member, 403), (Role::Admin, 200), (Role::Owner, 200)] {
        let bearer = format!("Bearer {}", token("ops", &[("t_system", role)]));
        for path in ["/metrics", "/tenants"] {
            let answer = ask(address, "GET", path, &[("Authorization", &bearer)], None).await;
            assert_eq!(answer.status, status, "{role:?} {path}");
            if status == 403 {
                assert_eq!(answer.code(), "ROLE_INSUFFICIENT");
            } else if path == "/metrics" {
                let text = String::from_utf8(answer.body).unwrap();
                let refused = "engines_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"403\"} 1";
                assert!(text.contains(refused) && !text.contains("t_system"), "{text}");
            } else {
                assert_eq!(answer.json()["items"][0]["tenant_id"], "t_acme");
            }
        }
    }
    // Admins of the control plane see no tenant's content, and manage no tenant's members.
    let bearer = format!("Bearer {}", token("ops", &[("t_system", Role::Owner)]));
    let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    for route in routes::all().filter(|route| matches!(route.access, RouteAccess::Action(_))) {
        if route.method == "GET" && !route.stream {
            let path = fixture::path(route, "t_acme", &PathIds { thing: "mine".into(), user: "u".into() });
            assert_eq!(ask(address, "GET", &path, &headers, None).await.code(), "TENANT_FORBIDDEN", "{route:?}");
        }
    }
    // Once the store has removed a membership, no claim restores it.
    let system = json!({}).to_string();
    let key = [("X-System-Key", support::SYSTEM_KEY)];
    assert_eq!(ask(address, "POST", "/auth/bootstrap/tenants", &key, Some(system.as_bytes())).await.status, 200);
    let ops = token("ops", &[("t_system", Role::Owner)]);
    let manage = async |method: &str, path: &str, body: Option<&Value>| {
        let bearer = format!("Bearer {ops}");
        let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_system"), ("X-Env", "prod")];
        let body = body.map(|body| serde_json::to_vec(body).unwrap());
        ask(address, method, path, &headers, body.as_deref()).await.status
    };
    let gone = json!({ "user_id": "gone", "role": "admin" });
    assert_eq!(manage("POST", "/tenants/t_system/members", Some(&gone)).await, 202);
    let bearer = format!("Bearer {}", token("gone", &[]));
    let own = ask(address, "GET", "/auth/invites", &[("Authorization", &bearer)], None).await.json();
    let accept = json!({ "invite_id": own["items"][0]["invite_id"] }).to_string();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let accepted = ask(address, "POST", "/auth/invites/accept", &headers, Some(accept.as_bytes())).await;
    assert_eq!(accepted.status, 200);
    assert_eq!(manage("DELETE", "/tenants/t_system/members/gone", None).await, 204);
    let bearer = format!("Bearer {}", token("gone", &[("t_system", Role::Owner)]));
    for path in ["/metrics", "/tenants"] {
        let answer = ask(address, "GET", path, &[("Authorization", &bearer)], None).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "TENANT_FORBIDDEN"), "{path}");
    }
}
