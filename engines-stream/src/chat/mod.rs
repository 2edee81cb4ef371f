//! Chats: threads of messages. A thread is a document; its messages are the log `chat/{thread_id}`.
//!
//! A message is one durable event of type [`USER_MESSAGE`], whatever its role; its `data` is a [`ChatMessage`], and the
//! message's id is the event's.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{Guard, IdGenerator, Limits, Role, testing};
//! use engines_storage::MemoryStore;
//! use engines_stream::chat::{ChatService, NewMessage, NewThread};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new(&IdGenerator::from_os()?));
//! let chat = ChatService::new(store, Guard::allow_all()?, Arc::new(Limits::default()));
//! let ada = testing::context("t_acme", "ada", Role::Member)?;
//! let thread = chat.create_thread(&ada, NewThread::default()).await?;
//! let posted = chat.post(&ada, &thread.thread_id, NewMessage::text("hello")).await?;
//! assert_eq!(posted.event.seq.0, 1);
//! let page = chat.events(&ada, &thread.thread_id, None, 50).await?;
//! assert_eq!(page.items.len(), 1);
//! # Ok(()) }
//! ```

mod events;
mod message;
mod model;
mod service;

pub use self::{
    events::{EventPage, EventWithCursor},
    message::{ChatMessage, USER_MESSAGE},
    model::{NewMessage, NewThread, PostedMessage, Thread},
    service::{ChatService, THREAD},
};
