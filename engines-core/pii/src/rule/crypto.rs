//! Wallet addresses, verified by their checksums.

use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::cue::bit;

/// Examines a word of at least 25 letters and digits at `start..end`.
pub(crate) fn wallet(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let word = &scan.bytes[start..end];
    let len = word.len();
    let found = match word[0] {
        b'0' if len == 42 && matches!(word[1], b'x' | b'X') => ethereum(&word[2..]),
        b'b' | b'B' | b't' | b'T' | b'l' | b'L' | b'a' | b'c' | b'o' | b's' if len >= 40 && bech32_like(word) => {
            segwit(word)
        }
        b'1' | b'3' if len <= 35 => base58check(word, &[0x00, 0x05], 25),
        b'm' | b'n' | b'2' if len <= 35 => base58check(word, &[0x6f, 0xc4], 25),
        b'L' | b'M' if (33..=34).contains(&len) => base58check(word, &[0x30, 0x32], 25),
        b'D' | b'A' | b'9' if len == 34 => base58check(word, &[0x1e, 0x16], 25),
        b'X' | b'7' if len == 34 => base58check(word, &[0x4c, 0x10], 25),
        b'T' if len == 34 => base58check(word, &[0x41], 25),
        b't' if len == 35 => base58check(word, &[0x1c], 26),
        b'r' if len <= 35 => ripple(word),
        b'4' | b'8' if len == 95 || len == 106 => monero(word),
        b'5' | b'K' | b'L' if (51..=52).contains(&len) => {
            if base58check_any(word, 0x80) {
                return Some(scan.add_finding(EntityKind::PrivateKey, start, end, 100));
            }
            false
        }
        b'x' | b'y' | b'z' if len == 111 && &word[1..4] == b"prv" => {
            return Some(scan.add_finding(EntityKind::PrivateKey, start, end, 100));
        }
        b'G' if len == 56 => stellar(word),
        b'q' | b'p' if len == 42 && scan.byte_before(start) == b':' => true,
        _ => false,
    };
    let found =
        found || (32..=44).contains(&len) && scan.cues.distance_of(bit::WALLET, start, 32).is_some() && solana(word);
    found.then(|| scan.add_finding(EntityKind::Crypto, start, end, 98))
}

/// Twenty bytes in hexadecimal; mixed case is the checksum of EIP-55.
fn ethereum(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let upper = hex.iter().any(u8::is_ascii_uppercase);
    let lower = hex.iter().any(u8::is_ascii_lowercase);
    if hex.iter().all(|b| *b == b'0') {
        return false;
    }
    if !(upper && lower) {
        return true;
    }
    let hash = Keccak256::digest(hex.to_ascii_lowercase());
    hex.iter().enumerate().all(|(i, b)| {
        let nibble = if i % 2 == 0 { hash[i / 2] >> 4 } else { hash[i / 2] & 15 };
        !b.is_ascii_alphabetic() || b.is_ascii_uppercase() == (nibble >= 8)
    })
}

fn decode58(word: &[u8]) -> Option<Vec<u8>> {
    // A hash in hexadecimal has a `0` somewhere, which base 58 does not.
    if word.len() > 128 || word.iter().any(|b| matches!(b, b'0' | b'O' | b'I' | b'l')) {
        return None;
    }
    bs58::decode(word).into_vec().ok()
}

fn base58_checksum_holds(bytes: &[u8]) -> bool {
    let Some(body) = bytes.len().checked_sub(4) else { return false };
    let sum = Sha256::digest(Sha256::digest(&bytes[..body]));
    sum[..4] == bytes[body..]
}

fn base58check(word: &[u8], versions: &[u8], len: usize) -> bool {
    decode58(word).is_some_and(|b| b.len() == len && versions.contains(&b[0]) && base58_checksum_holds(&b))
}

fn base58check_any(word: &[u8], version: u8) -> bool {
    decode58(word).is_some_and(|b| matches!(b.len(), 37 | 38) && b[0] == version && base58_checksum_holds(&b))
}

fn ripple(word: &[u8]) -> bool {
    bs58::decode(word)
        .with_alphabet(bs58::Alphabet::RIPPLE)
        .into_vec()
        .is_ok_and(|b| b.len() == 25 && b[0] == 0 && base58_checksum_holds(&b))
}

/// A public key: 32 bytes and no checksum, so only next to a cue.
fn solana(word: &[u8]) -> bool {
    decode58(word).is_some_and(|b| b.len() == 32)
}

/// The human-readable prefixes of supported chains.
const BECH32_PREFIXES: [&str; 7] = ["bc", "tb", "ltc", "addr", "cosmos", "osmo", "stake"];

fn bech32_like(word: &[u8]) -> bool {
    let begins = |chain: &&str| {
        let n = chain.len();
        word.get(n) == Some(&b'1') && word[..n].eq_ignore_ascii_case(chain.as_bytes())
    };
    BECH32_PREFIXES.iter().any(begins)
}

/// Bech32 and Bech32m (BIP 173, BIP 350).
fn segwit(word: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(word) else { return false };
    let Ok(checked) = bech32::primitives::decode::UncheckedHrpstring::new(text) else { return false };
    let hrp = checked.hrp().to_lowercase();
    if !BECH32_PREFIXES.contains(&hrp.as_str()) {
        return false;
    }
    checked.validate_checksum::<bech32::Bech32>().is_ok() || checked.validate_checksum::<bech32::Bech32m>().is_ok()
}

/// Monero: blocks of eleven characters for eight bytes, four bytes of Keccak-256.
fn monero(word: &[u8]) -> bool {
    let mut bytes = Vec::with_capacity(80);
    for block in word.chunks(11) {
        let size = match block.len() {
            11 => 8,
            7 => 5,
            9 => 6,
            _ => return false,
        };
        let Some(number) = block.iter().try_fold(0_u128, |n, b| {
            let alphabet = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
            alphabet.iter().position(|x| x == b).map(|v| n * 58 + v as u128)
        }) else {
            return false;
        };
        if number >> (8 * size) != 0 {
            return false;
        }
        bytes.extend_from_slice(&number.to_be_bytes()[16 - size..]);
    }
    let Some(body) = bytes.len().checked_sub(4) else { return false };
    matches!(bytes[0], 18 | 19 | 42) && Keccak256::digest(&bytes[..body])[..4] == bytes[body..]
}

/// Stellar: base32 with a CRC-16 (XModem).
fn stellar(word: &[u8]) -> bool {
    let mut bits = 0_u64;
    let mut count = 0;
    let mut bytes = Vec::with_capacity(35);
    for b in word {
        let v = match b {
            b'A'..=b'Z' => b - b'A',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return false,
        };
        bits = bits << 5 | u64::from(v);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    let Some((body, check)) = bytes.split_at_checked(33) else { return false };
    let crc = body.iter().fold(0_u16, |crc, b| {
        (0..8).fold(crc ^ u16::from(*b) << 8, |c, _| if c & 0x8000 != 0 { c << 1 ^ 0x1021 } else { c << 1 })
    });
    check == crc.to_le_bytes()
}
