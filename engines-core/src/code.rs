//! The stable error codes, with the kind and title of each.

use std::fmt;

use serde::{Serialize, Serializer};

/// The kind of an error. It decides whether a retry can help, and the status of an answer over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is invalid: sending it again gives the same error.
    Invalid,
    /// There is no credential, or it cannot be verified.
    Unauthenticated,
    /// The caller is known and lacks the permission.
    Forbidden,
    /// The object does not exist, or belongs to another tenant.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// The request was based on a state that is no longer current.
    Conflict,
    /// The request exceeds a size limit.
    TooLarge,
    /// The media type is not supported.
    Unsupported,
    /// The request is well-formed and cannot be carried out.
    Unprocessable,
    /// Too many requests; see `Retry-After`.
    RateLimited,
    /// The request took too long to arrive.
    TimedOut,
    /// A defect or an unexpected state of the server.
    Internal,
    /// A backend does not answer; a retry can help.
    Unavailable,
    /// The storage is full. Nothing of the request was stored.
    StorageFull,
}

impl ErrorKind {
    /// Whether the caller is at fault: the same request is refused again until the caller changes something or waits.
    #[must_use]
    pub const fn is_caller_error(self) -> bool {
        !matches!(self, Self::Internal | Self::Unavailable | Self::StorageFull)
    }
}

/// One row per code: text on the wire, kind, title.
const fn definition(code: Code) -> (&'static str, ErrorKind, &'static str) {
    use ErrorKind as K;
    match code {
        Code::TenantRequired => ("TENANT_REQUIRED", K::Invalid, "Name the tenant"),
        Code::TenantInvalid => ("TENANT_INVALID", K::Invalid, "The tenant id is malformed"),
        Code::EnvRequired => ("ENV_REQUIRED", K::Invalid, "Name the environment"),
        Code::EnvInvalid => ("ENV_INVALID", K::Invalid, "The environment is unknown"),
        Code::ContextMismatch => ("CONTEXT_MISMATCH", K::Invalid, "The request contradicts itself"),
        Code::IdInvalid => ("ID_INVALID", K::Invalid, "An id is malformed"),
        Code::BodyInvalid => ("BODY_INVALID", K::Invalid, "The body or a parameter is malformed"),
        Code::CursorInvalid => ("CURSOR_INVALID", K::Invalid, "The cursor is malformed or of another stream"),
        Code::TokenMissing => ("TOKEN_MISSING", K::Unauthenticated, "A credential is required"),
        Code::TokenInvalid => ("TOKEN_INVALID", K::Unauthenticated, "The credential cannot be verified"),
        Code::TokenExpired => ("TOKEN_EXPIRED", K::Unauthenticated, "The credential has expired"),
        Code::CredentialsInvalid => ("CREDENTIALS_INVALID", K::Unauthenticated, "The account or password is wrong"),
        Code::TenantForbidden => ("TENANT_FORBIDDEN", K::Forbidden, "Not a member of this tenant"),
        Code::UserMismatch => ("USER_MISMATCH", K::Forbidden, "X-User-Id is not the credential's user"),
        Code::RoleMismatch => ("ROLE_MISMATCH", K::Forbidden, "X-Membership-Role is not the credential's role"),
        Code::RoleInsufficient => ("ROLE_INSUFFICIENT", K::Forbidden, "The role does not allow this"),
        Code::KillSwitchBlocked => ("KILL_SWITCH_BLOCKED", K::Forbidden, "A kill switch is on"),
        Code::LicenceRequired => ("LICENCE_REQUIRED", K::Forbidden, "A licence is required"),
        Code::StrategyLockRequired => ("STRATEGY_LOCK_REQUIRED", K::Forbidden, "A strategy lock is required"),
        Code::BudgetExceeded => ("BUDGET_EXCEEDED", K::Forbidden, "The budget is used up"),
        Code::TemperatureBreach => ("TEMPERATURE_BREACH", K::Forbidden, "A safety threshold was crossed"),
        Code::OriginForbidden => ("ORIGIN_FORBIDDEN", K::Forbidden, "The page's origin is not allowed"),
        Code::QuotaExceeded => ("QUOTA_EXCEEDED", K::Forbidden, "The quota is used up"),
        Code::NotFound => ("NOT_FOUND", K::NotFound, "Not found"),
        Code::MethodNotAllowed => ("METHOD_NOT_ALLOWED", K::MethodNotAllowed, "The method is not allowed here"),
        Code::RevMismatch => ("REV_MISMATCH", K::Conflict, "The base revision is not the head"),
        Code::AlreadyExists => ("ALREADY_EXISTS", K::Conflict, "It already exists"),
        Code::VersionMismatch => ("VERSION_MISMATCH", K::Conflict, "It was changed in the meantime"),
        Code::BodyTooLarge => ("BODY_TOO_LARGE", K::TooLarge, "Too large"),
        Code::MediaTypeUnsupported => ("MEDIA_TYPE_UNSUPPORTED", K::Unsupported, "The media type is not supported"),
        Code::OpInvalid => ("OP_INVALID", K::Unprocessable, "An op cannot be applied"),
        Code::IdempotencyMismatch => {
            ("IDEMPOTENCY_MISMATCH", K::Unprocessable, "The idempotency key was used for another body")
        }
        Code::SizeMismatch => ("SIZE_MISMATCH", K::Unprocessable, "The size is not the promised one"),
        Code::HashMismatch => ("HASH_MISMATCH", K::Unprocessable, "The hash is not the promised one"),
        Code::RateLimited => ("RATE_LIMITED", K::RateLimited, "Too many requests"),
        Code::RequestTimeout => ("REQUEST_TIMEOUT", K::TimedOut, "The request took too long to arrive"),
        Code::BackendUnavailable => ("BACKEND_UNAVAILABLE", K::Unavailable, "A backend does not answer"),
        Code::OutcomeUnknown => ("OUTCOME_UNKNOWN", K::Unavailable, "Whether it was stored is not known"),
        Code::StorageFull => ("STORAGE_FULL", K::StorageFull, "The storage is full"),
        Code::ShuttingDown => ("SHUTTING_DOWN", K::Unavailable, "The server is shutting down"),
        Code::ReplayMiss => ("REPLAY_MISS", K::Conflict, "The events after this cursor are gone"),
        Code::ConfigurationInvalid => {
            ("CONFIGURATION_INVALID", K::Internal, "The parts or settings of an engine do not suffice")
        }
        Code::Internal => ("INTERNAL", K::Internal, "An unexpected error"),
    }
}

