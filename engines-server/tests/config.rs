//! Settings: the precedence of layers, and errors.
#![cfg(feature = "cli")]

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use engines::auth::{
    SigningSecret,
    identity::{Rate, Signup},
};
use engines_server::{
    ForwardedHeader,
    config::{
        Flags, LogFormat, ROOT_KEY, SEAL_KEYS, SIGNING_SECRET, SIGNING_SECRET_FILE, SYSTEM_KEY, Settings, StoreKind,
        VAULT_KEY, load, root_key, seal_keys, signing_keys, signing_secret, system_key, tables, vault_key,
    },
};
use serde_json::Value;
use tempfile::TempDir;

fn variables(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("engines.toml");
    fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap_or_else(|error| panic!("{error}"));
    (folder, path)
}

fn fault(text: &str, all: &[(&str, &str)]) -> String {
    let (_folder, path) = file(text);
    match load(&Flags { config: Some(path), ..Flags::default() }, &variables(all)) {
        Ok(settings) => panic!("taken: {settings:?}"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn without_settings_the_defaults_apply_on_loopback() {
    let settings = load(&Flags::default(), &variables(&[("PATH", "/bin"), ("HOME", "/")])).unwrap();
    assert_eq!(settings, Settings::default());
    assert!(settings.listen.ip().is_loopback());
}

#[test]
fn later_layers_override_earlier_ones() {
    let (_folder, path) = file(
        "listen = '127.0.0.1:1'\ndata = 'from-file'\nstore = 'memory'\n[http]\nhead_bytes = 9000\nmax_in_flight = 7\n\
         [limits]\nbody_bytes = 1000\n[log]\nlevel = 'warn'\n[auth]\naudience = ['a', 'b']\n",
    );
    let all = variables(&[
        ("ENGINES_LISTEN", "127.0.0.1:2"),
        ("ENGINES_DATA", "from-env"),
        ("ENGINES_HTTP__HEAD_BYTES", "10000"),
        ("ENGINES_LOG__FORMAT", "json"),
    ]);
    let flags = Flags { config: Some(path.clone()), listen: Some("127.0.0.1:3".into()), ..Flags::default() };
    let settings = load(&flags, &all).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!(settings.data, PathBuf::from("from-env"));
    assert_eq!(settings.store, StoreKind::Memory);
    assert_eq!((settings.http.head_bytes, settings.http.max_in_flight), (10_000, 7));
    assert_eq!((settings.limits.body_bytes, settings.limits.json_depth), (1000, 64));
    assert_eq!((settings.log.level.as_str(), settings.log.format), ("warn", LogFormat::Json));
    assert_eq!(settings.auth.audience, ["a", "b"]);
    // A variable may name the file.
    let all = variables(&[("ENGINES_CONFIG", &path.display().to_string()), ("ENGINES_AUTH__AUDIENCE", "c,d")]);
    let settings = load(&Flags::default(), &all).unwrap();
    assert_eq!(settings.listen.port(), 1);
    assert_eq!(settings.auth.audience, ["c", "d"]);
}

#[test]
fn errors_name_the_layer_of_the_setting() {
    for (text, all, parts) in [
        ("lisen = '127.0.0.1:1'", &[][..], ["engines.toml", "lisen"]),
        ("[http]\nhead_byte = 1", &[], ["engines.toml", "head_byte"]),
        ("[limits]\njson_depth = 'deep'", &[], ["engines.toml", "limits.json_depth"]),
        ("listen = [", &[], ["engines.toml", "listen"]),
        ("", &[("ENGINES_LISEN", "x")], ["environment", "lisen"]),
        ("", &[("ENGINES_HTTP__HEAD_BYTES", "many")], ["environment", "head_bytes"]),
        ("", &[("ENGINES_LISTEN", "everywhere")], ["environment", "listen"]),
    ] {
        let fault = fault(text, all);
        for part in parts {
            assert!(fault.contains(part), "{text:?} {all:?}: {fault}");
        }
    }
    let missing = load(&Flags { config: Some("/no/such.toml".into()), ..Flags::default() }, &variables(&[]));
    assert!(missing.unwrap_err().to_string().contains("/no/such.toml"));
}

#[test]
fn the_signing_secret_has_one_source_and_a_minimum_length() {
    let long = "5f1c09b7e2d84a36c7f0a1e95b3d6842";
    let (_folder, path) = file(&format!("{long}\n"));
    let path = path.display().to_string();
    let none = Settings::default();
    assert!(signing_secret(&none, &variables(&[])).unwrap().is_none());
    for good in [&[(SIGNING_SECRET, long)][..], &[(SIGNING_SECRET_FILE, &path)]] {
        assert!(signing_secret(&none, &variables(good)).unwrap().is_some());
    }
    for (bad, part) in [
        (&[(SIGNING_SECRET, "short")][..], "at least 32 bytes"),
        (&[(SIGNING_SECRET, long), (SIGNING_SECRET_FILE, &path)], "set one of them"),
        (&[(SIGNING_SECRET_FILE, "/no/such")], "/no/such"),
    ] {
        let fault = signing_secret(&none, &variables(bad)).unwrap_err().to_string();
        assert!(fault.contains(part) && !fault.contains(long), "{fault}");
    }
    let mut settings = Settings::default();
    settings.auth.signing_secret_file = Some(path.into());
    assert!(signing_secret(&settings, &variables(&[])).unwrap().is_some());
}

#[test]
fn identity_and_proxies_are_set_by_file_and_variables() {
    let (_folder, path) = file(
        "[identity]\nsignup = 'invite'\ntenants_must_exist = true\naccess_ttl_s = 60\n\
         login_per_account = { burst = 3, every_ms = 1000 }\n[identity.password]\nmemory_kib = 32768\n\
         [rejections]\nqueue = 5\n[http]\ntrusted_proxies = ['10.0.0.0/8']\nforwarded_header = 'forwarded'\n",
    );
    let all = variables(&[
        ("ENGINES_IDENTITY__ACCESS_TTL_S", "120"),
        ("ENGINES_IDENTITY__PER_ADDRESS__BURST", "7"),
        ("ENGINES_IDENTITY__PER_ADDRESS__EVERY_MS", "70"),
    ]);
    let settings = load(&Flags { config: Some(path), ..Flags::default() }, &all).unwrap();
    let identity = &settings.identity;
    assert_eq!((identity.signup, identity.tenants_must_exist, identity.access_ttl_s), (Signup::Invite, true, 120));
    assert_eq!(identity.login_per_account, Rate { burst: 3, every_ms: 1000 });
    assert_eq!(identity.per_address, Rate { burst: 7, every_ms: 70 });
    assert_eq!((identity.password.memory_kib, settings.rejections.queue), (32768, 5));
    assert_eq!(settings.http.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.http.forwarded_header, ForwardedHeader::Forwarded);
    let all = variables(&[("ENGINES_HTTP__TRUSTED_PROXIES", "192.0.2.1,2001:db8::/32")]);
    assert_eq!(load(&Flags::default(), &all).unwrap().http.trusted_proxies.len(), 2);
    for (text, part) in [
        ("[identity]\nsignup = 'closed'", "signup"),
        ("[identity]\nsing_up = 'open'", "sing_up"),
        ("[http]\ntrusted_proxies = ['proxy']", "no address"),
    ] {
        assert!(fault(text, &[]).contains(part), "{}", fault(text, &[]));
    }
}

#[test]
fn every_other_secret_has_one_source() {
    let long = "5f1c09b7e2d84a36c7f0a1e95b3d6842";
    let seal = format!("2026-02:{}", "grcO7n8aUDm+8H7CNH8GbtCPXcdRJEfjQEMAAmtuVFU=");
    let none = Settings::default();
    assert!(root_key(&none, &variables(&[])).unwrap().is_none());
    assert!(root_key(&none, &variables(&[(ROOT_KEY, long)])).unwrap().is_some());
    assert!(system_key(&none, &variables(&[(SYSTEM_KEY, long)])).unwrap().is_some());
    assert!(seal_keys(&none, &variables(&[(SEAL_KEYS, &seal)])).unwrap().is_some());
    assert!(vault_key(&none, &variables(&[])).unwrap().is_none());
    assert!(vault_key(&none, &variables(&[(VAULT_KEY, long)])).unwrap().is_some());
    assert!(vault_key(&none, &variables(&[(VAULT_KEY, "short")])).unwrap_err().to_string().starts_with(VAULT_KEY));
    let (_folder, path) = file(&format!("{long}\n"));
    let mut settings = Settings::default();
    settings.auth.root_key_file = Some(path.clone());
    assert!(root_key(&settings, &variables(&[])).unwrap().is_some());
    let of_file = variables(&[("ROOT_KEY_FILE", &path.display().to_string())]);
    let same = |left: &engines::auth::RootKey, right: &engines::auth::RootKey| {
        left.derive("x").unwrap().expose() == right.derive("x").unwrap().expose()
    };
    let read = root_key(&none, &of_file).unwrap().unwrap();
    assert!(same(&read, &root_key(&none, &variables(&[(ROOT_KEY, long)])).unwrap().unwrap()));
    for fault in [
        root_key(&none, &variables(&[(ROOT_KEY, "short")])).unwrap_err(),
        root_key(&none, &variables(&[(ROOT_KEY, long), ("ROOT_KEY_FILE", "x")])).unwrap_err(),
        system_key(&none, &variables(&[(SYSTEM_KEY, "")])).unwrap_err(),
        system_key(&none, &variables(&[(SYSTEM_KEY, "x")])).unwrap_err(),
        root_key(&none, &variables(&[(ROOT_KEY, &"r".repeat(32))])).unwrap_err(),
        signing_secret(&none, &variables(&[(SIGNING_SECRET, &"s".repeat(32))])).unwrap_err(),
        vault_key(&none, &variables(&[(VAULT_KEY, &"v".repeat(32))])).unwrap_err(),
        seal_keys(&none, &variables(&[(SEAL_KEYS, "k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")])).unwrap_err(),
        seal_keys(&none, &variables(&[(SEAL_KEYS, "no keys")])).unwrap_err(),
    ] {
        assert!(!fault.to_string().contains(long), "{fault}");
    }

    settings.auth.signing_kid = "2026-02".into();
    settings.auth.previous_signing_files = vec![format!("2025-02:{}", path.display()), path.display().to_string()];
    let current = || SigningSecret::new("another thirty-two bytes, kept out of the code").unwrap();
    assert!(signing_keys(&settings, current()).is_ok());
    settings.auth.previous_signing_files = vec![format!("2026-02:{}", path.display())];
    assert!(signing_keys(&settings, current()).unwrap_err().to_string().contains("same name"));
    settings.auth.previous_signing_files = vec!["/no/such".into()];
    assert!(signing_keys(&settings, current()).unwrap_err().to_string().contains("/no/such"));
}

/// Collects every key of the settings with its default.
fn leaves(prefix: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&key, value, found);
            }
        }
        leaf => found.push((prefix.to_owned(), leaf.clone())),
    }
}

