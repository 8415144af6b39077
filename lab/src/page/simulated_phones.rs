//! Shows the phones of a channel's simulator on the page.

use std::sync::Arc;

use async_trait::async_trait;

use super::phones::{PhoneView, Phones};
use super::view::{AttachmentView, BubbleState, BubbleView, Side};
use crate::action::{ActionError, Media, UploadedFile};
use crate::channel::{ChannelSimulator, PhoneFeatures};
use crate::phone::{
    AttachedFile, Direction, Header, ListMessage, Location, MediaFile, MediaKind, MediaMessage, MessageContent,
    MessageState, PhoneMessage,
};

/// The phones of a simulator.
#[derive(Debug, Clone)]
pub struct SimulatedPhones(pub Arc<dyn ChannelSimulator>);

#[async_trait]
impl Phones for SimulatedPhones {
    fn features(&self) -> PhoneFeatures {
        self.0.features()
    }

    async fn phones(&self) -> Vec<PhoneView> {
        let view = |number: String| {
            let messages = self.0.transcript(&number).len();
            PhoneView { number, messages }
        };
        self.0.phones().into_iter().map(view).collect()
    }

    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>> {
        let transcript = self.0.transcript(phone);
        let ticks = self.0.ticks_when_sent();
        (!transcript.is_empty()).then(|| transcript.iter().map(|message| bubble_of(message, ticks)).collect())
    }

    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError> {
        self.0.send_text(phone, text).map(drop)
    }

    async fn send_file(&self, phone: &str, file: UploadedFile) -> Result<(), ActionError> {
        self.0.send_file(phone, file).map(drop)
    }

    async fn send_place(&self, phone: &str, place: Location) -> Result<(), ActionError> {
        self.0.send_place(phone, place).map(drop)
    }

    async fn tap(&self, phone: &str, message: &str, choice: &str) -> Result<(), ActionError> {
        self.0.tap(phone, message, choice).map(drop)
    }

    async fn read(&self, phone: &str) -> Result<(), ActionError> {
        self.0.read(phone)
    }

    async fn typing(&self, phone: &str, typing: bool) -> Result<(), ActionError> {
        self.0.types(phone, typing)
    }

    async fn brand_types_until(&self, phone: &str) -> Option<i64> {
        self.0.typing_until(phone).map(|until| until.as_millisecond())
    }

    async fn media(&self, id: &str) -> Option<Media> {
        self.0.file(id)
    }
}

fn bubble_of(message: &PhoneMessage, ticks_when_sent: bool) -> BubbleView {
    let (state, note) = match &message.state {
        MessageState::Sent if ticks_when_sent => (BubbleState::Accepted, None),
        MessageState::Sent => (BubbleState::Pending, None),
        MessageState::Accepted => (BubbleState::Accepted, None),
        MessageState::Delivered => (BubbleState::Delivered, None),
        MessageState::Read => (BubbleState::Read, None),
        MessageState::Failed(reason) => (BubbleState::Failed, Some(reason.clone())),
    };
    let side = match message.direction {
        Direction::FromPhone => Side::Consumer,
        Direction::ToPhone => Side::Agent,
    };
    let (text, attachments) = show(&message.content);
    BubbleView {
        state: Some(state),
        note,
        attachments,
        ..BubbleView::text(message.id.clone(), side, text, message.at.as_millisecond())
    }
}

