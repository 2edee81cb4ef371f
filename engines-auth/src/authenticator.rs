//! One kind of credential, and how several stand in a row.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use engines_core::{Principal, Result};

/// A credential as it was sent, not yet believed. It does not print itself.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// What stands after `Bearer`: visible ASCII, at most [`Credential::MAX_BYTES`] bytes.
    Bearer(&'a str),
    /// A ticket from the query of a stream's URL.
    Ticket {
        /// The ticket: visible ASCII, at most [`Credential::MAX_BYTES`] bytes.
        ticket: &'a str,
        /// The path it was presented on, to which it must be bound.
        path: &'a str,
        /// The value of `?streams=`, decoded, if the URL has it.
        streams: Option<&'a str>,
        /// The request asks for the head alone: the ticket must not be used up.
        head: bool,
    },
}

impl Credential<'_> {
    /// The longest credential that is looked at, in bytes; a longer one is `TOKEN_INVALID` before any other work.
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

/// Verifies one kind of credential: our own tokens, another issuer's, API keys, tickets, a scheme of one's own.
///
/// The [`Admission`](crate::Admission) asks each in turn. An authenticator must fail closed: whatever it cannot decide is an error, and
/// `Ok(None)` is only for what is by its form somebody else's.
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
    /// Who this credential proves to be asking; `None` when it is of another kind.
    ///
    /// # Errors
    /// `TOKEN_INVALID` or `TOKEN_EXPIRED` when it is of this kind and does not hold; `BACKEND_UNAVAILABLE` when that cannot be told now.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>>;
}
