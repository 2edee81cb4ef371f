//! Tokens of a local stand-in for AWS Cognito are accepted. `tests/cognito.sh` starts one and names it in
//! `COGNITO_STANDIN_URL`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use engines_auth::{
    Admission, AuthInput, BodyClaims, FieldValues,
    oidc::{HttpFetch, Oidc, cognito},
};
use engines_core::{Clock, Code, IdGenerator, Principal, Result, SystemClock};
use serde_json::{Value, json};

/// Calls an operation of Cognito as its SDKs do. The stand-in checks no signature.
fn call(url: &str, operation: &str, body: &Value) -> Value {
    let authority = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: AWSCognitoIdentityProviderService.{operation}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=x\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
    serde_json::from_str(body).unwrap_or_default()
}

/// Builds the admission for one pool from the variables that a deployment sets.
fn admission(vars: &[(&str, &str)]) -> Admission {
    let get = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let pool = cognito::from_vars(get).unwrap().unwrap();
    let oidc = Oidc::builder(Arc::clone(&clock), Arc::new(HttpFetch::new())).issuer(pool).build().unwrap();
    Admission::builder(clock, IdGenerator::from_os().unwrap()).authenticator(oidc).build()
}

async fn enter(admission: &Admission, token: &str) -> Result<Arc<Principal>> {
    let bearer = format!("Bearer {token}");
    admission.authenticate(&AuthInput { authorization: FieldValues::one(&bearer), ..AuthInput::default() }).await
}

#[tokio::test]
async fn tokens_of_a_stand_in_get_in() {
    let Some(url) = std::env::var("COGNITO_STANDIN_URL").ok().filter(|url| !url.is_empty()) else {
        println!("left out: COGNITO_STANDIN_URL is not set; run tests/cognito.sh");
        return;
    };
    let made = |operation: &str, body: Value| call(&url, operation, &body);
    let pool = made("CreateUserPool", json!({"PoolName": "engines"}))["UserPool"]["Id"].as_str().unwrap().to_owned();
    let client = made("CreateUserPoolClient", json!({"UserPoolId": pool, "ClientName": "engines"}));
    let client = client["UserPoolClient"]["ClientId"].as_str().unwrap();
    let (name, password) = ("ada@example.org", "A-password-for-1-test");
    made("CreateGroup", json!({"UserPoolId": pool, "GroupName": "acme-admins"}));
    made(
        "AdminCreateUser",
        json!({"UserPoolId": pool, "Username": name, "TemporaryPassword": "A-first-one-for-1-test"}),
    );
    made(
        "AdminSetUserPassword",
        json!({"UserPoolId": pool, "Username": name, "Password": password, "Permanent": true}),
    );
    made("AdminAddUserToGroup", json!({"UserPoolId": pool, "GroupName": "acme-admins", "Username": name}));
    let login = made(
        "AdminInitiateAuth",
        json!({"UserPoolId": pool, "ClientId": client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": name, "PASSWORD": password}}),
    );
    let token = |kind: &str| login["AuthenticationResult"][kind].as_str().unwrap().to_owned();
    let (access, id) = (token("AccessToken"), token("IdToken"));

    let keys = format!("{}/{pool}/.well-known/jwks.json", url.trim_end_matches('/'));
    let rules = r#"[{"claim":"cognito:groups","value":"acme-admins","tenant_id":"t_acme","role":"admin"}]"#;
    let of = |kind: &'static str, client: &str| {
        admission(&[
            ("COGNITO_REGION", "us-east-1"),
            ("COGNITO_USER_POOL_ID", &pool),
            ("COGNITO_JWKS_URL", &keys),
            ("COGNITO_TOKEN_USE", kind),
            ("COGNITO_APP_CLIENT_ID", client),
            ("COGNITO_ROLE_RULES", rules),
        ])
    };
    for (kind, good, bad) in [("access", &access, &id), ("id", &id, &access)] {
        let admission = of(kind, client);
        let principal = enter(&admission, good).await.unwrap();
        assert!(principal.issuer.ends_with(&pool));
        let presented = AuthInput { env_headers: FieldValues::one("dev"), ..AuthInput::default() };
        let context = admission.admit(&principal, &presented, &BodyClaims::default()).await.unwrap();
        assert_eq!((context.scope().tenant().as_str(), context.role().as_str()), ("t_acme", "admin"));
        assert_eq!(enter(&admission, bad).await.unwrap_err().code(), Code::TokenInvalid, "{kind}");
        let other = of(kind, "another-client");
        assert_eq!(enter(&other, good).await.unwrap_err().code(), Code::TokenInvalid, "{kind}");
        let cut = &good[..good.len() - 8];
        assert_eq!(enter(&admission, cut).await.unwrap_err().code(), Code::TokenInvalid, "{kind}");
    }
    println!("access and id token of {pool} got in");
}
