//! The meaning of clicks in a text, which has nothing to click.

use super::line::ChoiceKind;
use connector_message::{
    MessageText,
    rich_content::{Action, Button, Click, Metadata},
};

/// Whether a button with a title is a choice: it publishes a text, or it opens nothing and has a click or is a quick reply.
pub(super) fn is_choice(button: &Button, kind: ChoiceKind) -> bool {
    let click = button.click.as_ref();
    published(click).is_some() || (!has_opening_action(click) && (kind == ChoiceKind::Reply || click.is_some()))
}

/// Whether a click opens something.
pub(super) fn has_opening_action(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(is_opening_action))
}

/// Whether a click offers appointments.
pub(super) fn has_slots(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(|action| matches!(action, Action::ScheduleSlotList(_))))
}

/// Whether an action opens something: a page, a map, a calendar or appointments.
pub(super) const fn is_opening_action(action: &Action) -> bool {
    matches!(
        action,
        Action::Link { .. } | Action::Navigate { .. } | Action::DatePicker(_) | Action::ScheduleSlotList(_)
    )
}

pub(super) fn metadata(click: Option<&Click>) -> Option<Metadata> {
    click?.metadata.clone()
}

/// The text that a click publishes. Several texts are joined by line breaks.
pub(super) fn published(click: Option<&Click>) -> Option<MessageText> {
    let texts: Vec<_> = click?
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::PublishText { text } => Some(text.as_str()),
            Action::Checked { publish } => publish.as_ref().map(MessageText::as_str),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| MessageText::new(texts.join("\n")))
}
