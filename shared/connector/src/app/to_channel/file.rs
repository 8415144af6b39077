//! Streams an agent's file to a channel, never whole in memory.

use super::DeliverToChannel;
use crate::{
    app::{
        consumer_session::{ConsumerSession, unknown_consumer},
        delivery::Delivery,
        error::DeliveryError,
        files::{FileRejected, streamed},
    },
    port::StreamedFile,
};
use connector_channels::{FileLimits, message::OutboundFile};
use connector_liveengage::{
    LiveEngageError,
    files::{FileType, HostedFile},
};
use connector_message::code::Code;

/// The largest document that is sent, in bytes. LiveEngage's own limit is lower, but its storage may hold larger files for other channels.
const LARGEST: u64 = 16_000_000;

impl DeliverToChannel {
    /// Opens an agent's file with the consumer's identity, and determines its kind on the channel.
    ///
    /// # Errors
    /// [`DeliveryError::Unsupported`] for a file that the channel can't be given, otherwise as for any call.
    pub(super) async fn open_file(
        &self,
        mut session: ConsumerSession<'_>,
        file: &HostedFile,
        delivery: &Delivery<'_>,
    ) -> Result<(OutboundFile, StreamedFile), DeliveryError> {
        let unsupported = |content: &'static str| DeliveryError::Unsupported { content: Code::internal(content) };
        let limits = session.settings.line.capabilities().files.ok_or_else(|| unsupported("a file"))?;
        // Only in the conversation's own account, because the consumer has another identity in each account.
        let record = self.worker.consumers.consumer(&session.consumer).await?;
        let record = record.filter(|record| record.account == *session.account).ok_or_else(unknown_consumer)?;
        session.known = Some(record);
        let download = match session.download(&delivery.key.request_id("download"), &file.relative_path).await {
            Err(DeliveryError::LiveEngage(LiveEngageError::FileGone { .. })) => {
                return Err(unsupported("a file that is no longer there"));
            }
            other => other?,
        };
        // A text can be a page. Any other file is not: a proxy has answered.
        if download.reply().is_page() && file.file_type != FileType::Txt {
            let what = "a page instead of the file";
            return Err(LiveEngageError::Unreadable { call: "LiveEngage file download", what }.into());
        }
        // The bytes decide. A text file has no signature.
        let file_type = FileType::sniff(&download.head).unwrap_or_else(|| file.file_type.clone());
        if file_type.content_type().is_none() {
            return Err(unsupported("a file of this type"));
        }
        let Some(largest) = largest(limits, &file_type) else { return Err(unsupported("a document")) };
        let stream = match streamed(download, largest).await {
            Ok(stream) => stream,
            Err(FileRejected::TooLarge { largest }) => {
                let content = Code::counted("a file of more than ", largest / 1_000_000, " MB");
                return Err(DeliveryError::Unsupported { content });
            }
            Err(FileRejected::Empty) => return Err(unsupported("an empty file")),
            Err(FileRejected::BrokenOff(failure)) => {
                return Err(DeliveryError::Http { call: "LiveEngage file download", failure });
            }
        };
        let outbound = outbound(&file_type, stream.size, file).ok_or_else(|| unsupported("a file of this type"))?;
        Ok((outbound, stream))
    }
}

/// Returns the file's kind on a channel. `None` for a file type without a media type.
pub(super) fn outbound(file_type: &FileType, size: u64, file: &HostedFile) -> Option<OutboundFile> {
    Some(OutboundFile {
        content_type: file_type.content_type()?,
        name: format!("file.{}", file_type.name().to_lowercase()),
        caption: file.caption.clone(),
        size,
    })
}

fn largest(limits: FileLimits, file_type: &FileType) -> Option<u64> {
    let largest = if file_type.is_picture() { Some(limits.largest_picture) } else { limits.largest_document };
    largest.map(|largest| largest.min(LARGEST))
}
