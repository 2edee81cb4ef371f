//! Signup and login.

use engines::auth::identity::{IdentitySettings, Signup};
use engines_server::HttpSettings;
use serde_json::json;

use crate::{
    fixture::{PASSWORD, world, world_of},
    support,
};

#[tokio::test]
async fn signing_up_gives_tokens_and_a_tenant() {
    let world = world().await;
    let body =
        json!({ "email": "Ada@Example.org", "password": PASSWORD, "display_name": "Ada", "tenant_name": "Ada's" });
    let answer = world.post("/auth/signup", body).header("user-agent", "a browser").send().await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.ok(201);
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(tokens["expires_in"], 900);
    assert_eq!(tokens["user"]["email"], "ada@example.org");
    assert_eq!(tokens["user"]["display_name"], "Ada");
    assert_eq!(
        tokens["memberships"],
        json!([{
            "tenant_id": tokens["tenant"]["tenant_id"], "name": "Ada's", "role": "owner",
        }])
    );
    let tenant = tokens["tenant"]["tenant_id"].as_str().unwrap();
    assert_eq!(world.look(tokens["access_token"].as_str().unwrap(), tenant).await, 200);

    let me = world.ask("GET", "/auth/me").bearer(tokens["access_token"].as_str().unwrap()).send().await.ok(200);
    assert_eq!(
        (&me["user"], &me["tenant"], &me["memberships"]),
        (&tokens["user"], &tokens["tenant"], &tokens["memberships"])
    );
    let state = world.ask("GET", "/auth/bootstrap").bearer(tokens["access_token"].as_str().unwrap());
    let state = state.send().await.ok(200);
    assert_eq!((&state["user"], &state["bootstrapped"]), (&tokens["user"], &json!(false)));
    assert_eq!(state["envs"], json!(["dev", "staging", "prod"]));
}

#[tokio::test]
async fn invalid_signups_name_the_field() {
    let world = world().await;
    for (body, field) in [
        (json!({ "password": PASSWORD }), "/email"),
        (json!({ "email": "ada@example.org" }), "/password"),
        (json!({ "email": 7, "password": PASSWORD }), "/email"),
        (json!({ "email": "no address", "password": PASSWORD }), "email"),
        (json!({ "email": "ada@example.org", "password": "short" }), "password"),
        (json!({ "email": "ada@example.org", "password": "password1234" }), "password"),
        (json!({ "email": "ada@example.org", "password": "ada@example.org" }), "password"),
        (json!({ "email": "ada@example.org", "password": PASSWORD, "tenant_name": "" }), "tenant_name"),
        (json!({ "email": "ada@example.org", "password": PASSWORD, "display_name": "x".repeat(201) }), "display_name"),
        (json!([]), ""),
    ] {
        let answer = world.post("/auth/signup", body.clone()).send().await;
        assert_eq!(answer.refusal(), (400, "BODY_INVALID"), "{body}");
        assert_eq!(
            answer.body["field"].as_str().unwrap().trim_start_matches('/'),
            field.trim_start_matches('/'),
            "{body}"
        );
        assert!(!answer.body.to_string().contains(PASSWORD), "{answer:?}");
    }
    world.signup("ada").await;
    world.verify("ada").await;
    let again = json!({ "email": "ADA@example.org", "password": PASSWORD });
    assert_eq!(world.post("/auth/signup", again).send().await.refusal(), (409, "ALREADY_EXISTS"));
    let form = world.post("/auth/signup", json!({})).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.send().await.refusal(), (415, "MEDIA_TYPE_UNSUPPORTED"));
    let huge = json!({ "email": "x".repeat(2 << 20), "password": PASSWORD });
    assert_eq!(world.post("/auth/login", huge).send().await.refusal(), (413, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_answer_alike() {
    let world = world().await;
    let ada = world.signup("ada").await;
    assert_eq!(world.login("ada").await.id, ada.id);
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.org", "not the password"),
        ("nobody@example.org", PASSWORD),
        ("no address at all", PASSWORD),
        ("", ""),
    ] {
        let answer = world.post("/auth/login", json!({ "email": email, "password": password })).send().await;
        assert_eq!(answer.refusal(), (401, "CREDENTIALS_INVALID"), "{email}");
        let mut body = answer.body;
        body["request_id"] = json!(null);
        answers.push(body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn signup_can_be_limited_to_invited_users() {
    let settings = IdentitySettings { signup: Signup::Invite, ..support::identity() };
    let world = world_of(support::builder().identity(settings), HttpSettings::default()).await;
    let body = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(world.post("/auth/signup", body).send().await.refusal(), (403, "ROLE_INSUFFICIENT"));
    let root = support::token_at(std::sync::Arc::new(world.clock.clone()), "root", &[("t_acme", engines::Role::Owner)]);
    let invite = world.post("/tenants/t_acme/invites", json!({ "role": "member" })).bearer(&root).within("t_acme");
    let token = invite.send().await.ok(201)["token"].clone();
    let body = json!({ "token": token, "email": "ada@example.org", "password": PASSWORD });
    let tokens = world.post("/auth/invites/accept", body).send().await.ok(200);
    assert_eq!(tokens["memberships"][0]["tenant_id"], "t_acme");
}

#[tokio::test]
async fn an_engine_without_accounts_returns_a_clear_error() {
    let store = std::sync::Arc::new(engines::storage::MemoryStore::new(&engines::IdGenerator::seeded(1)));
    let builder = engines::Engine::builder().store(store).signing_secret(support::secret());
    let world = world_of(builder, HttpSettings::default()).await;
    let body = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(world.post("/auth/signup", body).send().await.refusal(), (404, "NOT_FOUND"));
}
