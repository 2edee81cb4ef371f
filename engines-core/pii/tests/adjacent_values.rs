//! Findings next to each other, and what later corpora brought: hashes, marked keys, nested escapes, native words.
//! Every value is made up.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/findings.rs"]
mod findings;

use engines_pii::Scrubber;
use findings::{finds, leaves};

/// Scrubs a text; a second scrub must not change the result, and chunks must give the same.
#[track_caller]
fn becomes(cases: &[(&str, &str)]) {
    let scrubber = Scrubber::default();
    for (text, clean) in cases {
        let once = scrubber.scrub_text(text).unwrap().value.into_owned();
        assert_eq!(once, *clean);
        assert_eq!(*scrubber.scrub_text(&once).unwrap().value, once);
        for size in [1, 7, 40] {
            let mut stream = scrubber.stream().unwrap();
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(size) {
                out += &stream.push_bytes(chunk).unwrap();
            }
            assert_eq!(out + &stream.finish().unwrap().0, *clean, "in chunks of {size}");
        }
    }
}

#[test]
fn a_value_directly_before_a_finding_is_found() {
    becomes(&[
        ("06 12 34 56 78 4111-1111-1111-1111", "[PHONE_NUMBER] [CREDIT_CARD]"),
        ("03-1234-5678 529.982.247-25", "[PHONE_NUMBER] [BR_CPF]"),
        ("0176 12345678 (203.0.113.9)", "[PHONE_NUMBER] ([IP_ADDRESS])"),
        ("10 Downing Street-2001:db8::1:2", "[STREET_ADDRESS]-[IP_ADDRESS]"),
        ("address: Flat 3, ana@example.org", "address: [STREET_ADDRESS], [EMAIL_ADDRESS]"),
        ("address: Suite 2: rue de la Paix", "address: [STREET_ADDRESS] [STREET_ADDRESS]"),
        ("5 avenue Carnot ND 74893", "[STREET_ADDRESS] [POSTAL_CODE]"),
        ("1980年5月7日生まれ 生年月日：1982年6月9日", "[DATE_OF_BIRTH]生まれ 生年月日：[DATE_OF_BIRTH]"),
    ]);
}

#[test]
fn a_value_directly_behind_a_finding_is_found() {
    becomes(&[
        ("00:1B:44:11:3A:B7.n@example.org", "[MAC_ADDRESS].[EMAIL_ADDRESS]"),
        ("CA 90210-eva (at) host (dot) com", "[POSTAL_CODE]-[EMAIL_ADDRESS]"),
        ("378282246310005/2001:db8::57f0", "[CREDIT_CARD]/[IP_ADDRESS]"),
        ("+12015556049.dan@example.org", "[PHONE_NUMBER].[EMAIL_ADDRESS]"),
        ("+40 21 555 0958 x:3 call 410 1718", "[PHONE_NUMBER] call [PHONE_NUMBER]"),
    ]);
}

#[test]
fn values_skipped_between_a_cue_and_its_value_are_found() {
    becomes(&[
        ("curl -u 198.51.100.7:s3cret99", "curl -u [IP_ADDRESS]:[SECRET_PASSWORD]"),
        ("curl -u ana@example.org:s3cret99", "curl -u [EMAIL_ADDRESS]:[SECRET_PASSWORD]"),
    ]);
}

#[test]
fn values_in_table_fields_are_found() {
    finds(&[
        ("17,ana@example.org,+81 90-1234-5609,203.165.185.243", "PHONE_NUMBER", "+81 90-1234-5609"),
        ("17,ana@example.org,+46 70 123 45 29,8.157.126.183", "IP_ADDRESS", "8.157.126.183"),
        ("<td>+46.70.125.08.47</td><td>145.141.199.253</td>", "IP_ADDRESS", "145.141.199.253"),
        ("<td>+31 6 12345615</td><td>77.22.14.51</td>", "IP_ADDRESS", "77.22.14.51"),
        ("from 2001:db8:4e5b::7567:51422", "IP_ADDRESS", "2001:db8:4e5b::7567"),
        ("登录IP：2001:db8:f668::90d2", "IP_ADDRESS", "2001:db8:f668::90d2"),
        ("Tel: (+31) 6 12342088", "PHONE_NUMBER", "(+31) 6 12342088"),
    ]);
}

