//! Routing keys that an event carries in addition to its scope, stream and actor.

use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    context::{ActorType, RequestContext},
    error::{Error, Result},
    id::ResourceId,
    stream::{StreamKey, StreamKind},
};

/// Routing keys. A client may send any of them; those that name its tenant, environment, user or path must agree with
/// the request's context.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// Checked against the scope, never stored.
    #[serde(skip_serializing)]
    pub tenant_id: Option<String>,
    /// Checked against the scope, never stored.
    #[serde(skip_serializing)]
    pub env: Option<String>,
    /// Checked against the actor, never stored.
    #[serde(skip_serializing)]
    pub actor_id: Option<String>,
    /// Checked against the actor, never stored.
    #[serde(skip_serializing)]
    pub actor_type: Option<String>,
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<ResourceId>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ResourceId>,
    /// The app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ResourceId>,
    /// The surface: which part of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface_id: Option<ResourceId>,
    /// The canvas; taken from the stream if the stream is a canvas's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canvas_id: Option<ResourceId>,
    /// A projection of the canvas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_id: Option<ResourceId>,
    /// A panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panel_id: Option<ResourceId>,
    /// The thread; taken from the stream if the stream is a thread's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<ResourceId>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<ResourceId>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<ResourceId>,
}

impl Routing {
    /// Checks the keys that name the caller and the stream, and then removes them: they are written from the verified
    /// context alone.
    ///
    /// # Errors
    /// `CONTEXT_MISMATCH`, naming the key that disagrees.
    pub fn validate(self, context: &RequestContext, key: &StreamKey) -> Result<Self> {
        let mut checked = self.validate_context(context)?;
        let of_stream = |kinds: &[StreamKind], id: &Option<ResourceId>| {
            id.as_ref().is_none_or(|id| !kinds.contains(&key.kind()) || id.as_str() == key.id())
        };
        let agrees = [
            ("canvas_id", of_stream(&[StreamKind::Canvas, StreamKind::Artifacts], &checked.canvas_id)),
            ("thread_id", of_stream(&[StreamKind::Chat], &checked.thread_id)),
        ];
        check_agreement(&agrees)?;
        match key.kind() {
            StreamKind::Chat => checked.thread_id = None,
            StreamKind::Canvas | StreamKind::Artifacts => checked.canvas_id = None,
        }
        Ok(checked)
    }

    /// As [`Routing::validate`], for events that belong to no stream.
    ///
    /// # Errors
    /// `CONTEXT_MISMATCH`, naming the key that disagrees.
    pub fn validate_context(mut self, context: &RequestContext) -> Result<Self> {
        let actor = context.actor();
        let env = self.env.take();
        let agrees = [
            ("tenant_id", self.tenant_id.take().is_none_or(|id| id == context.scope().tenant().as_str())),
            ("env", env.is_none_or(|env| env.parse().is_ok_and(|env: crate::Env| env == context.scope().env()))),
            ("actor_id", self.actor_id.take().is_none_or(|id| id == actor.id.as_str())),
            ("actor_type", self.actor_type.take().is_none_or(|kind| ActorType::from_wire(&kind) == Some(actor.kind))),
        ];
        check_agreement(&agrees)?;
        Ok(self)
    }

    /// Whether no key is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns an error for the first key that does not agree.
fn check_agreement(agrees: &[(&str, bool)]) -> Result<()> {
    let Some((field, _)) = agrees.iter().find(|(_, agrees)| !agrees) else { return Ok(()) };
    let detail = format!("the routing key {field} disagrees with the credential, the scope or the path");
    Err(Error::new(Code::ContextMismatch, "stream.routing", detail).with_member("field", format!("routing.{field}")))
}