fn all_leaves(settings: &Settings) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let value = serde_json::to_value(settings).unwrap_or_else(|error| panic!("{error}"));
    leaves("", &value, &mut found);
    found
}

/// Values of which each key accepts one instead of its default. A new kind of key may need another one.
const OTHERS: &[&str] = &[
    "https://example.org",
    "127.0.0.1:1",
    "17",
    "10.0.0.0/8",
    "memory",
    "invite",
    "forwarded",
    "json",
    "file",
    "starttls",
    "other",
];

#[test]
fn every_setting_can_be_set_alone_by_variable_and_by_file() {
    let defaults = all_leaves(&Settings::default());
    assert!(defaults.len() > 60, "{}", defaults.len());
    for (key, default) in &defaults {
        let others: Vec<(String, String)> = match default {
            Value::Bool(value) => vec![(value.to_string(), (!value).to_string())],
            Value::Number(value) => {
                let value = value.as_u64().unwrap();
                [value + 1, value.saturating_sub(1)].map(|other| (value.to_string(), other.to_string())).to_vec()
            }
            Value::Array(_) => OTHERS.iter().map(|other| (format!("['{other}']"), (*other).to_owned())).collect(),
            _ => {
                let texts = OTHERS.iter().map(|other| (format!("'{other}'"), (*other).to_owned()));
                // A setting without a default may also be a number.
                texts.chain([("1".to_owned(), "1".to_owned())]).collect()
            }
        };
        let changed = |settings: Result<Settings, engines_server::config::SettingsError>| {
            let changed = all_leaves(&settings.map_err(|fault| fault.to_string())?);
            let differ = changed.iter().zip(&defaults).filter(|(now, before)| now != before);
            Ok::<_, String>(differ.map(|(now, _)| now.0.clone()).collect::<Vec<_>>())
        };
        let variable = format!("ENGINES_{}", key.to_uppercase().replace('.', "__"));
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let table = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let by_variable = |(_, other): &(String, String)| load(&Flags::default(), &variables(&[(&variable, other)]));
        let by_file = |(quoted, other): &(String, String)| {
            let value = if default.is_number() || default.is_boolean() { other } else { quoted };
            let (_folder, path) = file(&format!("{table}{name} = {value}\n"));
            load(&Flags { config: Some(path), ..Flags::default() }, &BTreeMap::new())
        };
        let (only, mut wrong) = (Ok(vec![key.clone()]), Vec::new());
        // The first value that the key accepts is used. A load takes milliseconds, and there are many keys.
        let mut takes = |results: &mut dyn Iterator<Item = Result<Settings, engines_server::config::SettingsError>>| {
            results.map(changed).any(|result| {
                wrong.push(result);
                wrong.last() == Some(&only)
            })
        };
        let taken = takes(&mut others.iter().map(by_variable)) && takes(&mut others.iter().map(by_file));
        assert!(taken, "{key}: {wrong:?}");
    }
}

