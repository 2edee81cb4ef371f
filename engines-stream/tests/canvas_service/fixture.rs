//! The fixture of the canvas tests.

use std::sync::Arc;

use engines_core::{
    Guard, IdGenerator, Limits, RequestContext, ResourceId, Role, Store,
    command::{CommandLimits, JsonReducer, Op, SizedDocument, apply_batch, state_hash},
    testing,
};
use engines_storage::MemoryStore;
use engines_stream::canvas::{CanvasCommand, CanvasService, CanvasSettings, NewCanvas};
use serde_json::{Value, json};

/// A canvas in a store, and a context that may edit it.
pub(crate) struct CanvasFixture {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) service: CanvasService,
    pub(crate) ada: RequestContext,
    pub(crate) id: ResourceId,
}

pub(crate) fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(&IdGenerator::from_os().unwrap()))
}

pub(crate) fn service(store: &Arc<dyn Store>, settings: CanvasSettings) -> CanvasService {
    CanvasService::builder(Arc::clone(store), Guard::allow_all().unwrap(), Arc::new(Limits::default()))
        .settings(settings)
        .build()
}

pub(crate) async fn canvas_fixture() -> CanvasFixture {
    canvas_fixture_with(memory(), CanvasSettings::default()).await
}

pub(crate) async fn canvas_fixture_with(store: Arc<dyn Store>, settings: CanvasSettings) -> CanvasFixture {
    let service = service(&store, settings);
    let ada = testing::context("t_acme", "ada", Role::Member).unwrap();
    let id = ResourceId::new("c1").unwrap();
    service.create(&ada, NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() }).await.unwrap();
    CanvasFixture { store, service, ada, id }
}

impl CanvasFixture {
    pub(crate) async fn command(
        &self,
        command: CanvasCommand,
    ) -> engines_core::Result<engines_stream::canvas::CommandAnswer> {
        self.service.command(&self.ada, &self.id, command).await
    }

    pub(crate) async fn head(&self) -> u64 {
        self.service.get(&self.ada, &self.id).await.unwrap().head_rev
    }

    /// The state at the head, replayed from the commits alone and compared with the snapshot.
    pub(crate) async fn replayed_state(&self) -> Value {
        let mut state = SizedDocument::new(json!({})).unwrap();
        let (mut after, mut expected) = (0, 1);
        loop {
            let page = self.service.commits(&self.ada, &self.id, after, 500).await.unwrap();
            for commit in &page.items {
                assert_eq!(commit.rev, expected);
                expected += 1;
                let ops: Vec<Op> = serde_json::from_str(commit.ops.get()).unwrap();
                apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::for_replay()).unwrap();
            }
            let Some(next) = page.next else { break };
            after = next.parse().unwrap();
        }
        let snapshot = self.service.snapshot(&self.ada, &self.id, None).await.unwrap();
        assert_eq!(snapshot.rev, expected - 1);
        assert_eq!(snapshot.state_hash, state_hash(state.value()));
        state.into_value()
    }
}

/// A command that sets one member.
pub(crate) fn set(base_rev: u64, name: &str, value: impl Into<Value>) -> CanvasCommand {
    let ops = json!([{"op": "set_token", "path": format!("/{name}"), "value": value.into()}]);
    CanvasCommand::new(base_rev, &ops).unwrap()
}
