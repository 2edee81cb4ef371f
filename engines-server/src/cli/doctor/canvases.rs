//! Compares canvases with their logs.

use std::sync::Arc;

use engines::{
    ResourceId, Scope,
    core::{
        Store,
        nexus::{DocumentQuery, PageRequest, QueryOrder},
    },
    storage::{SqliteStore, migration::all_scopes},
    stream::canvas::{CANVAS, verify_canvas},
};
use futures_util::future::BoxFuture;

use super::check::{DoctorCheck, DoctorContext, DoctorFinding};

/// Canvases of each scope that are checked unless all are: the newest ones.
const CANVASES_PER_SCOPE: usize = 3;
/// Scopes that are checked unless all are.
const MAX_SCOPES: usize = 100;
/// The largest number of canvases that are named in the report.
const MAX_NAMED: usize = 20;

/// Checks that the commits of a canvas result in its stored state.
pub(super) struct StoredCanvasCheck;

impl DoctorCheck for StoredCanvasCheck {
    fn name(&self) -> &'static str {
        "canvases"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let Some(store) = &context.store else { return Vec::new() };
            match check_canvases(store, context.deep).await {
                Ok(found) => found,
                Err(error) => vec![DoctorFinding::problem(
                    format!("canvases cannot be read: {}", error.detail()),
                    "check the data file, and restore a backup",
                )],
            }
        })
    }
}

async fn check_canvases(sqlite: &Arc<SqliteStore>, deep: bool) -> engines::Result<Vec<DoctorFinding>> {
    let store = &(Arc::clone(sqlite) as Arc<dyn Store>);
    let (mut found, mut played, mut commits) = (Vec::new(), 0, 0);
    let scopes = all_scopes(&**sqlite).await?;
    let most = if deep { scopes.len() } else { MAX_SCOPES };
    for scope in scopes.iter().take(most) {
        let mut page = PageRequest::first(if deep { 200 } else { CANVASES_PER_SCOPE });
        loop {
            let query = DocumentQuery::of_kind(CANVAS).order(QueryOrder::UpdatedDescending);
            let canvases = store.query(scope, &query, page).await?;
            for canvas in canvases.items {
                let id = ResourceId::new(canvas.id.as_str())?;
                played += 1;
                commits += check_canvas(store, scope, &id, &mut found).await;
            }
            match canvases.next {
                Some(next) if deep => page = PageRequest::after(200, next),
                _ => break,
            }
        }
        if found.len() >= MAX_NAMED {
            break;
        }
    }
    if found.is_empty() {
        let sample = if deep { "" } else { " of the newest of each tenant; --deep replays all" };
        found.push(DoctorFinding::ok(format!("{played} canvases and {commits} commits were replayed{sample}")));
    }
    Ok(found)
}

/// Replays one canvas, and returns the number of its commits.
async fn check_canvas(store: &Arc<dyn Store>, scope: &Scope, id: &ResourceId, found: &mut Vec<DoctorFinding>) -> u64 {
    let advice = "export the tenant, keep a copy of the file, and restore a backup";
    match verify_canvas(Arc::clone(store), scope, id).await {
        Ok(verified) if verified.differing.is_empty() => verified.played,
        Ok(verified) => {
            let revs: Vec<_> = verified.differing.iter().take(5).map(u64::to_string).collect();
            let detail = format!(
                "{scope} canvas/{id}: the stored state differs from the replayed commits at revision {}",
                revs.join(", ")
            );
            found.push(DoctorFinding::problem(detail, advice));
            verified.played
        }
        Err(error) => {
            found.push(DoctorFinding::problem(
                format!("{scope} canvas/{id} cannot be replayed: {}", error.detail()),
                advice,
            ));
            0
        }
    }
}
