//! Password hashing on a bounded number of threads.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash::phc::PasswordHash,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use engines_core::{Code, Error, IdGenerator, Result};

use super::{hash_queue::HashQueue, policy::Password, settings::HashSettings};
use crate::{client_network::ClientNetwork, secret::same_bytes};

const HASH: &str = "auth.password";

/// Computes and verifies password hashes on a few threads outside of the runtime. Cheap to clone.
///
/// Networks take turns, so a flood of logins from a few networks only delays itself, and is refused once the networks'
/// share of the queue is full. Networks from which a right password came go first. The other cores stay free for the
/// rest of the process.
#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    queue: Arc<HashQueue>,
    /// A hash that no password matches, for accounts that do not exist.
    decoy: Arc<str>,
    /// The number of hashes computed.
    computed: Arc<AtomicU64>,
    ids: IdGenerator,
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// Whether the password matches the hash.
    pub matches: bool,
    /// Whether the hash costs less than the settings require, so that a new one should be stored.
    pub outdated: bool,
}

impl PasswordHasher {
    /// Creates a hasher. It computes one hash.
    ///
    /// # Errors
    /// When argon2 rejects the settings.
    pub fn new(settings: &HashSettings, ids: IdGenerator) -> Result<Self> {
        let params = Params::new(settings.memory_kib, settings.iterations, settings.lanes, None).map_err(|error| {
            Error::new(
                Code::Internal,
                HASH,
                format!("the cost of a password hash (identity.password) is invalid: {error}"),
            )
        })?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, &ids.bytes::<32>(), ids.bytes())?.into();
        Ok(Self { argon2, queue: HashQueue::new(settings), decoy, computed: Arc::default(), ids })
    }

    /// Returns the number of hashes computed since the hasher was created.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Returns the hash to store: a PHC string with algorithm, parameters and a random salt. Requires a tokio runtime.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many requests wait, of this network or in all, or when no thread is free in time.
    pub async fn hash(&self, password: Password, client: ClientNetwork) -> Result<String> {
        self.hash_with(password, self.ids.bytes(), client).await
    }

    /// Records that a right password came from this network. Its hashes are then computed before those of other
    /// networks.
    pub fn mark_proven(&self, client: ClientNetwork) {
        self.queue.mark_proven(client);
    }

    /// Returns whether `password` matches the hash `known`. With `None` (no such account) it takes as long and matches
    /// nothing.
    ///
    /// # Errors
    /// As [`PasswordHasher::hash`]; `INTERNAL` when `known` is no hash.
    pub async fn verify(&self, password: Password, known: Option<&str>, client: ClientNetwork) -> Result<Verification> {
        let (argon2, exists) = (self.argon2.clone(), known.is_some());
        let known: Arc<str> = known.map_or_else(|| Arc::clone(&self.decoy), Into::into);
        let computed = Arc::clone(&self.computed);
        self.off_thread(client, move || {
            computed.fetch_add(1, Ordering::Relaxed);
            let known = PasswordHash::new(&known).map_err(|_| Error::internal(HASH, "a malformed hash"))?;
            let fits = argon2.verify_password(password.normalised().as_bytes(), &known).is_ok();
            Ok(Verification { matches: fits && exists, outdated: exists && is_outdated(&known, argon2.params()) })
        })
        .await
    }

    /// Like [`PasswordHasher::hash`], with a given salt.
    pub(crate) async fn hash_with(&self, password: Password, salt: [u8; 16], client: ClientNetwork) -> Result<String> {
        let (argon2, computed) = (self.argon2.clone(), Arc::clone(&self.computed));
        self.off_thread(client, move || {
            computed.fetch_add(1, Ordering::Relaxed);
            hash(&argon2, password.normalised().as_bytes(), salt)
        })
        .await
    }

    /// Returns which of the hashes `known` the password matches. Hashes with the same algorithm, parameters and salt
    /// share one computation, and an empty list costs one too, so the time does not reveal how many there are.
    pub(crate) async fn verify_any(
        &self,
        password: Password,
        known: &[&str],
        client: ClientNetwork,
    ) -> Result<Verifications> {
        let known: Vec<String> = match known {
            [] => vec![self.decoy.to_string()],
            known => known.iter().map(|&hash| hash.to_owned()).collect(),
        };
        let (argon2, decoy) = (self.argon2.clone(), Arc::clone(&self.decoy));
        let computed = Arc::clone(&self.computed);
        let verdicts =
            self.off_thread(client, move || verify_all(&argon2, &password, &known, &decoy, &computed)).await?;
        Ok(Verifications(verdicts))
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        client: ClientNetwork,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let busy = || {
            Error::new(Code::RateLimited, HASH, "too many passwords are being checked right now; retry in a moment")
                .with_retry_after(Duration::from_secs(1))
        };
        let thread = self.queue.acquire(client).await.map_err(|_| busy())?;
        // The permit moves into the closure: if the caller is cancelled, the number of running hashes stays bounded.
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(thread);
            answer
        });
        done.await.map_err(|error| Error::internal(HASH, error))?
    }
}