#[test]
fn password_hashes_are_found() {
    finds(&[
        (
            "root:$6$52450745$k5ka2p8bFuSmoVT1tzOyyuaREkkKBcCNqoDKzYiJL9RaE8yMnPgh2XzzF0NDrUhgrcLwg78xs1w5pJiypEdFX/:1",
            "SECRET_PASSWORD",
            "$6$52450745$k5ka2p8bFuSmoVT1tzOyyuaREkkKBcCNqoDKzYiJL9RaE8yMnPgh2XzzF0NDrUhgrcLwg78xs1w5pJiypEdFX/",
        ),
        (
            "hash $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW.",
            "SECRET_PASSWORD",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        ),
        (
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
            "SECRET_PASSWORD",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        ),
        ("$P$B984TEs2kxWSDGr4b1VRTVhBNXqK3P1", "SECRET_PASSWORD", "$P$B984TEs2kxWSDGr4b1VRTVhBNXqK3P1"),
        (
            "pbkdf2_sha256$600000$n3xtS4lt$0vZ1kM3pXq8r7tYw2uB5cD6eF9gH0iJkLmN4oPqRsTu=",
            "SECRET_PASSWORD",
            "pbkdf2_sha256$600000$n3xtS4lt$0vZ1kM3pXq8r7tYw2uB5cD6eF9gH0iJkLmN4oPqRsTu=",
        ),
    ]);
    leaves(&["costs $5 or $6 a month", "echo $1 $2 $HOME", "s/(a)/$1$2/"]);
}

