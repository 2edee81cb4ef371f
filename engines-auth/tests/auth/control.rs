//! Rate limits and open streams, enforced by a guard.

use std::{sync::Arc, time::Duration};

use engines_auth::control::{ClassRates, OpenStreams, RateSettings, RequestLimiter};
use engines_core::{
    Action, Actor, ActorType, Clock, Code, Env, Guard, IdGenerator, Principal, RequestContext, Role, Scope, TenantId,
    Trace, UserId,
    access::RateClass,
    gate::{AllowAll, RateLimit, RateSubject},
    testing::ManualClock,
};
use futures_util::FutureExt;

/// The issuer that marks principals of API keys.
const KEY: &str = engines_auth::api_key::ISSUER;

fn settings() -> RateSettings {
    let tight = ClassRates {
        user_per_second: 2,
        user_burst: 4,
        key_per_second: 2,
        key_burst: 6,
        tenant_per_second: 2,
        tenant_burst: 8,
    };
    let release = ClassRates { tenant_per_second: 0, ..tight };
    RateSettings { write: tight, read: tight, release, manage: tight, ..RateSettings::default() }
}

struct World {
    guard: Guard,
    clock: ManualClock,
}

fn world(settings: RateSettings) -> World {
    let clock = ManualClock::default();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let rates = Arc::new(RequestLimiter::new(settings, Arc::clone(&shared)));
    let guard = Guard::new(Arc::new(AllowAll), shared, IdGenerator::seeded(5)).with_rate_limit(rates);
    World { guard, clock }
}

fn context(tenant: &str, user: &str, issuer: &str) -> RequestContext {
    let tenant = TenantId::new(tenant).unwrap();
    let actor = Actor { id: UserId::new(user).unwrap(), kind: ActorType::Human };
    let mut principal = Principal::assume_verified(actor, issuer);
    principal.memberships.insert(tenant.clone(), Role::Owner);
    let clock = ManualClock::default();
    let trace = Trace::begin(&clock, &IdGenerator::seeded(1));
    RequestContext::admit_verified(&principal, Scope::new(tenant, Env::Dev), trace).unwrap()
}

impl World {
    /// Returns the number of admitted calls before the first refusal, and that refusal.
    fn until_refused(&self, context: &RequestContext, action: Action) -> (usize, engines_core::Error) {
        for passed in 0..1000 {
            if let Err(error) = self.guard.admit(context, action, "").now_or_never().unwrap() {
                return (passed, error);
            }
        }
        panic!("nothing limits {action}");
    }

    fn passes(&self, context: &RequestContext, action: Action) -> bool {
        self.guard.admit(context, action, "").now_or_never().unwrap().is_ok()
    }
}

#[test]
fn a_user_has_a_burst_then_a_rate_and_rejected_requests_are_not_charged() {
    let world = world(settings());
    let ada = context("t_acme", "ada", "engines");
    let (passed, refused) = world.until_refused(&ada, Action::ChatMessagePost);
    assert_eq!((passed, refused.code()), (4, Code::RateLimited));
    assert_eq!(refused.retry_after(), Some(Duration::from_millis(500)));
    assert_eq!(refused.member("limit"), Some(&4.into()));
    assert_eq!(refused.member("limited"), Some(&"user".into()));
    assert_eq!(refused.member("rate_class"), Some(&"write".into()));
    assert!(refused.member("decision_id").is_some());
    for _ in 0..10 {
        assert!(!world.passes(&ada, Action::ChatMessagePost));
    }
    world.clock.advance(Duration::from_millis(499));
    assert!(!world.passes(&ada, Action::ChatMessagePost));
    world.clock.advance(Duration::from_millis(1));
    assert!(world.passes(&ada, Action::ChatMessagePost));
    assert!(!world.passes(&ada, Action::ChatMessagePost));
    // Other classes and other users are counted separately.
    assert!(world.passes(&ada, Action::ChatThreadRead));
    assert!(world.passes(&context("t_acme", "bob", "engines"), Action::ChatMessagePost));
    // A user in two tenants has one limit.
    assert!(!world.passes(&context("t_other", "ada", "engines"), Action::ChatMessagePost));
}

#[test]
fn a_tenants_users_and_keys_share_its_rate_limit() {
    let world = world(settings());
    let users = ["ada", "bob"].map(|user| context("t_acme", user, "engines"));
    for user in &users {
        assert_eq!(world.until_refused(user, Action::ChatMessagePost).0, 4);
    }
    let late = context("t_acme", "carol", "engines");
    let (passed, refused) = world.until_refused(&late, Action::ChatMessagePost);
    assert_eq!((passed, refused.member("limited")), (0, Some(&"tenant".into())));
    // A request that the tenant's limit refuses does not count for its user.
    let subject = RateSubject { tenant: None, ..RateSubject::of_context(&late).unwrap() };
    assert_eq!(world.guard.rate_status(&subject, RateClass::Write).unwrap().remaining, 4);
    let key = context("t_acme", "ak_1", KEY);
    assert_eq!(world.until_refused(&key, Action::ChatMessagePost).0, 0);
    assert_eq!(world.until_refused(&context("t_other", "ak_2", KEY), Action::ChatMessagePost).0, 6);
}

