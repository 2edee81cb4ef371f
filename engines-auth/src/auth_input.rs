//! The parts of a request that admission reads, as plain text. The HTTP layer collects them; nothing in them is
//! verified yet.

use std::fmt;

use engines_core::{Error, Result, Trace};

/// All values that were sent under one name. They are bytes, because a header need not be UTF-8.
///
/// ```
/// use engines_auth::FieldValues;
/// assert!(FieldValues::default().is_absent());
/// assert_eq!(FieldValues::from_iter(["a", "b"]).iter().count(), 2);
/// ```
#[derive(Clone, Default)]
pub struct FieldValues<'a>(ValueList<'a>);

#[derive(Clone, Default)]
enum ValueList<'a> {
    #[default]
    None,
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

impl<'a> FieldValues<'a> {
    /// Creates a list of one value.
    #[must_use]
    pub fn one(value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(ValueList::One(value.as_ref()))
    }

    /// Adds a value.
    pub fn push(&mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) {
        let value = value.as_ref();
        match &mut self.0 {
            ValueList::None => self.0 = ValueList::One(value),
            ValueList::One(first) => self.0 = ValueList::Many(vec![first, value]),
            ValueList::Many(all) => all.push(value),
        }
    }

    /// Returns whether no value was sent. An empty value counts as sent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.0, ValueList::None)
    }

    /// Returns the values in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        match &self.0 {
            ValueList::None => &[],
            ValueList::One(value) => std::slice::from_ref(value),
            ValueList::Many(all) => all.as_slice(),
        }
        .iter()
        .copied()
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> FromIterator<&'a T> for FieldValues<'a> {
    fn from_iter<I: IntoIterator<Item = &'a T>>(values: I) -> Self {
        let mut given = Self::default();
        values.into_iter().for_each(|value| given.push(value));
        given
    }
}

impl fmt::Debug for FieldValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldValues({} values)", self.iter().count())
    }
}

/// What a request presents to [`Admission`](crate::Admission).
///
/// Header values are whole field values without surrounding white space. Query values are percent-decoded. Malformed
/// values must not be left out, because admission has to see them to refuse them.
#[derive(Debug, Clone, Default)]
pub struct AuthInput<'a> {
    /// `Authorization`.
    pub authorization: FieldValues<'a>,
    /// A bearer token without an `Authorization` header around it, see [`AuthInput::from_token`].
    pub bearer: Option<&'a str>,
    /// `?ticket=` on routes that are streams. Leave it absent on all other routes.
    pub ticket: FieldValues<'a>,
    /// The request's path without the query. A ticket is valid for one path.
    pub path: &'a str,
    /// `?streams=` on routes that are streams. A ticket is valid for one list of streams.
    pub streams: FieldValues<'a>,
    /// Whether the method is `HEAD`. Such a request does not consume a ticket.
    pub head: bool,
    /// The network address of the caller, for the record of refused attempts.
    pub address: Option<&'a str>,
    /// `X-Tenant-Id`.
    pub tenant_headers: FieldValues<'a>,
    /// `?tenant_id=`.
    pub tenant_queries: FieldValues<'a>,
    /// `X-Env`.
    pub env_headers: FieldValues<'a>,
    /// `?env=`.
    pub env_queries: FieldValues<'a>,
    /// `X-User-Id`.
    pub user_ids: FieldValues<'a>,
    /// `X-Membership-Role`.
    pub roles: FieldValues<'a>,
    /// `X-Request-Id`.
    pub request_id: FieldValues<'a>,
    /// `traceparent`.
    pub traceparent: FieldValues<'a>,
    /// The trace, if it began before admission (see [`Admission::trace`](crate::Admission::trace)). If it is set,
    /// `request_id` and `traceparent` are not read.
    pub trace: Option<Trace>,
}

impl<'a> AuthInput<'a> {
    /// An input with a bearer token and nothing else, for code that is not an HTTP server. Set the other fields as
    /// needed.
    ///
    /// ```
    /// use engines_auth::{AuthInput, FieldValues};
    /// let input = AuthInput { env_headers: FieldValues::one("dev"), ..AuthInput::from_token("a-token") };
    /// assert_eq!(input.bearer, Some("a-token"));
    /// ```
    #[must_use]
    pub fn from_token(token: &'a str) -> Self {
        Self { bearer: Some(token), ..Self::default() }
    }
}

/// The tenant and the environment that a JSON body names.
#[derive(Debug, Clone, Copy, Default)]
pub struct BodyClaims<'a> {
    /// `tenant_id`.
    pub tenant_id: Option<&'a str>,
    /// `env`.
    pub env: Option<&'a str>,
}

/// Returns the value that all `sources` agree on under `same`, or `None` when there are no values.
pub(crate) fn single_agreed_value<'a>(
    sources: impl Iterator<Item = &'a [u8]>,
    same: impl Fn(&[u8], &[u8]) -> bool,
    disagreement: impl FnOnce() -> Error,
) -> Result<Option<&'a [u8]>> {
    let mut first = None;
    for value in sources {
        match first {
            None => first = Some(value),
            Some(known) if same(known, value) => {}
            Some(_) => return Err(disagreement()),
        }
    }
    Ok(first)
}
