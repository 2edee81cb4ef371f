//! `dev`: starts a server with data, secrets and a token for development.

use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode};

use engines::{
    Code, Engine, Env, ResourceId, Result, Scope, TenantId,
    stream::{canvas::NewCanvas, chat::NewThread},
};

use super::{
    RoleArg, ServeArgs, TokenArgs,
    data_dir::DataDir,
    run::{CliError, print},
    serve::{bind, block_on, build_engine, serve},
    token,
};
use crate::{
    config::{self, Settings, StoreKind},
    log,
};

/// Tenants that `dev` creates: the control plane, the first customer tenant, and one for experiments.
const TENANTS: [(&str, &str); 3] = [("t_system", "System"), ("t_northstar", "Northstar"), (PLAYGROUND_TENANT, "Acme")];
const PLAYGROUND_TENANT: &str = "t_acme";
/// The id of the thread and of the canvas in the printed curl lines.
const DEMO_ID: &str = "demo";
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
        print(&welcome_text(&settings, listener.local_addr()?, &token, (&engine.guard().decision_id(), rev)));
        serve(&settings, engine, listener).await
    })
}

/// Creates the canvas and the thread of the printed curl lines, unless they exist, and returns the revision of the
/// canvas.
async fn create_demo_data(engine: &Engine) -> Result<u64> {
    if let Some(identity) = engine.identity() {
        for (id, name) in TENANTS {
            identity.ensure_tenant(&TenantId::new(id)?, name).await?;
        }
    }
    let context = engine.system(Scope::new(TenantId::new(PLAYGROUND_TENANT)?, Env::Dev), "engines-server dev")?;
    let id = ResourceId::new(DEMO_ID)?;
    let thread = NewThread { thread_id: Some(id.clone()), ..NewThread::default() };
    ignore_already_exists(engine.chat().create_thread(&context, thread).await)?;
    let canvas = NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() };
    ignore_already_exists(engine.canvas().create(&context, canvas).await)?;
    Ok(engine.canvas().get(&context, &id).await?.head_rev)
}

/// Accepts the error `ALREADY_EXISTS`: an earlier run has created the resource.
fn ignore_already_exists<T>(made: Result<T>) -> Result<()> {
    match made {
        Err(error) if error.code() != Code::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn welcome_text(settings: &Settings, address: SocketAddr, token: &str, (key, rev): (&str, u64)) -> String {
    let url = format!("http://{address}");
    let headers = format!("-H 'Authorization: Bearer {token}' -H 'X-Env: dev'");
    let json = "-H 'Content-Type: application/json'";
    let mails = settings.mail.folder_in(&settings.data);
    let mails = mails.map_or_else(String::new, |folder| format!("mails: {}\n", folder.display()));
    format!(
        "engines is listening on {url}\n\
         data: {data} (tenants t_system, t_northstar, t_acme)\n{mails}\n\
         token (owner of {PLAYGROUND_TENANT}, for a day):\n{token}\n\n\
         # post a message\n\
         curl -sS {headers} {json} -d '{{\"text\":\"Hello\"}}' {url}/chat/threads/{DEMO_ID}/messages\n\n\
         # follow the thread\n\
         curl -sSN {headers} '{url}/sse/chat/{DEMO_ID}?from=start'\n\n\
         # edit a canvas\n\
         curl -sS {headers} {json} -d '{{\"idempotency_key\":\"{key}\",\"base_rev\":{rev},\"on_conflict\":\"rebase\",\"ops\":[{{\"op\":\"set_token\",\"path\":\"/greeting\",\"value\":\"Hello\"}}]}}' {url}/canvas/{DEMO_ID}/commands\n",
        data = settings.data.display(),
    )
}
