//! Key slots through the public API: sealed at rest, bound to their place, never returned.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use engines_auth::key_slot::{KEY_SLOT, KeySlots, SealKeys, SlotSecret};
use engines_core::{
    Batch, Code, DocId, Env, Guard, IdGenerator, Limits, RequestContext, ResourceId, Role, Store,
    audit::AuditFilter,
    context::ActorType,
    gate::AllowAll,
    nexus::{Document, Expect, NewDocument, PageRequest},
    testing::{ManualClock, context, context_in},
};
use engines_storage::MemoryStore;
use futures_util::FutureExt;

const SECRET: &str = "sk-live-0123456789-never-to-be-seen";

/// 32 bytes that look random, different for each seed.
fn key(seed: u8) -> [u8; 32] {
    engines_core::IdGenerator::seeded(u64::from(seed)).bytes()
}

fn slots_with(store: &Arc<MemoryStore>, keys: SealKeys) -> KeySlots {
    let guard = Guard::new(Arc::new(AllowAll), Arc::new(ManualClock::default()), IdGenerator::from_os().unwrap());
    KeySlots::new(Arc::clone(store) as Arc<dyn Store>, guard, Arc::new(Limits::default()), keys)
}

fn slots() -> (Arc<MemoryStore>, KeySlots) {
    let store = Arc::new(MemoryStore::new(&IdGenerator::seeded(1)));
    let slots = slots_with(&store, SealKeys::new("k1", &key(1)).unwrap());
    (store, slots)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn admin(tenant: &str) -> RequestContext {
    context(tenant, "ada", Role::Admin).unwrap()
}

fn slot(name: &str) -> ResourceId {
    ResourceId::new(name).unwrap()
}

fn secret() -> SlotSecret {
    SlotSecret::new(SECRET.into()).unwrap()
}

fn stored(store: &MemoryStore, context: &RequestContext, name: &str) -> Document {
    now(store.get(context.scope(), &KEY_SLOT, &DocId::from(slot(name)))).unwrap().unwrap()
}

/// Writes a stored body to another place, as an attacker with access to the database could.
fn plant(store: &MemoryStore, context: &RequestContext, name: &str, body: &serde_json::Value) {
    let document = NewDocument::new(KEY_SLOT, slot(name), body).unwrap();
    now(store.commit(context.scope(), Batch::new(Default::default()).put(document, Expect::Any))).unwrap();
}

#[test]
fn a_slot_secret_is_readable_in_process_only() {
    let (store, slots) = slots();
    let (ada, openai) = (admin("t_acme"), slot("openai"));
    let info = now(slots.put(&ada, &openai, &secret())).unwrap();
    assert_eq!((info.version, info.key_id.as_str(), info.updated_by.as_str()), (1, "k1", "ada"));
    assert_eq!(now(slots.open(&ada, &openai)).unwrap().expose(), SECRET);
    assert_eq!(now(slots.get(&ada, &openai)).unwrap(), info);
    assert_eq!(now(slots.list(&ada, PageRequest::first(10))).unwrap().items, std::slice::from_ref(&info));

    let other = SlotSecret::new("another".into()).unwrap();
    assert_eq!(now(slots.put(&ada, &openai, &other)).unwrap().version, 2);
    assert_eq!(now(slots.open(&ada, &openai)).unwrap().expose(), "another");
    now(slots.put(&ada, &openai, &secret())).unwrap();

    let shown = format!("{:?}{:?}{:?}{}", info, slots, secret(), serde_json::to_string(&info).unwrap());
    let document = stored(&store, &ada, "openai");
    for text in [shown.as_str(), document.body.get()] {
        for hidden in [SECRET.to_owned(), STANDARD.encode(SECRET), SECRET[8..18].to_owned()] {
            assert!(!text.contains(&hidden), "{text}");
        }
    }

    now(slots.delete(&ada, &openai)).unwrap();
    for refused in [
        now(slots.open(&ada, &openai)).unwrap_err(),
        now(slots.get(&ada, &openai)).unwrap_err(),
        now(slots.delete(&ada, &openai)).unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::NotFound);
    }
    let records = now(store.audit(ada.scope(), &AuditFilter::default(), PageRequest::first(10))).unwrap().items;
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|entry| entry.action == "key_slots.manage" && entry.resource == "key_slot/openai"));
}

