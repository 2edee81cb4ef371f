//! Checks of the settings.

use std::sync::Arc;

use engines::{Guard, IdGenerator, auth::Identity, core::Store, storage::MemoryStore};
use futures_util::future::BoxFuture;

use super::check::{DoctorCheck, DoctorContext, DoctorFinding};
use crate::config::{self, StoreKind};

/// Checks that the settings do not contradict each other, and that secrets can be read.
pub(super) struct SettingsCheck;

impl DoctorCheck for SettingsCheck {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let mut found = contradictions(context);
            found.extend(secrets(context));
            if found.is_empty() {
                found.push(DoctorFinding::ok(
                    "the settings agree with each other, and every secret they name can be read",
                ));
            }
            found
        })
    }
}

fn contradictions(context: &DoctorContext) -> Vec<DoctorFinding> {
    let settings = &context.settings;
    let (limits, sqlite, identity) = (&settings.limits, &settings.sqlite, &settings.identity);
    let rules = [
        (limits.page_default <= limits.page_max, "limits.page_default is more than limits.page_max", "lower the first"),
        (
            limits.body_bytes <= limits.batch_body_bytes,
            "limits.body_bytes is more than limits.batch_body_bytes, so no line can be that long",
            "raise the second",
        ),
        (
            limits.event_bytes <= limits.body_bytes,
            "limits.event_bytes is more than limits.body_bytes, so no request can contain such an event",
            "raise the second",
        ),
        (
            limits.batch_group <= limits.batch_lines,
            "limits.batch_group is more than limits.batch_lines",
            "lower the first",
        ),
        (
            limits.ws_ping_s < limits.ws_silence_s,
            "limits.ws_ping_s is not less than limits.ws_silence_s, so silent sockets are closed before they get a ping",
            "raise the second",
        ),
        (
            sqlite.group_bytes <= sqlite.write_queue_bytes,
            "sqlite.group_bytes is more than sqlite.write_queue_bytes, so no group can be that large",
            "lower the first",
        ),
        (
            sqlite.recovery_wait_ms <= sqlite.recovery_wait_max_ms,
            "sqlite.recovery_wait_ms is more than sqlite.recovery_wait_max_ms",
            "lower the first",
        ),
        (
            settings.store == StoreKind::Sqlite || !context.settings.data.join("engines.db").exists(),
            "store is `memory`, and there is a data file in the data folder that is not used",
            "set store to `sqlite`, or name another folder",
        ),
    ];
    let broken = rules.into_iter().filter(|(holds, ..)| !holds);
    let mut found: Vec<_> = broken.map(|(_, detail, advice)| DoctorFinding::problem(detail, advice)).collect();
    let service = IdGenerator::from_os().and_then(|ids| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(&ids));
        Identity::without_accounts(store, Guard::allow_all()?).settings(identity.clone()).build()
    });
    if let Err(error) = service {
        found.push(DoctorFinding::problem(
            format!("[identity]: {}", error.detail()),
            "change it; the server does not start",
        ));
    }
    found
}

/// Reads the secrets that a server reads when it starts.
fn secrets(context: &DoctorContext) -> Vec<DoctorFinding> {
    let (settings, variables) = (&context.settings, &context.variables);
    let mut found = Vec::new();
    match config::signing_secret(settings, variables) {
        Ok(Some(secret)) => {
            if let Err(fault) = config::signing_keys(settings, secret) {
                found.push(DoctorFinding::problem(fault.to_string(), "change it; the server does not start"));
            }
        }
        Ok(None) if settings.data.join("signing-secret").exists() => {}
        Ok(None) => found.push(DoctorFinding::note(
            "there is no signing secret",
            format!(
                "set {} or {}; `serve` does not start without one",
                config::SIGNING_SECRET,
                config::SIGNING_SECRET_FILE
            ),
        )),
        Err(fault) => found.push(DoctorFinding::problem(fault.to_string(), "change it; the server does not start")),
    }
    let others = [
        config::root_key(settings, variables).map(drop),
        config::system_key(settings, variables).map(drop),
        config::seal_keys(settings, variables).map(drop),
        config::vault_key(settings, variables).map(drop),
    ];
    let faults = others.into_iter().filter_map(Result::err);
    found.extend(faults.map(|fault| DoctorFinding::problem(fault.to_string(), "change it; the server does not start")));
    found
}
