//! Mails over SMTP, to a server in the test that records them.

use std::sync::{Arc, Mutex};

use engines::auth::{
    SecretText,
    mail::{MailSettings, SmtpMailer, SmtpSettings, SmtpTls},
};
use engines_server::HttpSettings;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    fixture::{PASSWORD, Somebody, world_of},
    support,
};

/// The received commands and mails, each mail with its header.
#[derive(Debug, Clone, Default)]
struct Inbox(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    commands: Vec<String>,
    mails: Vec<String>,
    /// Responses to the next mails instead of 250.
    refusals: Vec<&'static str>,
}

impl Inbox {
    async fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inbox = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(inbox.clone().talk(stream));
            }
        });
        port
    }

    async fn talk(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 stand-in\r\n").await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            let command = line.trim_end().to_owned();
            line.clear();
            self.0.lock().unwrap().commands.push(command.clone());
            let word = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match word.as_str() {
                "EHLO" => "250-stand-in\r\n250 AUTH PLAIN\r\n".to_owned(),
                "AUTH" => "235 welcome\r\n".to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.unwrap();
                    let mut mail = String::new();
                    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) && line != ".\r\n" {
                        mail += &line;
                        line.clear();
                    }
                    line.clear();
                    let mut received = self.0.lock().unwrap();
                    let refusal = received.refusals.pop();
                    if refusal.is_none() {
                        received.mails.push(mail.replace("=\r\n", "").replace("=3D", "="));
                    }
                    format!("{}\r\n", refusal.unwrap_or("250 taken"))
                }
                "QUIT" => "221 bye\r\n".to_owned(),
                _ => "250 fine\r\n".to_owned(),
            };
            if stream.write_all(answer.as_bytes()).await.is_err() || word == "QUIT" {
                return;
            }
        }
    }

    /// Returns the newest mail to an address, and waits for it.
    async fn mail(&self, to: &str, subject: &str) -> String {
        for _ in 0..1000 {
            let mails = self.0.lock().unwrap().mails.clone();
            let found = mails.into_iter().rev().find(|mail| {
                mail.contains(&format!("To: {to}\r\n")) && mail.contains(&format!("Subject: {subject}\r\n"))
            });
            if let Some(mail) = found {
                return mail;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no mail came: {:?}", self.0.lock().unwrap());
    }

    fn commands(&self, word: &str) -> Vec<String> {
        self.0.lock().unwrap().commands.iter().filter(|command| command.starts_with(word)).cloned().collect()
    }
}

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".into(),
        port,
        tls: SmtpTls::None,
        from: "Acme <no-reply@acme.example>".into(),
        username: Some("acme".into()),
        ..SmtpSettings::default()
    }
}

fn link<'a>(mail: &'a str, before: &str) -> &'a str {
    let line = mail.lines().find(|line| line.starts_with(before)).unwrap_or_else(|| panic!("no link: {mail}"));
    line.trim_start_matches(before)
}