/// The text of a message and its attachments.
fn show(content: &MessageContent) -> (String, Vec<AttachmentView>) {
    match content {
        MessageContent::Text(text) => (text.clone(), Vec::new()),
        MessageContent::Media(media) => (media.caption.clone().unwrap_or_default(), vec![media_view(media)]),
        MessageContent::Files(message) => (message.text.clone(), message.files.iter().map(attached_file).collect()),
        MessageContent::Buttons(message) => {
            let mut attachments = frame(message.header.as_ref(), message.footer.as_deref());
            attachments.extend(message.buttons.iter().map(|button| AttachmentView::Choice {
                id: button.id.clone(),
                title: button.title.clone(),
                description: None,
            }));
            (message.body.clone(), attachments)
        }
        MessageContent::List(message) => (message.body.clone(), list(message)),
        MessageContent::Link(message) => {
            let mut attachments = frame(message.header.as_ref(), message.footer.as_deref());
            attachments.push(AttachmentView::Link { title: message.label.clone(), url: message.url.clone() });
            (message.body.clone(), attachments)
        }
        MessageContent::Location(location) => {
            let place = AttachmentView::Place {
                latitude: location.latitude,
                longitude: location.longitude,
                name: location.name.clone(),
                address: location.address.clone(),
            };
            (String::new(), vec![place])
        }
        MessageContent::Contacts(contacts) => {
            let lines: Vec<String> =
                contacts.iter().map(|contact| format!("{}: {}", contact.name, contact.phones.join(", "))).collect();
            (lines.join("\n"), Vec::new())
        }
        MessageContent::Reaction(reaction) => {
            (reaction.emoji.clone().unwrap_or_else(|| "(removes a reaction)".to_owned()), Vec::new())
        }
        MessageContent::Choice(choice) => match &choice.description {
            Some(description) => (format!("{}\n{description}", choice.title), Vec::new()),
            None => (choice.title.clone(), Vec::new()),
        },
        MessageContent::Edit { text, .. } => (format!("(edits a message)\n{text}"), Vec::new()),
        MessageContent::Deletion { .. } => ("(deletes a message)".to_owned(), Vec::new()),
        MessageContent::Unsupported(kind) => (format!("({kind})"), Vec::new()),
    }
}

/// The header and footer of an interactive message.
fn frame(header: Option<&Header>, footer: Option<&str>) -> Vec<AttachmentView> {
    let above = header.map(|header| match header {
        Header::Text(text) => AttachmentView::Heading { text: text.clone() },
        Header::Media { kind, file } => file_view(*kind, file, None),
    });
    let below = footer.map(|footer| AttachmentView::Footer { text: footer.to_owned() });
    above.into_iter().chain(below).collect()
}

fn list(message: &ListMessage) -> Vec<AttachmentView> {
    let mut attachments = frame(message.header.as_ref(), message.footer.as_deref());
    attachments.push(AttachmentView::Section { title: message.button.clone() });
    for section in &message.sections {
        attachments.extend(section.title.iter().map(|title| AttachmentView::Section { title: title.clone() }));
        attachments.extend(section.rows.iter().map(|row| AttachmentView::Choice {
            id: row.id.clone(),
            title: row.title.clone(),
            description: row.description.clone(),
        }));
    }
    attachments
}

fn media_view(media: &MediaMessage) -> AttachmentView {
    file_view(media.kind, &media.file, media.filename.as_deref().or(media.voice.then_some("voice message")))
}

fn file_view(kind: MediaKind, file: &MediaFile, name: Option<&str>) -> AttachmentView {
    let words = name.unwrap_or(kind.name()).to_owned();
    let is_picture = matches!(kind, MediaKind::Image | MediaKind::Sticker);
    match file {
        MediaFile::Stored { id, .. } if is_picture => AttachmentView::Picture { media: id.clone(), alt: words },
        MediaFile::Stored { id, bytes, .. } => {
            AttachmentView::File { media: Some(id.clone()), name: words, size: u64::try_from(bytes.len()).ok() }
        }
        MediaFile::Link(url) if is_picture => AttachmentView::LinkedPicture { url: url.clone(), alt: words },
        MediaFile::Link(url) => AttachmentView::Link { title: words, url: url.clone() },
    }
}

