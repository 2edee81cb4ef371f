//! The application: an engine and what HTTP needs beside it.

use std::{convert::Infallible, error::Error as StdError, fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use engines::{Engine, Result, core::pii::Scrubber};
use http::{Request, Response};
use hyper::body::Body as HttpBody;

use crate::{
    body::Body,
    client_addr::ConnectionInfo,
    cors::Cors,
    limits::Budgets,
    metrics::Metrics,
    openapi,
    pipeline::{self, RequestThrottle},
    routes::Router,
    settings::HttpSettings,
    shutdown::Shutdown,
};

/// Our routes over an engine. Cheap to clone; needs no listener.
///
/// It is a [`hyper::service::Service`], so that it can be mounted in an HTTP service of one's own:
///
/// ```no_run
/// # async fn mount(engine: engines::Engine, request: http::Request<hyper::body::Incoming>) -> engines::Result<()> {
/// let app = engines_server::App::new(engine)?;
/// let response: http::Response<engines_server::Body> = app.handle(request).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: HttpSettings,
    router: Router,
    cors: Cors,
    metrics: Metrics,
    openapi: Bytes,
    shutdown: Shutdown,
    throttle: Option<Arc<dyn RequestThrottle>>,
    scrubber: Scrubber,
    budgets: Budgets,
}

/// Puts an [`App`] together.
pub struct AppBuilder {
    engine: Engine,
    settings: HttpSettings,
    throttle: Option<Arc<dyn RequestThrottle>>,
}

impl App {
    /// An app over `engine` with the default settings.
    ///
    /// # Errors
    /// As [`AppBuilder::build`].
    pub fn new(engine: Engine) -> Result<Self> {
        Self::builder(engine).build()
    }

    /// Begins an app.
    #[must_use]
    pub fn builder(engine: Engine) -> AppBuilder {
        AppBuilder { engine, settings: HttpSettings::default(), throttle: None }
    }

    /// Answers a request. It never fails: what goes wrong is a problem document.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        pipeline::respond(self, None, request).await
    }

    /// As [`App::handle`], for a request of one of our own connections.
    pub(crate) async fn handle_on<B>(&self, connection: &ConnectionInfo, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        pipeline::respond(self, Some(connection), request).await
    }

    /// Answers a request of one of our own connections with an error, without looking at it.
    pub(crate) fn refuse(&self, headers: &http::HeaderMap, error: &engines::Error) -> Response<Body> {
        pipeline::refuse(self, headers, error)
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    /// The switch that stops it: not ready, open streams closed so that clients resume elsewhere.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn cors(&self) -> &Cors {
        &self.0.cors
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn openapi(&self) -> Bytes {
        self.0.openapi.clone()
    }

    /// What looks at the little that is kept of a request as it came.
    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.0.scrubber
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    pub(crate) fn throttle(&self) -> Option<&dyn RequestThrottle> {
        self.0.throttle.as_deref()
    }
}

impl AppBuilder {
    /// Other limits of HTTP.
    #[must_use]
    pub fn settings(mut self, settings: HttpSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Asks `throttle` before each request's handler, besides the rate limits that the engine's services keep to
    /// ([`EngineBuilder::rates`](engines::EngineBuilder::rates)): for limits that only an edge can know.
    #[must_use]
    pub fn throttle(mut self, throttle: Arc<dyn RequestThrottle>) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// The app.
    ///
    /// # Errors
    /// `INTERNAL` when the table of routes contradicts itself, or its description does not serialise.
    pub fn build(self) -> Result<App> {
        Ok(App(Arc::new(Inner {
            router: Router::new()?,
            cors: Cors::new(self.settings.cors_origins.clone())?,
            metrics: Metrics::new(&self.engine),
            openapi: openapi::to_bytes(self.engine.limits())?,
            shutdown: Shutdown::new(),
            engine: self.engine,
            budgets: Budgets::new(&self.settings),
            settings: self.settings,
            throttle: self.throttle,
            scrubber: Scrubber::default(),
        })))
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
        f.debug_struct("App").field("engine", &self.0.engine).finish_non_exhaustive()
    }
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppBuilder").field("engine", &self.engine).finish_non_exhaustive()
    }
}
