//! Mails over SMTP.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use engines_core::{Code, Error, Result};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{authentication::Credentials, extension::ClientId},
};
use serde::{Deserialize, Serialize};

use super::{Mail, Mailer};
use crate::secret::SecretText;

const SEND: &str = "mail.smtp";

/// How a connection to the mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// TLS from the first byte (RFC 8314), port 465 unless another is set.
    #[default]
    Implicit,
    /// `STARTTLS`, which must succeed, port 587 unless another is set.
    Starttls,
    /// None, port 25 unless another is set. Only for a server on this machine or in a network one trusts: mails hold tokens.
    None,
}

/// How mails are handed to a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SmtpSettings {
    /// The server's name, which its certificate must be for.
    pub host: String,
    /// Its port; 0 for the one that `tls` says. Default: 0.
    pub port: u16,
    /// How the connection is secured. Default: TLS from the first byte.
    pub tls: SmtpTls,
    /// The sender, such as `Acme <no-reply@acme.example>`.
    pub from: String,
    /// The user name; without one nobody logs in there.
    pub username: Option<String>,
    /// The name this machine greets with (`EHLO`); `[127.0.0.1]` without one.
    pub hello: Option<String>,
    /// Seconds for each command of the conversation. Default: 20.
    pub timeout_s: u64,
}

impl Default for SmtpSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            tls: SmtpTls::default(),
            from: String::new(),
            username: None,
            hello: None,
            timeout_s: 20,
        }
    }
}

/// Hands mails to a mail server, one connection each. Verifies its certificate with the operating system's trust store.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// A whole mail takes no longer.
    deadline: Duration,
}

/// Commands of one conversation, roughly: what a deadline for all of it allows each command's timeout for.
const COMMANDS: u32 = 4;

impl SmtpMailer {
    /// A mailer. Opens no connection yet.
    ///
    /// # Errors
    /// For settings without a host or a good sender, and for a user name without a password or a password without a user name.
    pub fn new(settings: &SmtpSettings, password: Option<&SecretText>) -> Result<Self> {
        let refuse = |detail: &'static str| Error::new(Code::Internal, SEND, detail);
        if settings.host.is_empty() {
            return Err(refuse("the mail server's host is missing"));
        }
        if settings.timeout_s == 0 {
            return Err(refuse("timeout_s is at least 1"));
        }
        let from: Mailbox = settings.from.parse().map_err(|_| refuse("the sender (from) is no e-mail address"))?;
        let host = settings.host.as_str();
        let builder = match settings.tls {
            SmtpTls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
            SmtpTls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
            SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)),
        };
        let timeout = Duration::from_secs(settings.timeout_s);
        let mut builder = builder.map_err(|error| Error::internal(SEND, error))?.timeout(Some(timeout));
        if settings.port != 0 {
            builder = builder.port(settings.port);
        }
        if let Some(hello) = &settings.hello {
            builder = builder.hello_name(ClientId::Domain(hello.clone()));
        }
        builder = match (&settings.username, password) {
            (Some(user), Some(password)) => {
                builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()))
            }
            (None, None) => builder,
            _ => return Err(refuse("the mail server's username and password belong together; set both or none")),
        };
        Ok(Self { transport: builder.build(), from, deadline: timeout * COMMANDS })
    }

    /// The mail as it goes over the wire. The library encodes every header; nothing but the recipient comes from a user.
    fn message(&self, mail: &Mail) -> Result<Message> {
        // The error could quote the address.
        let refuse = |_| Error::internal(SEND, "the recipient is no address that SMTP takes");
        let to: lettre::Address = mail.to().parse().map_err(refuse)?;
        let millis = u64::try_from(mail.at().as_millis()).unwrap_or_default();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject())
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{}>", mail.id(), self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text().replace('\n', "\r\n"));
        message.map_err(|_| Error::internal(SEND, "the mail could not be composed"))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<()> {
        let sent = tokio::time::timeout(self.deadline, self.transport.send(self.message(mail)?)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            // Servers quote addresses in their answers, so the status alone is kept.
            Ok(Err(error)) if error.is_permanent() => Err(Error::internal(SEND, status(&error))),
            Ok(Err(error)) if error.is_transient() => Err(Error::unavailable(SEND, status(&error))),
            Ok(Err(error)) => Err(Error::unavailable(SEND, error)),
            Err(_) => Err(Error::unavailable(SEND, "the mail server takes too long")),
        }
    }
}

fn status(error: &lettre::transport::smtp::Error) -> String {
    error.status().map_or_else(|| "the mail server refused".into(), |code| format!("the mail server said {code}"))
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").finish_non_exhaustive()
    }
}
