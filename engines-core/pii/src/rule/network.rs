//! IP addresses (RFC 4291, RFC 4632) and MAC addresses (IEEE 802).

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_hex, is_word};
use crate::scan::cue::bit;

/// Whether an IPv6 or MAC address or a UUID may begin with this word, which has `next` behind it.
#[inline]
pub(crate) fn may_begin_address(word: &[u8], next: u8) -> bool {
    digits_may_begin_address(word.len(), next) && word.iter().fold(true, |all, b| all & is_hex(*b))
}

/// The same for a word of so many digits.
#[inline]
pub(crate) fn digits_may_begin_address(len: usize, next: u8) -> bool {
    // For a length, with which of `-`, `.` and `:` it is the first part of one.
    const FIRST: [u8; 16] = [0, 4, 5, 4, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let which = match next {
        b'-' => 1,
        b'.' => 2,
        b':' => 4,
        _ => return false,
    };
    len < 16 && FIRST[len] & which != 0
}

/// A word of hexadecimal digits is at `start..end`: the first group of an IPv6 or MAC address, or of a UUID to skip.
pub(crate) fn hex_address(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let next = scan.byte_at(end);
    let len = end - start;
    match (next, len) {
        (b':', 1..=4) => {
            let before = scan.byte_before(start);
            if before == b'.' || before == b':' && !is_label_colon(scan, start - 1) || !more_colons_follow(scan, end) {
                return None;
            }
            if len == 2
                && let Some(to) = mac_address(scan, start, b':')
            {
                return Some(to);
            }
            if let Some(to) = hex_pairs_end(scan, start) {
                return Some(to);
            }
            ipv6(scan, start)
        }
        (b'-', 2) => mac_address(scan, start, b'-'),
        (b'-', 8) => skip_uuid(scan, start),
        (b'.', 4) => dotted_mac_address(scan, start),
        _ => None,
    }
}

/// Whether the word before a colon is not part of an IP address: `IP:2001:db8::1`.
fn is_label_colon(scan: &Scan<'_>, colon: usize) -> bool {
    let word = scan.bytes[..colon].iter().rev().take(8).take_while(|b| is_word(**b)).count();
    word > 0 && !scan.bytes[colon - word..colon].iter().all(|b| is_hex(*b))
}

/// Whether there are two colons more behind a first group that ends at `end`: a time of day has one, and no group
/// behind a comma.
fn more_colons_follow(scan: &Scan<'_>, end: usize) -> bool {
    let mut colon = end;
    for _ in 0..2 {
        let group = (1..6).take_while(|n| is_hex(scan.byte_at(colon + n))).count();
        colon += 1 + group;
        if scan.byte_at(colon) != b':' {
            return false;
        }
        if group == 0 {
            break;
        }
    }
    true
}

/// Six pairs with one separator.
fn mac_address(scan: &mut Scan<'_>, start: usize, separator: u8) -> Option<usize> {
    if matches!(scan.byte_before(start), b'-' | b':' | b'.' | b'_') {
        return None;
    }
    let b = scan.bytes.get(start..start + 17)?;
    if [5, 8, 11, 14].into_iter().any(|k| b[k] != separator) {
        return None;
    }
    if !(0..6).fold(true, |all, k| all & is_hex(b[3 * k]) & is_hex(b[3 * k + 1])) {
        return None;
    }
    let end = start + 17;
    if is_word(scan.byte_at(end)) || scan.byte_at(end) == separator && is_alnum(scan.byte_at(end + 1)) {
        return None;
    }
    if b.iter().all(|b| matches!(b, b'0' | b':' | b'-')) || b.iter().all(|b| matches!(b, b'f' | b'F' | b':' | b'-')) {
        return Some(end);
    }
    // Digits only and dashes may as well be an article number.
    if separator == b'-'
        && b.iter().all(|b| b.is_ascii_digit() || *b == b'-')
        && scan.cues.distance_of(bit::MAC, start, 40).is_none()
    {
        return None;
    }
    Some(scan.add_finding(EntityKind::MacAddress, start, end, 95))
}

/// A longer run of pairs is a fingerprint or a dump and is skipped completely.
fn hex_pairs_end(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    if scan.byte_at(start + 23) != b':' {
        return None;
    }
    let mut i = start;
    let mut n = 0;
    while is_hex(scan.byte_at(i)) && is_hex(scan.byte_at(i + 1)) && n < 80 {
        n += 1;
        i += 2;
        if scan.byte_at(i) != b':' || !is_hex(scan.byte_at(i + 1)) {
            break;
        }
        i += 1;
    }
    (n > 8 && !is_word(scan.byte_at(i))).then_some(i)
}

/// `0123.4567.89ab`, as routers write it.
fn dotted_mac_address(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    if matches!(scan.byte_before(start), b'-' | b':' | b'.' | b'_' | b'/' | b'*') {
        return None;
    }
    let b = scan.bytes.get(start..start + 14)?;
    for (k, byte) in b.iter().enumerate() {
        let ok = if k % 5 == 4 { *byte == b'.' } else { is_hex(*byte) };
        if !ok {
            return None;
        }
    }
    let end = start + 14;
    if is_word(scan.byte_at(end)) || scan.byte_at(end) == b'.' && is_alnum(scan.byte_at(end + 1)) {
        return None;
    }
    if b.iter().all(|b| b.is_ascii_digit() || *b == b'.') && scan.cues.distance_of(bit::MAC, start, 40).is_none() {
        return None;
    }
    Some(scan.add_finding(EntityKind::MacAddress, start, end, 90))
}

/// A UUID alone is never personal data.
fn skip_uuid(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let b: &[u8; 36] = scan.bytes.get(start..)?.first_chunk()?;
    let dashes = [8, 13, 18, 23].into_iter().fold(true, |all, k| all & (b[k] == b'-'));
    let hex = |from: usize, to: usize| b[from..to].iter().fold(true, |all, b| all & is_hex(*b));
    let whole = dashes && hex(0, 8) & hex(9, 13) & hex(14, 18) & hex(19, 23) & hex(24, 36);
    (whole && !is_word(scan.byte_at(start + 36))).then_some(start + 36)
}

/// An address that begins with `::`; `at` is the first colon.
pub(crate) fn ipv6_abbreviated(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let before = scan.byte_before(at);
    if is_word(before) || before == b':' || !is_hex(scan.byte_at(at + 2)) {
        return None;
    }
    ipv6(scan, at)
}

/// Colons and hexadecimal groups from `start` on.
fn ipv6(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    if is_word(scan.byte_before(start)) {
        return None;
    }
    let run = scan.bytes[start..].iter().take(46).take_while(|b| is_hex(**b) || **b == b':' || **b == b'.').count();
    let mut end = start + run;
    while end > start
        && (scan.bytes[end - 1] == b'.' || scan.bytes[end - 1] == b':' && scan.byte_at(end.wrapping_sub(2)) != b':')
    {
        end -= 1;
    }
    // `2001:db8::1:51422`: groups have four digits at most, so that is a port.
    if let Some(colon) = scan.bytes[start..end].iter().rposition(|b| *b == b':')
        && end - start - colon == 6
        && scan.bytes[start + colon + 1..end].iter().all(u8::is_ascii_digit)
    {
        end = start + colon;
    }
    // `ab::cd…` in code: the run has to end where the word does.
    if is_word(scan.byte_at(end)) || run >= 46 {
        return None;
    }
    let text = &scan.bytes[start..end];
    let (mut colons, mut digits, mut dots, mut short) = (0, 0, 0, false);
    for (k, b) in text.iter().enumerate() {
        colons += usize::from(*b == b':');
        digits += usize::from(b.is_ascii_digit());
        dots += usize::from(*b == b'.');
        short |= *b == b':' && text.get(k + 1) == Some(&b':');
    }
    // Eight groups, or six and an IPv4 address, unless `::` replaces some: a time of day has fewer.
    let whole = colons == 7 || colons == 6 && dots == 3;
    if colons < 2 || text.len() < 6 || !(short || whole) {
        return None;
    }
    let address: std::net::Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    // Only letters, as in `dead::beef`, may be a name in code.
    if digits == 0 && colons < 4 {
        return None;
    }
    // `1::2` and the like: too short to be distinguished from code or ratios.
    let routed = matches!(text, [b'2' | b'f', _, _, _, b':', ..]);
    if text.len() < 8 && !routed && scan.cues.distance_of(bit::IP, start, 32).is_none() {
        return None;
    }
    if address.is_unspecified() || address.is_loopback() {
        return Some(end);
    }
    let end = prefix_length_end(scan, end, 128);
    // The zone of a link-local address.
    let end = if scan.byte_at(end) == b'%' && address.segments()[0] == 0xfe80 {
        end + 1 + scan.bytes[end + 1..].iter().take(16).take_while(|b| is_alnum(**b)).count()
    } else {
        end
    };
    Some(scan.add_finding(EntityKind::IpAddress, start, end, 95))
}

/// Includes `/24` if it is a prefix length.
fn prefix_length_end(scan: &Scan<'_>, end: usize, most: u32) -> usize {
    if scan.byte_at(end) != b'/' {
        return end;
    }
    let digits = scan.bytes[end + 1..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let stop = end + 1 + digits;
    if !(1..=3).contains(&digits) || is_word(scan.byte_at(stop)) || scan.byte_at(stop) == b'/' {
        return end;
    }
    let value = scan.bytes[end + 1..stop].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    if value <= most { stop } else { end }
}

/// Four groups of digits with dots; `end` is behind the fourth.
pub(crate) fn ipv4(scan: &mut Scan<'_>, start: usize, octets: [u32; 4], end: usize) -> Option<usize> {
    if octets.iter().any(|o| *o > 255) {
        return None;
    }
    let before = scan.byte_before(start);
    let next = scan.byte_at(end);
    if is_word(next)
        || next == b'.' && is_alnum(scan.byte_at(end + 1))
        || next == b'-' && is_word(scan.byte_at(end + 1))
    {
        return Some(end);
    }
    // `package-1.2.3.4`, `name_1.2.3.4`, `/1.2.3.4`, `~1.2`, `^1.2`: versions. Not `://1.2.3.4` or `=/`.
    let glued = matches!(before, b'-' | b'_' | b'.' | b'~' | b'^') && scan.word_before(start.wrapping_sub(1))
        || before == b'/' && scan.word_before(start.wrapping_sub(1))
        || matches!(before, b'~' | b'^' | b'$');
    if glued {
        return Some(end);
    }
    if octets[0] == 0 || octets[0] == 255 || octets[0] == 127 {
        return Some(end);
    }
    let version = scan.cues.is_nearer(bit::VERSION, bit::IP, start, 44);
    // `Git 1.8.1.1 Release Notes`, `strftime.c,v 1.10.2.3`.
    if version || scan.starts_with(end, b" Release") || start > 3 && scan.bytes[..start].ends_with(b",v ") {
        return Some(end);
    }
    let end = prefix_length_end(scan, end, 32);
    Some(scan.add_finding(EntityKind::IpAddress, start, end, 95))
}
