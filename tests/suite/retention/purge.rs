//! Removal of a tenant with all its data.

use engines::{
    ActorType, Code, Engine, Env, RequestContext, Role, Scope, TenantId,
    archive::{ExportOptions, ImportOptions},
    auth::{
        AuthInput, FieldValues,
        identity::{Caller, SignupRequest, TenantRequest, TenantStatus},
    },
    core::{
        audit::AuditFilter,
        nexus::{DocumentKind, DocumentQuery},
        testing::{ManualClock, context, context_in},
    },
    prelude::*,
};
use serde_json::json;

use super::{days, engines, event};

const CANARY: &str = "vqkxzj";

/// A tenant with an object of each kind, its owner, and the owner's access token.
struct FilledTenant {
    tenant: TenantId,
    owner: RequestContext,
    token: String,
}

async fn filled_tenant(engine: &Engine) -> FilledTenant {
    let identity = engine.identity().unwrap();
    let anybody = context("t_any", "anybody", Role::Viewer).unwrap();
    let signup = json!({ "email": "eve@example.org", "password": "plum-Lantern-77 quiet", "tenant_name": "Acme" });
    let signup: SignupRequest = serde_json::from_value(signup).unwrap();
    let caller = Caller { address: None, user_agent: None, trace: anybody.trace() };
    let tokens = identity.signup(signup, caller).await.unwrap();
    let tenant = tokens.tenant.unwrap().tenant_id;
    let user = tokens.user.user_id.to_string();
    let owner = context(tenant.as_str(), &user, Role::Owner).unwrap();
    let name: TenantRequest = serde_json::from_value(json!({ "name": format!("Acme {CANARY}") })).unwrap();
    identity.rename_tenant(&owner, &tenant, name).await.unwrap();
    let invite = serde_json::from_value(json!({ "role": "viewer" })).unwrap();
    identity.create_invite(&owner, &tenant, invite).await.unwrap();
    let key = serde_json::from_value(json!({ "name": CANARY, "role": "viewer" })).unwrap();
    identity.api_keys().create(&owner, key).await.unwrap();
    for env in [Env::Dev, Env::Prod] {
        let who = context_in(tenant.as_str(), env, &user, ActorType::Human, Role::Owner).unwrap();
        let thread = NewThread { title: Some(CANARY.into()), ..NewThread::default() };
        let thread = engine.chat().create_thread(&who, thread).await.unwrap();
        engine.chat().post(&who, &thread.thread_id, NewMessage::text(CANARY)).await.unwrap();
        engine.events().record(&who, event(1)).await.unwrap();
    }
    FilledTenant { tenant, owner, token: tokens.access_token.expose().to_owned() }
}

/// Everything a store still holds of the tenant, except its owner's account.
async fn remaining_data(engine: &Engine, tenant: &TenantId) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = engine.backend().scopes(after.as_ref(), 10).await.unwrap();
        found.extend(page.iter().filter(|scope| scope.tenant() == tenant).map(|scope| format!("scope {scope}")));
        let Some(last) = page.last().cloned() else { break };
        after = Some(last);
    }
    let system = Scope::system().unwrap();
    for kind in ["identity_member", "identity_invite", "identity_api_key", "identity_quota", "identity_tenant"] {
        let query = DocumentQuery::of_kind(DocumentKind::new(kind).unwrap());
        let documents = engine.store().query(&system, &query, PageRequest::first(500)).await.unwrap().items;
        let of_tenant = documents.iter().filter(|document| document.body.get().contains(tenant.as_str()));
        found.extend(of_tenant.map(|document| format!("{kind} {}", document.body.get())));
    }
    found
}

