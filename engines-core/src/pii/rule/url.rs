//! What hangs on a colon: credentials in URLs, and IPv6 addresses that begin with `::`.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::is_alnum;

use super::{net, secret};

const AUTHORITY_MAX: usize = 256;

/// How much is looked at where URLs inside of URLs have used up what may be.
const AUTHORITY_GLANCED: usize = 48;

/// At a `:`.
pub(crate) fn colon(s: &mut Scan<'_>, i: usize) -> usize {
    if s.at(i + 1) == b'/' && s.at(i + 2) == b'/' {
        return authority(s, i);
    }
    if s.at(i + 1) == b':'
        && let Some(end) = net::ipv6_short(s, i)
    {
        return end;
    }
    i + 1
}

/// `scheme://user:password@host`: the password. What is left still says where and as whom, which logs need.
fn authority(s: &mut Scan<'_>, colon: usize) -> usize {
    let from = colon + 3;
    if s.at(from) == b'd'
        && let Some(to) = secret::posting(s, from)
    {
        return to;
    }
    let rest = &s.b[from.min(s.b.len())..];
    let rest = &rest[..rest.len().min(AUTHORITY_MAX)];
    if memchr::memchr(b'@', rest).is_none() {
        return from;
    }
    let most = if s.cues.credit(from) < AUTHORITY_MAX { AUTHORITY_GLANCED } else { AUTHORITY_MAX };
    let mut sign = None;
    let mut first_colon = None;
    for (k, b) in rest.iter().take(most).enumerate() {
        s.cues.charge(1);
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
        let key = sign.and_then(|sign| s.b.get(from..from + sign)).filter(|key| token(key));
        return match key.map(<[u8]>::len) {
            Some(len) if host_follows(s, from + len + 1) => {
                s.hit(Kind::UrlCredentials, from, from + len, 90);
                from + len + 1
            }
            _ => from,
        };
    };
    if mid + 1 >= sign || !host_follows(s, from + sign + 1) {
        return from;
    }
    let (start, end) = (from + mid + 1, from + sign);
    if super::mask_at(s, start) == Some(end) {
        super::mask_end(s, start);
        return end + 1;
    }
    if s.b[from..end].contains(&b'[') && (from..end).any(|k| super::mask_at(s, k).is_some()) {
        return from;
    }
    if port_like(&s.b[start..end]) || placeholder(&s.b[start..end]) {
        return end + 1;
    }
    let database = database_scheme(s, colon);
    let kind = if database { Kind::ConnectionString } else { Kind::UrlCredentials };
    s.hit(kind, start, end, 95);
    // Step over the `@`: what stands before it is no mailbox.
    end + 1
}

/// Whether it is no name of a user.
fn token(key: &[u8]) -> bool {
    let digits = key.iter().filter(|b| b.is_ascii_digit()).count();
    key.len() >= 20 && digits >= 3 && digits < key.len() && key.iter().all(|b| is_alnum(*b) || matches!(b, b'-' | b'_'))
}

fn host_follows(s: &Scan<'_>, i: usize) -> bool {
    let b = s.at(i);
    b.is_ascii_alphanumeric() || b == b'[' || b >= 0x80 || b == b'$' || b == b'{'
}

/// `http://host:80/@name`: a slash inside says that it was a port.
fn port_like(password: &[u8]) -> bool {
    let digits = password.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && digits <= 5 && password.get(digits) == Some(&b'/')
}

fn placeholder(password: &[u8]) -> bool {
    password.starts_with(b"${")
        || password.starts_with(b"{{")
        || password.starts_with(b"<")
        || password.iter().all(|b| *b == b'*')
        || matches!(password, b"password" | b"PASSWORD" | b"pass")
}

fn database_scheme(s: &Scan<'_>, colon: usize) -> bool {
    let low = colon.saturating_sub(24);
    let scheme = &s.b[low..colon];
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
