//! Streams a consumer's file to LivePerson's storage, never whole in memory.

use super::content::EventDelivery;
use crate::{
    app::{
        error::DeliveryError,
        files::{FileRejected, streamed},
        policy::{CHANNEL_CALL, FILE_TRANSFER, LEAST_FETCHES, WAIT_FOR_FILE},
    },
    domain::progress::MediaOutcome,
    log_event,
    port::Download,
};
use connector_channels::{MediaCall, SendFailure, message::InboundMedia};
use connector_liveengage::{
    LiveEngageError,
    files::{FileType, HostedFile},
};
use connector_message::{Disposition, MessageText, http::HttpReply};

/// Why a file is not in the storage.
enum NotPrepared {
    /// The agent can't see it, for this reason.
    Refused(String),
    /// The channel can't provide it now, which may be temporary.
    Channel(DeliveryError),
    /// Something else failed that would also fail for a text.
    Failed(DeliveryError),
}

impl From<DeliveryError> for NotPrepared {
    fn from(error: DeliveryError) -> Self {
        Self::Failed(error)
    }
}

fn refused<T>(reason: impl Into<String>) -> Result<T, NotPrepared> {
    Err(NotPrepared::Refused(reason.into()))
}

impl EventDelivery<'_, '_> {
    /// Fetches a file from the channel and stores it in LivePerson's storage.
    ///
    /// # Errors
    /// [`DeliveryError`] if it may be there at a later attempt.
    pub(super) async fn prepare(
        &mut self,
        media: &InboundMedia,
        caption: Option<&str>,
    ) -> Result<MediaOutcome, DeliveryError> {
        let error = match self.try_preparing(media, caption).await {
            Ok(file) => return Ok(MediaOutcome::Hosted(file)),
            Err(NotPrepared::Refused(reason)) => return Ok(MediaOutcome::Refused { reason }),
            Err(NotPrepared::Failed(error)) => return Err(error),
            Err(NotPrepared::Channel(error)) => error,
        };
        if error.refuses_credentials() && self.delivery.check_time(CHANNEL_CALL).is_ok() {
            self.worker.reread_settings(&self.session.consumer.line, self.delivery.attempt).await;
        }
        // An attempt that the breaker has held back doesn't count as one, but the consumer's texts wait all the same.
        let tries = match error {
            DeliveryError::HeldBack { .. } => self.delivery.attempt.received,
            _ => self.delivery.attempts(),
        };
        if self.delivery.age() < WAIT_FOR_FILE || tries < LEAST_FETCHES {
            return Err(error);
        }
        log_event!(FILE_NOT_FETCHED, correlation = %self.correlation, %error);
        Ok(MediaOutcome::Refused { reason: "it could not be fetched".to_owned() })
    }

    async fn try_preparing(&mut self, media: &InboundMedia, caption: Option<&str>) -> Result<HostedFile, NotPrepared> {
        let _file = self.worker.files.lock().await;
        self.delivery.check_time(CHANNEL_CALL)?;
        // The storage needs an identity, and the message needs a conversation.
        self.session.open_conversation(self.delivery, &self.profile).await?;
        let download = self.fetch(media).await?;
        let documents = self.settings.documents;
        let file_type = FileType::sniff(&download.head).filter(|file_type| documents || file_type.is_picture());
        let Some(file_type) = file_type else { return refused("files of this kind can't be shown here") };
        let file = match streamed(download, file_type.largest()).await {
            Ok(file) => file,
            Err(FileRejected::TooLarge { largest }) => {
                return refused(format!("it is larger than {} MB and can't be shown here", largest / 1_000_000));
            }
            Err(FileRejected::Empty) => return refused("it is empty"),
            Err(FileRejected::BrokenOff(failure)) => {
                return Err(NotPrepared::Channel(DeliveryError::Http { call: "channel media", failure }));
            }
        };
        let request_id = self.delivery.key.request_id("upload");
        let relative_path = match self.session.upload(&request_id, &file_type, file).await {
            Ok(path) => path,
            Err(DeliveryError::LiveEngage(LiveEngageError::NoService { .. })) => {
                log_event!(FILE_STORAGE_MISSING, correlation = %self.correlation);
                return refused("this account takes no files");
            }
            Err(error) if error.disposition() == Disposition::Park => {
                log_event!(FILE_REFUSED, correlation = %self.correlation, %error);
                return refused("LiveEngage doesn't take it");
            }
            Err(error) => return Err(error.into()),
        };
        let caption = caption.filter(|caption| !caption.trim().is_empty()).map(MessageText::new);
        Ok(HostedFile { relative_path, file_type, caption })
    }

    async fn fetch(&self, media: &InboundMedia) -> Result<Download, NotPrepared> {
        let http = self.worker.channel(&self.session.consumer, self.delivery.attempt);
        let mut asked: Option<HttpReply> = None;
        loop {
            let call = match self.settings.line.fetch(media, asked.as_ref()) {
                Ok(call) => call,
                Err(error) if error.disposition() == Disposition::Park => {
                    log_event!(FILE_NOT_FETCHED, correlation = %self.correlation, %error);
                    return refused("the channel doesn't hand it out");
                }
                Err(error) => return Err(NotPrepared::Channel(error.into())),
            };
            match call {
                MediaCall::Ask(_) if asked.is_some() => return refused("the channel doesn't hand it out"),
                MediaCall::Ask(call) => {
                    self.delivery.check_time(CHANNEL_CALL)?;
                    asked = Some(http.call(call).await.map_err(NotPrepared::Channel)?);
                }
                MediaCall::Fetch(call) => {
                    self.delivery.check_time(FILE_TRANSFER)?;
                    return self.handed_out(media, http.download(call).await.map_err(NotPrepared::Channel)?);
                }
            }
        }
    }

    /// Checks the response that should hold the file. A page that is not the file itself comes from a proxy, and passes. A 401 is about the line's token, which an operator can replace. An expired signed URL
    /// or a deleted file is permanent, so later texts don't wait for it.
    fn handed_out(&self, media: &InboundMedia, download: Download) -> Result<Download, NotPrepared> {
        let status = download.status;
        let is_text = media.content_type.as_deref().is_some_and(|content_type| content_type.starts_with("text/"));
        if status.is_success() && !is_text && download.reply().is_page() {
            return Err(NotPrepared::Channel(SendFailure::Unreadable { status: status.as_u16() }.into()));
        }
        if status.is_success() {
            return Ok(download);
        }
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let (code, after) = (status.as_u16(), download.retry_after);
        if code == 401 {
            return Err(NotPrepared::Channel(SendFailure::Credentials { status: code }.into()));
        }
        if passes {
            return Err(NotPrepared::Channel(SendFailure::Later { status: code, after }.into()));
        }
        log_event!(FILE_NOT_FETCHED, correlation = %self.correlation, status = status.as_u16());
        refused("the channel doesn't hand it out")
    }
}
