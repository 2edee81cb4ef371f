//! The JOSE vectors of C2SP/wycheproof against the raw layer. `WYCHEPROOF_DIR` names their folder.

use engines_auth::jwt::{jwk::KeySet, jws::UnverifiedToken};
use serde_json::{Value, json};

/// Signature vectors whose expectation is not followed, with the reason.
const WAIVED: &[(u64, &str)] = &[
    (367, "byte for byte the valid vector 357"),
    (370, "byte for byte the valid vector 357"),
    (372, "marked valid with a `?` in its base64url"),
    (373, "marked valid with a `?` in its base64url"),
];

/// The algorithms of the raw layer. A vector under another algorithm must be refused, whatever its mark.
const OURS: [&str; 5] = ["HS256", "HS384", "HS512", "RS256", "ES256"];

fn vectors(file: &str) -> Option<Value> {
    let folder = std::env::var("WYCHEPROOF_DIR").ok().filter(|folder| !folder.is_empty())?;
    let text = std::fs::read_to_string(format!("{folder}/{file}")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// Uses the public keys of the group if it has them, otherwise its shared keys.
fn accepts(group: &Value, jws: &str, wrap: impl Fn(&Value) -> Value) -> bool {
    let read = |half: &str, read: fn(&[u8]) -> engines_core::Result<KeySet>| {
        group.get(half).map(|key| read(wrap(key).to_string().as_bytes()))
    };
    let keys = read("public", KeySet::public).or_else(|| read("private", KeySet::shared)).unwrap();
    keys.is_ok_and(|keys| UnverifiedToken::parse(jws).and_then(|jws| keys.verify(&jws)).is_ok())
}

#[test]
fn signature_vectors_come_out_as_expected() {
    let Some(vectors) = vectors("json_web_signature_test.json") else {
        println!("left out: WYCHEPROOF_DIR is not set");
        return;
    };
    let (mut ours, mut valid, mut others, mut waived, mut wrong) = (0, 0, 0, Vec::new(), Vec::new());
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let key = group.get("public").unwrap_or(&group["private"]);
            let known = key.get("alg").is_none_or(|alg| OURS.contains(&alg.as_str().unwrap()));
            let expected = known && test["result"] == "valid";
            ours += usize::from(known);
            valid += usize::from(expected);
            others += usize::from(!known);
            let accepted = accepts(group, test["jws"].as_str().unwrap(), |key| json!({ "keys": [key] }));
            let id = test["tcId"].as_u64().unwrap();
            if accepted != expected {
                let reason = WAIVED.iter().find(|(waived, _)| *waived == id);
                reason.map_or_else(|| wrong.push((id, test["comment"].to_string())), |reason| waived.push(reason));
            }
        }
    }
    println!("{ours} vectors of our algorithms ({valid} valid), {others} of others, all refused; waived: {waived:?}");
    assert_eq!(wrong, []);
    assert_eq!(waived.len(), WAIVED.len(), "a waiver is no longer needed");
    assert!(ours >= 300 && valid >= 20 && others >= 80, "{ours} {valid} {others}");
}

#[test]
fn key_set_vectors_come_out_as_expected() {
    let Some(vectors) = vectors("json_web_key_test.json") else {
        println!("left out: WYCHEPROOF_DIR is not set");
        return;
    };
    let (mut seen, mut wrong) = (0, Vec::new());
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            seen += 1;
            let accepted = accepts(group, test["jws"].as_str().unwrap(), Value::clone);
            if accepted != (test["result"] == "valid") {
                wrong.push((test["tcId"].as_u64().unwrap(), test["comment"].to_string()));
            }
        }
    }
    println!("{seen} vectors of key sets, none waived");
    assert_eq!(wrong, []);
    assert!(seen >= 26);
}
