//! Ids, scopes, times, traces, roles: what they accept and what they reject.

use std::{collections::HashSet, time::Duration};

use engines_core::{
    Action, Clock, Code, DocId, Env, Guard, RequestContext, ResourceId, Role, Scope, SystemClock, TenantId, Timestamp,
    Trace, UserId,
    clock::IdGenerator,
    testing::{self, ManualClock},
};
use proptest::prelude::*;

#[test]
fn tenant_ids_match_their_pattern() {
    for good in ["t_a", "t_acme", "t_a-b_c9", &format!("t_{}", "x".repeat(62))] {
        assert_eq!(TenantId::new(good).unwrap().as_str(), good);
    }
    for bad in
        ["", "t_", "acme", "T_acme", "t_Acme", "t_a b", "t_ä", "t_a/b", "t_a\0", &format!("t_{}", "x".repeat(63))]
    {
        assert_eq!(TenantId::new(bad).unwrap_err().code(), Code::TenantInvalid, "{bad:?}");
    }
}

#[test]
fn client_ids_match_their_pattern() {
    for good in ["a", "A9_.:-", &"x".repeat(128)] {
        assert!(ResourceId::new(good).is_ok(), "{good}");
    }
    for bad in ["", "_a", ".", "..", "-a", "a/b", "a b", "a\n", "é", "%2e", &"x".repeat(129)] {
        assert_eq!(ResourceId::new(bad).unwrap_err().code(), Code::IdInvalid, "{bad:?}");
    }
    assert!(DocId::new("x".repeat(256)).is_ok());
    assert!(UserId::new("auth0|5f7c").is_ok());
    assert!(UserId::new("two words").is_err());
}

#[test]
fn environments_are_read_in_any_case() {
    for (text, env) in [("DEV", Env::Dev), ("Stage", Env::Staging), ("staging", Env::Staging), ("pRoD", Env::Prod)] {
        assert_eq!(text.parse::<Env>().unwrap(), env);
    }
    for bad in ["", "production", "dev ", "ｄｅｖ"] {
        assert_eq!(bad.parse::<Env>().unwrap_err().code(), Code::EnvInvalid);
    }
}

#[test]
fn keys_of_two_scopes_never_collide() {
    let scopes: Vec<_> = ["t_a", "t_ab", "t_a-dev"]
        .into_iter()
        .flat_map(|tenant| Env::ALL.map(|env| Scope::new(TenantId::new(tenant).unwrap(), env)))
        .collect();
    let keys: HashSet<_> = scopes.iter().map(|scope| scope.key(&["canvas", "c1"])).collect();
    let subjects: HashSet<_> = scopes.iter().map(|scope| scope.subject(&["canvas", "c.1"])).collect();
    assert_eq!((keys.len(), subjects.len()), (scopes.len(), scopes.len()));
    assert!(subjects.iter().all(|subject| subject.split('.').count() == 5));
}

#[test]
fn timestamps_are_utc_with_three_decimals() {
    let at = Timestamp::from_millis(1_769_860_800_120);
    assert_eq!(at.to_string(), "2026-01-31T12:00:00.120Z");
    assert_eq!("2026-01-31T13:00:00.12+01:00".parse::<Timestamp>().unwrap(), at);
    assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T21:59:59.999Z");
    for bad in ["", "yesterday", "2026-01-31", "2026-13-01T00:00:00Z"] {
        assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
    }
    assert_eq!(at.plus(Duration::from_secs(1)).since(at), Duration::from_secs(1));
    assert!(SystemClock.now() > at);
}

#[test]
fn ulids_increase_even_when_the_clock_steps_back() {
    let ids = IdGenerator::seeded(1);
    let mut last = ids.ulid(Timestamp::from_millis(1000));
    for at in [1000, 1000, 900, 1001, 5, 2000] {
        let next = ids.ulid(Timestamp::from_millis(at));
        assert!(next > last);
        last = next;
    }
    assert_eq!(IdGenerator::seeded(3).bytes::<8>(), IdGenerator::seeded(3).bytes::<8>());
    assert_ne!(IdGenerator::from_os().unwrap().bytes::<16>(), IdGenerator::from_os().unwrap().bytes::<16>());
}

