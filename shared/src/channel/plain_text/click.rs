//! What a click means where there is nothing to click.

use super::line::ChoiceKind;
use crate::domain::{
    message::MessageText,
    rich_content::{Action, Button, Click, Metadata},
};

/// Whether a button with a title is a choice.
pub(super) fn is_choice(button: &Button, kind: ChoiceKind) -> bool {
    let click = button.click.as_ref();
    published(click).is_some() || (!opens(click) && (kind == ChoiceKind::Reply || click.is_some()))
}

pub(super) fn opens(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(opens_something))
}

pub(super) fn has_slots(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(|action| matches!(action, Action::ScheduleSlotList(_))))
}

pub(super) const fn opens_something(action: &Action) -> bool {
    matches!(
        action,
        Action::Link { .. } | Action::Navigate { .. } | Action::DatePicker(_) | Action::ScheduleSlotList(_)
    )
}

pub(super) fn metadata(click: Option<&Click>) -> Option<Metadata> {
    click?.metadata.clone()
}

/// What a click publishes: all of it, if it has several texts.
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
