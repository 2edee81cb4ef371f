//! The JSON Web Signature vectors of C2SP/wycheproof, read from the folder that `WYCHEPROOF_DIR` names.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engines_auth::{
    SigningSecret,
    jwt::jws::{Hs256Key, Unverified},
};
use serde_json::Value;

/// Vectors whose expectation we do not follow, with the reason.
const WAIVED: [(u64, &str); 4] = [
    (367, "byte for byte the valid vector 357"),
    (370, "byte for byte the valid vector 357"),
    (372, "marked valid with a `?` in its base64url"),
    (373, "marked valid with a `?` in its base64url"),
];

#[test]
fn hs256_vectors_come_out_as_expected() {
    let Some(folder) = std::env::var("WYCHEPROOF_DIR").ok().filter(|folder| !folder.is_empty()) else {
        println!("left out: WYCHEPROOF_DIR is not set");
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/json_web_signature_test.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let other = Hs256Key::new(&SigningSecret::new([7; 32]).unwrap());
    let (mut ours, mut valid, mut others, mut wrong) = (0, 0, 0, Vec::new());
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = &group["private"];
        let hs256 = key["kty"] == "oct" && key["alg"] == "HS256";
        let secret = hs256.then(|| URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap());
        let key = secret.map(|secret| Hs256Key::new(&SigningSecret::new(secret).unwrap()));
        for test in group["tests"].as_array().unwrap() {
            let accepted = Unverified::parse(test["jws"].as_str().unwrap())
                .and_then(|jws| jws.verify_hs256(key.as_ref().unwrap_or(&other)))
                .is_ok();
            // Whatever belongs to other algorithms never passes for ours.
            let expected = hs256 && test["result"] == "valid";
            ours += usize::from(hs256);
            valid += usize::from(expected);
            others += usize::from(!hs256);
            let id = test["tcId"].as_u64().unwrap();
            if accepted != expected && !WAIVED.iter().any(|(waived, _)| *waived == id) {
                wrong.push((id, test["comment"].to_string()));
            }
        }
    }
    println!("{ours} vectors of HS256 ({valid} valid), {others} of other algorithms, {} waived", WAIVED.len());
    assert_eq!(wrong, []);
    assert!(ours >= 40 && valid >= 10 && others >= 300);
}