#[test]
fn traces_are_continued_when_well_formed() {
    let (clock, ids) = (ManualClock::default(), IdGenerator::seeded(1));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = Trace::continue_from(Some("req-1"), Some(parent), &clock, &ids);
    assert_eq!(&*trace.request_id, "req-1");
    assert_eq!(trace.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(trace.sampled);
    assert!(trace.traceparent().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert!(!trace.traceparent().contains("00f067aa0ba902b7"));
    for bad in [
        "",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
    ] {
        let begun = Trace::continue_from(None, Some(bad), &clock, &ids);
        assert_ne!(begun.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736", "{bad}");
    }
    for bad in ["", "with space", "ü", &"x".repeat(129)] {
        assert_ne!(&*Trace::continue_from(Some(bad), None, &clock, &ids).request_id, bad);
    }
}

#[test]
fn every_code_and_action_has_its_own_name() {
    let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    let actions: HashSet<_> = Action::ALL.iter().map(|action| action.spec().name).collect();
    assert_eq!(actions.len(), Action::ALL.len());
}

#[test]
fn an_action_requires_its_minimum_role() {
    for action in Action::ALL {
        for role in Role::ALL {
            let allowed = role >= action.spec().min_role;
            match action.require_role(role) {
                Ok(()) => assert!(allowed),
                Err(error) => {
                    assert!(!allowed);
                    assert_eq!(error.code(), Code::RoleInsufficient);
                    assert_eq!(error.member("least_role").unwrap(), action.spec().min_role.as_str());
                }
            }
        }
    }
}

#[test]
fn a_refusal_has_a_decision_id_and_a_failing_gate_refuses() {
    use engines_core::{
        Error,
        gate::{Decision, Gate, GateRequest},
    };

    #[derive(Debug)]
    struct Says(Option<Code>);

    #[async_trait::async_trait]
    impl Gate for Says {
        async fn decide(&self, _: GateRequest<'_>) -> engines_core::Result<Decision> {
            match self.0 {
                Some(code) => Ok(Decision::Deny { code, detail: "no".into() }),
                None => Err(Error::unavailable("gate.test", "the gate is down")),
            }
        }
    }
    let ask = |gate: Says, role| {
        let clock = std::sync::Arc::new(ManualClock::default());
        let guard = Guard::new(std::sync::Arc::new(gate), clock, IdGenerator::seeded(1));
        let context: RequestContext = testing::context("t_acme", "u", role).unwrap();
        let future = async move { guard.admit(&context, Action::CanvasCommand, "canvas/c").await.map(|_| ()) };
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(answer) => answer.unwrap_err(),
            std::task::Poll::Pending => unreachable!("these gates answer at once"),
        }
    };
    let denied = ask(Says(Some(Code::KillSwitchBlocked)), Role::Owner);
    assert_eq!(denied.code(), Code::KillSwitchBlocked);
    assert!(denied.member("decision_id").is_some());
    assert!(ask(Says(None), Role::Viewer).member("decision_id").is_some());
    assert_eq!(ask(Says(None), Role::Owner).code(), Code::BackendUnavailable);
}

proptest! {
    #[test]
    fn timestamps_round_trip(millis in 0_i64..253_402_207_199_999) {
        let at = Timestamp::from_millis(millis);
        prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        prop_assert_eq!(at.to_string().len(), 24);
    }
}

#[test]
fn secrets_typed_by_hand_are_refused_and_random_ones_are_not() {
    use engines_core::{IdGenerator, check_secret_strength};
    let by_hand: [&[u8]; 14] = [
        b"",
        b"x",
        b"short but random kq3N0v8Zr1uYw5",
        &[b'a'; 32],
        &[0; 64],
        b"abababababababababababababababab",
        b"passwordpasswordpasswordpassword",
        b"secretsecretsecretsecretsecret12",
        b"01234567890123456789012345678901",
        b"0123456789abcdef0123456789abcdef",
        b"abcdefghijklmnopqrstuvwxyzabcdef",
        b"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb",
        b"11111111111111111111111111111112",
        b"changeme-changeme-changeme-changeme",
    ];
    for secret in by_hand {
        let error = check_secret_strength("the test key", secret).unwrap_err();
        assert!(error.detail().starts_with("the test key must"), "{error}");
    }
    let ids = IdGenerator::seeded(7);
    for _ in 0..2000 {
        let bytes = ids.bytes::<32>();
        assert!(check_secret_strength("key", &bytes).is_ok());
        let hex: String = bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(check_secret_strength("key", hex.as_bytes()).is_ok(), "{hex}");
        let digits: String = bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
        assert!(check_secret_strength("key", digits.as_bytes()).is_ok(), "{digits}");
    }
    assert!(check_secret_strength("key", b"correct horse battery staple, and more").is_ok());
}
