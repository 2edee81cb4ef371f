//! The HTTP client for key sets.

use std::time::Duration;

use engines_auth::oidc::{FetchLimits, HttpFetch, JwksFetch, JwksUrl};
use engines_core::Code;

use crate::stand_in_issuer::{Answer, RSA, Standin};

fn limits(timeout: Duration) -> FetchLimits {
    FetchLimits { max_bytes: 64 << 10, timeout }
}

async fn get(standin: &Standin) -> Result<(usize, Option<String>), Code> {
    let url = JwksUrl::new(&format!("{}/jwks.json", standin.issuer())).unwrap();
    let fetched = HttpFetch::new().fetch(&url, limits(Duration::from_secs(60))).await;
    fetched.map(|fetched| (fetched.body.len(), fetched.cache_control)).map_err(|error| error.code())
}

#[tokio::test]
async fn a_key_set_comes_with_how_long_it_may_be_kept() {
    let standin = Standin::new();
    standin.serve_with("Cache-Control: max-age=60\r\n", &[RSA[0].jwk("rsa")]);
    let (length, control) = get(&standin).await.unwrap();
    assert!(length > 300, "{length}");
    assert_eq!(control.as_deref(), Some("max-age=60"));
    assert_eq!(standin.paths(), ["/pool/jwks.json"]);
}

#[tokio::test]
async fn no_redirect_is_followed_and_nothing_but_200_is_an_answer() {
    let standin = Standin::new();
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = format!("location: {}/elsewhere\r\n", standin.issuer());
        standin.answer(Answer::Bytes(status, elsewhere, b"{\"keys\":[]}".to_vec()));
        assert_eq!(get(&standin).await, Err(Code::BackendUnavailable), "{status}");
        assert_eq!(standin.fetches(), 1, "{status}");
    }
    for status in [201, 204, 206, 304, 400, 401, 403, 404, 429, 500, 503] {
        let body = if [204, 304].contains(&status) { Vec::new() } else { b"{\"keys\":[]}".to_vec() };
        standin.answer(Answer::Bytes(status, String::new(), body));
        assert_eq!(get(&standin).await, Err(Code::BackendUnavailable), "{status}");
    }
    standin.answer(Answer::Nothing);
    assert_eq!(get(&standin).await, Err(Code::BackendUnavailable));
}

#[tokio::test]
async fn size_and_time_are_bounded() {
    let standin = Standin::new();
    standin.answer(Answer::Bytes(200, String::new(), vec![b' '; 64 << 10]));
    assert_eq!(get(&standin).await.map(|(length, _)| length), Ok(64 << 10));
    standin.answer(Answer::Bytes(200, String::new(), vec![b' '; (64 << 10) + 1]));
    assert_eq!(get(&standin).await, Err(Code::BackendUnavailable));
    standin.answer(Answer::Bytes(200, format!("x: {}\r\n", "x".repeat(1 << 20)), Vec::new()));
    assert_eq!(get(&standin).await, Err(Code::BackendUnavailable));

    standin.answer(Answer::Silence);
    let url = JwksUrl::new(&standin.issuer()).unwrap();
    let silent = HttpFetch::new().fetch(&url, limits(Duration::from_millis(50))).await;
    assert_eq!(silent.unwrap_err().code(), Code::BackendUnavailable);
}

#[tokio::test]
async fn an_issuer_in_plain_text_is_not_taken_for_one_with_tls() {
    let standin = Standin::new();
    standin.serve(&[RSA[0].jwk("rsa")]);
    let url = JwksUrl::new(&standin.issuer().replace("http://", "https://")).unwrap();
    let refused = HttpFetch::new().fetch(&url, limits(Duration::from_secs(60))).await;
    assert_eq!(refused.unwrap_err().code(), Code::BackendUnavailable);
}
