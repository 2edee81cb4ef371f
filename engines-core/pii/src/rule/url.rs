//! Rules for colons: credentials in URLs, and IPv6 addresses that begin with `::`.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::is_alnum;

use super::{network, secret};

const MAX_AUTHORITY_BYTES: usize = 256;

/// How many bytes are examined once nested URLs have used up the budget.
const EXHAUSTED_AUTHORITY_BYTES: usize = 48;

/// At a `:`.
pub(crate) fn scan_colon(scan: &mut Scan<'_>, at: usize) -> usize {
    if scan.byte_at(at + 1) == b'/' && scan.byte_at(at + 2) == b'/' {
        return url_credentials(scan, at);
    }
    if scan.byte_at(at + 1) == b':'
        && let Some(end) = network::ipv6_abbreviated(scan, at)
    {
        return end;
    }
    at + 1
}

/// `scheme://user:password@host`: finds the password. Scheme, user and host remain, because logs need them.
fn url_credentials(scan: &mut Scan<'_>, colon: usize) -> usize {
    let from = colon + 3;
    if scan.byte_at(from) == b'd'
        && let Some(to) = secret::discord_webhook(scan, from)
    {
        return to;
    }
    let rest = &scan.bytes[from.min(scan.bytes.len())..];
    let rest = &rest[..rest.len().min(MAX_AUTHORITY_BYTES)];
    if memchr::memchr(b'@', rest).is_none() {
        return from;
    }
    let most = if scan.cues.remaining_credit(from) < MAX_AUTHORITY_BYTES {
        EXHAUSTED_AUTHORITY_BYTES
    } else {
        MAX_AUTHORITY_BYTES
    };
    let mut sign = None;
    let mut first_colon = None;
    for (k, b) in rest.iter().take(most).enumerate() {
        scan.cues.spend_credit(1);
        match b {
            b'@' => sign = Some(k),
            b':' if first_colon.is_none() => first_colon = Some(k),
            b'/' | b'?' | b'#' if sign.is_some() || first_colon.is_none() => break,
            b'/' | b'#' | b'?' => {}
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'<' | b'>' | b'`' | b',' | b'\\' => break,
            b'\'' if sign.is_none() && first_colon.is_none() => break,
            _ => {}
        }
    }
    let (Some(sign), Some(mid)) = (sign, first_colon) else {
        // `https://0a1b…@host`: a key without a name.
        let key = sign.and_then(|sign| scan.bytes.get(from..from + sign)).filter(|key| is_token_user(key));
        return match key.map(<[u8]>::len) {
            Some(len) if host_follows(scan, from + len + 1) => {
                scan.add_finding(EntityKind::UrlCredentials, from, from + len, 90);
                from + len + 1
            }
            _ => from,
        };
    };
    if mid + 1 >= sign || !host_follows(scan, from + sign + 1) {
        return from;
    }
    let (start, end) = (from + mid + 1, from + sign);
    if super::mask_at(scan, start) == Some(end) {
        super::mask_end(scan, start);
        return end + 1;
    }
    if scan.bytes[from..end].contains(&b'[') && (from..end).any(|k| super::mask_at(scan, k).is_some()) {
        return from;
    }
    if port_like(&scan.bytes[start..end]) || is_placeholder(&scan.bytes[start..end]) {
        return end + 1;
    }
    let database = is_database_scheme(scan, colon);
    let kind = if database { EntityKind::ConnectionString } else { EntityKind::UrlCredentials };
    scan.add_finding(kind, start, end, 95);
    // Skip the `@`: what precedes it is not a mailbox.
    end + 1
}

/// Whether it cannot be the name of a user.
fn is_token_user(key: &[u8]) -> bool {
    let digits = key.iter().filter(|b| b.is_ascii_digit()).count();
    key.len() >= 20 && digits >= 3 && digits < key.len() && key.iter().all(|b| is_alnum(*b) || matches!(b, b'-' | b'_'))
}

fn host_follows(scan: &Scan<'_>, at: usize) -> bool {
    let b = scan.byte_at(at);
    b.is_ascii_alphanumeric() || b == b'[' || b >= 0x80 || b == b'$' || b == b'{'
}

/// `http://host:80/@name`: a slash inside says that it was a port.
fn port_like(password: &[u8]) -> bool {
    let digits = password.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && digits <= 5 && password.get(digits) == Some(&b'/')
}

fn is_placeholder(password: &[u8]) -> bool {
    password.starts_with(b"${")
        || password.starts_with(b"{{")
        || password.starts_with(b"<")
        || password.iter().all(|b| *b == b'*')
        || matches!(password, b"password" | b"PASSWORD" | b"pass")
}

fn is_database_scheme(scan: &Scan<'_>, colon: usize) -> bool {
    let low = colon.saturating_sub(24);
    let scheme = &scan.bytes[low..colon];
    let start = scheme.iter().rposition(|b| !(b.is_ascii_alphanumeric() || *b == b'+')).map_or(0, |k| k + 1);
    let scheme = &scheme[start..];
    const DATABASES: [&[u8]; 12] = [
        b"postgres",
        b"mysql",
        b"mongodb",
        b"redis",
        b"amqp",
        b"mssql",
        b"mariadb",
        b"oracle",
        b"cockroach",
        b"clickhouse",
        b"jdbc",
        b"sqlserver",
    ];
    DATABASES.iter().any(|d| scheme.len() >= d.len() && scheme[..d.len()].eq_ignore_ascii_case(d))
}
