//! The application: an engine with the state that HTTP needs beside it.

use std::{convert::Infallible, error::Error as StdError, fmt, pin::Pin, sync::Arc};

use engines::{Engine, Result};
use http::{Request, Response};
use hyper::body::Body as HttpBody;

use crate::{
    body::Body,
    connection_info::ConnectionInfo,
    cors::Cors,
    limits::Budgets,
    metrics::Metrics,
    openapi,
    pipeline::{self, Routing},
    root_page,
    routes::{self, Router},
    settings::HttpSettings,
    shutdown::Shutdown,
    state::AppState,
    throttle::RequestThrottle,
};

/// The HTTP routes over an engine. It is cheap to clone and needs no listener.
///
/// It is a [`hyper::service::Service`], so that it can be mounted in another HTTP service:
///
/// ```no_run
/// # async fn mount(engine: engines::Engine, request: http::Request<hyper::body::Incoming>) -> engines::Result<()> {
/// let app = engines_server::App::new(engine)?;
/// let response: http::Response<engines_server::Body> = app.handle(request).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct App {
    state: Arc<AppState>,
    routing: Arc<Routing>,
}

/// Builds an [`App`].
pub struct AppBuilder {
    engine: Engine,
    settings: HttpSettings,
    throttle: Option<Arc<dyn RequestThrottle>>,
}

impl App {
    /// Creates an app over `engine` with the default settings.
    ///
    /// # Errors
    /// Returns the errors of [`AppBuilder::build`].
    pub fn new(engine: Engine) -> Result<Self> {
        Self::builder(engine).build()
    }

    /// Starts to build an app over `engine`.
    #[must_use]
    pub fn builder(engine: Engine) -> AppBuilder {
        AppBuilder { engine, settings: HttpSettings::default(), throttle: None }
    }

    /// Responds to a request. It never fails: the response to a failed request is a problem document.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        pipeline::respond(&self.state, &self.routing, None, request).await
    }

    /// Responds like [`App::handle`] to a request that arrived on a connection of the server's own listener.
    pub(crate) async fn handle_on<B>(&self, connection: &ConnectionInfo, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        pipeline::respond(&self.state, &self.routing, Some(connection), request).await
    }

    /// Responds with an error to a request that arrived on a connection of the server's own listener, without reading
    /// it.
    pub(crate) fn refuse(&self, headers: &http::HeaderMap, error: &engines::Error) -> Response<Body> {
        pipeline::refuse(&self.state, &self.routing, headers, error)
    }

    /// Responds like [`App::refuse`], with a status that belongs to no error code.
    pub(crate) fn refuse_with_text(
        &self,
        headers: &http::HeaderMap,
        status: http::StatusCode,
        text: &'static str,
    ) -> Response<Body> {
        pipeline::refuse_with_text(&self.state, &self.routing, headers, status, text)
    }

    /// Returns the engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &HttpSettings {
        &self.state.settings
    }

    /// Returns the switch that stops the app. After it is thrown, the app is not ready, and open streams are closed so
    /// that clients resume at another server.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.state.shutdown
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.state.metrics
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.state.budgets
    }
}

impl AppBuilder {
    /// Sets the limits of HTTP.
    #[must_use]
    pub fn settings(mut self, settings: HttpSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Calls `throttle` before the handler of each request. It is for limits that only the edge of a deployment knows.
    /// The rate limits of the engine's services ([`EngineBuilder::rates`](engines::EngineBuilder::rates)) apply as
    /// well.
    #[must_use]
    pub fn throttle(mut self, throttle: Arc<dyn RequestThrottle>) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// Builds the app.
    ///
    /// # Errors
    /// Returns `INTERNAL` when the table of routes contradicts itself, or its description cannot be serialized.
    pub fn build(self) -> Result<App> {
        let routing = Routing { router: Router::new()?, cors: Cors::new(self.settings.cors_origins.clone())? };
        let state = AppState {
            metrics: Metrics::new(&self.engine, routes::all()),
            openapi: openapi::to_bytes(self.engine.limits())?,
            route_rows: root_page::route_rows(routes::all()),
            shutdown: Shutdown::new(),
            engine: self.engine,
            budgets: Budgets::new(&self.settings),
            settings: self.settings,
            throttle: self.throttle,
        };
        Ok(App { state: Arc::new(state), routing: Arc::new(routing) })
    }
}

impl<B> hyper::service::Service<Request<B>> for App
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(app.handle(request).await) })
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("engine", &self.state.engine).finish_non_exhaustive()
    }
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppBuilder").field("engine", &self.engine).finish_non_exhaustive()
    }
}