#[test]
fn secrets_of_further_issuers_are_found() {
    let key = |n: usize| "q8Zr2vK5xN7wB4mT9cY1pL6dH3jF0sG".chars().cycle().take(n).collect::<String>();
    let scrubber = Scrubber::default();
    for secret in [
        format!("jina_{}", key(60)),
        format!("live_{}", key(35)),
        format!("live_126031192_{}", key(30)),
        format!("ramp_sec_{}", key(48)),
        format!("rzp_live_{}", key(14)),
        format!("access-production-{}", "833d862e-ffa8-43a7-ae28-72f1a0b9c3d4"),
        format!("mdb_sa_sk_{}", key(40)),
        format!("{}JQQJ99{}AZDO{}", key(52), key(18), key(4)),
        format!("00DE0X0A0M0PeLE!{}", key(96)),
        format!("eyJrIjoi{}", key(60)),
    ] {
        let text = format!("see {secret} there");
        let found = scrubber.findings(&text).unwrap();
        assert!(found.iter().any(|f| text[f.start..f.end] == secret), "{secret}: {found:?}");
    }
    finds(&[
        (
            "SNYK_TOKEN=3a16750d-1111-4222-8333-444455556666",
            "SECRET_HIGH_ENTROPY",
            "3a16750d-1111-4222-8333-444455556666",
        ),
        ("mycmd --password hunter2!x run", "SECRET_PASSWORD", "hunter2!x"),
        (r#"{"auth":"dXNlcjpwYXNzd29yZDk="}"#, "SECRET_BASIC_AUTH", "dXNlcjpwYXNzd29yZDk="),
        (
            "Authorization: SSWS 00QCjAl4MlV-WPXM-ABCDEFGHIJKL-0HmjFx-vbGua",
            "SECRET_BEARER_TOKEN",
            "00QCjAl4MlV-WPXM-ABCDEFGHIJKL-0HmjFx-vbGua",
        ),
        (
            "https://discord.com/api/webhooks/123456789012345678/q8Zr2vK5xN7wB4mT9cY1pL6dH3jF0sGq8Zr2vK5xN7wB4mT9cY1pL6dH3jF0sG-_",
            "SECRET_DISCORD_TOKEN",
            "123456789012345678/q8Zr2vK5xN7wB4mT9cY1pL6dH3jF0sGq8Zr2vK5xN7wB4mT9cY1pL6dH3jF0sG-_",
        ),
    ]);
    leaves(&[
        "page_token: 3a16750d-1111-4222-8333-444455556666",
        "one-time-password tokens2x are sent",
        "- Basic Outbound Control",
        "docker run -v \"$PWD:/pwd\" image",
        "pass -march=x86-64 to the compiler",
        "apt\tpasswd\t1:4.13+dfsg1-1+deb12u1",
        "token: '[A-Za-z0-9+]{40}x1'",
        "test_that_something_works_2 and live_reload_for_development_servers",
    ]);
}

#[test]
fn secrets_inside_base64_are_found() {
    // {"user":"maria.keller@example.org"}
    let json = "eyJ1c2VyIjoibWFyaWEua2VsbGVyQGV4YW1wbGUub3JnIn0=";
    finds(&[(&format!("state={json}"), "EMAIL_ADDRESS", json)]);
    // {"page":12,"sort":"name"}
    leaves(&["cursor=eyJwYWdlIjoxMiwic29ydCI6Im5hbWUifQ=="]);
}

#[test]
fn values_in_nested_escapes_are_found() {
    becomes(&[
        ("to ana&amp;#64;example.org", "to [EMAIL_ADDRESS]"),
        ("to ana%26%2364%3Bexample.org", "to [EMAIL_ADDRESS]"),
        ("to ana\\u002540example.org", "to [EMAIL_ADDRESS]"),
        ("to ana%5Cu0040example.org", "to [EMAIL_ADDRESS]"),
        ("to ana&#37;40example.org", "to [EMAIL_ADDRESS]"),
        ("to ana\\\\x40example.org", "to [EMAIL_ADDRESS]"),
        ("to ana&#64example.org", "to [EMAIL_ADDRESS]"),
        ("to 𝖺𝗇𝖺@𝖾𝗑𝖺𝗆𝗉𝗅𝖾.𝗈𝗋𝗀", "to [EMAIL_ADDRESS]"),
        ("a &amp; b &amp;nbsp; c", "a &amp; b &amp;nbsp; c"),
        ("card=4111+1111+1111+1111&x=1", "card=[CREDIT_CARD]&x=1"),
    ]);
}

#[test]
fn inflected_cue_words_are_recognized() {
    finds(&[
        ("Fødselsnummeret mitt er 10019563990", "NO_FODSELSNUMMER", "10019563990"),
        ("Nato a Milano il 14 dicembre 1988", "DATE_OF_BIRTH", "14 dicembre 1988"),
        ("Родился 3 августа 1989 в Казани", "DATE_OF_BIRTH", "3 августа 1989"),
        ("17 Kasım 1967 doğumluyum", "DATE_OF_BIRTH", "17 Kasım 1967"),
        ("تاريخ الميلاد: 16 يناير 1948", "DATE_OF_BIRTH", "16 يناير 1948"),
        ("كلمة السر هي Zx9kQ2rr", "SECRET_PASSWORD", "Zx9kQ2rr"),
        ("パスワードはyX72EmTpFFIi7です", "SECRET_PASSWORD", "yX72EmTpFFIi7"),
        ("Rückrufnummer 030123121", "PHONE_NUMBER", "030123121"),
        ("Puhelinnumeroni on 0412345263", "PHONE_NUMBER", "0412345263"),
        ("Sunați-mă la 0712024791.", "PHONE_NUMBER", "0712024791"),
        ("Mi chiami al 312 345 9480, grazie", "PHONE_NUMBER", "312 345 9480"),
        ("Mitt passord er -ZjiwN7syCs6", "SECRET_PASSWORD", "-ZjiwN7syCs6"),
        ("Beni 0501-236-93-18 numarasından arayın", "PHONE_NUMBER", "0501-236-93-18"),
        ("Dirección: Plaza de España 3, 2º B", "STREET_ADDRESS", "Plaza de España 3, 2º B"),
        ("Jeg bor på Vestergade 5, 2. tv", "STREET_ADDRESS", "Vestergade 5, 2. tv"),
        ("Asun osoitteessa Mannerheimintie 12 A 4", "STREET_ADDRESS", "Mannerheimintie 12 A 4"),
        ("Mieszkam przy ul. Długa 5 w Warszawie", "STREET_ADDRESS", "ul. Długa 5"),
        ("Адрес: ул. Ленина, д. 15 / Карта", "STREET_ADDRESS", "ул. Ленина, д. 15"),
        ("Adres: Atatürk Caddesi No: 12", "STREET_ADDRESS", "Atatürk Caddesi No: 12"),
    ]);
}

#[test]
fn years_versions_and_code_are_left_alone() {
    leaves(&[
        "2010 Thomas Berg\n2015-2017 Thomas Holm",
        "Copyright (c) 2006, 2007, 2008 Larry Wall and others",
        "502 Bad Gateway: unexpected response",
        "Git 1.8.1.1 Release Notes",
        "$Id: strftime.c,v 1.10.2.3 2005/11/04",
        "identifier::parameters\n\n## 0.3.1 (2020-12-16)",
        "let password := match[1",
        "resKeyMatch, \"passphrase\": resPassphraseMatch,",
        "mail a@o.密码",
        "35987484 numaralı sipariş gönderildi",
    ]);
}
