//! A channel-independent model of a consumer's phone: messages, files, buttons, ticks, typing.
//!
//! A channel's simulator translates between this model and the vendor's wire format. Features that a vendor lacks stay
//! unused.

mod content;
mod message;
mod number;
mod phonebook;
mod wait;

pub use content::{
    AttachedFile, ButtonMessage, Choice, ContactCard, FilesMessage, Header, LinkMessage, ListMessage, ListRow,
    ListSection, Location, MediaFile, MediaKind, MediaMessage, MessageContent, Reaction, ReplyButton,
};
pub use message::{Direction, MessageState, PhoneChange, PhoneMessage};
pub(crate) use number::is_e164;
pub(crate) use phonebook::{Phone, Phonebook};
pub(crate) use wait::wait_for;