#[test]
fn roles_and_tenants_are_kept_apart() {
    let (_, slots) = slots();
    let openai = slot("openai");
    now(slots.put(&admin("t_acme"), &openai, &secret())).unwrap();
    for role in [Role::Viewer, Role::Member] {
        let bob = context("t_acme", "bob", role).unwrap();
        assert_eq!(now(slots.put(&bob, &openai, &secret())).unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(now(slots.get(&bob, &openai)).unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(now(slots.list(&bob, PageRequest::first(1))).unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(now(slots.delete(&bob, &openai)).unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(now(slots.reseal(&bob)).unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(now(slots.open(&bob, &openai)).is_ok(), role == Role::Member, "members' work may use it");
    }
    let elsewhere = [admin("t_beta"), context_in("t_acme", Env::Prod, "ada", ActorType::Human, Role::Owner).unwrap()];
    for other in elsewhere {
        assert_eq!(now(slots.open(&other, &openai)).unwrap_err().code(), Code::NotFound);
        assert_eq!(now(slots.get(&other, &openai)).unwrap_err().code(), Code::NotFound);
        assert_eq!(now(slots.list(&other, PageRequest::first(9))).unwrap().items, []);
    }
}

#[test]
fn a_moved_or_modified_sealed_secret_does_not_open() {
    let (store, slots) = slots();
    let ada = admin("t_acme");
    now(slots.put(&ada, &slot("openai"), &secret())).unwrap();
    let body: serde_json::Value = stored(&store, &ada, "openai").decode().unwrap();

    let beta = admin("t_beta");
    let prod = context_in("t_acme", Env::Prod, "ada", ActorType::Human, Role::Owner).unwrap();
    for (context, name) in [(&ada, "other"), (&beta, "openai"), (&prod, "openai")] {
        plant(&store, context, name, &body);
        assert_eq!(now(slots.open(context, &slot(name))).unwrap_err().code(), Code::Internal, "{name}");
    }
    plant(&store, &ada, "openai", &body);
    assert!(now(slots.open(&ada, &slot("openai"))).is_ok());

    // The same bytes under the id of another key, even if both ids have the same key.
    let twice = SealKeys::new("k1", &key(1)).unwrap().previous("k2", &key(1)).unwrap();
    let twice = slots_with(&store, twice);
    let mut renamed = body.clone();
    renamed["key_id"] = "k2".into();
    plant(&store, &ada, "openai", &renamed);
    assert!(now(twice.open(&ada, &slot("openai"))).is_err());

    for member in ["nonce", "sealed"] {
        let good = STANDARD.decode(body[member].as_str().unwrap()).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            let mut changed = body.clone();
            changed[member] = STANDARD.encode(&bytes).into();
            plant(&store, &ada, "openai", &changed);
            assert!(now(slots.open(&ada, &slot("openai"))).is_err(), "{member} {at}");
        }
        for value in ["", "AA==", "not base64!"] {
            let mut changed = body.clone();
            changed[member] = value.into();
            plant(&store, &ada, "openai", &changed);
            assert!(now(slots.open(&ada, &slot("openai"))).is_err(), "{member} {value}");
        }
    }
}

#[test]
fn seal_keys_rotate() {
    let (store, before) = slots();
    let (ada, beta) = (admin("t_acme"), admin("t_beta"));
    for name in ["a", "b", "c"] {
        now(before.put(&ada, &slot(name), &secret())).unwrap();
    }
    now(before.put(&beta, &slot("a"), &secret())).unwrap();

    let both = SealKeys::new("k2", &key(2)).unwrap().previous("k1", &key(1)).unwrap();
    let both = slots_with(&store, both);
    assert_eq!(now(both.open(&ada, &slot("a"))).unwrap().expose(), SECRET);
    assert_eq!(now(both.put(&ada, &slot("b"), &secret())).unwrap().key_id, "k2");
    assert_eq!(now(both.reseal(&ada)).unwrap(), 2);
    assert_eq!(now(both.reseal(&ada)).unwrap(), 0);

    let after = slots_with(&store, SealKeys::new("k2", &key(2)).unwrap());
    for name in ["a", "b", "c"] {
        assert_eq!(now(after.open(&ada, &slot(name))).unwrap().expose(), SECRET);
    }
    assert_eq!(now(after.open(&beta, &slot("a"))).unwrap_err().code(), Code::Internal, "not resealed yet");
    assert_eq!(now(both.reseal(&beta)).unwrap(), 1);
    assert!(now(after.open(&beta, &slot("a"))).is_ok());
}

#[test]
fn the_same_secret_is_never_sealed_the_same() {
    let (store, slots) = slots();
    let ada = admin("t_acme");
    let seals: std::collections::BTreeSet<String> = (0..50)
        .map(|_| {
            now(slots.put(&ada, &slot("a"), &secret())).unwrap();
            stored(&store, &ada, "a").body.get().to_owned()
        })
        .collect();
    assert_eq!(seals.len(), 50);
}

#[test]
fn keys_and_secrets_have_limits() {
    let good = STANDARD.encode(key(1));
    assert!(SealKeys::parse(&format!("k1:{good}")).is_ok());
    let many: Vec<_> = (0..9).map(|at| format!("k{at}:{}", STANDARD.encode(key(at)))).collect();
    assert!(SealKeys::parse(&many[..8].join(",")).is_ok());
    for text in [
        String::new(),
        good.clone(),
        format!(":{good}"),
        format!("k 1:{good}"),
        format!("{}:{good}", "k".repeat(65)),
        "k1:".into(),
        "k1:AAAA".into(),
        format!("k1:{}", STANDARD.encode([0; 32])),
        format!("k1:{}", STANDARD.encode([7; 31])),
        format!("k1:{}", STANDARD.encode([7; 33])),
        format!("k1:{good},k1:{good}"),
        format!("k1:{good},"),
        many.join(","),
    ] {
        let error = SealKeys::parse(&text).unwrap_err();
        assert!(text.len() < 20 || !format!("{error:?} {error}").contains(&good), "{error}");
    }
    assert!(SlotSecret::new(String::new()).is_err());
    assert!(SlotSecret::new("x".repeat(SlotSecret::MAX_BYTES)).is_ok());
    assert!(SlotSecret::new("x".repeat(SlotSecret::MAX_BYTES + 1)).is_err());
    assert_eq!(serde_json::from_str::<SlotSecret>(r#""sk\n1""#).unwrap().expose(), "sk\n1");
    assert!(serde_json::from_str::<SlotSecret>("7").is_err());
}
