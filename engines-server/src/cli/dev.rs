//! `dev`: starts with everything made for you.

use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode};

use engines::{
    Code, Engine, Env, ResourceId, Result, Scope, TenantId,
    stream::{canvas::NewCanvas, chat::NewThread},
};

use super::{
    RoleArg, ServeArgs, TokenArgs,
    data::DataDir,
    run::{Failed, say},
    serve::{bind, block_on, engine, serve},
    token,
};
use crate::{
    config::{self, Settings, StoreKind},
    log,
};

/// Tenants that are there from the start: the control plane, tenant 1, and one to play with.
const TENANTS: [(&str, &str); 3] = [("t_system", "System"), ("t_northstar", "Northstar"), (PLAYGROUND, "Acme")];
const PLAYGROUND: &str = "t_acme";
/// The thread and the canvas that the curl lines use.
const DEMO: &str = "demo";
/// A day's work.
const TTL_S: u64 = 24 * 3600;

pub(super) fn run(args: &ServeArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let mut settings = config::load(&args.flags(), variables)?;
    settings.mail = settings.mail.in_development();
    log::init(&settings)?;
    let data = DataDir::open(&settings)?;
    let secret = || -> Result<_, Failed> {
        match config::signing_secret(&settings, variables)? {
            Some(secret) => Ok(secret),
            None => data.secret(&engines::IdGenerator::from_os()?),
        }
    };
    block_on(async {
        let listener = bind(settings.listen).await?;
        let kept = (settings.store == StoreKind::Sqlite).then_some(&data);
        let engine = engine(&settings, secret()?, kept, variables).await?;
        let rev = prepare(&engine).await?;
        let minted = TokenArgs {
            tenant: PLAYGROUND.into(),
            role: RoleArg::Owner,
            user: "dev".into(),
            agent: false,
            ttl: TTL_S,
            data: None,
            config: None,
        };
        let token = token::mint(&settings, &secret()?, &minted)?;
        say(&welcome(&settings, listener.local_addr()?, &token, (&engine.guard().decision_id(), rev)));
        serve(&settings, engine, listener).await
    })
}

/// Makes what the curl lines use; what is there stays as it is. Gives the canvas's revision.
async fn prepare(engine: &Engine) -> Result<u64> {
    if let Some(identity) = engine.identity() {
        for (id, name) in TENANTS {
            identity.ensure_tenant(&TenantId::new(id)?, name).await?;
        }
    }
    let context = engine.system(Scope::new(TenantId::new(PLAYGROUND)?, Env::Dev), "engines-server dev")?;
    let id = ResourceId::new(DEMO)?;
    let thread = NewThread { thread_id: Some(id.clone()), ..NewThread::default() };
    there(engine.chat().create_thread(&context, thread).await)?;
    let canvas = NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() };
    there(engine.canvas().create(&context, canvas).await)?;
    Ok(engine.canvas().get(&context, &id).await?.head_rev)
}

/// Made now or before.
fn there<T>(made: Result<T>) -> Result<()> {
    match made {
        Err(error) if error.code() != Code::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn welcome(settings: &Settings, address: SocketAddr, token: &str, (key, rev): (&str, u64)) -> String {
    let url = format!("http://{address}");
    let headers = format!("-H 'Authorization: Bearer {token}' -H 'X-Env: dev'");
    let json = "-H 'Content-Type: application/json'";
    let mails = settings.mail.folder_in(&settings.data);
    let mails = mails.map_or_else(String::new, |folder| format!("mails: {}\n", folder.display()));
    format!(
        "engines is listening on {url}\n\
         data: {data} (tenants t_system, t_northstar, t_acme)\n{mails}\n\
         token (owner of {PLAYGROUND}, for a day):\n{token}\n\n\
         # post a message\n\
         curl -sS {headers} {json} -d '{{\"text\":\"Hello\"}}' {url}/chat/threads/{DEMO}/messages\n\n\
         # follow the thread\n\
         curl -sSN {headers} '{url}/sse/chat/{DEMO}?from=start'\n\n\
         # edit a canvas\n\
         curl -sS {headers} {json} -d '{{\"idempotency_key\":\"{key}\",\"base_rev\":{rev},\"on_conflict\":\"rebase\",\"ops\":[{{\"op\":\"set_token\",\"path\":\"/greeting\",\"value\":\"Hello\"}}]}}' {url}/canvas/{DEMO}/commands\n",
        data = settings.data.display(),
    )
}