/// A stable error code, which clients match on. The set follows the table of the wire contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is documented by its title in `row`")]
#[non_exhaustive]
pub enum Code {
    TenantRequired,
    TenantInvalid,
    EnvRequired,
    EnvInvalid,
    ContextMismatch,
    IdInvalid,
    BodyInvalid,
    CursorInvalid,
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    CredentialsInvalid,
    TenantForbidden,
    UserMismatch,
    RoleMismatch,
    RoleInsufficient,
    KillSwitchBlocked,
    LicenceRequired,
    StrategyLockRequired,
    BudgetExceeded,
    TemperatureBreach,
    QuotaExceeded,
    /// Only used as the reason for closing a WebSocket: the origin of the page that opened it is not allowed.
    OriginForbidden,
    NotFound,
    MethodNotAllowed,
    RevMismatch,
    AlreadyExists,
    VersionMismatch,
    BodyTooLarge,
    MediaTypeUnsupported,
    OpInvalid,
    IdempotencyMismatch,
    SizeMismatch,
    HashMismatch,
    RateLimited,
    RequestTimeout,
    BackendUnavailable,
    /// The backend failed while it stored the request. Whether the request was stored is not known.
    OutcomeUnknown,
    /// The storage is full. Nothing of the request was stored.
    StorageFull,
    ShuttingDown,
    /// Only used inside streams: the events after a cursor are no longer stored.
    ReplayMiss,
    /// An engine was built without a part that it needs. No request leads to it.
    ConfigurationInvalid,
    /// A defect of the server.
    Internal,
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: &'static [Self] = &[
        Self::TenantRequired,
        Self::TenantInvalid,
        Self::EnvRequired,
        Self::EnvInvalid,
        Self::ContextMismatch,
        Self::IdInvalid,
        Self::BodyInvalid,
        Self::CursorInvalid,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::CredentialsInvalid,
        Self::TenantForbidden,
        Self::UserMismatch,
        Self::RoleMismatch,
        Self::RoleInsufficient,
        Self::KillSwitchBlocked,
        Self::LicenceRequired,
        Self::StrategyLockRequired,
        Self::BudgetExceeded,
        Self::TemperatureBreach,
        Self::QuotaExceeded,
        Self::OriginForbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RevMismatch,
        Self::AlreadyExists,
        Self::VersionMismatch,
        Self::BodyTooLarge,
        Self::MediaTypeUnsupported,
        Self::OpInvalid,
        Self::IdempotencyMismatch,
        Self::SizeMismatch,
        Self::HashMismatch,
        Self::RateLimited,
        Self::RequestTimeout,
        Self::BackendUnavailable,
        Self::OutcomeUnknown,
        Self::StorageFull,
        Self::ShuttingDown,
        Self::ReplayMiss,
        Self::ConfigurationInvalid,
        Self::Internal,
    ];

    /// The code on the wire, such as `REV_MISMATCH`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        definition(self).0
    }

    /// The kind of the code.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        definition(self).1
    }

    /// A short title for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        definition(self).2
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
