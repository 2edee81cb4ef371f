//! The keys that belong to the data.

use std::path::Path;

use engines::auth::{RootKey, identity::IndexCheck};
use futures_util::future::BoxFuture;

use super::check::{Check, Finding, Subject};
use crate::config;

/// The root key is the one the data were begun with.
pub(super) struct RootKeyMatches;

impl Check for RootKeyMatches {
    fn name(&self) -> &'static str {
        "root_key"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let Some(store) = &subject.store else { return Vec::new() };
            let root = match root_key(subject) {
                Ok(Some(root)) => root,
                Ok(None) => {
                    return vec![Finding::problem(
                        "there is data, and no root key: a server would make another one and could not log anybody in",
                        "put root.key back from the backup of the key",
                    )];
                }
                Err(detail) => {
                    return vec![Finding::problem(detail, "set the key in one place, with at least 32 bytes")];
                }
            };
            vec![match IndexCheck::of(&root, &**store).await {
                Ok(IndexCheck::Same) => Finding::ok("the root key is the one the data were begun with"),
                Ok(IndexCheck::NotNoted) => Finding::ok("no root key is noted in the data yet"),
                Ok(IndexCheck::Another) => Finding::problem(
                    "the root key is not the one the data were begun with: nobody could log in, and no key slot would open",
                    "put back the key that belongs to these data",
                ),
                Err(error) => Finding::problem(
                    format!("whether the root key belongs to the data cannot be read: {}", error.detail()),
                    "check the data file",
                ),
            }]
        })
    }
}

/// The root key as a server would find it, without making one.
fn root_key(subject: &Subject) -> Result<Option<RootKey>, String> {
    let set = config::root_key(&subject.settings, &subject.variables).map_err(|fault| fault.to_string())?;
    let beside: &Path = &subject.settings.data.join("root.key");
    match set {
        Some(root) => Ok(Some(root)),
        None if beside.exists() => {
            config::root_from_file("root key", beside, subject.settings.auth.allow_readable_secrets)
                .map(Some)
                .map_err(|fault| fault.to_string())
        }
        None => Ok(None),
    }
}
