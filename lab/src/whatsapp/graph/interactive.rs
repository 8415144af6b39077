//! Interactive messages: reply buttons, lists and a button that opens a page, with their documented limits.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::super::media::MediaStore;
use super::GraphError;
use super::request::{FilePart, check_url, part};
use crate::phone::{
    ButtonMessage, Header, LinkMessage, ListMessage, ListRow, ListSection, MediaKind, MessageContent, ReplyButton,
};

/// The limits, in Unicode scalar values (Meta, "Interactive reply buttons", "Interactive lists", "Interactive CTA URL").
const MAX_BODY: usize = 1024;
const MAX_LIST_BODY: usize = 4096;
const MAX_HEADER: usize = 60;
const MAX_FOOTER: usize = 60;
const MAX_BUTTON_TITLE: usize = 20;
const MAX_BUTTON_ID: usize = 256;
const MAX_SECTION_TITLE: usize = 24;
const MAX_ROW_TITLE: usize = 24;
const MAX_ROW_DESCRIPTION: usize = 72;
const MAX_ROW_ID: usize = 200;
/// The maximum number of buttons of a message.
const MAX_BUTTONS: usize = 3;
/// The maximum number of rows of a list, in all sections.
const MAX_ROWS: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interactive {
    #[serde(rename = "type")]
    kind: String,
    header: Option<HeaderPart>,
    body: Option<TextOnly>,
    footer: Option<TextOnly>,
    action: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextOnly {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderPart {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    image: Option<FilePart>,
    video: Option<FilePart>,
    document: Option<FilePart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ButtonAction {
    buttons: Vec<ButtonPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ButtonPart {
    #[serde(rename = "type")]
    kind: String,
    reply: ReplyPart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyPart {
    id: String,
    title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListAction {
    button: String,
    sections: Vec<SectionPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionPart {
    title: Option<String>,
    rows: Vec<RowPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowPart {
    id: String,
    title: String,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkAction {
    name: String,
    parameters: LinkPart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkPart {
    display_text: String,
    url: String,
}

/// The content of an interactive message.
pub(super) fn content(fields: Value, media: &MediaStore) -> Result<MessageContent, GraphError> {
    let message: Interactive = part("interactive", fields)?;
    let is_list = message.kind == "list";
    let body = message.body.map(|body| body.text).ok_or_else(|| GraphError::missing("interactive['body']"))?;
    within("Message body", &body, if is_list { MAX_LIST_BODY } else { MAX_BODY })?;
    let footer = message.footer.map(|footer| footer.text);
    if let Some(footer) = &footer {
        within("Message footer", footer, MAX_FOOTER)?;
    }
    let header = message.header.map(|header| header.read(media)).transpose()?;
    let action = message.action.ok_or_else(|| GraphError::missing("interactive['action']"))?;
    let param = "interactive['action']";
    match message.kind.as_str() {
        "button" => {
            let buttons = buttons(part(param, action)?)?;
            Ok(MessageContent::Buttons(ButtonMessage { header, body, footer, buttons }))
        }
        "list" => {
            if matches!(header, Some(Header::Media { .. })) {
                return Err(GraphError::invalid_value("Header of a list must be of type text"));
            }
            let (button, sections) = list(part(param, action)?)?;
            Ok(MessageContent::List(ListMessage { header, body, footer, button, sections }))
        }
        "cta_url" => {
            let (label, url) = link(part(param, action)?)?;
            Ok(MessageContent::Link(LinkMessage { header, body, footer, label, url }))
        }
        other => {
            Err(GraphError::invalid_value(format!("interactive['type'] '{other}' is none of button, list, cta_url")))
        }
    }
}

impl HeaderPart {
    fn read(self, media: &MediaStore) -> Result<Header, GraphError> {
        let (kind, part) = match self.kind.as_str() {
            "text" => {
                let text = self.text.ok_or_else(|| GraphError::missing("interactive['header']['text']"))?;
                within("Header text", &text, MAX_HEADER)?;
                return Ok(Header::Text(text));
            }
            "image" => (MediaKind::Image, self.image),
            "video" => (MediaKind::Video, self.video),
            "document" => (MediaKind::Document, self.document),
            other => {
                let details = format!("header type '{other}' is none of text, image, video, document");
                return Err(GraphError::invalid_value(details));
            }
        };
        let param = format!("interactive['header']['{}']", kind.name());
        let part = part.ok_or_else(|| GraphError::missing(&param))?;
        Ok(Header::Media { kind, file: part.file(&param, kind, media)? })
    }
}

fn buttons(action: ButtonAction) -> Result<Vec<ReplyButton>, GraphError> {
    if !(1..=MAX_BUTTONS).contains(&action.buttons.len()) {
        return Err(count("buttons", MAX_BUTTONS));
    }
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for button in &action.buttons {
        if button.kind != "reply" {
            return Err(GraphError::invalid_value("Button type must be reply"));
        }
        within("Button id", &button.reply.id, MAX_BUTTON_ID)?;
        within("Button title", &button.reply.title, MAX_BUTTON_TITLE)?;
        if button.reply.id.trim() != button.reply.id {
            return Err(GraphError::invalid_value("Button id has leading or trailing spaces"));
        }
        if !ids.insert(&button.reply.id) || !titles.insert(&button.reply.title) {
            return Err(GraphError::invalid_value("Duplicated button id or title"));
        }
    }
    let button = |button: ButtonPart| ReplyButton { id: button.reply.id, title: button.reply.title };
    Ok(action.buttons.into_iter().map(button).collect())
}

fn list(action: ListAction) -> Result<(String, Vec<ListSection>), GraphError> {
    within("List button", &action.button, MAX_BUTTON_TITLE)?;
    let rows: Vec<&RowPart> = action.sections.iter().flat_map(|section| &section.rows).collect();
    if !(1..=MAX_ROWS).contains(&rows.len()) {
        return Err(count("rows in all sections", MAX_ROWS));
    }
    let mut ids = HashSet::new();
    for row in rows {
        within("Row id", &row.id, MAX_ROW_ID)?;
        within("Row title", &row.title, MAX_ROW_TITLE)?;
        if let Some(description) = &row.description {
            within("Row description", description, MAX_ROW_DESCRIPTION)?;
        }
        if !ids.insert(&row.id) {
            return Err(GraphError::invalid_value("Duplicated row id"));
        }
    }
    for section in &action.sections {
        match &section.title {
            Some(title) => within("Section title", title, MAX_SECTION_TITLE)?,
            None if action.sections.len() > 1 => {
                return Err(GraphError::invalid_value("Section title is required when there is more than one section"));
            }
            None => {}
        }
        if section.rows.is_empty() {
            return Err(GraphError::invalid_value("A section has no rows"));
        }
    }
    let row = |row: RowPart| ListRow { id: row.id, title: row.title, description: row.description };
    let section =
        |section: SectionPart| ListSection { title: section.title, rows: section.rows.into_iter().map(row).collect() };
    Ok((action.button, action.sections.into_iter().map(section).collect()))
}

fn link(action: LinkAction) -> Result<(String, String), GraphError> {
    if action.name != "cta_url" {
        return Err(GraphError::invalid_value("interactive['action']['name'] must be cta_url"));
    }
    within("Button display text", &action.parameters.display_text, MAX_BUTTON_TITLE)?;
    check_url("interactive['action']['parameters']['url']", &action.parameters.url)?;
    Ok((action.parameters.display_text, action.parameters.url))
}

fn within(what: &str, text: &str, limit: usize) -> Result<(), GraphError> {
    if text.trim().is_empty() || text.chars().count() > limit {
        return Err(GraphError::invalid_value(format!("{what} length invalid. Min length: 1, Max length: {limit}")));
    }
    Ok(())
}

fn count(what: &str, limit: usize) -> GraphError {
    GraphError::invalid_value(format!("Invalid number of {what}. Min: 1, Max: {limit}"))
}
