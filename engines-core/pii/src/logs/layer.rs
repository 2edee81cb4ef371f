//! A layer that passes scrubbed fields to another layer.

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::fields::ScrubbedFields;
use crate::Scrubber;

/// Wraps a layer and passes it events and spans with scrubbed fields: texts, numbers, errors, and values formatted with
/// `Display` or `Debug`.
///
/// Put filters around it and not inside: `ScrubLayer::new(layer, scrubber).with_filter(…)`. The inner layer's types are
/// not visible to `downcast_ref`. Layers of `fmt` share the formatted fields of a span, so wrap all of them, or use
/// [`ScrubWriter`](super::ScrubWriter) too. The inner layer is not asked whether an event is enabled by its fields.
#[derive(Debug, Clone)]
pub struct ScrubLayer<L> {
    inner: L,
    scrubber: Scrubber,
}

impl<L> ScrubLayer<L> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: L, scrubber: Scrubber) -> Self {
        Self { inner, scrubber }
    }
}

impl<S, L> Layer<S> for ScrubLayer<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.inner.on_register_dispatch(subscriber);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.max_level_hint()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = ScrubbedFields::new(&self.scrubber);
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        fields.with_values(metadata.fields(), |values| {
            let clean = match attributes.parent() {
                Some(parent) => Attributes::child_of(parent.clone(), metadata, values),
                None if attributes.is_root() => Attributes::new_root(metadata, values),
                None => Attributes::new(metadata, values),
            };
            self.inner.on_new_span(&clean, id, context);
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(metadata) = context.metadata(id) else { return };
        let mut fields = ScrubbedFields::new(&self.scrubber);
        values.record(&mut fields);
        fields.with_values(metadata.fields(), |values| self.inner.on_record(id, &Record::new(values), context));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = ScrubbedFields::new(&self.scrubber);
        event.record(&mut fields);
        let metadata = event.metadata();
        fields.with_values(metadata.fields(), |values| {
            let clean = match event.parent() {
                Some(parent) => Event::new_child_of(parent.clone(), metadata, values),
                None if event.is_root() => Event::new_child_of(None, metadata, values),
                None => Event::new(metadata, values),
            };
            self.inner.on_event(&clean, context);
        });
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.inner.on_close(id, context);
    }

    fn on_id_change(&self, old: &Id, new: &Id, context: Context<'_, S>) {
        self.inner.on_id_change(old, new, context);
    }
}
