//! A file of an agent on its way to a channel: streamed, never whole in memory.

use super::{Attempt, ConsumerRef, DeliverToChannel, DeliveryError, LineSettings, update};
use crate::{
    app::{
        delivery::{FILE_TRANSFER, LIVEENGAGE_CALL},
        files::{FileRejected, streamed},
        liveengage_client::Caller,
        task::digest,
    },
    channel::FileLimits,
    domain::{
        breaker::Who,
        code::Code,
        conversation::{Consumer, ConsumerToken, Identity, Mutation},
        id::AccountId,
        message::OutboundFile,
    },
    liveengage::{
        LiveEngageError,
        files::{FileType, HostedFile},
    },
    port::{Download, StreamedFile},
};

/// The largest document that is carried: LiveEngage's own limit is lower, but its storage may hold more for others.
const LARGEST: u64 = 16_000_000;

impl DeliverToChannel {
    /// Opens an agent's file, and says what it is to the channel.
    pub(super) async fn open_file(
        &self,
        settings: &LineSettings,
        account: &AccountId,
        consumer: &ConsumerRef,
        file: &HostedFile,
        attempt: &Attempt,
    ) -> Result<(OutboundFile, StreamedFile), DeliveryError> {
        let unsupported = |content: &'static str| DeliveryError::Unsupported { content: Code::ours(content) };
        let limits = settings.line.capabilities().files.ok_or_else(|| unsupported("a file"))?;
        let record = self.ports.consumers.consumer(consumer).await?;
        let record = record.filter(|record| record.account == *account).ok_or_else(unknown_person)?;
        let download = match self.download(settings, account, consumer, record.identity, file, attempt).await {
            Err(DeliveryError::LiveEngage(LiveEngageError::FileGone { .. })) => {
                return Err(unsupported("a file that is no longer there"));
            }
            other => other?,
        };
        // The bytes decide; a text file says nothing of itself.
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

    /// Downloads by the person's token, and once more by a new one if there is none or it is refused.
    async fn download(
        &self,
        settings: &LineSettings,
        account: &AccountId,
        consumer: &ConsumerRef,
        known: Option<Identity>,
        file: &HostedFile,
        attempt: &Attempt,
    ) -> Result<Download, DeliveryError> {
        let caller = Caller {
            account,
            owner: &attempt.owner,
            who: Who::of(consumer),
            client_properties: &settings.client_properties,
            now: attempt.now,
        };
        let mut request_id = digest([b"download".as_slice(), file.relative_path.as_str().as_bytes()]);
        request_id.truncate(32);
        let path = &file.relative_path;
        let mut refused = None;
        if let Some(Identity { token, .. }) = known {
            attempt.check_time(&*self.ports.clock, FILE_TRANSFER)?;
            match self.liveengage.download(caller, &token, &request_id, path).await {
                Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) => refused = Some(token),
                other => return other,
            }
        }
        // The line names people for its own account only.
        if settings.account != *account {
            return Err(unknown_person());
        }
        attempt.check_time(&*self.ports.clock, LIVEENGAGE_CALL)?;
        let name = settings.ext_consumer_id(&consumer.user)?;
        let identity = self.liveengage.identify(caller, &name).await?;
        self.save_identity(consumer, account, refused.as_ref(), &identity).await?;
        attempt.check_time(&*self.ports.clock, FILE_TRANSFER)?;
        self.liveengage.download(caller, &identity.token, &request_id, path).await
    }

    /// Notes who the person is at LivePerson, unless somebody else has done so since `refused` was.
    async fn save_identity(
        &self,
        consumer: &ConsumerRef,
        account: &AccountId,
        refused: Option<&ConsumerToken>,
        identity: &Identity,
    ) -> Result<(), DeliveryError> {
        let save = |record: &mut Consumer| {
            let newer = record.identity.as_ref().is_some_and(|known| Some(&known.token) != refused);
            if record.account != *account || newer {
                return Mutation::Unchanged;
            }
            record.identity = Some(identity.clone());
            Mutation::Changed
        };
        update(&*self.ports.consumers, consumer, || account.clone(), save).await.map(drop)
    }
}

fn unknown_person() -> DeliveryError {
    DeliveryError::Unsupported { content: Code::ours("a file for a person who is not known any more") }
}

/// The file as a channel sees it; `None` for a type that has no media type.
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
