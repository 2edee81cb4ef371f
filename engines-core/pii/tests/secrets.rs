//! Secrets. None is written out in this file as a scanner would find it: each is assembled when the test runs.

#![expect(clippy::unwrap_used, reason = "tests")]

use engines_pii::Scrubber;

fn found(text: &str) -> Vec<(String, String)> {
    let findings = Scrubber::default().findings(text).unwrap();
    findings.iter().map(|f| (f.entity.name().to_owned(), text[f.start..f.end].to_owned())).collect()
}

/// A made-up tail: letters of both cases and digits.
fn tail(length: usize) -> String {
    "aZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0fGhJ".chars().cycle().take(length).collect()
}

fn hex(length: usize) -> String {
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9".chars().cycle().take(length).collect()
}

fn upper(length: usize) -> String {
    "A2B3C4D5E6F7GHIJKLMN".chars().cycle().take(length).collect()
}

#[test]
fn secrets_with_an_issuer_prefix_are_found() {
    let cases = [
        ("AKIA", upper(16), "SECRET_AWS_ACCESS_KEY"),
        ("ASIA", upper(16), "SECRET_AWS_ACCESS_KEY"),
        ("AIza", tail(35), "SECRET_GCP_API_KEY"),
        ("GOCSPX-", tail(28), "SECRET_GCP_API_KEY"),
        ("ghp_", tail(36), "SECRET_GITHUB_TOKEN"),
        ("github_pat_", tail(22) + "_" + &tail(59), "SECRET_GITHUB_TOKEN"),
        ("glpat-", tail(20), "SECRET_GITLAB_TOKEN"),
        ("xoxb-", "123456789012-123456789012-".to_owned() + &tail(24), "SECRET_SLACK_TOKEN"),
        ("sk_live_", tail(24), "SECRET_STRIPE_KEY"),
        ("whsec_", tail(32), "SECRET_STRIPE_KEY"),
        ("sk-proj-", tail(48), "SECRET_OPENAI_KEY"),
        ("sk-ant-", "api03-".to_owned() + &tail(93), "SECRET_ANTHROPIC_KEY"),
        ("hf_", tail(34), "SECRET_HUGGINGFACE_TOKEN"),
        ("npm_", tail(36), "SECRET_NPM_TOKEN"),
        ("pypi-", "AgEIcHlwaS5vcmc".to_owned() + &tail(70), "SECRET_PYPI_TOKEN"),
        ("SK", hex(32), "SECRET_TWILIO_KEY"),
        ("SG.", tail(22) + "." + &tail(43), "SECRET_SENDGRID_KEY"),
        ("shpat_", hex(32), "SECRET_SHOPIFY_TOKEN"),
        ("dop_v1_", hex(64), "SECRET_TOKEN"),
        ("123456789:A", tail(34), "SECRET_TELEGRAM_TOKEN"),
        ("1//0", tail(60), "SECRET_GCP_API_KEY"),
        ("dp.st.", "dev.".to_owned() + &tail(40), "SECRET_TOKEN"),
        ("fm2_", tail(120), "SECRET_TOKEN"),
        ("nfp_", tail(36), "SECRET_TOKEN"),
        ("pat", tail(14) + "." + &hex(64), "SECRET_TOKEN"),
        ("pul-", hex(40), "SECRET_TOKEN"),
        ("sgp_", hex(40), "SECRET_TOKEN"),
        ("squ_", hex(40), "SECRET_TOKEN"),
        ("tskey-", "auth-".to_owned() + &tail(40), "SECRET_TOKEN"),
        ("xkeysib-", hex(64) + "-" + &tail(16), "SECRET_TOKEN"),
        ("key-", hex(32), "SECRET_TOKEN"),
    ];
    for (prefix, body, entity) in cases {
        let secret = format!("{prefix}{body}");
        for text in
            [format!("rotate {secret} now"), format!("{{\"k\":\"{secret}\"}}"), format!("X={secret}\n"), secret.clone()]
        {
            assert_eq!(found(&text), vec![(entity.to_owned(), secret.clone())], "{entity} in {prefix}…");
        }
    }
}

