//! Tokens that are mailed, and their records.

use engines_core::{Batch, Code, DocId, Error, Result, nexus::Expect};

use super::{
    documents::{MailTokenBody, TokenPurpose, UserBody},
    mail_queue::MailQueue,
    opaque_token::OpaqueTokenKind,
    records::{self, MAIL_TOKEN},
    state::IdentityState,
};
use crate::secret::SecretText;

const VERIFY_TOKEN: OpaqueTokenKind = OpaqueTokenKind("ev");
const RESET_TOKEN: OpaqueTokenKind = OpaqueTokenKind("pr");

impl IdentityState {
    /// Mints a token for a purpose, an account and an address, and stores its record.
    pub(super) async fn mint_token(
        &self,
        mails: &MailQueue,
        user: &UserBody,
        key: &str,
        purpose: TokenPurpose,
    ) -> Result<SecretText> {
        let kind = match purpose {
            TokenPurpose::Verify => VERIFY_TOKEN,
            TokenPurpose::Reset => RESET_TOKEN,
        };
        let now = self.now();
        let id = self.guard.ids().ulid(now);
        let (token, hash) = kind.mint(id, self.guard.ids());
        let body = MailTokenBody {
            purpose,
            hash,
            user_id: user.user_id.clone(),
            generation: user.generation,
            address: key.to_owned(),
            expires_at: now.plus(mails.settings.token_ttl()),
        };
        let tags = [records::user_tag(&user.user_id)];
        let batch = records::put(Batch::spanning(now), MAIL_TOKEN, id, &tags, &body, Expect::Absent)?;
        self.records.commit(self.records.system(), batch).await?;
        Ok(token)
    }

    /// Returns the record of a mailed token that is valid for `purpose` now.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for an unknown or used token; `TOKEN_EXPIRED`.
    pub(super) async fn mailed_token(
        &self,
        operation: &'static str,
        token: &str,
        purpose: TokenPurpose,
    ) -> Result<records::StoredDocument<MailTokenBody>> {
        let kind = match purpose {
            TokenPurpose::Verify => VERIFY_TOKEN,
            TokenPurpose::Reset => RESET_TOKEN,
        };
        let id = DocId::from(kind.id(token).ok_or_else(invalid_token)?);
        let found = self.records.get::<MailTokenBody>(&MAIL_TOKEN, &id).await?;
        let found = found.filter(|found| found.body.purpose == purpose && found.body.hash.matches(token));
        let found = found.ok_or_else(invalid_token)?;
        if self.now() >= found.body.expires_at {
            let detail = "the mailed token has expired; ask for another";
            return Err(Error::new(Code::TokenExpired, operation, detail));
        }
        Ok(found)
    }
}

pub(super) fn invalid_token() -> Error {
    crate::jwt::invalid_token("the mailed token is unknown or was used; ask for another")
}
