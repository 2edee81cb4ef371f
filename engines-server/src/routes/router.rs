//! Finds the route for a method and a path.

use engines::{Code, Error, Result};
use http::Method;

use super::{RouteEntry, entries};
use crate::route_info::Params;

/// Finds routes by path.
#[derive(Debug)]
pub(crate) struct Router(matchit::Router<Vec<(usize, &'static RouteEntry)>>);

/// A route that was found, with the parameters of its path.
pub(crate) struct RouteMatch {
    pub(crate) entry: &'static RouteEntry,
    /// The position of the route in [`entries`].
    pub(crate) index: usize,
    pub(crate) params: Params,
}

impl Router {
    /// Creates a router over [`entries`] routes.
    ///
    /// # Errors
    /// Two paths of the table contradict each other.
    pub(crate) fn new() -> Result<Self> {
        let mut router = matchit::Router::<Vec<_>>::new();
        let mut paths: Vec<(&str, Vec<(usize, &'static RouteEntry)>)> = Vec::new();
        for (number, entry) in entries().enumerate() {
            match paths.iter_mut().find(|(path, _)| *path == entry.route.path) {
                Some((_, known)) => known.push((number, entry)),
                None => paths.push((entry.route.path, vec![(number, entry)])),
            }
        }
        for (path, known) in paths {
            router.insert(path, known).map_err(|error| Error::internal("http.routes", error))?;
        }
        Ok(Self(router))
    }

    /// Returns the routes of a path, with their numbers.
    pub(crate) fn lookup(&self, path: &str) -> Option<&[(usize, &'static RouteEntry)]> {
        self.0.at(path).ok().map(|matched| matched.value.as_slice())
    }

    /// Returns the route of a request.
    ///
    /// # Errors
    /// - `NOT_FOUND` for an unknown path.
    /// - `METHOD_NOT_ALLOWED` with the member `allow` for an unknown method of a known path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<RouteMatch> {
        let Ok(matched) = self.0.at(path) else {
            return Err(Error::new(Code::NotFound, "http.route", "the path is unknown; see /openapi.json"));
        };
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let Some((number, entry)) = matched.value.iter().find(|(_, entry)| entry.route.method == *wanted) else {
            let mut allow: Vec<_> = matched.value.iter().map(|(_, entry)| entry.route.method.as_str()).collect();
            if allow.contains(&"GET") {
                allow.push("HEAD");
            }
            let detail = "the path does not support this method";
            return Err(Error::new(Code::MethodNotAllowed, "http.route", detail).with_member("allow", allow.join(", ")));
        };
        let names = param_names(entry.route.path);
        let params = names.map(|name| (name, matched.params.get(name).unwrap_or_default().into())).collect();
        Ok(RouteMatch { entry, index: *number, params })
    }
}

/// Returns the names of a path's parameters, in order.
pub(crate) fn param_names(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*'))
}
