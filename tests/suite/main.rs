//! Tests of the engine as an embedder uses it, and of every route by all callers. They are one program, because each
//! program links the whole workspace.

mod backups;
mod engine;
mod events;
mod isolation;
mod oidc;
mod privacy;
mod recorder;
mod retention;
mod tenant_archive;
