//! `dev`: starts a server with data, secrets and a token for development.

use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode};

use engines::{
    Engine, Env, ResourceId, Result, Scope, TenantId,
    stream::{canvas::NewCanvas, chat::NewThread},
};

use super::{
    RoleArg, ServeArgs, TokenArgs,
    data_dir::DataDir,
    engine_setup::build_engine,
    error::CliError,
    runtime::block_on,
    serve::{bind, serve},
    terminal::print,
    token,
};
use crate::{
    config::{self, Settings, StoreKind},
    log,
    quick_start::{self, DEMO_ID},
};

/// Tenants that `dev` creates: the control plane, the first customer tenant, and one for experiments.
const TENANTS: [(&str, &str); 3] = [("t_system", "System"), ("t_northstar", "Northstar"), (PLAYGROUND_TENANT, "Acme")];
const PLAYGROUND_TENANT: &str = "t_acme";
/// The token of `dev` is valid for a day.
const TOKEN_TTL_S: u64 = 24 * 3600;

pub(super) fn run(args: &ServeArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let mut settings = config::load(&args.flags(), variables)?;
    settings.mail = settings.mail.in_development();
    log::init(&settings)?;
    let data = DataDir::open(&settings)?;
    let secret = || -> Result<_, CliError> {
        match config::signing_secret(&settings, variables)? {
            Some(secret) => Ok(secret),
            None => data.signing_secret(&engines::IdGenerator::from_os()?),
        }
    };
    block_on(async {
        let listener = bind(settings.listen).await?;
        let kept = (settings.store == StoreKind::Sqlite).then_some(&data);
        let engine = build_engine(&settings, secret()?, kept, variables).await?;
        let rev = create_demo_data(&engine).await?;
        let minted = TokenArgs {
            tenant: PLAYGROUND_TENANT.into(),
            role: RoleArg::Owner,
            user: "dev".into(),
            agent: false,
            ttl: TOKEN_TTL_S,
            data: None,
            config: None,
        };
        let token = token::mint(&settings, &secret()?, &minted)?;
        print(&welcome_text(&settings, listener.local_addr()?, &token, rev));
        serve(&settings, engine, listener).await
    })
}

/// Creates the tenants, the thread and the canvas that the printed commands use, unless they exist. Returns the revision
/// of the canvas.
async fn create_demo_data(engine: &Engine) -> Result<u64> {
    if let Some(identity) = engine.identity() {
        for (id, name) in TENANTS {
            identity.ensure_tenant(&TenantId::new(id)?, name).await?;
        }
    }
    let context = engine.system(Scope::new(TenantId::new(PLAYGROUND_TENANT)?, Env::Dev), "engines-server dev")?;
    let id = ResourceId::new(DEMO_ID)?;
    let thread = NewThread { thread_id: Some(id.clone()), ..NewThread::default() };
    engine.chat().create_thread_if_absent(&context, thread).await?;
    let canvas = NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() };
    engine.canvas().create_if_absent(&context, canvas).await?;
    Ok(engine.canvas().get(&context, &id).await?.head_rev)
}

fn welcome_text(settings: &Settings, address: SocketAddr, token: &str, base_rev: u64) -> String {
    let url = format!("http://{address}");
    let mails = settings.mail.folder_in(&settings.data);
    let mails = mails.map_or_else(String::new, |folder| format!("mails: {}\n", folder.display()));
    format!(
        "engines is listening on {url}\n\
         data: {data} (tenants t_system, t_northstar, t_acme)\n{mails}\n\
         # a token for the owner of {PLAYGROUND_TENANT}, valid for a day\n\
         TOKEN={token}\n\n\
         {commands}",
        data = settings.data.display(),
        commands = quick_start::commands(&url, base_rev),
    )
}