/// The settings of `http` that are not numbers: addresses and names, which limit nothing.
const NO_LIMITS: &[&str] = &["http.trusted_proxies", "http.forwarded_header", "http.cors_origins"];

#[test]
fn the_security_page_names_every_limit_of_http_with_its_default() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md")).unwrap();
    let rows: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let key = cells.nth(1)?.trim().strip_prefix('`')?.strip_suffix('`')?;
            Some((key, cells.next()?.trim()))
        })
        .collect();
    assert!(rows.len() > 30, "{rows:?}");
    let all = all_leaves(&Settings::default());
    for (key, default) in &rows {
        let (_, value) = all.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("there is no {key}"));
        let expected = if value.is_null() { "derived".to_owned() } else { value.to_string() };
        assert_eq!(*default, expected, "{key}");
    }
    for (key, _) in all.iter().filter(|(key, _)| key.starts_with("http.") && !NO_LIMITS.contains(&key.as_str())) {
        assert!(rows.iter().any(|(named, _)| named == key), "docs/security.md does not name {key}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused_unless_a_setting_allows_it() {
    let (_folder, path) = file("5f1c09b7e2d84a36c7f0a1e95b3d6842\n");
    let named = |file: &str| variables(&[(file, &path.display().to_string())]);
    let mut strict = Settings::default();
    strict.auth.signing_kid = "new".into();
    strict.auth.previous_signing_files = vec![format!("old:{}", path.display())];
    let mut lenient = strict.clone();
    lenient.auth.allow_readable_secrets = true;
    let current = || SigningSecret::new("another thirty-two bytes, kept out of the code").unwrap();
    let faults = |settings: &Settings| {
        [
            signing_secret(settings, &named(SIGNING_SECRET_FILE)).err(),
            root_key(settings, &named("ROOT_KEY_FILE")).err(),
            system_key(settings, &named("SYSTEM_BOOTSTRAP_KEY_FILE")).err(),
            vault_key(settings, &named("VAULT_KEY_FILE")).err(),
            signing_keys(settings, current()).err(),
        ]
        .map(|fault| fault.map(|fault| fault.to_string()))
    };
    assert_eq!(faults(&strict), [const { None }; 5]);
    for mode in [0o640, 0o604, 0o620, 0o444] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for fault in faults(&strict) {
            let fault = fault.unwrap();
            let command = format!("chmod go= {}", path.display());
            assert!(fault.contains(&command) && fault.contains("allow_readable_secrets"), "{fault}");
        }
        let seal = seal_keys(&strict, &named("SEAL_KEYS_FILE")).unwrap_err().to_string();
        assert!(seal.contains("chmod"), "{seal}");
        assert_eq!(faults(&lenient), [const { None }; 5]);
    }
}