#[tokio::test]
async fn a_deleted_tenant_is_closed_at_once_purged_after_the_grace_period_and_its_id_is_not_reused() {
    let clock = ManualClock::default();
    for (engine, _folder) in engines(&clock).await {
        let FilledTenant { tenant, owner, .. } = filled_tenant(&engine).await;
        let identity = engine.identity().unwrap();
        let admin = context(tenant.as_str(), "ada", Role::Admin).unwrap();
        assert_eq!(identity.purge_tenant(&admin, &tenant).await.unwrap_err().code(), Code::RoleInsufficient);
        let asked = identity.purge_tenant(&owner, &tenant).await.unwrap();
        assert_eq!(asked.status, TenantStatus::Disabled);
        assert_eq!(asked.purge_at.unwrap().since(engine.guard().clock().now()), days(7));
        assert_eq!(engine.apply_retention().await.unwrap().tenants, 0);
        assert!(remaining_data(&engine, &tenant).await.len() > 5);

        let archive = engine.store().archive().unwrap();
        let archives = engine.tenant_archives().unwrap().unwrap();
        let exported = archives.export(&owner, ExportOptions::default(), Vec::new()).await.unwrap().0;
        // The remains of an import that was killed.
        for env in Env::ALL {
            archive.stage(&Scope::new(tenant.clone(), env), Vec::new(), "import").await.unwrap();
        }
        clock.advance(days(7));
        let pass = engine.apply_retention().await.unwrap();
        assert_eq!((pass.tenants, pass.failed), (1, 0));
        assert_eq!(archive.staged().await.unwrap(), []);
        let system = engine.system(Scope::system().unwrap(), "a test").unwrap();
        let options = ImportOptions { new_log: true, ..ImportOptions::default() };
        // The id is checked before the records are read, so an archive without its end is refused for the same reason.
        for archive in [exported[..exported.len() * 3 / 4].to_vec(), exported] {
            let refused = archives.import(&system, std::io::Cursor::new(archive), options.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
            assert!(refused.detail().contains("was purged"), "{refused}");
        }
        assert_eq!(archive.staged().await.unwrap(), []);
        let left = remaining_data(&engine, &tenant).await;
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].starts_with("identity_tenant") && left[0].contains("purged"), "{left:?}");
        assert!(!left[0].contains(CANARY), "{left:?}");

        let operator = context("t_system", "ops", Role::Owner).unwrap();
        assert_eq!(identity.resume_tenant(&operator, &tenant).await.unwrap_err().code(), Code::OpInvalid);
        let system = engine.system(Scope::system().unwrap(), "a test").unwrap();
        let filter = AuditFilter { action: Some("tenants.purge".into()), ..AuditFilter::default() };
        let entries = engine.audit().entries(&system, &filter, PageRequest::first(9)).await.unwrap().items;
        let resources: Vec<_> = entries.iter().map(|entry| entry.resource.clone()).collect();
        assert_eq!(resources, [format!("tenants/{tenant}")]);
        assert_eq!(engine.apply_retention().await.unwrap().tenants, 0);
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn an_owner_or_the_control_plane_can_cancel_a_tenant_deletion() {
    let clock = ManualClock::default();
    for (engine, _folder) in engines(&clock).await {
        let FilledTenant { tenant, owner, token } = filled_tenant(&engine).await;
        let identity = engine.identity().unwrap();
        let trace = owner.trace().clone();
        let bearer = format!("Bearer {token}");
        let presented = AuthInput { authorization: FieldValues::one(&bearer), ..AuthInput::default() };
        let eve = engine.admission().authenticate(&presented).await.unwrap();
        assert_eq!(identity.cancel_purge(&eve, &tenant, &trace).await.unwrap_err().code(), Code::NotFound);
        identity.purge_tenant(&owner, &tenant).await.unwrap();
        let opened = identity.cancel_purge(&eve, &tenant, &trace).await.unwrap();
        assert_eq!((opened.status, opened.purge_at), (TenantStatus::Active, None));
        // By the control plane.
        identity.purge_tenant(&owner, &tenant).await.unwrap();
        let operator = context("t_system", "ops", Role::Owner).unwrap();
        let opened = identity.resume_tenant(&operator, &tenant).await.unwrap();
        assert_eq!((opened.status, opened.purge_at), (TenantStatus::Active, None));
        clock.advance(days(30));
        assert_eq!(engine.apply_retention().await.unwrap().tenants, 0);
        assert!(remaining_data(&engine, &tenant).await.len() > 5);
        engine.shutdown().await;
    }
}
