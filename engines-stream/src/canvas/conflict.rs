//! The answer to a command whose base is not the head.

use engines_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::{commit_event::CanvasCommit, history::CanvasHistory};

impl CanvasHistory {
    /// The resource from which a state can be read instead of the commits that lead to it.
    pub(super) fn snapshot_ref(&self, rev: u64) -> String {
        format!("/canvas/{}/snapshot?rev={rev}", self.id)
    }

    /// Makes `REV_MISMATCH`, with the commits since the base if they are within the limits.
    pub(super) async fn rev_mismatch_error(&self, base: u64, head: u64, max_commits: usize, max_bytes: usize) -> Error {
        let detail = "the base revision is not the head; apply the commits since, and send the command again";
        let error = Error::new(Code::RevMismatch, "canvas.command", detail)
            .with_member("base_rev", base)
            .with_member("head_rev", head)
            .with_member("snapshot_ref", self.snapshot_ref(head));
        match self.ops_since(base, head, max_commits, max_bytes).await {
            Ok(Some(ops)) => error.with_member("ops_since_base", ops),
            // The client can use the snapshot instead, so a log that cannot be read now does not change the answer.
            Ok(None) | Err(_) => error,
        }
    }

    async fn ops_since(&self, base: u64, head: u64, max_commits: usize, max_bytes: usize) -> Result<Option<Value>> {
        if base >= head || head - base > u64::try_from(max_commits).unwrap_or(u64::MAX) {
            return Ok(None);
        }
        let (mut at, mut bytes, mut found) = (base, 0, Vec::new());
        while at < head {
            for event in self.events(at, head).await? {
                let commit = CanvasCommit::from_event(&event)?;
                bytes += commit.ops.get().len();
                if bytes > max_bytes {
                    return Ok(None);
                }
                let ops: Value =
                    serde_json::from_str(commit.ops.get()).map_err(|error| Error::internal("canvas.log", error))?;
                found.push(json!({
                    "rev": event.seq, "commit_id": commit.commit_id, "actor_id": event.event.actor.id, "ops": ops,
                }));
                at = event.seq.0;
            }
        }
        Ok(Some(Value::Array(found)))
    }
}
