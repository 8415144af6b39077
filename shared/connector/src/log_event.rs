//! The log events: each one's name, level, message, fields and metrics.
//!
//! An event's name and fields are stable: metrics, alarms and the operator's queries use them. Its message is for people and may be
//! reworded. [`ALL`] is the whole list, and the reference pages are generated from it. An event is logged with
//! [`log_event!`](crate::log_event!), which refuses to compile with a field that the event doesn't declare.

mod entry;
mod liveengage;
mod operation;
mod worker;

pub use self::{entry::*, liveengage::*, operation::*, worker::*};

use tracing::Level;

/// One kind of log record.
#[derive(Debug, Clone, Copy)]
pub struct LogEvent {
    /// Its stable name: lower case, noun first, such as `message.delivered`. Logged as the field `event`.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// Its text for people. Logged as the field `message`.
    pub message: &'static str,
    /// The names of its further fields. A record may lack some of them.
    pub fields: &'static [&'static str],
    /// The functions that log it, by their names in the template.
    pub functions: &'static [&'static str],
    /// The metrics that each of its records counts for.
    pub metrics: &'static [Metric],
    /// When it is logged and what follows from it, in Markdown, for the reference page.
    pub meaning: &'static str,
}

/// A metric that is computed from log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// What it counts.
    pub amount: Amount,
    /// Its dimension.
    pub dimension: Dimension,
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// The records.
    Records,
    /// The sum of this field. A record without it counts nothing.
    Field {
        /// The field, which holds a number.
        name: &'static str,
        /// Its unit, as CloudWatch spells it.
        unit: &'static str,
    },
}

/// The dimension of a metric, in addition to the stack.
///
/// CloudWatch bills each combination of values, so no dimension is a conversation, a consumer or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// No other dimension: one number for the stack.
    Stack,
    /// A dimension with a value that is the same for all records of the event.
    Known {
        /// The dimension.
        name: &'static str,
        /// Its value.
        value: &'static str,
        /// Whether there is also one number for the stack, for an alarm.
        and_stack: bool,
    },
    /// A dimension whose value is a field of the record, or `-` if the record doesn't have it.
    Field {
        /// The dimension.
        name: &'static str,
        /// The field.
        field: &'static str,
        /// Whether there is also one number for the stack, for an alarm.
        and_stack: bool,
    },
}

impl Metric {
    /// Counts the records.
    const fn records(name: &'static str, dimension: Dimension) -> Self {
        Self { name, amount: Amount::Records, dimension }
    }

    /// Sums a field.
    const fn sum(name: &'static str, field: &'static str, unit: &'static str, dimension: Dimension) -> Self {
        Self { name, amount: Amount::Field { name: field, unit }, dimension }
    }

    /// Returns its unit in CloudWatch.
    pub const fn unit(&self) -> &'static str {
        match self.amount {
            Amount::Records => "Count",
            Amount::Field { unit, .. } => unit,
        }
    }
}

impl Dimension {
    const LINE: Self = Self::Field { name: "Line", field: "line", and_stack: false };
    const LINE_AND_STACK: Self = Self::Field { name: "Line", field: "line", and_stack: true };
    const REASON_AND_STACK: Self = Self::Field { name: "Reason", field: "reason", and_stack: true };

    const fn function(value: &'static str) -> Self {
        Self::Known { name: "Function", value, and_stack: false }
    }

    /// Returns the dimension's name, if there is one in addition to the stack.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Stack => None,
            Self::Known { name, .. } | Self::Field { name, .. } => Some(name),
        }
    }

    /// Whether there is one number for the whole stack.
    pub const fn has_stack(&self) -> bool {
        match self {
            Self::Stack => true,
            Self::Known { and_stack, .. } | Self::Field { and_stack, .. } => *and_stack,
        }
    }
}

impl LogEvent {
    /// Whether it declares all of these fields.
    pub const fn declares(&self, fields: &[&str]) -> bool {
        let mut rest = fields;
        while let [field, others @ ..] = rest {
            if !contains(self.fields, field) {
                return false;
            }
            rest = others;
        }
        true
    }
}

