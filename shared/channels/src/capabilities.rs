//! The capabilities of a line.

use jiff::SignedDuration;

/// The capabilities of a line. The use cases and the [`rendering`](crate::rendering) decide by them, and never by a channel's name.
///
/// Plain text needs no capability: a [`Line`](crate::Line) itself splits texts that are too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a consumer's address is their phone number in E.164.
    pub address_is_phone: bool,
    /// The limits of reply buttons below a message. `None` without buttons.
    pub buttons: Option<ChoiceLimits>,
    /// The limits of a list from which one row is chosen. `None` without lists.
    pub list: Option<ChoiceLimits>,
    /// The limits of buttons that open a page. `None` without such buttons: links are then in the text.
    pub link_buttons: Option<LinkLimits>,
    /// The longest text of a message with buttons, a list or buttons that open a page, in characters.
    pub interactive_text: usize,
    /// Whether the channel shows a picture by its public https URL.
    pub pictures: bool,
    /// The limits of files that an agent can send. `None` if an agent can't send files.
    pub files: Option<FileLimits>,
    /// How long a typing indicator is shown. `None` without typing indicators.
    pub typing: Option<SignedDuration>,
    /// Whether the consumer's messages can be marked as read.
    pub mark_read: bool,
    /// Whether the channel reports that a message was delivered or is not deliverable.
    pub reports_delivery: bool,
    /// Whether the channel reports that a message was read.
    pub reports_reading: bool,
    /// What happens when a call is repeated.
    pub repeat: Repeat,
}

impl Capabilities {
    /// The capabilities of a channel that has only text. Other lines start from these.
    pub const TEXT_ONLY: Self = Self {
        address_is_phone: false,
        buttons: None,
        list: None,
        link_buttons: None,
        interactive_text: 0,
        pictures: false,
        files: None,
        typing: None,
        mark_read: false,
        reports_delivery: false,
        reports_reading: false,
        repeat: Repeat::MayDouble,
    };
}

/// The limits of buttons or list rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceLimits {
    /// The maximum number in one message.
    pub most: usize,
    /// The longest title, in characters.
    pub longest_title: usize,
}

/// The limits of buttons that open a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLimits {
    /// The maximum number in one message without choices.
    pub most: usize,
    /// The longest title, in characters.
    pub longest_title: usize,
    /// Whether a message can have them beside its reply buttons. Then all of them together are at most [`Capabilities::buttons`].
    pub beside_choices: bool,
}

/// The limits of files that an agent can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// The largest picture, in bytes.
    pub largest_picture: u64,
    /// The largest document, in bytes. `None` if only pictures are allowed.
    pub largest_document: Option<u64>,
}

/// What happens when a call is repeated because its reply was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The channel accepts a retry key, and carries out the call once.
    Once,
    /// The consumer may get the message twice. The channel returns the connector's reference, so that its reports show it.
    MayDouble,
}
