//! A file of a person on its way to LivePerson's storage: streamed, never whole in memory.

use super::{DeliveryError, content::Delivery};
use crate::{
    app::{
        delivery::{CHANNEL_CALL, FILE_TRANSFER},
        files::{Refusal, streamed},
    },
    channel::{MediaCall, SendFailure},
    domain::{
        http::HttpReply,
        message::{InboundMedia, MessageText},
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        files::{FileType, HostedFile},
    },
    port::Download,
};

impl Delivery<'_> {
    /// Fetches a file from the channel and brings it into LivePerson's storage. The inner error says why the agent can't be shown
    /// it, as a sentence part.
    pub(super) async fn bring(
        &mut self,
        media: &InboundMedia,
        caption: Option<&str>,
    ) -> Result<Result<HostedFile, String>, DeliveryError> {
        // An identity is needed for the storage, and a conversation to say it in.
        let consumer = self.way.with_open_conversation().await?;
        let Some(identity) = consumer.identity.clone() else { return Err(DeliveryError::Contended) };
        let download = match self.fetch(media).await {
            Ok(download) => download,
            Err(error) if error.disposition() == Disposition::Park => {
                tracing::warn!(correlation = self.about.correlation, %error, count = 1, "a file can't be fetched");
                return Ok(Err("the channel doesn't hand it out".to_owned()));
            }
            Err(error) => return Err(error),
        };
        let documents = self.way.settings.documents;
        let file_type = FileType::sniff(&download.head).filter(|file_type| documents || file_type.is_picture());
        let Some(file_type) = file_type else {
            return Ok(Err("files of this kind can't be shown here".to_owned()));
        };
        let file = match streamed(download, file_type.largest()).await {
            Ok(file) => file,
            Err(Refusal::TooLarge { largest }) => {
                return Ok(Err(format!("it is larger than {} MB and can't be shown here", largest / 1_000_000)));
            }
            Err(Refusal::Empty) => return Ok(Err("it is empty".to_owned())),
            Err(Refusal::BrokenOff(failure)) => return Err(DeliveryError::Http { call: "channel media", failure }),
        };
        let request_id = self.way.request_id("upload");
        let uploaded =
            self.way.worker.liveengage.upload(self.way.caller(), &identity.token, &request_id, &file_type, file).await;
        let relative_path = match uploaded {
            Ok(path) => path,
            Err(DeliveryError::LiveEngage(LiveEngageError::NoService { .. })) => {
                tracing::warn!(correlation = self.about.correlation, count = 1, "the account has no file storage");
                return Ok(Err("this account takes no files".to_owned()));
            }
            Err(error) if error.disposition() == Disposition::Park => {
                tracing::warn!(correlation = self.about.correlation, %error, count = 1, "LiveEngage refuses a file");
                return Ok(Err("LiveEngage doesn't take it".to_owned()));
            }
            Err(error) => return Err(error),
        };
        let caption = caption.filter(|caption| !caption.trim().is_empty()).map(MessageText::new);
        Ok(Ok(HostedFile { relative_path, file_type, caption }))
    }

    async fn fetch(&mut self, media: &InboundMedia) -> Result<Download, DeliveryError> {
        let line = &self.way.settings.line;
        let http = &self.way.worker.ports.http;
        let mut asked: Option<HttpReply> = None;
        loop {
            match line.fetch(media, asked.as_ref())? {
                MediaCall::Ask(call) if asked.is_none() => {
                    self.way.check_time(CHANNEL_CALL)?;
                    let name = call.name;
                    let reply = http.call(call).await.map_err(|failure| DeliveryError::Http { call: name, failure })?;
                    if !reply.status.is_success() {
                        return Err(line.receipt(&reply).err().unwrap_or(unreadable(&reply)).into());
                    }
                    asked = Some(reply);
                }
                MediaCall::Ask(_) => {
                    return Err(SendFailure::Refused { status: 0, code: "asks_again".to_owned() }.into());
                }
                MediaCall::Fetch(call) => {
                    self.way.check_time(FILE_TRANSFER)?;
                    let name = call.name;
                    let download =
                        http.download(call).await.map_err(|failure| DeliveryError::Http { call: name, failure })?;
                    if !download.status.is_success() {
                        let reply = download.reply();
                        return Err(line.receipt(&reply).err().unwrap_or(unreadable(&reply)).into());
                    }
                    return Ok(download);
                }
            }
        }
    }
}

fn unreadable(reply: &HttpReply) -> SendFailure {
    SendFailure::Unreadable { status: reply.status.as_u16() }
}
