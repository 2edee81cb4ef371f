//! Unit tests of an app that embeds engines: an engine in memory, test contexts and a clock that the test controls.
//!
//!     cargo test --example unit_test
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use engines::{
    Engine, RequestContext, ResourceId, Result,
    stream::{
        canvas::{CanvasCommand, NewCanvas},
        chat::NewMessage,
    },
};
use serde_json::json;

/// A function of the app: an approval is a member of the canvas and a message in the thread.
async fn approve(engine: &Engine, context: &RequestContext, plan: &ResourceId, thread: &ResourceId) -> Result<u64> {
    let head = engine.canvas().get(context, plan).await?.head_rev;
    let mark = json!([{"op": "set_token", "path": "/approved_by", "value": context.actor().id}]);
    let answer = engine.canvas().command(context, plan, CanvasCommand::new(head, &mark)?.with_rebase()).await?;
    engine.chat().post(context, thread, NewMessage::text(format!("approved at revision {}", answer.rev))).await?;
    Ok(answer.rev)
}

#[tokio::main]
async fn main() -> Result<()> {
    let engine = Engine::builder().memory().build().await?;
    let scope = engines::Scope::new(engines::TenantId::new("t_acme")?, engines::Env::Dev);
    let context = engine.system(scope, "example")?;
    let (plan, thread) = (ResourceId::new("plan")?, ResourceId::new("talk")?);
    engine.canvas().create(&context, NewCanvas { canvas_id: Some(plan.clone()), ..NewCanvas::default() }).await?;
    let talk = engines::stream::chat::NewThread { thread_id: Some(thread.clone()), ..Default::default() };
    engine.chat().create_thread(&context, talk).await?;
    println!("approved at revision {}", approve(&engine, &context, &plan, &thread).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engines::{
        Code, IdGenerator, Role,
        core::testing::{ManualClock, context},
        stream::chat::NewThread,
    };

    use super::*;

    async fn test_engine() -> (Engine, ManualClock, ResourceId, ResourceId) {
        let clock = ManualClock::default();
        let engine = Engine::builder().memory().clock(clock.clone()).ids(IdGenerator::seeded(1)).build().await.unwrap();
        let ada = context("t_acme", "ada", Role::Member).unwrap();
        let plan = engine.canvas().create(&ada, NewCanvas::default()).await.unwrap().canvas_id;
        let thread = engine.chat().create_thread(&ada, NewThread::default()).await.unwrap().thread_id;
        (engine, clock, plan, thread)
    }

    #[tokio::test]
    async fn an_approval_is_recorded_and_posted_as_its_author() {
        let (engine, clock, plan, thread) = test_engine().await;
        let grace = context("t_acme", "grace", Role::Member).unwrap();
        clock.advance(Duration::from_secs(60));
        assert_eq!(approve(&engine, &grace, &plan, &thread).await.unwrap(), 1);

        let snapshot = engine.canvas().snapshot(&grace, &plan, None).await.unwrap();
        assert_eq!(snapshot.state["approved_by"], "grace");
        let said = engine.chat().events(&grace, &thread, None, 10).await.unwrap();
        assert_eq!(said.items[0].event.event.ts.to_string(), "2026-01-01T00:01:00.000Z");
    }

    #[tokio::test]
    async fn a_viewer_cannot_approve_and_another_tenant_gets_not_found() {
        let (engine, _, plan, thread) = test_engine().await;
        let viewer = context("t_acme", "vic", Role::Viewer).unwrap();
        let stranger = context("t_other", "ada", Role::Owner).unwrap();
        let refused = |error: engines::Error| error.code();
        assert_eq!(approve(&engine, &viewer, &plan, &thread).await.map_err(refused), Err(Code::RoleInsufficient));
        assert_eq!(approve(&engine, &stranger, &plan, &thread).await.map_err(refused), Err(Code::NotFound));
    }
}