/// The results for several hashes.
#[derive(Debug)]
pub(crate) struct Verifications(Vec<Verification>);

impl Verifications {
    /// Returns the index of the first hash that the password matches and whose account counts.
    pub(crate) fn first(&self, counts: impl Iterator<Item = bool>) -> Option<usize> {
        self.0.iter().zip(counts).position(|(verdict, counts)| verdict.matches && counts)
    }

    /// Returns whether the hash at this index should be replaced.
    pub(crate) fn is_outdated(&self, at: usize) -> bool {
        self.0.get(at).is_some_and(|verdict| verdict.outdated)
    }
}

fn verify_all(
    argon2: &Argon2<'_>,
    password: &Password,
    known: &[String],
    decoy: &str,
    count: &AtomicU64,
) -> Result<Vec<Verification>> {
    let typed = password.normalised().as_bytes();
    // Computed hashes by their PHC string without the hash itself.
    let mut computed: Vec<(&str, String)> = Vec::new();
    let mut verdicts = Vec::with_capacity(known.len());
    for text in known {
        // An account without a password matches nothing, and costs as much as one with a password.
        let exists = !text.is_empty() && text != decoy;
        let text = if exists { text.as_str() } else { decoy };
        let malformed = || Error::internal(HASH, "a malformed hash");
        let parsed = PasswordHash::new(text).map_err(|_| malformed())?;
        let (setting, _) = text.rsplit_once('$').ok_or_else(malformed)?;
        let made = match computed.iter().find(|(known, _)| *known == setting) {
            Some((_, made)) => made.clone(),
            None => {
                count.fetch_add(1, Ordering::Relaxed);
                let made = hash_with_settings_of(&parsed, setting, typed).ok_or_else(malformed)?;
                computed.push((setting, made.clone()));
                made
            }
        };
        let fits = same_bytes(made.as_bytes(), text.as_bytes()) && exists;
        verdicts.push(Verification { matches: fits, outdated: exists && is_outdated(&parsed, argon2.params()) });
    }
    Ok(verdicts)
}

/// Returns the PHC string of `typed` with the algorithm, parameters and salt of another one.
fn hash_with_settings_of(known: &PasswordHash, setting: &str, typed: &[u8]) -> Option<String> {
    let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
    let version = known.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(known).ok()?);
    let (_, salt) = setting.rsplit_once('$')?;
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    Some(argon2.hash_password_with_salt(typed, &salt).ok()?.to_string())
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: [u8; 16]) -> Result<String> {
    let hash: PasswordHash =
        argon2.hash_password_with_salt(password, &salt).map_err(|error| Error::internal(HASH, error.to_string()))?;
    Ok(hash.to_string())
}

/// Returns whether a hash has another algorithm, less memory or fewer passes than `wanted`.
fn is_outdated(known: &PasswordHash, wanted: &Params) -> bool {
    let argon2id = known.algorithm == Algorithm::Argon2id.ident();
    !argon2id
        || Params::try_from(known)
            .map_or(true, |made| made.m_cost() < wanted.m_cost() || made.t_cost() < wanted.t_cost())
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").field("params", self.argon2.params()).finish_non_exhaustive()
    }
}
