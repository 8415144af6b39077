//! Recognizes the echo of a consumer's own message in LiveEngage's webhooks.
//!
//! LiveEngage has no idempotency key. A published event comes back in a notification with its number in the dialog and its content, and
//! nothing of the request. So an echo is recognized by a digest of its content.

use crate::domain::digest::digest;
use connector_liveengage::{
    id::Sequence,
    messaging::{AcceptStatus, Event},
    notification::EventKind,
};

/// Returns the digest by which the echo of an event will be recognized. `None` if the event has no content.
pub(super) fn of_event(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(text) => Some(of_text(text)),
        Event::File(file) => Some(of_file(file.relative_path.as_str())),
        Event::Status(AcceptStatus::Action, sequences) => Some(of_click(sequences)),
        // Publishing these twice has no effect, so their echo isn't needed.
        Event::Status(..) | Event::ChatState(_) => None,
    }
}

/// Returns the same digest for an event of a notification.
pub(super) fn of_notification(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Text(text) => Some(of_text(text.as_str())),
        EventKind::File(file) => Some(of_file(file.relative_path.as_str())),
        EventKind::AcceptStatus { status: Some(AcceptStatus::Action), sequences } => Some(of_click(sequences)),
        EventKind::OtherContent(_)
        | EventKind::RichContent(_)
        | EventKind::AcceptStatus { .. }
        | EventKind::ChatState(_)
        | EventKind::Unknown(_) => None,
    }
}

fn of_text(text: &str) -> String {
    digest([b"text".as_slice(), text.trim().as_bytes()])
}

/// A click is recognized by the message that it was made on, because a consumer makes one click after the other.
fn of_click(sequences: &[Sequence]) -> String {
    let numbers: Vec<_> = sequences.iter().map(|sequence| sequence.0.to_be_bytes()).collect();
    digest([b"click".as_slice()].into_iter().chain(numbers.iter().map(|number| number.as_slice())))
}

/// A file is recognized by its path, because every upload has a path of its own.
fn of_file(path: &str) -> String {
    digest([b"file".as_slice(), path.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_message::MessageText;

    #[test]
    fn a_click_is_recognized_by_the_message_that_it_was_made_on() {
        let of = |status, number| {
            of_notification(&EventKind::AcceptStatus { status: Some(status), sequences: vec![Sequence(number)] })
        };
        let click = of_event(&Event::Status(AcceptStatus::Action, &[Sequence(7)]));
        assert!(click.is_some());
        assert_eq!(click, of(AcceptStatus::Action, 7));
        assert_ne!(click, of(AcceptStatus::Action, 8));
        assert_eq!(of(AcceptStatus::Accept, 7), None, "the echo of a receipt isn't needed");
    }

    #[test]
    fn a_text_is_recognized_by_its_content() {
        let text = |text: &str| EventKind::Text(MessageText::new(text));
        assert_eq!(of_event(&Event::Text("Grüße 📦")), of_notification(&text("Grüße 📦\n")));
        assert_ne!(of_event(&Event::Text("one")), of_notification(&text("two")));
        assert_eq!(of_notification(&EventKind::ChatState(None)), None);
    }
}
