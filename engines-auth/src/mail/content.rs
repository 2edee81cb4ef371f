//! The texts of mails: plain text and fixed subjects. Text from users appears only in a form that contains no link.

use std::fmt::Write;

use engines_core::{Role, Timestamp, context::Email};
use ulid::Ulid;

use super::{Mail, MailPurpose, MailSettings};
use crate::{invisible_characters::is_invisible, secret::SecretText};

/// The longest name that a mail shows, in characters.
const MAX_NAME: usize = 60;

/// The content of a mail.
#[derive(Debug, Clone)]
pub(crate) enum MailContent {
    Verify { token: SecretText },
    Reset { token: SecretText },
    ResetUnknown,
    Invite { token: SecretText, tenant: String, role: Role, days: u64 },
    AddressChanged,
}

impl MailContent {
    pub(crate) fn purpose(&self) -> MailPurpose {
        match self {
            Self::Verify { .. } => MailPurpose::Verify,
            Self::Reset { .. } => MailPurpose::Reset,
            Self::ResetUnknown => MailPurpose::ResetUnknown,
            Self::Invite { .. } => MailPurpose::Invite,
            Self::AddressChanged => MailPurpose::AddressChanged,
        }
    }

    /// Composes the mail.
    pub(crate) fn to_mail(&self, id: Ulid, at: Timestamp, to: &str, settings: &MailSettings) -> Mail {
        let product = &settings.product;
        let minutes = settings.token_ttl_s.div_ceil(60);
        let mut text = String::new();
        let subject = match self {
            Self::Verify { token } => {
                let link = MailSettings::link(settings.verify_url.as_deref(), token.expose());
                let _ = write!(
                    text,
                    "Somebody gave this address for an account at {product}. If it was you, verify it with this, \
                     within {minutes} minutes:\n\n{link}\n\n\
                     If it was not you, do nothing and give this to nobody: the account never gets this address.\n"
                );
                format!("Verify your e-mail address for {product}")
            }
            Self::Reset { token } => {
                let link = MailSettings::link(settings.reset_url.as_deref(), token.expose());
                let _ = write!(
                    text,
                    "Somebody asked to reset the password of your account at {product}. If it was you, choose a new \
                     password with this, within {minutes} minutes:\n\n{link}\n\n\
                     If it was not you, do nothing: your password stays as it is.\n"
                );
                format!("Reset your password for {product}")
            }
            Self::ResetUnknown => {
                let _ = write!(
                    text,
                    "Somebody asked to reset a password at {product} by this address. No account has verified this \
                     address, so there is nothing to reset. If it was you, sign up again with this address and verify \
                     it.\n\nIf it was not you, do nothing.\n"
                );
                format!("Your password for {product}")
            }
            Self::Invite { token, tenant, role, days } => {
                let link = MailSettings::link(settings.invite_url.as_deref(), token.expose());
                let tenant = defuse_links(tenant);
                let role = role.as_str();
                let _ = write!(
                    text,
                    "You are invited to \"{tenant}\" at {product}, as {role}. Accept with this, within {days} \
                     day(s):\n\n{link}\n\n\
                     If you do not know who invites you, do nothing: you become a member of nothing.\n"
                );
                format!("You are invited at {product}")
            }
            Self::AddressChanged => {
                let _ = write!(
                    text,
                    "Your account at {product} has another e-mail address now, and this one does not belong to it any \
                     more.\n\nIf it was not you, tell whoever runs {product} at once.\n"
                );
                format!("Your e-mail address at {product} has changed")
            }
        };
        Mail::new(id, at, self.purpose(), Email::new(to), subject, SecretText::new(text))
    }
}

/// Returns text of a user in a form that a mail may show: one line of bounded length, without anything that a mail
/// program turns into a link.
fn defuse_links(text: &str) -> String {
    // The ideographic and the fullwidth full stop separate labels of domains too (RFC 3490 section 3.1).
    const DOT_CHARACTERS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
    const ALLOWED_SIGNS: [char; 7] = [' ', '\'', '-', ',', '&', '(', ')'];
    let mut shown = String::new();
    // Invisible characters are removed first, so that they split no word and separate no dot from the letter after it.
    let mut rest = text.chars().filter(|letter| !vanishes(*letter)).peekable();
    while let Some(letter) = rest.next() {
        let within = rest.peek().is_some_and(|next| next.is_alphanumeric());
        let kept =
            letter.is_alphanumeric() || ALLOWED_SIGNS.contains(&letter) || DOT_CHARACTERS.contains(&letter) && !within;
        match kept {
            true => shown.push(letter),
            false => shown.push(' '),
        }
    }
    let words: Vec<_> = shown.split_whitespace().collect();
    words.join(" ").chars().take(MAX_NAME).collect()
}

/// Returns whether a character vanishes from a name: it is invisible, or selects the variant of another one. White
/// space and control characters are not among them, because they separate words.
fn vanishes(letter: char) -> bool {
    let is_separator = letter.is_whitespace() || letter.is_control();
    let is_variation_selector = matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    !is_separator && (is_invisible(letter) || is_variation_selector)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::defuse_links;

    #[test]
    fn names_contain_no_links() {
        for (name, shown) in [
            ("Acme Inc.", "Acme Inc."),
            ("evil.\u{e0100}example", "evil example"),
            ("evil\u{3164}.\u{3164}example", "evil example"),
            ("Müller & Söhne (Köln)", "Müller & Söhne (Köln)"),
            ("win at https://evil.example/x?y=1", "win at https evil example x y 1"),
            ("www.evil.example", "www evil example"),
            ("evil\u{3002}example", "evil example"),
            ("a\r\nBcc: eve@example.org", "a Bcc eve example org"),
            ("e\u{200b}vil\u{202e}.example", "evil example"),
            ("<a href=x>", "a href x"),
        ] {
            assert_eq!(defuse_links(name), shown);
        }
        assert_eq!(defuse_links(&"x".repeat(500)).len(), 60);
    }

    proptest! {
        #[test]
        fn arbitrary_names_contain_no_links(name in "\\PC{0,80}|[a-z.:/@\r\n]{0,80}") {
            let shown = defuse_links(&name);
            prop_assert!(shown.chars().count() <= 60);
            prop_assert!(!shown.contains(['\r', '\n', '/', ':', '@', '<', '>', '"']));
            let letters: Vec<_> = shown.chars().collect();
            prop_assert!(!letters.windows(2).any(|two| two[0] == '.' && two[1].is_alphanumeric()));
        }
    }
}