#[test]
fn a_text_that_looks_like_a_number_or_a_truth_value_stays_a_text() {
    let pointer = |path: &[String]| format!("/{}", path.join("/"));
    let mut texts = Vec::new();
    for entry in tables().unwrap().into_iter().flat_map(|table| table.entries) {
        // A setting of another type rejects this value, or parses it.
        let Ok(settings) = load(&Flags::default(), &variables(&[(&entry.variable(), "007")])) else { continue };
        if let Some(Value::String(found)) = serde_json::to_value(&settings).unwrap().pointer(&pointer(&entry.path)) {
            assert_eq!(found, "007", "{}", entry.key());
            texts.push((entry.variable(), pointer(&entry.path)));
        }
    }
    assert!(texts.len() > 8, "{texts:?}");
    for value in ["1e3", "0x10", "true", "+5"] {
        let set: Vec<_> = texts.iter().map(|(variable, _)| (variable.as_str(), value)).collect();
        let settings = serde_json::to_value(load(&Flags::default(), &variables(&set)).unwrap()).unwrap();
        for (variable, pointer) in &texts {
            assert_eq!(settings.pointer(pointer).and_then(Value::as_str), Some(value), "{variable}");
        }
    }
    let signing = load(&Flags::default(), &variables(&[("ENGINES_AUTH__SIGNING_KID", "007")])).unwrap();
    assert_eq!(serde_json::to_value(&signing).unwrap()["auth"]["signing_kid"], "007");
}
