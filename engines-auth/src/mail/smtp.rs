//! A mailer that sends over SMTP.

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
    /// TLS from the first byte (RFC 8314). Default port: 465.
    #[default]
    Implicit,
    /// `STARTTLS`, which must succeed. Default port: 587.
    Starttls,
    /// No encryption. Default port: 25. Only for a server on this machine or in a trusted network, because mails
    /// contain tokens.
    None,
}

/// Settings of the connection to a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SmtpSettings {
    /// The host name of the server. Its certificate must be valid for this name.
    pub host: String,
    /// The port; 0 selects the default port of `tls`. Default: 0.
    pub port: u16,
    /// How the connection is secured. Default: TLS from the first byte.
    pub tls: SmtpTls,
    /// The sender, such as `Acme <no-reply@acme.example>`.
    pub from: String,
    /// The user name. Without one, the mailer does not authenticate to the server.
    pub username: Option<String>,
    /// The name with which this machine greets the server (`EHLO`). Default: `[127.0.0.1]`.
    pub hello: Option<String>,
    /// Seconds that each command of the connection may take. Default: 20.
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

/// Sends mails through a mail server, with one connection each. The server's certificate is verified with the trust
/// store of the operating system.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// The longest time for a whole mail.
    deadline: Duration,
}

/// The number of command timeouts that the deadline of a whole mail allows.
const COMMANDS: u32 = 4;

impl SmtpMailer {
    /// Creates a mailer. It opens no connection yet.
    ///
    /// # Errors
    /// For settings without a host or with an invalid sender, and for a user name without a password or a password
    /// without a user name.
    pub fn new(settings: &SmtpSettings, password: Option<&SecretText>) -> Result<Self> {
        let refuse = |detail: &'static str| Error::new(Code::Internal, SEND, detail);
        if settings.host.is_empty() {
            return Err(refuse("the mail server's host is missing"));
        }
        if settings.timeout_s == 0 {
            return Err(refuse("timeout_s must be at least 1"));
        }
        let from: Mailbox = settings.from.parse().map_err(|_| refuse("the sender (from) is not an e-mail address"))?;
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
            _ => {
                return Err(refuse(
                    "the mail server has a username without a password, or a password without a username; set both or none",
                ));
            }
        };
        Ok(Self { transport: builder.build(), from, deadline: timeout * COMMANDS })
    }

    /// Builds the message. The library encodes every header. Only the recipient comes from a user.
    fn message(&self, mail: &Mail) -> Result<Message> {
        // The error of the library may contain the address.
        let refuse = |_| Error::internal(SEND, "SMTP does not accept the address of the recipient");
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
            // Servers quote addresses in their responses, so only the status is kept.
            Ok(Err(error)) if error.is_permanent() => Err(Error::internal(SEND, status(&error))),
            Ok(Err(error)) if error.is_transient() => Err(Error::unavailable(SEND, status(&error))),
            Ok(Err(error)) => Err(Error::unavailable(SEND, error)),
            Err(_) => Err(Error::unavailable(SEND, "the mail server did not respond in time")),
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
