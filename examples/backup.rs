//! Backs up an engine while it is written to, verifies the backup and restores it, all in process.
//!
//!     cargo run --example backup
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use engines::{
    Engine, Env, IdGenerator, Scope, TenantId,
    auth::RootKey,
    backup::{BackupSettings, RestoreKeys, VerifyOptions, restore, verify},
    prelude::{NewMessage, NewThread},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    std::fs::create_dir(folder.join("data"))?;
    // The key is kept separately from the data and the backups: in a secret manager, not in the code.
    let root = RootKey::new("a root key of the example, 32 bytes or more")?;

    // In a server these are the settings `[backup]`. With `every_s` or `at` the engine makes backups on a schedule.
    let settings = BackupSettings {
        destination: folder.join("backups").to_string_lossy().into_owned(),
        keep_last: 7,
        ..BackupSettings::default()
    };
    let engine = Engine::builder()
        .sqlite(folder.join("data/engines.db"))
        .root_key(root.clone())
        .backups(settings)
        .build()
        .await?;
    let acme = engine.system(Scope::new(TenantId::new("t_acme")?, Env::Prod), "example")?;
    let thread = engine.chat().create_thread(&acme, NewThread::default()).await?;
    engine.chat().post(&acme, &thread.thread_id, NewMessage::text("Hello")).await?;

    let operator = engine.system(Scope::system()?, "example")?;
    let made = engine.backup().create(&operator).await?;
    println!("{}: {} bytes, as of {}", made.id, made.total_bytes(), made.as_of);
    engine.backup().prune(&operator).await?;
    let backups = engine.backup().destination().ok_or("a destination was set")?.clone();
    engine.shutdown().await;

    let ids = IdGenerator::from_os()?;
    let keys = RestoreKeys { root: Some(&root), root_key_supplied_later: true, ..RestoreKeys::default() };
    let verified = verify(&backups, &made.id, VerifyOptions { work_folder: folder, keys }, &ids).await?;
    println!("verified: {} canvases, {} commits", verified.canvases, verified.commits);
    let restored = restore(&backups, &made.id, &folder.join("restored"), keys, &ids).await?;
    println!("restored: {} tenants and environments", restored.manifest.position.scopes.len());
    Ok(())
}
