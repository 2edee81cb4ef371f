//! Arbitrary tokens yield an error or the right principal, and never a panic.

use std::sync::LazyLock;

use engines_auth::TokenVerifier;
use engines_core::Code;
use proptest::prelude::*;

use crate::forge::{HEADER, good_claims, sign, sign_with, verifier_with};

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| verifier_with(Default::default()).0);

fn code(token: &str) -> Result<(), Code> {
    VERIFIER.verify(token).map(|_| ()).map_err(|error| error.code())
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let good = sign(HEADER, good_claims());
    assert_eq!(code(&good), Ok(()));
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        for other in 0..128_u8 {
            if good.as_bytes()[at] != other {
                bytes[at] = other;
                assert_eq!(code(std::str::from_utf8(&bytes).unwrap()), Err(Code::TokenInvalid), "byte {at} as {other}");
            }
        }
    }
    for end in 0..good.len() {
        assert_eq!(code(&good[..end]), Err(Code::TokenInvalid), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        prop_assert_eq!(code(&text), Err(Code::TokenInvalid));
    }

    #[test]
    fn arbitrary_three_part_tokens_never_panic(text in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,44}") {
        prop_assert_eq!(code(&text), Err(Code::TokenInvalid));
    }

    #[test]
    fn arbitrary_signed_payloads_never_panic(
        header in prop_oneof![Just(HEADER.as_bytes().to_vec()), any::<Vec<u8>>()],
        payload in any::<Vec<u8>>(),
    ) {
        prop_assert_eq!(code(&sign(header, payload)), Err(Code::TokenInvalid));
    }

    #[test]
    fn a_mutated_payload_never_panics(at in 0_usize..200, byte in any::<u8>()) {
        let mut payload = good_claims().into_bytes();
        let at = at % payload.len();
        payload[at] = byte;
        // The token is signed, so it may be valid. It must not panic and must not yield a system actor.
        if let Ok(principal) = VERIFIER.verify(&sign(HEADER, payload)) {
            prop_assert_eq!(principal.actor.kind, engines_core::ActorType::Human);
        }
    }

    #[test]
    fn another_secret_is_refused(secret in prop::collection::vec(any::<u8>(), 1..80)) {
        prop_assert_eq!(code(&sign_with(&secret, HEADER, good_claims())), Err(Code::TokenInvalid));
    }
}
