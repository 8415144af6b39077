//! Several queue messages of one group as one.
//!
//! A call of SQS can accept a later entry and reject an earlier one, so no call has two messages of a group (`SqsQueue` in the crate
//! `connector-aws`). A webhook with 600 changes of one conversation would need 600 calls, one after the other, for which the entry point
//! has no time, however often the webhook is repeated. A queue message is accepted whole or not at all, so many changes go into one. The
//! worker handles each of its parts like a queue message of its own.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::{LARGEST_BODY, wire::to_body};
use crate::{
    domain::{digest::digest, id::CorrelationId},
    port::QueueMessage,
};

/// The most queue messages of one group per webhook, as long as the changes fit into them.
///
/// All parts of a queue message share its 200 receives, so each has as few parts as possible. Up to this number, each change is a queue
/// message of its own.
pub const MOST_OF_A_GROUP: usize = 100;

/// The tag of a queue message that holds several.
const NAME: &str = "several_v1";

/// The most bytes of a queue message besides its parts: the tag and a correlation id.
const AROUND: usize = 1024;

#[derive(Deserialize)]
struct Several {
    task: String,
    tasks: Vec<Value>,
}

/// Returns the bodies in a queue message that holds several, in order. `None` for any other.
pub fn parts(body: &str) -> Option<Vec<String>> {
    // Check this first, so that most messages aren't parsed twice.
    if !body.contains(NAME) {
        return None;
    }
    let several: Several = serde_json::from_str(body).ok()?;
    let parts = several.tasks.iter().map(|part| to_body(part).ok()).collect::<Option<Vec<_>>>()?;
    (several.task == NAME && !parts.is_empty()).then_some(parts)
}

/// Returns the bodies of the messages in a queue message, in order: one, or several.
pub fn bodies(body: &str) -> Vec<String> {
    parts(body).unwrap_or_else(|| vec![body.to_owned()])
}

/// Bundles the messages of groups that have more than [`MOST_OF_A_GROUP`]. The order within a group stays. Of messages with the same
/// deduplication id one is left, as in the queue.
pub fn bundled(messages: Vec<QueueMessage>, correlation: &CorrelationId) -> Vec<QueueMessage> {
    let mut sizes: HashMap<String, usize> = HashMap::new();
    for message in &messages {
        *sizes.entry(message.group.clone()).or_default() += 1;
    }
    if sizes.values().all(|size| *size <= MOST_OF_A_GROUP) {
        return messages;
    }
    let (mut bundles, mut last, mut seen) = (Vec::<Bundle>::new(), HashMap::<String, usize>::new(), HashSet::new());
    for message in messages {
        if !seen.insert(message.deduplication.clone()) {
            continue;
        }
        let most = sizes.get(&message.group).map_or(1, |size| size.div_ceil(MOST_OF_A_GROUP));
        let open = last.get(&message.group).and_then(|index| bundles.get_mut(*index));
        match open.filter(|bundle| bundle.takes(&message, most)) {
            Some(bundle) => bundle.add(message),
            None => {
                last.insert(message.group.clone(), bundles.len());
                bundles.push(Bundle { bytes: AROUND + message.body.len(), first: message, more: Vec::new() });
            }
        }
    }
    bundles.into_iter().map(|bundle| bundle.message(correlation)).collect()
}

struct Bundle {
    first: QueueMessage,
    more: Vec<QueueMessage>,
    bytes: usize,
}

impl Bundle {
    fn takes(&self, message: &QueueMessage, most: usize) -> bool {
        1 + self.more.len() < most && self.bytes + 1 + message.body.len() <= LARGEST_BODY
    }

    fn add(&mut self, message: QueueMessage) {
        self.bytes += 1 + message.body.len();
        self.more.push(message);
    }

