//! A custom credential: partners authenticate with a key from a vault, beside all other callers, through the same
//! admission.
//!
//!     cargo run --example custom_authenticator

use std::{collections::HashMap, sync::Arc};

use engines::{
    Actor, ActorType, Principal,
    auth::{Authenticator, Credential, same_bytes},
    prelude::*,
};

/// Accepts keys such as `partner.acme.4f2c…`: a name and its secret. In production, store a hash, and load it from a
/// vault.
#[derive(Debug)]
struct PartnerKeys(HashMap<&'static str, &'static str>);

#[async_trait::async_trait]
impl Authenticator for PartnerKeys {
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        // A credential of another form is left to the other authenticators; anything undecided must be an error.
        let Credential::Bearer(text) = credential else { return Ok(None) };
        let Some(rest) = text.strip_prefix("partner.") else { return Ok(None) };
        let refused = || Error::new(Code::TokenInvalid, "partner_keys", "not a key of a partner");
        let (partner, secret) = rest.split_once('.').ok_or_else(refused)?;
        let known = self.0.get(partner).ok_or_else(refused)?;
        if !same_bytes(known.as_bytes(), secret.as_bytes()) {
            return Err(refused());
        }
        let actor = Actor { id: UserId::new(format!("partner:{partner}"))?, kind: ActorType::Agent };
        let mut principal = Principal::assume_verified(actor, "partner-keys");
        principal.memberships.insert(TenantId::new("t_acme")?, Role::Member);
        principal.default_tenant = Some(TenantId::new("t_acme")?);
        Ok(Some(Arc::new(principal)))
    }
}

async fn engine() -> Result<Engine> {
    let keys = PartnerKeys(HashMap::from([("initech", "4f2c-from-a-vault")]));
    Engine::builder().memory().authenticator(keys).build().await
}

/// Admits a key to its default tenant.
async fn admit(engine: &Engine, key: &str) -> Result<RequestContext> {
    engine.enter(key, "", "dev").await
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example speaks to people")]
async fn main() -> Result<()> {
    let engine = engine().await?;
    for wrong in ["partner.initech.guessed", "partner.nobody.4f2c-from-a-vault", "partner.", "something else"] {
        if let Err(error) = admit(&engine, wrong).await {
            println!("{wrong:?} is refused: {} ({})", error.code(), error.detail());
        }
    }
    let context = admit(&engine, "partner.initech.4f2c-from-a-vault").await?;
    let thread = engine.chat().create_thread(&context, NewThread::default()).await?;
    println!("{} started the thread {}", context.actor().id, thread.thread_id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_partner_keys_authenticate() {
        let engine = engine().await.unwrap();
        let context = admit(&engine, "partner.initech.4f2c-from-a-vault").await.unwrap();
        assert_eq!((context.role(), context.scope().tenant().as_str()), (Role::Member, "t_acme"));
        for wrong in ["partner.initech.guessed", "partner.nobody.4f2c-from-a-vault", "partner.", "something else"] {
            assert_eq!(admit(&engine, wrong).await.unwrap_err().code(), Code::TokenInvalid, "{wrong}");
        }
    }
}
