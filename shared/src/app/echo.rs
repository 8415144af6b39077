//! The echo of a consumer's own message in LiveEngage's webhooks, and what it is recognised by.
//!
//! LiveEngage has no retry key. What was published comes back in a notification with its number in the dialog and its content, and
//! nothing of the request: so the content is what tells.

use super::task::digest;
use crate::liveengage::{messaging::Event, notification::EventKind};

/// What an event to be published will be recognised by; `None` for one that has no content.
pub(super) fn of_event(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(text) => Some(of_text(text)),
        Event::File(file) => Some(of_file(file.relative_path.as_str())),
        Event::Status(..) | Event::ChatState(_) => None,
    }
}

/// The same of an event that was published.
pub(super) fn of_notification(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Text(text) => Some(of_text(text.as_str())),
        EventKind::File(file) => Some(of_file(file.relative_path.as_str())),
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

/// By where it lies: every upload has a place of its own.
fn of_file(path: &str) -> String {
    digest([b"file".as_slice(), path.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::MessageText;

    #[test]
    fn a_text_is_recognised_by_what_it_says() {
        let text = |text: &str| EventKind::Text(MessageText::new(text));
        assert_eq!(of_event(&Event::Text("Grüße 📦")), of_notification(&text("Grüße 📦\n")));
        assert_ne!(of_event(&Event::Text("one")), of_notification(&text("two")));
        assert_eq!(of_notification(&EventKind::ChatState(None)), None);
    }
}
