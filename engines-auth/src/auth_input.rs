//! What a request says about itself, as plain text: gathered by whoever speaks HTTP, believed by nobody yet.

use std::fmt;

use engines_core::{Error, Result, Trace};

/// Every value given for one name, as often as it was sent. Bytes, because a header need not be UTF-8.
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
    /// One value.
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

    /// Whether nothing was sent. A value that is there and empty is not absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.0, ValueList::None)
    }

    /// The values, in the order they were sent.
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
        write!(f, "Given({} values)", self.iter().count())
    }
}

/// What a request presents at the door. Header values are whole field values without surrounding white space; query values
/// are percent-decoded. Nothing may be left out because it looks malformed: the door must see it to refuse it.
#[derive(Debug, Clone, Default)]
pub struct AuthInput<'a> {
    /// `Authorization`.
    pub authorization: FieldValues<'a>,
    /// `?ticket=`, on routes that are streams; leave it absent on all others.
    pub ticket: FieldValues<'a>,
    /// The request's path, without the query; a ticket is bound to it.
    pub path: &'a str,
    /// `?streams=`, on routes that are streams; a ticket is bound to it, too.
    pub streams: FieldValues<'a>,
    /// Whether the request asks for the head alone (`HEAD`), which uses up no ticket.
    pub head: bool,
    /// Where the request comes from, for the record of refused attempts.
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
    /// The trace, when it began before admission (see [`Admission::trace`](crate::Admission::trace)); then the two above are not read again.
    pub trace: Option<Trace>,
}

/// What a JSON body says about tenant and environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct BodyClaims<'a> {
    /// `tenant_id`.
    pub tenant_id: Option<&'a str>,
    /// `env`.
    pub env: Option<&'a str>,
}

/// The one value all of `sources` agree on under `same`, or nothing when none was sent.
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
