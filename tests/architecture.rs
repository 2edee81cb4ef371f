//! The architecture, enforced: dependencies between crates and modules, the size of files, and the contents of module
//! roots.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "architecture/module_cycles.rs"]
mod module_cycles;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every allowed dependency between the workspace's crates: `(from, to)`.
const CRATE_DEPENDENCIES: &[(&str, &str)] = &[
    ("engines-core", "engines-pii"),
    ("engines-auth", "engines-core"),
    ("engines-storage", "engines-core"),
    ("engines-stream", "engines-core"),
    ("engines-sdk", "engines-core"),
    ("engines-sdk", "engines-auth"),
    ("engines-sdk", "engines-storage"),
    ("engines-sdk", "engines-stream"),
    ("engines-server", "engines-sdk"),
];

/// Dependencies that only some crates may have: the core has no runtime and no I/O, and HTTP is used only by the
/// server.
const RESTRICTED_CRATES: &[(&str, &[&str])] = &[
    ("tokio", &["engines-auth", "engines-storage", "engines-stream", "engines-sdk", "engines-server"]),
    ("tokio-util", &["engines-storage", "engines-sdk"]),
    ("hyper", &["engines-server"]),
    ("hyper-util", &["engines-server"]),
    ("http", &["engines-server"]),
    ("tokio-tungstenite", &["engines-server"]),
    // The only HTTP client besides those of the backends: it fetches the keys of other issuers, behind the feature
    // `oidc-http`.
    ("ureq", &["engines-auth"]),
    ("rustls", &["engines-auth"]),
    // Mails of accounts, behind the feature `smtp`.
    ("lettre", &["engines-auth"]),
    ("aws-lc-rs", &["engines-auth"]),
    ("jsonwebtoken", &["engines-auth"]),
    ("aes-siv", &["engines-pii"]),
    ("aho-corasick", &["engines-pii"]),
    ("bech32", &["engines-pii"]),
    ("bs58", &["engines-pii"]),
    ("wide", &["engines-pii"]),
    ("rusqlite", &["engines-storage"]),
    // Buckets as destinations of backups, behind the features `aws`, `gcp`, `azure`.
    ("object_store", &["engines-storage"]),
    // Sets the process's umask, which a program may do and a library must not.
    ("rustix", &["engines-server"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn crate_dependencies_match_the_design() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let ours: Vec<_> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let mut seen = 0;
    for package in &metadata.packages {
        let name = package.name.as_str();
        for dependency in package.dependencies.iter().filter(|found| found.kind != DependencyKind::Development) {
            if ours.contains(&dependency.name) {
                let arrow = (name, dependency.name.as_str());
                assert!(CRATE_DEPENDENCIES.contains(&arrow), "{arrow:?} is not an arrow of the design");
                seen += 1;
            }
            if let Some((_, allowed)) = RESTRICTED_CRATES.iter().find(|(restricted, _)| *restricted == dependency.name)
            {
                assert!(allowed.contains(&name), "{name} may not use {}", dependency.name);
            }
        }
    }
    assert_eq!(seen, CRATE_DEPENDENCIES.len(), "the table has a dependency that does not exist");
    assert_eq!(ours.len(), 7);
}

/// The Rust sources of the workspace by their path from the root: crates, facade, tests, examples, benches, fuzz
/// targets.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules", "engines-data"].contains(&&*name)
            {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root()).unwrap().to_path_buf(), text);
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The sources of each crate, by the path from the crate's `src` folder. Tests, examples and benches are left out.
fn crate_sources() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut crates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in sources() {
        let path = path.to_string_lossy().into_owned();
        let inside = path.strip_prefix("src/").map(|file| ("engines-sdk", file)).or_else(|| path.split_once("/src/"));
        if let Some((name, file)) = inside {
            crates.entry(name.to_owned()).or_default().insert(file.to_owned(), text);
        }
    }
    assert_eq!(crates.len(), 7, "a crate was not found: {:?}", crates.keys());
    crates
}

#[test]
fn no_file_exceeds_600_lines() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines; move one of its purposes to a file of its own", path.display());
    }
}

#[test]
fn mod_rs_files_only_declare_modules() {
    let code =
        ["fn ", "pub fn ", "async fn ", "pub async fn ", "impl", "struct ", "pub struct ", "pub enum ", "pub trait "];
    let mut found = Vec::new();
    for (path, text) in sources() {
        let name = path.file_name().unwrap().to_string_lossy();
        let in_crate = path.components().any(|part| part.as_os_str() == "src");
        if in_crate && (name == "lib.rs" || name == "mod.rs") {
            let lines = text.lines().enumerate().filter(|(_, line)| code.iter().any(|start| line.starts_with(start)));
            found.extend(lines.map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1)));
        }
    }
    assert!(found.is_empty(), "code in the root of a module: {found:#?}");
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    for (path, text) in sources() {
        for (at, line) in text.lines().enumerate() {
            let bare = ["#[", "#!["].iter().any(|open| line.trim_start().starts_with(&format!("{open}allow(")));
            assert!(!bare, "{}:{}: say `expect` with a reason", path.display(), at + 1);
        }
    }
}
