//! The password policy.

use engines_auth::password::Password;
use engines_core::Code;
use proptest::prelude::*;

fn accepted(password: &str) -> bool {
    match Password::new(password).check("/password", &["ada.lovelace@example.org", "Ada Lovelace"]) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::BodyInvalid);
            assert_eq!(error.member("field").unwrap(), "/password");
            assert!(password.len() < 10 || !error.detail().contains(password));
            false
        }
    }
}

#[test]
fn common_passwords_are_rejected_with_substitutions_and_affixes() {
    for common in [
        "password123",
        "Password123!",
        "P@ssw0rd2024",
        "passwordpassword",
        "pa$$word99!!",
        "1234567890",
        "0987654321",
        "123456789012",
        "qwertyuiop",
        "QWERTYUIOP",
        "poiuytrewq",
        "qwerty12345",
        "1q2w3e4r5t",
        "asdfghjkl;'",
        "zaq12wsxcde3",
        "iloveyou123",
        "ILoveYou!!!",
        "letmein2023!",
        "welcome1234",
        "Welcome2025",
        "administrator",
        "admin123456",
        "aaaaaaaaaa",
        "abcabcabcabc",
        "abababababab",
        "sunshine2020",
        "liverpool1892",
        "monkeymonkey",
        "basketball",
        "christopher1",
        "starwars1977",
        "trustno1trustno1",
        "00000000000",
        "2024-01-01-2024",
        "!!!!!!!!!!!!",
        "abcdefghijklm",
        "passw0rd1234",
        "correcthorsebatterystaple",
        "ada.lovelace",
        "Ada Lovelace",
        "ada.lovelace@example.org",
        "ada.lovelace1815",
        "contrase\u{f1}a123",
    ] {
        assert!(!accepted(common), "{common}");
    }
}

#[test]
fn uncommon_passwords_are_accepted_whatever_their_characters() {
    for good in [
        "plum-Lantern-77 quiet",
        "correct horse battery staple",
        "tromboneriver",
        "gYt7#kLp2w",
        "nine small otters",
        "日本語のながいパスワード",
        "            x  y       ",
        "🦀🦀🐙🐙🦑🦑🦐🦐🐚🐚🌊🌊x",
        "s3agull-Pencil",
        &"long ".repeat(50),
    ] {
        assert!(accepted(good), "{good}");
    }
    for short in ["", "a", "123456789", "tr0mbone!", "пароль"] {
        assert!(!accepted(short), "{short}");
    }
    assert!(accepted(&"ab cd-ef7".repeat(113)));
    assert!(!accepted(&"ab cd-ef7".repeat(114)), "over the limit");
    assert!(!accepted(&"x".repeat(8 << 20)));
}

proptest! {
    #[test]
    fn arbitrary_passwords_never_panic_and_common_ones_stay_common(text in "\\PC{0,40}", digits in "[0-9]{2,8}", sign in "[!?.*]{0,3}") {
        accepted(&text);
        let with = format!("password{digits}{sign}");
        prop_assert!(!accepted(&with), "{}", with);
        let with = format!("{digits}Sunshine{sign}{digits}");
        prop_assert!(!accepted(&with), "{}", with);
    }
}

#[test]
fn non_keyboard_characters_count_as_letters() {
    assert!(accepted("\u{1f600}\u{1f41d}\u{1f308}\u{1f9ed}\u{1f33b}\u{1f3b2}\u{1f9e9}\u{1f355}\u{26f5}\u{1f3bb}"));
    assert!(!accepted(&"\u{1f600}".repeat(12)));
    assert!(!accepted("!!!!!!!!!!!!") && !accepted("31415926535") && !accepted("12-34-56-78-90"));
}