fn attached_file(file: &AttachedFile) -> AttachmentView {
    let AttachedFile { id, content_type, name, size } = file.clone();
    // Types that browsers can't draw are downloads.
    match content_type.split(';').next().unwrap_or_default().trim() {
        "image/gif" | "image/jpeg" | "image/png" | "image/webp" => {
            AttachmentView::Picture { media: id, alt: name.unwrap_or_else(|| "picture".to_owned()) }
        }
        _ => {
            AttachmentView::File { name: name.unwrap_or(content_type), media: Some(id), size: u64::try_from(size).ok() }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;
    use crate::phone::{ButtonMessage, LinkMessage, ListRow, ListSection, ReplyButton};

    fn bubble(content: MessageContent, state: MessageState) -> BubbleView {
        let at = Timestamp::from_second(1_780_000_000).unwrap();
        let message = PhoneMessage {
            direction: Direction::ToPhone,
            state,
            ..PhoneMessage::from_phone("wamid.1".to_owned(), content, at)
        };
        bubble_of(&message, true)
    }

    fn stored(mime_type: &str) -> MediaFile {
        MediaFile::Stored { id: "8801".to_owned(), mime_type: mime_type.to_owned(), bytes: Bytes::from_static(b"1234") }
    }

    fn choice(id: &str, title: &str, description: Option<&str>) -> AttachmentView {
        AttachmentView::Choice {
            id: id.to_owned(),
            title: title.to_owned(),
            description: description.map(str::to_owned),
        }
    }

    #[test]
    fn buttons_are_below_the_body_and_the_header_above() {
        let bubble = bubble(
            MessageContent::Buttons(ButtonMessage {
                header: Some(Header::Media { kind: MediaKind::Image, file: stored("image/png") }),
                body: "Shall it be the green one?".to_owned(),
                footer: Some("Until Friday".to_owned()),
                buttons: vec![ReplyButton { id: "b-1".to_owned(), title: "Green".to_owned() }],
            }),
            MessageState::Delivered,
        );
        assert_eq!((bubble.text.as_str(), bubble.side), ("Shall it be the green one?", Side::Agent));
        assert_eq!(bubble.state, Some(BubbleState::Delivered));
        assert_eq!(
            bubble.attachments,
            [
                AttachmentView::Picture { media: "8801".to_owned(), alt: "image".to_owned() },
                AttachmentView::Footer { text: "Until Friday".to_owned() },
                choice("b-1", "Green", None),
            ]
        );
    }

    #[test]
    fn a_list_shows_its_sections_and_rows() {
        let row = |id: &str, description: Option<&str>| ListRow {
            id: id.to_owned(),
            title: format!("Row {id}"),
            description: description.map(str::to_owned),
        };
        let bubble = bubble(
            MessageContent::List(ListMessage {
                header: Some(Header::Text("Tents".to_owned())),
                body: "Which one?".to_owned(),
                footer: None,
                button: "Choose".to_owned(),
                sections: vec![ListSection {
                    title: Some("For two".to_owned()),
                    rows: vec![row("1", Some("149 €")), row("2", None)],
                }],
            }),
            MessageState::Read,
        );
        let section = |title: &str| AttachmentView::Section { title: title.to_owned() };
        assert_eq!(
            bubble.attachments,
            [
                AttachmentView::Heading { text: "Tents".to_owned() },
                section("Choose"),
                section("For two"),
                choice("1", "Row 1", Some("149 €")),
                choice("2", "Row 2", None),
            ]
        );
    }

    #[test]
    fn files_links_and_places_have_their_own_forms() {
        let media = |kind, file, filename: Option<&str>| {
            MessageContent::Media(MediaMessage {
                kind,
                file,
                caption: Some("below".to_owned()),
                filename: filename.map(str::to_owned),
                voice: false,
            })
        };
        let only = |content| {
            let bubble = bubble(content, MessageState::Sent);
            assert_eq!(bubble.attachments.len(), 1);
            (bubble.text, bubble.attachments.into_iter().next().unwrap())
        };
        assert_eq!(
            only(media(MediaKind::Document, stored("application/pdf"), Some("label.pdf"))),
            (
                "below".to_owned(),
                AttachmentView::File { media: Some("8801".to_owned()), name: "label.pdf".to_owned(), size: Some(4) }
            )
        );
        let url = "https://shop.example/images/tent.jpg".to_owned();
        assert_eq!(
            only(media(MediaKind::Image, MediaFile::Link(url.clone()), None)).1,
            AttachmentView::LinkedPicture { url: url.clone(), alt: "image".to_owned() }
        );
        assert_eq!(
            only(media(MediaKind::Video, MediaFile::Link(url.clone()), None)).1,
            AttachmentView::Link { title: "video".to_owned(), url: url.clone() }
        );
        let link = LinkMessage {
            header: None,
            body: "Have a look".to_owned(),
            footer: None,
            label: "Open".to_owned(),
            url: url.clone(),
        };
        assert_eq!(only(MessageContent::Link(link)).1, AttachmentView::Link { title: "Open".to_owned(), url });
        let place = Location { latitude: 47.5, longitude: 8.5, name: Some("The shop".to_owned()), address: None };
        let (text, place) = only(MessageContent::Location(place));
        assert!(text.is_empty() && matches!(place, AttachmentView::Place { latitude: 47.5, .. }));
    }

    #[test]
    fn a_failure_shows_its_reason() {
        let failed = MessageState::Failed("131026 Message undeliverable".to_owned());
        let bubble = bubble(MessageContent::Text("hello".to_owned()), failed);
        assert_eq!(bubble.state, Some(BubbleState::Failed));
        assert_eq!(bubble.note.as_deref(), Some("131026 Message undeliverable"));
    }
}
