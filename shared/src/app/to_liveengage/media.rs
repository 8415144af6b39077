//! A file of a person on its way to LivePerson's storage: streamed, never whole in memory.

use jiff::SignedDuration;

use super::{
    DeliveryError,
    content::{Delivery, MediaOutcome},
};
use crate::{
    app::{
        delivery::{CHANNEL_CALL, FILE_TRANSFER},
        files::{FileRejected, streamed},
    },
    channel::{MediaCall, SendFailure},
    domain::{
        http::{HttpFailure, HttpReply},
        message::{InboundMedia, MessageText},
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        files::{FileType, HostedFile},
    },
    port::Download,
};

/// How long a person's further texts wait for a file that can't be brought at the moment.
const WAIT_FOR_FILE: SignedDuration = SignedDuration::from_mins(5);

/// How often it is tried at the least: it may be old already when it is tried first.
const LEAST_ATTEMPTS: u32 = 4;

/// Why a file was not brought.
enum NotBrought {
    /// The agent can't be shown it, for this reason.
    Refused(String),
    /// The channel can't hand it out now: that may pass.
    Channel(DeliveryError),
    /// Something else has failed, which a text would have met too.
    Failed(DeliveryError),
}

impl From<DeliveryError> for NotBrought {
    fn from(error: DeliveryError) -> Self {
        Self::Failed(error)
    }
}

fn refused<T>(reason: impl Into<String>) -> Result<T, NotBrought> {
    Err(NotBrought::Refused(reason.into()))
}

fn unanswered(call: &'static str) -> impl FnOnce(HttpFailure) -> NotBrought {
    move |failure| NotBrought::Channel(DeliveryError::Http { call, failure })
}

impl Delivery<'_> {
    /// Fetches a file from the channel and brings it into LivePerson's storage.
    pub(super) async fn bring(
        &mut self,
        media: &InboundMedia,
        caption: Option<&str>,
    ) -> Result<MediaOutcome, DeliveryError> {
        let error = match self.try_bringing(media, caption).await {
            Ok(file) => return Ok(MediaOutcome::Hosted(file)),
            Err(NotBrought::Refused(reason)) => return Ok(MediaOutcome::Refused { reason }),
            Err(NotBrought::Failed(error)) => return Err(error),
            Err(NotBrought::Channel(error)) => error,
        };
        let attempt = self.session.attempt;
        if error.refuses_credentials() && self.session.check_time(CHANNEL_CALL).is_ok() {
            self.session.worker.lines.get_after_failure(&self.session.who.line, attempt.now).await;
        }
        let age = self.context.accepted_at.map_or(SignedDuration::ZERO, |at| attempt.now.duration_since(at));
        if age < WAIT_FOR_FILE || self.context.attempts.unwrap_or(attempt.received) < LEAST_ATTEMPTS {
            return Err(error);
        }
        tracing::warn!(correlation = self.context.correlation, %error, count = 1, "a file can't be brought");
        Ok(MediaOutcome::Refused { reason: "it could not be fetched".to_owned() })
    }

    async fn try_bringing(&mut self, media: &InboundMedia, caption: Option<&str>) -> Result<HostedFile, NotBrought> {
        // An identity is needed for the storage, and a conversation to say it in.
        let consumer = self.session.with_open_conversation().await?;
        let Some(identity) = consumer.identity.clone() else { return Err(DeliveryError::Contended.into()) };
        let download = self.fetch(media).await?;
        let documents = self.session.settings.documents;
        let file_type = FileType::sniff(&download.head).filter(|file_type| documents || file_type.is_picture());
        let Some(file_type) = file_type else { return refused("files of this kind can't be shown here") };
        let file = match streamed(download, file_type.largest()).await {
            Ok(file) => file,
            Err(FileRejected::TooLarge { largest }) => {
                return refused(format!("it is larger than {} MB and can't be shown here", largest / 1_000_000));
            }
            Err(FileRejected::Empty) => return refused("it is empty"),
            Err(FileRejected::BrokenOff(failure)) => {
                return Err(NotBrought::Channel(DeliveryError::Http { call: "channel media", failure }));
            }
        };
        let (request_id, liveengage) = (self.session.request_id("upload"), &self.session.worker.liveengage);
        let uploaded = liveengage.upload(self.session.caller(), &identity.token, &request_id, &file_type, file).await;
        let relative_path = match self.session.mending(&identity.token, uploaded).await {
            Ok(path) => path,
            Err(DeliveryError::LiveEngage(LiveEngageError::NoService { .. })) => {
                tracing::warn!(correlation = self.context.correlation, count = 1, "the account has no file storage");
                return refused("this account takes no files");
            }
            Err(error) if error.disposition() == Disposition::Park => {
                tracing::warn!(correlation = self.context.correlation, %error, count = 1, "LiveEngage refuses a file");
                return refused("LiveEngage doesn't take it");
            }
            Err(error) => return Err(error.into()),
        };
        let caption = caption.filter(|caption| !caption.trim().is_empty()).map(MessageText::new);
        Ok(HostedFile { relative_path, file_type, caption })
    }

    async fn fetch(&mut self, media: &InboundMedia) -> Result<Download, NotBrought> {
        let line = &self.session.settings.line;
        let http = &self.session.worker.ports.http;
        let mut asked: Option<HttpReply> = None;
        loop {
            let call = match line.fetch(media, asked.as_ref()) {
                Ok(call) => call,
                Err(error) if error.disposition() == Disposition::Park => {
                    tracing::warn!(correlation = self.context.correlation, %error, count = 1, "a file can't be fetched");
                    return refused("the channel doesn't hand it out");
                }
                Err(error) => return Err(NotBrought::Channel(error.into())),
            };
            match call {
                MediaCall::Ask(_) if asked.is_some() => return refused("the channel doesn't hand it out"),
                MediaCall::Ask(call) => {
                    self.session.check_time(CHANNEL_CALL)?;
                    let unanswered = unanswered(call.name);
                    asked = Some(http.call(call).await.map_err(unanswered)?);
                }
                MediaCall::Fetch(call) => {
                    self.session.check_time(FILE_TRANSFER)?;
                    let unanswered = unanswered(call.name);
                    return self.handed_out(http.download(call).await.map_err(unanswered)?);
                }
            }
        }
    }

    /// Judges the answer that should hold the file. A 401 is the line's token, which an operator can mend. A signed address that has run
    /// out, or a file that was deleted, stays so: nobody's texts wait for it.
    fn handed_out(&self, download: Download) -> Result<Download, NotBrought> {
        let status = download.status;
        if status.is_success() {
            return Ok(download);
        }
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let (code, after) = (status.as_u16(), download.retry_after);
        if code == 401 {
            return Err(NotBrought::Channel(SendFailure::Credentials { status: code }.into()));
        }
        if passes {
            return Err(NotBrought::Channel(SendFailure::Later { status: code, after }.into()));
        }
        tracing::warn!(
            correlation = self.context.correlation,
            status = status.as_u16(),
            count = 1,
            "a file can't be fetched"
        );
        refused("the channel doesn't hand it out")
    }
}
