//! Detection of RSA keys from a faulty smart-card library (ROCA, CVE-2017-15361), whose private half can be computed
//! from the public one.

/// The primes of the published test (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 3.1).
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// The generator: modulo each of [`PRIMES`], every prime of such a key is a power of it.
const GENERATOR: u32 = 65_537;

/// Returns whether a modulus (big-endian) has the fingerprint: modulo each of the primes it is a power of the
/// generator. One in 2^27 random moduli has it too.
pub(super) fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (GENERATOR % prime) % prime;
            power == rest
        })
    })
}
