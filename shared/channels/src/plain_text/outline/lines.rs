//! Adds lines and choices to the outline.

use super::{OfferedChoice, OutlineBuilder, PendingCard, visible};
use crate::{
    choice::Choice,
    plain_text::{
        click::{metadata, published},
        line::{ChoiceKind, Label, TextLine, labelled},
    },
};
use connector_message::{
    MessageText,
    rich_content::{Click, Link, Metadata},
};

impl OutlineBuilder<'_> {
    pub(super) fn add_labelled(&mut self, label: Option<String>, title: Option<String>) {
        self.add_text(match (label, title) {
            (Some(label), Some(title)) => Some(labelled(&label, &title)),
            (label, title) => label.or(title),
        });
    }

    pub(super) fn add_published_choice(&mut self, click: Option<&Click>, title: Option<String>) {
        if let Some(publish) = published(click) {
            let title = title.or_else(|| visible(Some(&publish)));
            self.add_choice(title, Some(publish), metadata(click), false);
        }
    }

    pub(super) fn add_link(&mut self, label: Option<String>, link: Option<&Link>) {
        match (label, link) {
            (Some(label), Some(link)) => self.push(labelled(&label, link.as_str())),
            (None, Some(link)) => self.push(link.as_str().to_owned()),
            (label, None) => self.add_text(label),
        }
    }

    fn push(&mut self, text: String) {
        self.lines.push(TextLine::Text(text));
    }

    /// Adds a text. The first text of a pending card becomes a choice.
    pub(super) fn add_text(&mut self, text: Option<String>) {
        let Some(text) = text else { return };
        match self.pending_card.take() {
            Some(PendingCard { metadata, several }) => {
                let label = Label { title: text, tail: String::new() };
                self.add_choice_as(OfferedChoice {
                    kind: ChoiceKind::Heading,
                    label,
                    publish: None,
                    metadata,
                    several,
                });
            }
            None => self.push(text),
        }
    }

    pub(super) fn add_choice(
        &mut self,
        title: Option<String>,
        publish: Option<MessageText>,
        metadata: Option<Metadata>,
        several: bool,
    ) {
        let Some(title) = title else { return };
        let label = Label { title, tail: String::new() };
        self.add_choice_as(OfferedChoice { kind: ChoiceKind::Option, label, publish, metadata, several });
    }

    pub(super) fn add_choice_as(&mut self, offered: OfferedChoice) {
        let OfferedChoice { kind, label, publish, metadata, several } = offered;
        let index = self.choices.len();
        self.choices.push(Choice {
            number: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            title: MessageText::new(label.title),
            publish,
            metadata: metadata.map(|metadata| metadata.as_value().clone()),
            several,
            as_button: false,
        });
        self.lines.push(TextLine::Choice { index, kind, tail: label.tail });
    }
}
