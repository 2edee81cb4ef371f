//! The trait of one kind of credential.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use engines_core::{Principal, Result};

/// A credential as it was sent, not verified. Its `Debug` output does not contain it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// What follows `Bearer`: visible ASCII, at most [`Credential::MAX_BYTES`] bytes.
    Bearer(&'a str),
    /// A ticket from the query of a stream's URL.
    Ticket {
        /// The ticket: visible ASCII, at most [`Credential::MAX_BYTES`] bytes.
        ticket: &'a str,
        /// The path of the request, which must be the path that the ticket was made for.
        path: &'a str,
        /// The value of `?streams=`, decoded, if the URL has it.
        streams: Option<&'a str>,
        /// Whether the method is `HEAD`. Such a request must not consume the ticket.
        head: bool,
    },
}

impl Credential<'_> {
    /// The longest credential in bytes. A longer one is `TOKEN_INVALID` before any other work.
    pub const MAX_BYTES: usize = 8 << 10;
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Ticket { .. } => "Ticket(…)",
        })
    }
}

/// Verifies one kind of credential: our own tokens, tokens of other issuers, API keys, tickets, or a custom scheme.
///
/// [`Admission`](crate::Admission) asks its authenticators in turn. An authenticator must fail closed: return an error
/// for everything that it cannot decide. `Ok(None)` is only for credentials whose form shows that they are of another
/// kind.
///
/// ```
/// use std::sync::Arc;
/// use engines_auth::{Authenticator, Credential, same_bytes};
/// use engines_core::{Actor, ActorType, Principal, Result, Role, TenantId, UserId};
///
/// /// One fixed key for a robot.
/// #[derive(Debug)]
/// struct RobotKey;
///
/// #[async_trait::async_trait]
/// impl Authenticator for RobotKey {
///     async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
///         match credential {
///             Credential::Bearer(key) if same_bytes(key.as_bytes(), b"robot-key-from-a-vault") => {
///                 let robot = Actor { id: UserId::new("robot")?, kind: ActorType::Agent };
///                 let mut principal = Principal::assume_verified(robot, "robot-key");
///                 principal.memberships.insert(TenantId::new("t_acme")?, Role::Member);
///                 Ok(Some(Arc::new(principal)))
///             }
///             _ => Ok(None),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// Returns the principal that this credential proves, or `None` when it is of another kind.
    ///
    /// # Errors
    /// `TOKEN_INVALID` or `TOKEN_EXPIRED` when the credential is of this kind and is not valid; `BACKEND_UNAVAILABLE`
    /// when it cannot be checked now.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>>;
}
