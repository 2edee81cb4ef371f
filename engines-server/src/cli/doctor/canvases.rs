//! Canvases against their logs.

use std::sync::Arc;

use engines::{
    ResourceId, Scope,
    core::{
        Store,
        nexus::{Order, Page, Query},
    },
    storage::migration::all_scopes,
    stream::canvas::{CANVAS, verify_canvas},
};
use futures_util::future::BoxFuture;

use super::check::{Check, Finding, Subject};

/// Canvases of each scope that are played when not all are: those made last.
const SAMPLE: usize = 3;
/// Scopes that are looked at when not all are.
const SCOPES: usize = 100;
/// Canvases that are named, at the most.
const NAMED: usize = 20;

/// What a canvas's commits make is what is stored of it.
pub(super) struct Canvases;

impl Check for Canvases {
    fn name(&self) -> &'static str {
        "canvases"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let Some(store) = &subject.store else { return Vec::new() };
            let store = Arc::clone(store) as Arc<dyn Store>;
            match look(&store, subject.deep).await {
                Ok(found) => found,
                Err(error) => vec![Finding::problem(
                    format!("canvases cannot be read: {}", error.detail()),
                    "check the data file, and restore a backup",
                )],
            }
        })
    }
}

async fn look(store: &Arc<dyn Store>, deep: bool) -> engines::Result<Vec<Finding>> {
    let Some(archive) = store.archive() else { return Ok(Vec::new()) };
    let (mut found, mut played, mut commits) = (Vec::new(), 0, 0);
    let scopes = all_scopes(archive).await?;
    let most = if deep { scopes.len() } else { SCOPES };
    for scope in scopes.iter().take(most) {
        let mut page = Page::first(if deep { 200 } else { SAMPLE });
        loop {
            let query = Query::kind(CANVAS).order(Order::UpdatedDescending);
            let canvases = store.query(scope, &query, page).await?;
            for canvas in canvases.items {
                let id = ResourceId::new(canvas.id.as_str())?;
                played += 1;
                commits += verify(store, scope, &id, &mut found).await;
            }
            match canvases.next {
                Some(next) if deep => page = Page::after(200, next),
                _ => break,
            }
        }
        if found.len() >= NAMED {
            break;
        }
    }
    if found.is_empty() {
        let sample = if deep { "" } else { " of the newest of each tenant; --deep plays all" };
        found.push(Finding::ok(format!("{played} canvases and {commits} commits were played{sample}")));
    }
    Ok(found)
}

/// Plays one canvas; returns how many commits.
async fn verify(store: &Arc<dyn Store>, scope: &Scope, id: &ResourceId, found: &mut Vec<Finding>) -> u64 {
    let advice = "export the tenant, keep a copy of the file, and restore a backup";
    match verify_canvas(Arc::clone(store), scope, id).await {
        Ok(verified) if verified.differing.is_empty() => verified.played,
        Ok(verified) => {
            let revs: Vec<_> = verified.differing.iter().take(5).map(u64::to_string).collect();
            let detail = format!(
                "{scope} canvas/{id}: what is stored is not what its commits make, at revision {}",
                revs.join(", ")
            );
            found.push(Finding::problem(detail, advice));
            verified.played
        }
        Err(error) => {
            found.push(Finding::problem(format!("{scope} canvas/{id} cannot be played: {}", error.detail()), advice));
            0
        }
    }
}