#[test]
fn release_actions_are_not_starved_by_other_requests() {
    let world = world(settings());
    let ada = context("t_acme", "ada", "engines");
    for user in ["ada", "bob", "carol", "dave"] {
        let user = context("t_acme", user, "engines");
        world.until_refused(&user, Action::ApiKeysManage);
        world.until_refused(&user, Action::ChatMessagePost);
    }
    for _ in 0..4 {
        assert!(world.guard.admit_release(&ada, Action::ApiKeysManage).is_ok());
    }
    // The class has its own limit, and calls of other users do not reduce it.
    assert_eq!(world.guard.admit_release(&ada, Action::ApiKeysManage).unwrap_err().code(), Code::RateLimited);
    assert!(world.guard.admit_release(&context("t_acme", "bob", "engines"), Action::MembersManage).is_ok());
    let viewer = engines_core::testing::context("t_acme", "vic", Role::Viewer).unwrap();
    assert_eq!(world.guard.admit_release(&viewer, Action::ApiKeysManage).unwrap_err().code(), Code::RoleInsufficient);
}

#[test]
fn rate_status_is_reported_and_in_process_work_is_not_limited() {
    let world = world(settings());
    let ada = context("t_acme", "ada", "engines");
    let status = || world.guard.rate_status(&RateSubject::of_context(&ada).unwrap(), RateClass::Write).unwrap();
    assert_eq!((status().limit, status().remaining, status().reset), (4, 4, Duration::ZERO));
    assert!(world.passes(&ada, Action::ChatMessagePost));
    assert_eq!((status().remaining, status().reset), (3, Duration::from_millis(500)));
    // The status is that of the tenant when the tenant has less left.
    for user in ["bob", "carol"] {
        let user = context("t_acme", user, "engines");
        for _ in 0..3 {
            assert!(world.passes(&user, Action::ChatMessagePost));
        }
    }
    assert_eq!((status().limit, status().remaining), (8, 1));
    let scope = Scope::new(TenantId::new("t_acme").unwrap(), Env::Dev);
    let system = RequestContext::system(scope, "a migration", &world.clock, &IdGenerator::seeded(2)).unwrap();
    for _ in 0..100 {
        assert!(world.passes(&system, Action::ChatMessagePost));
    }
    let off = self::world(RateSettings { enabled: false, ..settings() });
    for _ in 0..100 {
        assert!(off.passes(&ada, Action::ChatMessagePost));
    }
    assert!(off.guard.rate_status(&RateSubject::of_context(&ada).unwrap(), RateClass::Write).is_none());
    let rates = RequestLimiter::new(settings(), Arc::new(ManualClock::default()));
    assert!(rates.check(&RateSubject::of_context(&ada).unwrap(), RateClass::Write).is_ok());
}

#[test]
fn open_streams_are_counted_by_user_key_and_tenant_until_they_end() {
    let world = world(settings());
    let settings =
        RateSettings { streams_per_user: 2, streams_per_key: 3, streams_per_tenant: 4, ..RateSettings::default() };
    let streams = OpenStreams::new(settings);
    let enter = |context: &RequestContext| streams.acquire(context, &world.guard);
    let (ada, bob, key) =
        (context("t_acme", "ada", "engines"), context("t_acme", "bob", "engines"), context("t_acme", "ak_1", KEY));
    let (acme, id) = (ada.scope().tenant().clone(), ada.actor().id.clone());
    let first = enter(&ada).unwrap();
    let _second = enter(&ada).unwrap();
    let refused = enter(&ada).unwrap_err();
    assert_eq!((refused.code(), refused.member("limited")), (Code::RateLimited, Some(&"user".into())));
    assert!(refused.member("decision_id").is_some());
    let keys: Vec<_> = (0..2).map(|_| enter(&key).unwrap()).collect();
    assert_eq!((streams.actor_count(&id), streams.tenant_count(&acme)), (2, 4));
    assert_eq!(enter(&bob).unwrap_err().member("limited"), Some(&"tenant".into()));
    assert!(enter(&context("t_other", "bob", "engines")).is_ok());
    drop(first);
    assert_eq!((streams.actor_count(&id), streams.tenant_count(&acme)), (1, 3));
    let third = enter(&bob).unwrap();
    drop((keys, third));
    assert_eq!(streams.tenant_count(&acme), 1);
    // A stream ends also with a panic, and with the task that holds it.
    let held = enter(&ada).unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = held;
        panic!("as it was told");
    }));
    assert!(ended.is_err());
    assert_eq!(streams.actor_count(&id), 1);
}