    fn message(self, correlation: &CorrelationId) -> QueueMessage {
        if self.more.is_empty() {
            return self.first;
        }
        let parts = || std::iter::once(&self.first).chain(&self.more);
        let bodies: Vec<&str> = parts().map(|part| part.body.as_str()).collect();
        let names = parts().map(|part| part.deduplication.as_bytes());
        let deduplication = digest(std::iter::once(NAME.as_bytes()).chain(names));
        // The bodies are JSON already.
        let correlation = Value::from(correlation.as_str());
        let body = format!(r#"{{"task":"{NAME}","correlation":{correlation},"tasks":[{}]}}"#, bodies.join(","));
        QueueMessage { body, deduplication, group: self.first.group }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(number: usize, group: &str, size: usize) -> QueueMessage {
        let body = to_body(&json!({"task": "t", "number": number, "text": "x".repeat(size)})).unwrap();
        QueueMessage { body, group: group.to_owned(), deduplication: format!("d{number}") }
    }

    fn correlation() -> CorrelationId {
        CorrelationId::new("r-1").unwrap()
    }

    fn unpacked(message: &QueueMessage) -> Vec<String> {
        bodies(&message.body)
    }

    #[test]
    fn what_is_few_is_left_as_it_is() {
        let few: Vec<_> = (0..MOST_OF_A_GROUP).map(|number| message(number, "a", 1)).collect();
        assert_eq!(bundled(few.clone(), &correlation()), few);
    }

    #[test]
    fn six_hundred_of_a_conversation_are_a_hundred_queue_messages() {
        let many: Vec<_> = (0..600).map(|number| message(number, "a", 1)).chain([message(600, "b", 1)]).collect();
        let bundles = bundled(many.clone(), &correlation());
        assert_eq!(bundles.len(), 101);
        assert!(bundles.iter().all(|bundle| unpacked(bundle).len() <= 6));
        assert_eq!(bundles[100], many[600], "another group's is left alone");
        // The same webhook gives the same id again, and other webhooks give other ids.
        assert_eq!(bundled(many, &correlation()), bundles);
        assert_eq!(bundles.iter().map(|bundle| &bundle.deduplication).collect::<HashSet<_>>().len(), 101);
    }

    #[test]
    fn only_what_was_bundled_is_taken_apart() {
        for other in [
            r#"{"task":"liveengage_change_v1","text":"several_v1"}"#,
            r#"{"task":"several_v1","tasks":[]}"#,
            r#"{"task":"several_v1"}"#,
            r#"{"task":"several_v2","tasks":[{}],"x":"several_v1"}"#,
            "several_v1",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
    }

    /// Returns how many messages the first bundle has if these bodies are the first of a group of which `of_each` go into one.
    fn in_the_first(lengths: &[usize], of_each: usize) -> usize {
        let long = |(number, length): (usize, &usize)| {
            let empty = message(number, "a", 0).body.len();
            message(number, "a", length - empty)
        };
        let first = lengths.iter().enumerate().map(long);
        let more = (lengths.len()..).map(|number| message(number, "a", 1)).take((of_each - 1) * MOST_OF_A_GROUP);
        unpacked(&bundled(first.chain(more).collect(), &correlation())[0]).len()
    }

    #[test]
    fn a_bundle_is_filled_to_the_last_byte() {
        let left = LARGEST_BODY - AROUND;
        assert_eq!(in_the_first(&[60_000, left - 60_000 - 1], 2), 2, "a comma is between them");
        assert_eq!(in_the_first(&[60_000, left - 60_000], 2), 1);
        assert_eq!(in_the_first(&[60_000, 70_000, left - 130_000 - 2], 3), 3);
        assert_eq!(in_the_first(&[60_000, 70_000, left - 130_000 - 1], 3), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn nothing_is_lost_doubled_or_reordered_and_everything_fits(
            groups in prop::collection::vec((0usize..3, 0usize..900), 0..900), repeated in 0usize..50,
        ) {
            let mut messages: Vec<_> =
                groups.iter().enumerate().map(|(number, (group, size))| message(number, &group.to_string(), *size)).collect();
            messages.extend(messages.clone().into_iter().take(repeated));
            let bundles = bundled(messages.clone(), &correlation());
            let mut seen = HashSet::new();
            messages.retain(|message| seen.insert(message.deduplication.clone()));
            for group in ["0", "1", "2"] {
                let of_group = |all: &[QueueMessage]| -> Vec<String> {
                    let mut seen = HashSet::new();
                    let all = all.iter().filter(|message| message.group == group);
                    all.flat_map(unpacked).filter(|body| seen.insert(body.clone())).collect()
                };
                let number = |body: &String| serde_json::from_str::<Value>(body).unwrap()["number"].clone();
                let numbers = |all: &[QueueMessage]| of_group(all).iter().map(number).collect::<Vec<_>>();
                prop_assert_eq!(numbers(&bundles), numbers(&messages));
                let count = bundles.iter().filter(|bundle| bundle.group == group).count();
                prop_assert!(count <= MOST_OF_A_GROUP + repeated, "{}", count);
            }
            prop_assert!(bundles.iter().all(|bundle| bundle.body.len() <= LARGEST_BODY));
        }
    }
}