#[test]
fn structured_secrets_are_found() {
    let jwt = format!("{}.{}.{}", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", tail(43));
    assert_eq!(found(&format!("Authorization: Bearer {jwt}")), vec![("SECRET_JWT".to_owned(), jwt)]);
    let pem = format!("-----BEGIN {}-----\n{}\n-----END {}-----", "RSA PRIVATE KEY", tail(64), "RSA PRIVATE KEY");
    assert_eq!(found(&format!("key: |\n{pem}\nnext")), vec![("SECRET_PRIVATE_KEY".to_owned(), pem.clone())]);
    let escaped = pem.replace('\n', "\\n");
    assert_eq!(found(&format!("{{\"k\":\"{escaped}\"}}")), vec![("SECRET_PRIVATE_KEY".to_owned(), escaped)]);
    assert_eq!(found("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"), vec![]);
    let basic = "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l";
    assert_eq!(found(basic), vec![("SECRET_BASIC_AUTH".to_owned(), "YWxhZGRpbjpvcGVuc2VzYW1l".to_owned())]);
    let token = tail(40);
    assert_eq!(
        found(&format!("curl -H 'Authorization: Bearer {token}'")),
        vec![("SECRET_BEARER_TOKEN".to_owned(), token)]
    );
}

#[test]
fn secrets_next_to_a_cue_word_are_found() {
    let password = ["hun", "ter2", "!x"].concat();
    for text in [
        format!("password is {password}"),
        format!("password={password}"),
        format!("\"password\": \"{password}\""),
        format!("smtp_pass: {password}\nhost: x"),
        format!("DB_PASSWORD='{password}'"),
        format!("Passwort: {password}"),
        format!("пароль: {password}"),
        format!("密码: {password}"),
        format!("?user=a&password={password}&x=1"),
        format!("postgres://app:{password}@db.internal:5432/prod"),
        format!("https://bob:{password}@example.com/"),
    ] {
        let got = found(&text);
        assert_eq!(got.len(), 1, "{text}: {got:?}");
        assert!(got[0].0.starts_with("SECRET_") && got[0].1 == password, "{text}: {got:?}");
    }
    let random = tail(40);
    for text in [format!("api_key={random}"), format!("\"client_secret\":\"{random}\""), format!("x-api-key: {random}")]
    {
        let got = found(&text);
        assert_eq!(got.len(), 1, "{text}: {got:?}");
        assert_eq!(got[0].1, random);
    }
}

#[test]
fn placeholders_and_prose_are_no_secrets() {
    for text in [
        "password is required",
        "forgot password? reset it here",
        "the password must have at least 12 characters",
        "password: null",
        "password=${DB_PASSWORD}",
        "password: ********",
        "token expired",
        "DEBUG cache key=9e107d9d372bb6826bd81d3542a419d6 ttl=3600",
        "primary key 550e8400-e29b-41d4-a716-446655440000",
        "sk-learn is a library",
        "AKIA",
        "secret santa at 10:30",
        "the key insight is this",
        "user.password = getPassword()",
        "https://example.com:8080/@bob",
        "bearer of bad news",
        "basic authentication",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ] {
        assert_eq!(found(text), vec![], "in {text:?}");
    }
}

#[test]
fn secrets_inside_longer_words_are_found() {
    let terraform = format!("{}.atlasv1.{}", tail(14), tail(64));
    assert_eq!(found(&format!("use {terraform} here")), vec![("SECRET_TOKEN".to_owned(), terraform)]);
    let entra = format!("{}8Q~{}", "qpF", tail(34));
    assert_eq!(found(&format!("value {entra}")), vec![("SECRET_AZURE_KEY".to_owned(), entra)]);
    let mailchimp = hex(32) + "-us18";
    assert_eq!(found(&format!("'{mailchimp}'")), vec![("SECRET_TOKEN".to_owned(), mailchimp)]);
}

#[test]
fn passwords_on_command_lines_are_found() {
    let word = tail(14);
    let password =
        |text: String| assert_eq!(found(&text), vec![("SECRET_PASSWORD".to_owned(), word.clone())], "{text}");
    password(format!("curl --cacert ca.crt -u elastic:{word} https://localhost:9200"));
    password(format!("curl -s --user 'api:{word}' https://mail.example.org/v2"));
    password(format!("mysqldump -uroot -p{word} shop"));
    password(format!("sshpass -p {word} ssh deploy@10"));
    for text in [
        "curl -u $USER:$TOKEN https://localhost",
        "tar -pxzf archive.tgz",
        "docker run -u 1000:1000 image",
        "ls -u a:b",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}

#[test]
fn putty_private_keys_are_found() {
    let text = format!("Encryption: none\nPrivate-Lines: 2\n{}\n{}\nPrivate-MAC: {}", tail(64), tail(40), hex(40));
    let found = found(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "SECRET_PRIVATE_KEY");
}

#[test]
fn secrets_in_attributes_and_urls_are_found() {
    let key = tail(32);
    assert_eq!(
        found(&format!("<add key=\"ApiKey\" value=\"{key}\" />")),
        vec![("SECRET_HIGH_ENTROPY".to_owned(), key)]
    );
    let key = hex(32);
    let url = format!("https://{key}@o123.ingest.example.io/456");
    assert_eq!(found(&url), vec![("SECRET_URL_CREDENTIALS".to_owned(), key)]);
    assert_eq!(found("if (password === confirmPassword)"), vec![]);
    assert_eq!(found("order=#19259 sku=AZN-2347-PW amount=3602,15"), vec![]);
}