const fn contains(declared: &[&str], field: &str) -> bool {
    let mut rest = declared;
    while let [one, others @ ..] = rest {
        if is_same(one.as_bytes(), field.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

const fn is_same(mut a: &[u8], mut b: &[u8]) -> bool {
    loop {
        match (a, b) {
            ([], []) => return true,
            ([x, rest_of_a @ ..], [y, rest_of_b @ ..]) if *x == *y => (a, b) = (rest_of_a, rest_of_b),
            _ => return false,
        }
    }
}

/// Declares events, and the list of them. The doc comment is the meaning on the reference page.
macro_rules! events {
    ($list:ident: $(
        $(#[doc = $meaning:literal])+
        $event:ident = $level:ident $name:literal $message:literal
        { functions: $functions:expr, fields: [$($field:literal),* $(,)?] $(, metrics: [$($metric:expr),* $(,)?])? }
    )+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $message, ".")]
            #[doc = ""]
            $(#[doc = $meaning])+
            pub const $event: $crate::log_event::LogEvent = $crate::log_event::LogEvent {
                name: $name,
                level: tracing::Level::$level,
                message: $message,
                fields: &[$($field),*],
                functions: $functions,
                metrics: &[$($($metric),*)?],
                meaning: concat!($($meaning),+),
            };
        )+
        pub(super) const $list: &[&$crate::log_event::LogEvent] = &[$(&$event),+];
    };
}
use events;

/// The events in the order of the reference page, grouped by topic.
pub const ALL: &[(&str, &[&LogEvent])] = &[
    ("Webhooks", ENTRY_EVENTS),
    ("Delivery", WORKER_EVENTS),
    ("Towards LiveEngage", LIVEENGAGE_EVENTS),
    ("Functions, secrets and tokens", OPERATION_EVENTS),
];

/// Returns every event.
pub fn all() -> impl Iterator<Item = &'static LogEvent> {
    ALL.iter().flat_map(|(_, events)| events.iter().copied())
}

/// The meanings of the fields, in the order of the reference page.
pub const FIELDS: &[(&str, &str)] = &[
    ("event", "The event's name."),
    (
        "correlation",
        "API Gateway's request id of the webhook. It follows a message through both queues, retries and parking, and is `requestId` in the access log.",
    ),
    ("line", "The line's id."),
    ("account", "The LiveEngage account's id."),
    ("conversation", "LiveEngage's id of the conversation."),
    ("queued", "How many messages the webhook put into the queue."),
    ("left_out", "How many parts of the webhook were left out."),
    (
        "not_needed",
        "How many events nothing follows from: private notes, and what LiveEngage echoes of a consumer's marks and typing.",
    ),
    ("messages", "How many messages the request held."),
    ("kind", "What was left out, in the connector's words, such as `event of an unknown type`."),
    ("count", "How many there were."),
    ("parts", "Which parts of the event."),
    ("bytes", "Size in bytes."),
    ("reason", "Why, in the connector's words, such as `signature wrong`."),
    ("code", "The AWS error code."),
    ("waited_ms", "Milliseconds from the webhook to the attempt that delivered the message."),
    ("wait_ms", "Milliseconds to wait."),
    ("attempt", "Number of the attempt, from 1."),
    ("retry_in_s", "Seconds until the next attempt."),
    ("asked_s", "Seconds that the other side asked to wait."),
    ("asked_days", "Days that the other side asked to wait."),
    (
        "class",
        "Who has to act: `liveengage` or `channel` answered with an error, `no answer` came from either, `held back` by a breaker, `aws` (table or queue), `settings` (a secret, or an id that was removed), or `own affairs` (a wait of the connector's own, which ends by itself).",
    ),
    ("error", "What failed. It names the call, the HTTP status and the error code, never a text or a secret."),
    ("park_error", "Why the table refused the message."),
    ("queue_error", "Why the queue refused the notice."),
    ("call", "The call, such as `LiveEngage SEND` or `SMS gateway send`."),
    ("key", "The account of a call to LiveEngage, or the line of a call to a channel."),
    ("host", "The host that answered."),
    ("status", "The status that the channel reported, or the HTTP status."),
    ("report", "The correlation id of the channel's report."),
    ("typing", "Whether the consumer began (`true`) or stopped typing."),
    ("message_id", "The SQS message id."),
    ("place", "Source file, line and column of a panic."),
    ("secret", "The secret's name."),
    ("since", "When Secrets Manager stored the version."),
    ("expires_at", "When the AppJWT expires."),
    ("age_s", "Seconds since the AppJWT was issued: an hour less what is left of its life."),
    ("accounts", "How many accounts."),
    ("compared", "How many conversations were compared with LiveEngage's history."),
    ("missing", "How many events of agents and bots had not come."),
    ("closed", "How many conversations had ended without a webhook that said so."),
    ("failed", "How many consumers' conversations could not be compared."),
    ("left", "How many consumers were not looked at, because the time was over or there are too many."),
    ("function", "The function's name."),
    ("version", "The connector's version."),
];

/// The meanings of the metrics, in the order of the reference page.
pub const METRICS: &[(&str, &str)] = &[
    ("Accepted", "Webhooks that were answered with success."),
    ("Refused", "Webhooks that a function answered 400, 401, 404 or 413."),
    ("Misdirected", "Messages for an address that no line has, at each attempt of the channel."),
    ("LeftOut", "Parts of verified webhooks that the connector can't use: unknown types, messages in groups."),
    ("Delivered", "What reached the other side: texts, files, reports, notices."),
    ("AgeAtDelivery", "From the webhook to the attempt that delivered. It has percentiles."),
    ("Nacked", "Agents' messages of which the agent was told that they did not arrive."),
    (
        "Parked",
        "Messages that were parked, and conversations whose texts were dropped by mistake. The line is `-` if it is not known.",
    ),
    ("Retries", "Attempts after which a message waits for the next one."),
    ("BreakerOpen", "Times that an environment began to hold back a kind of call that fails for all consumers."),
    ("Recovered", "Events whose webhooks LiveEngage lost, and that `reconcile` has queued."),
    ("TokenAge", "Age of each AppJWT, at every run of `token-refresh`."),
];

/// Logs an event: `log_event!(MESSAGE_DELIVERED, correlation, line = name, %error)`.
///
/// The first argument is the name of a constant of [`log_event`](mod@crate::log_event); the fields are written as in `tracing`. A field that
/// the event doesn't declare is an error at compile time.
#[macro_export]
macro_rules! log_event {
    ($event:ident $(, $($fields:tt)+)?) => { $crate::log_event!(@ $event [] [] $($($fields)+)?) };
    (@ $event:ident [$($names:expr,)*] [$($out:tt)*]) => {{
        const { assert!($crate::log_event::$event.declares(&[$($names),*]), "a field that the event doesn't declare") };
        ::tracing::event!(
            $crate::log_event::$event.level, event = $crate::log_event::$event.name,
            $($out)* "{}", $crate::log_event::$event.message
        );
    }};
    (@ $event:ident [$($names:expr,)*] [$($out:tt)*] % $name:ident $(, $($rest:tt)*)?) => {
        $crate::log_event!(@ $event [$($names,)* stringify!($name),] [$($out)* $name = %$name,] $($($rest)*)?)
    };
    (@ $event:ident [$($names:expr,)*] [$($out:tt)*] $name:ident = % $value:expr $(, $($rest:tt)*)?) => {
        $crate::log_event!(@ $event [$($names,)* stringify!($name),] [$($out)* $name = %$value,] $($($rest)*)?)
    };
    (@ $event:ident [$($names:expr,)*] [$($out:tt)*] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::log_event!(@ $event [$($names,)* stringify!($name),] [$($out)* $name = $value,] $($($rest)*)?)
    };
    (@ $event:ident [$($names:expr,)*] [$($out:tt)*] $name:ident $(, $($rest:tt)*)?) => {
        $crate::log_event!(@ $event [$($names,)* stringify!($name),] [$($out)* $name,] $($($rest)*)?)
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_is_a_noun_with_what_happened_to_it_and_stands_for_one_event() {
        let mut seen = BTreeSet::new();
        for event in all() {
            assert!(seen.insert(event.name), "two events are called {}", event.name);
            let parts: Vec<&str> = event.name.split('.').collect();
            let is_word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(parts.len() == 2 && parts.iter().all(is_word), "{}", event.name);
            assert!(!event.functions.is_empty() && !event.meaning.is_empty(), "{}", event.name);
        }
    }

    #[test]
    fn every_field_is_explained_and_every_explanation_is_of_a_field() {
        let used: BTreeSet<&str> = all().flat_map(|event| event.fields).copied().chain(["event"]).collect();
        let explained: BTreeSet<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        assert_eq!(used, explained);
    }

    #[test]
    fn every_metric_is_explained_and_every_explanation_is_of_a_metric() {
        let made: BTreeSet<&str> = all().flat_map(|event| event.metrics).map(|metric| metric.name).collect();
        let explained: BTreeSet<&str> = METRICS.iter().map(|(name, _)| *name).collect();
        assert_eq!(made, explained);
    }

    #[test]
    fn a_metric_is_made_of_fields_that_its_event_has() {
        for event in all() {
            for metric in event.metrics {
                let amount = match metric.amount {
                    Amount::Records => None,
                    Amount::Field { name, .. } => Some(name),
                };
                let dimension = match metric.dimension {
                    Dimension::Field { field, .. } => Some(field),
                    Dimension::Stack | Dimension::Known { .. } => None,
                };
                for field in amount.into_iter().chain(dimension) {
                    assert!(event.declares(&[field]), "{}: {} wants {field}", event.name, metric.name);
                }
            }
        }
    }

    #[test]
    fn no_metric_has_a_dimension_that_grows_with_traffic() {
        for metric in all().flat_map(|event| event.metrics) {
            let known =
                metric.dimension.name().is_none_or(|name| ["Function", "Line", "Reason", "Class"].contains(&name));
            assert!(known, "{metric:?}");
        }
    }

    #[test]
    fn a_declared_field_is_distinguished_from_others() {
        assert!(MESSAGE_DELIVERED.declares(&["line", "waited_ms"]) && MESSAGE_DELIVERED.declares(&[]));
        assert!(!MESSAGE_DELIVERED.declares(&["line", "text"]) && !MESSAGE_DELIVERED.declares(&["lin"]));
    }
}
