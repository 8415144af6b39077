//! Adds the actions of clicks to the outline.

use super::{OfferedChoice, OutlineBuilder, map_link, visible};
use crate::plain_text::{
    click::{is_opening_action, metadata},
    date, entity,
    line::{ChoiceKind, Label, TextLine},
};
use connector_message::{
    MessageText,
    rich_content::{Action, Click},
};

impl OutlineBuilder<'_> {
    /// Adds everything that a click opens. The first action gets `label`, and the others have their own names.
    pub(super) fn add_actions(&mut self, click: Option<&Click>, mut label: Option<Label>) {
        for action in click.iter().flat_map(|click| &click.actions) {
            let label = if is_opening_action(action) { label.take() } else { None };
            self.add_action(action, label, click);
        }
    }

    /// Adds what one action opens.
    pub(super) fn add_action(&mut self, action: &Action, label: Option<Label>, click: Option<&Click>) {
        let words = label.as_ref().map(Label::text);
        match action {
            Action::Link { uri, name } => match label {
                Some(label) => self.lines.push(TextLine::Link { label, link: uri.clone() }),
                None => self.add_link(visible(name.as_ref()), Some(uri)),
            },
            Action::Navigate { place, name } => match (label, place.and_then(map_link)) {
                (Some(label), Some(link)) => self.lines.push(TextLine::Link { label, link }),
                // Without coordinates, only the name can be shown.
                (Some(label), None) => self.add_labelled(Some(label.text()), visible(name.as_ref())),
                (None, link) => self.add_link(visible(name.as_ref()), link.as_ref()),
            },
            Action::DatePicker(picker) => {
                self.pickers.push(metadata(click));
                self.add_labelled(words, visible(picker.title.as_ref()));
                let ask = if picker.range { &self.wording.dates } else { &self.wording.date };
                self.add_text(Some(format!("{} ({}).", ask.trim(), entity::decode(&date::allowed(picker)))));
            }
            Action::ScheduleSlotList(list) => {
                self.add_labelled(words, visible(list.title.as_ref()));
                for slot in &list.slots {
                    let period = date::period(slot).map(|period| entity::decode(&period).into_owned());
                    let parts = [visible(slot.title.as_ref()), period, visible(slot.description.as_ref())];
                    let parts: Vec<_> = parts.into_iter().flatten().collect();
                    let Some((title, more)) = parts.split_first() else { continue };
                    // The published text must identify the appointment: titles can be the same every day.
                    let publish = MessageText::new(parts.join(", "));
                    let tail: String = more.iter().map(|part| format!(", {part}")).collect();
                    let label = Label { title: title.clone(), tail };
                    self.add_choice_as(OfferedChoice {
                        kind: ChoiceKind::Option,
                        label,
                        publish: Some(publish),
                        metadata: metadata(click),
                        several: false,
                    });
                }
            }
            Action::PublishText { .. }
            | Action::Checked { .. }
            | Action::AddToCart { .. }
            | Action::Custom { .. }
            | Action::SubmitAsText
            | Action::Unknown => {}
        }
    }
}