#[tokio::test]
async fn addresses_are_verified_passwords_reset_and_people_invited_over_smtp() {
    let inbox = Inbox::default();
    let port = inbox.start().await;
    // The first attempt is refused temporarily, and the mail still arrives.
    inbox.0.lock().unwrap().refusals.push("451 try again");
    let password = SecretText::new("the mail server's own");
    let mailer = SmtpMailer::new(&settings(port), Some(&password)).unwrap();
    let messages = MailSettings {
        product: "Acme".into(),
        verify_url: Some("https://acme.example/verify?t={token}".into()),
        reset_url: Some("https://acme.example/reset?t={token}".into()),
        invite_url: Some("https://acme.example/join?t={token}".into()),
        retry_ms: 1,
        ..MailSettings::default()
    };
    let world = world_of(support::builder().mailer(mailer, messages), HttpSettings::default()).await;
    let ada = world.signup("ada").await;
    let subject = |text: &str| format!("{text} Acme");
    let mail = inbox.mail("ada@example.org", &subject("Verify your e-mail address for")).await;
    for header in
        ["From: Acme <no-reply@acme.example>\r\n", "Content-Type: text/plain; charset=utf-8\r\n", "Message-ID: <"]
    {
        assert!(mail.contains(header), "{header}: {mail}");
    }
    assert!(!mail.contains("<html"), "{mail}");
    let verify = json!({ "token": link(&mail, "https://acme.example/verify?t=") });
    assert_eq!(world.post("/auth/verify", verify).send().await.status, 204);

    world.post("/auth/password/forgot", json!({ "email": "ada@example.org" })).send().await.ok(202);
    let mail = inbox.mail("ada@example.org", &subject("Reset your password for")).await;
    let reset = json!({ "token": link(&mail, "https://acme.example/reset?t="), "password": "another 88 Lantern" });
    assert_eq!(world.post("/auth/password/reset", reset).send().await.status, 204);

    // The name that a user gives a tenant contains no working link in the mail.
    let login = json!({ "email": "ada@example.org", "password": "another 88 Lantern" });
    let ada = Somebody { tenant: ada.tenant, ..Somebody::of(&world.post("/auth/login", login).send().await.ok(200)) };
    let rename = json!({ "name": "Win at https://evil.example/x now" });
    let path = format!("/tenants/{}", ada.tenant);
    world.ask("PATCH", path.clone()).json(rename).bearer(&ada.token).within(&ada.tenant).send().await.ok(200);
    let body = json!({ "email": "bob@example.org", "role": "viewer" });
    let invite = world.post(format!("{path}/members"), body).bearer(&ada.token).within(&ada.tenant);
    invite.send().await.ok(202);
    let mail = inbox.mail("bob@example.org", &subject("You are invited at")).await;
    assert!(mail.contains("Win at https evil example x now") && !mail.contains("evil.example"), "{mail}");
    let token = link(&mail, "https://acme.example/join?t=");
    let body = json!({ "token": token, "email": "bob@example.org", "password": PASSWORD });
    let bob = world.post("/auth/invites/accept", body).send().await.ok(200);
    assert_eq!(bob["user"]["email_verified"], true);
    assert_eq!(inbox.commands("RCPT").len(), 4, "one attempt was refused");
    assert!(inbox.commands("AUTH").len() == 4 && inbox.commands("EHLO").len() == 4);
}

#[tokio::test]
async fn mail_headers_contain_only_the_recipients_address() {
    let inbox = Inbox::default();
    let port = inbox.start().await;
    let plain = SmtpSettings { username: None, ..settings(port) };
    let mailer = SmtpMailer::new(&plain, None).unwrap();
    let world = world_of(support::builder().mailer(mailer, MailSettings::default()), HttpSettings::default()).await;
    for bad in [
        "bob@example.org\r\nBcc: eve@example.org",
        "bob@example.org\nSubject: hello",
        "bob@example.org, eve@example.org",
        "<bob@example.org>",
        "Bob <bob@example.org>",
        "bob@example.org\u{0}",
        "\"bob\r\n\"@example.org",
        "bob%0d%0aBcc:eve@example.org",
    ] {
        let body = json!({ "email": bad, "password": PASSWORD });
        let answer = world.post("/auth/signup", body).send().await;
        assert_eq!(answer.refusal(), (400, "BODY_INVALID"), "{bad:?}");
        world.post("/auth/password/forgot", json!({ "email": bad })).send().await.ok(202);
    }
    world.signup("last").await;
    inbox.mail("last@example.org", "Verify your e-mail address for engines").await;
    assert_eq!(inbox.commands("RCPT"), ["RCPT TO:<last@example.org>"]);
    let mails = inbox.0.lock().unwrap().mails.clone();
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].contains("eve@") && !mails[0].to_ascii_lowercase().contains("bcc"), "{mails:?}");
}

#[test]
fn invalid_smtp_settings_are_rejected_at_start() {
    let good = settings(25);
    let password = SecretText::new("x");
    assert!(SmtpMailer::new(&good, Some(&password)).is_ok());
    for (bad, password) in [
        (SmtpSettings { host: String::new(), ..good.clone() }, Some(&password)),
        (SmtpSettings { from: "nobody".into(), ..good.clone() }, Some(&password)),
        (SmtpSettings { from: "a@b.example\r\nBcc: c@d.example".into(), ..good.clone() }, Some(&password)),
        (SmtpSettings { timeout_s: 0, ..good.clone() }, Some(&password)),
        (good.clone(), None),
        (SmtpSettings { username: None, ..good.clone() }, Some(&password)),
    ] {
        assert!(SmtpMailer::new(&bad, password).is_err(), "{bad:?}");
    }
}
