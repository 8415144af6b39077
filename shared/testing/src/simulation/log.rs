//! What the functions log: it goes into the history, and must hold nothing of a person or a secret.

use std::{
    fmt::{Debug, Write},
    sync::Arc,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{invariant::Invariant, world::Shared};

/// What must be in no log event: marks of texts, words of texts, phone numbers, secrets and tokens.
const HIDDEN: [&str; 7] = ["[[", "Grüße", "+49", "s3cret", "sim-bearer", "app-jwt-", "e30."];

/// Observes the log events of all functions.
pub(super) struct Log(pub(super) Arc<Shared>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        let mut world = self.0.world();
        if let Some(hidden) = HIDDEN.iter().find(|hidden| fields.0.contains(**hidden)) {
            world.truth.broken(Invariant::Leaked, format_args!("{hidden} in {}", fields.0));
        }
        world.agenda.note(format_args!("log {}", fields.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The level and the fields of an event.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
