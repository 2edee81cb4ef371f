//! The rule for all secrets that a deployment configures: enough bytes, and bytes that are hard to guess.

use crate::{
    code::Code,
    error::{Error, Result},
};

/// The minimum length of a configured secret, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;

/// The minimum estimated information of a configured secret, in bits. A random text of 32 hexadecimal digits is
/// estimated at about 115 bits; one letter, a repeated word and a counting sequence stay below.
const MIN_INFORMATION_BITS: f64 = 48.0;

/// The shortest repetition of earlier text that counts as one symbol.
const MIN_REPEAT: usize = 3;

/// The longest prefix of a secret that is examined. The rest of a longer secret is ignored.
const MAX_EXAMINED_BYTES: usize = 256;

/// Checks a configured secret: a signing secret, a root key, a bootstrap key, a key that seals. Errors refer to it by
/// `name`.
///
/// The estimate errs on the side of acceptance: it rejects texts that were obviously typed by hand, and cannot tell a
/// published text from a random one. Make secrets with `openssl rand -base64 48`.
///
/// ```
/// use engines_core::check_secret_strength;
/// assert!(check_secret_strength("the key", b"x").is_err());
/// assert!(check_secret_strength("the key", &[b'a'; 64]).is_err());
/// assert!(check_secret_strength("the key", b"kq3N0v8Zr1uYw5Jt7Lc2Xp9Db4Gf6Hs0").is_ok());
/// ```
///
/// # Errors
/// `INTERNAL`, naming the secret and what is wrong with it; the secret itself is not in the error.
pub fn check_secret_strength(name: &str, secret: &[u8]) -> Result<()> {
    let refuse = |reason: &str| {
        let detail = format!("{name} {reason}; make one with `openssl rand -base64 48`");
        Err(Error::new(Code::Internal, "secret.strength", detail))
    };
    if secret.len() < MIN_SECRET_BYTES {
        return refuse("must have at least 32 bytes");
    }
    if estimated_bits(&secret[..secret.len().min(MAX_EXAMINED_BYTES)]) < MIN_INFORMATION_BITS {
        return refuse("must be random: it repeats itself or counts up");
    }
    Ok(())
}

/// The estimated bits of information: the number of symbols that do not repeat earlier ones, times how evenly bytes are
/// distributed. A counting sequence (`0123…`, `abcd…`) is a repetition in its differences, so the smaller of both
/// estimates counts.
fn estimated_bits(secret: &[u8]) -> f64 {
    let steps: Vec<u8> = secret.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    information_bits(secret).min(8.0 + information_bits(&steps))
}

fn information_bits(text: &[u8]) -> f64 {
    bits_per_symbol(text) * count_symbols(text) as f64
}

/// The Shannon entropy of the distribution of bytes.
fn bits_per_symbol(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = text.len().max(1) as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

/// Counts the symbols of a greedy LZ77: literals, and repetitions of at least [`MIN_REPEAT`] bytes, which may overlap
/// what they repeat.
fn count_symbols(text: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        let repeat = (0..at)
            .map(|from| text[at..].iter().zip(&text[from..]).take_while(|(new, old)| new == old).count())
            .max()
            .unwrap_or(0);
        at += if repeat >= MIN_REPEAT { repeat } else { 1 };
        count += 1;
    }
    count
}
