//! Checks of the keys for the data.

use std::path::Path;

use engines::auth::{RootKey, identity::IndexKeyStatus};
use futures_util::future::BoxFuture;

use super::check::{DoctorCheck, DoctorContext, DoctorFinding};
use crate::config;

/// Checks that the root key is the one with which the data were created.
pub(super) struct RootKeyCheck;

impl DoctorCheck for RootKeyCheck {
    fn name(&self) -> &'static str {
        "root_key"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let Some(store) = &context.store else { return Vec::new() };
            let root = match root_key(context) {
                Ok(Some(root)) => root,
                Ok(None) => {
                    return vec![DoctorFinding::problem(
                        "there are data and no root key; a server cannot start with these data",
                        "put root.key back from the backup of the key",
                    )];
                }
                Err(detail) => {
                    return vec![DoctorFinding::problem(detail, "set the key in one place, with at least 32 bytes")];
                }
            };
            vec![match IndexKeyStatus::load(&root, &**store).await {
                Ok(IndexKeyStatus::Matches) => {
                    DoctorFinding::ok("the root key is the one with which the data were created")
                }
                Ok(IndexKeyStatus::NotRecorded) => {
                    DoctorFinding::ok("the data do not contain the fingerprint of a root key yet")
                }
                Ok(IndexKeyStatus::Differs) => DoctorFinding::problem(
                    "the root key is not the one with which the data were created; no user can log in, and no key slot opens",
                    "restore the key that belongs to these data",
                ),
                Err(error) => DoctorFinding::problem(
                    format!("the fingerprint of the root key cannot be read: {}", error.detail()),
                    "check the data file",
                ),
            }]
        })
    }
}

/// Finds the root key as a server does, but creates none.
fn root_key(context: &DoctorContext) -> Result<Option<RootKey>, String> {
    let set = config::root_key(&context.settings, &context.variables).map_err(|fault| fault.to_string())?;
    let beside: &Path = &context.settings.data.join("root.key");
    match set {
        Some(root) => Ok(Some(root)),
        None if beside.exists() => {
            config::root_key_from_file("root key", beside, context.settings.auth.allow_readable_secrets)
                .map(Some)
                .map_err(|fault| fault.to_string())
        }
        None => Ok(None),
    }
}
