//! A consumer's session with LiveEngage: their identity there, their open conversation, and calls on their behalf.
//!
//! Texts, files, notices, reports and downloads share it. A ConsumerJWS that LiveEngage rejects is replaced, and the call is made once
//! more.

use jiff::SignedDuration;
use url::Url;

use super::{
    delivery::Attempt,
    error::DeliveryError,
    liveengage_client::{Caller, LiveEngage},
    policy::{FILE_TRANSFER, LIVEENGAGE_CALL, SAVE_ATTEMPTS},
    settings::LineSettings,
};
use crate::{
    domain::{
        breaker::Who,
        conversation::{Consumer, Mutation},
        delivery::ConsumerRef,
        digest::digest,
    },
    port::{Clock, Consumers, Download, Saved, StreamedFile},
};
use connector_channels::message::InboundEvent;
use connector_liveengage::{
    LiveEngageError,
    files::{self, FileType, RelativePath},
    id::{AccountId, ConversationId, Sequence},
    identity::{ConsumerToken, Identity},
    messaging::{self, Close, Credentials, CustomerSatisfaction, DialogRef, Publication, UserProfile},
};
use connector_message::{
    code::Code,
    http::{HttpCall, HttpReply},
};

mod campaign;
mod opening;
mod record;

pub(super) use record::{update, update_from};

/// What the agent sees about a consumer.
pub(super) struct ConsumerProfile {
    profile: UserProfile,
    /// Whether the current event has data about the consumer.
    is_provided: bool,
}

impl ConsumerProfile {
    /// Builds it from the line's settings and the event's data.
    pub(super) fn new(settings: &LineSettings, event: &InboundEvent) -> Self {
        let (language, capabilities) = (settings.routing.language.as_deref(), settings.line.capabilities());
        let profile = settings.profile.profile(&capabilities, &event.user, event.profile.as_ref(), language);
        Self { profile, is_provided: event.profile.is_some() }
    }

    /// Returns a digest by which a profile that LiveEngage already has is recognized.
    fn fingerprint(&self) -> String {
        digest([serde_json::to_vec(&self.profile).unwrap_or_default().as_slice()])
    }
}

/// A consumer's session with LiveEngage in one attempt.
pub(super) struct ConsumerSession<'a> {
    pub(super) liveengage: &'a LiveEngage,
    pub(super) consumers: &'a dyn Consumers,
    pub(super) clock: &'a dyn Clock,
    pub(super) attempt: &'a Attempt,
    /// The account: the line's, or that of a conversation from before the line's account was changed.
    pub(super) account: &'a AccountId,
    pub(super) settings: &'a LineSettings,
    pub(super) consumer: ConsumerRef,
    /// What becomes of a record that is of another account.
    pub(super) other_account: OtherAccount,
    /// The consumer's record as it was last read or written here.
    pub(super) known: Option<Consumer>,
    /// Whether the record in the table is of another account and is left alone: then nothing is written.
    pub(super) is_detached: bool,
}

/// What becomes of a consumer's record that is of another account than the session: the line fed that one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherAccount {
    /// It moves: the consumer writes, and what they write goes to the session's account.
    Move,
    /// It is left alone: a report or a notice is about a conversation of before, which may still be open.
    Leave,
}

impl ConsumerSession<'_> {
    /// The consumer's record, read once.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn record(&mut self) -> Result<&Consumer, DeliveryError> {
        let consumer = match self.known.take() {
            Some(known) => known,
            None => self.load().await?,
        };
        Ok(self.known.insert(consumer))
    }

    /// The consumer's record, if it was read or written here.
    pub(super) const fn known(&self) -> Option<&Consumer> {
        self.known.as_ref()
    }

    /// Changes the newest version of the consumer's record, and returns it.
    ///
    /// # Errors
    /// [`DeliveryError::Contended`] if other writers change it at every try.
    pub(super) async fn update(
        &mut self,
        change: impl Fn(&mut Consumer) -> Mutation,
    ) -> Result<Consumer, DeliveryError> {
        if self.is_detached {
            let mut consumer = self.record().await?.clone();
            change(&mut consumer);
            return Ok(self.known.insert(consumer).clone());
        }
        let consumer = update(self.consumers, &self.consumer, || self.account.clone(), change).await?;
        Ok(self.known.insert(consumer).clone())
    }

    /// The same for a change that is made whatever the record's state is: it is tried first with the record that was read or written last.
    ///
    /// # Errors
    /// [`DeliveryError::Contended`] if other writers change it at every try.
    async fn update_in_any_state(&mut self, change: impl Fn(&mut Consumer)) -> Result<Consumer, DeliveryError> {
        let change = |consumer: &mut Consumer| {
            change(consumer);
            Mutation::Changed
        };
        let read = self.record().await?.clone();
        if self.is_detached {
            return self.update(change).await;
        }
        let consumer = update_from(read, self.consumers, change).await?;
        Ok(self.known.insert(consumer).clone())
    }

    /// Returns the consumer's identity at LivePerson, and requests it if it is not known. It is saved with the pointer from
    /// `lp_consumer_id` before a conversation is opened, because the notification of a new conversation names the consumer by it, and can
    /// come before the answer to our call.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn identity(&mut self) -> Result<Identity, DeliveryError> {
        for _ in 0..SAVE_ATTEMPTS {
            let mut consumer = self.record().await?.clone();
            if let Some(identity) = consumer.identity {
                return Ok(identity);
            }
            let identity = self.request_identity().await?;
            consumer.identity = Some(identity.clone());
            if self.save(consumer).await? == Saved::Saved {
                return Ok(identity);
            }
        }
        Err(DeliveryError::Contended)
    }

    /// Requests the consumer's identity from LivePerson.
    async fn request_identity(&self) -> Result<Identity, DeliveryError> {
        // The line has an external id of the consumer in its own account only.
        if self.settings.account != *self.account {
            return Err(unknown_consumer());
        }
        self.check_time(LIVEENGAGE_CALL)?;
        let name = self.settings.ext_consumer_id(&self.consumer.user)?;
        self.liveengage.identify(self.caller(), &name).await
    }

    /// Publishes an event in a dialog.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn publish(
        &mut self,
        request_id: &str,
        dialog: &DialogRef,
        publication: Publication<'_>,
    ) -> Result<Option<Sequence>, DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::publish_request(host, credentials, request_id, dialog, publication)
        };
        self.call(LIVEENGAGE_CALL, build, messaging::send_answer).await
    }

    /// Ends a conversation, or its main dialog so that a survey may follow.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn close(
        &mut self,
        request_id: &str,
        conversation: &ConversationId,
        close: Close<'_>,
    ) -> Result<(), DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::close_request(host, credentials, request_id, conversation, close)
        };
        self.call(LIVEENGAGE_CALL, build, messaging::send_answer).await.map(drop)
    }

    /// Publishes how satisfied the consumer was with a conversation.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn rate(
        &mut self,
        request_id: &str,
        conversation: &ConversationId,
        satisfaction: &CustomerSatisfaction,
    ) -> Result<(), DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::satisfaction_request(host, credentials, request_id, conversation, satisfaction)
        };
        self.call(LIVEENGAGE_CALL, build, messaging::send_answer).await.map(drop)
    }

    /// Streams a file into LivePerson's storage: one call for the address, one for the bytes.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn upload(
        &mut self,
        request_id: &str,
        file_type: &FileType,
        file: StreamedFile,
    ) -> Result<RelativePath, DeliveryError> {
        let (swift, size) = (self.liveengage.file_host(self.caller()).await?, file.size);
        let build = |host: &Url, credentials: Credentials<'_>| {
            files::upload_url_request(host, credentials, request_id, size, file_type)
        };
        let read = |reply: &HttpReply| files::temporary_url_answer(reply, &swift);
        // The caller has checked the time for the whole transfer, before the file was opened.
        let address = self.call(LIVEENGAGE_CALL, build, read).await?;
        self.liveengage.upload(self.caller(), &address, file).await?;
        Ok(address.relative_path)
    }

    /// Starts the download of a file from LivePerson's storage: one call for the address, one for the bytes.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn download(&mut self, request_id: &str, path: &RelativePath) -> Result<Download, DeliveryError> {
        let swift = self.liveengage.file_host(self.caller()).await?;
        let build =
            |host: &Url, credentials: Credentials<'_>| files::download_url_request(host, credentials, request_id, path);
        let read = |reply: &HttpReply| files::temporary_url_answer(reply, &swift);
        let address = self.call(FILE_TRANSFER, build, read).await?;
        self.liveengage.download(self.caller(), &address).await
    }

    /// Makes a call on behalf of the consumer, and once more with a new ConsumerJWS if LiveEngage rejects the saved one.
    async fn call<T>(
        &mut self,
        needed: SignedDuration,
        build: impl Fn(&Url, Credentials<'_>) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let Identity { token, .. } = self.identity().await?;
        self.check_time(needed)?;
        match self.liveengage.send(self.caller(), &token, &build, &read).await {
            Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) => {
                self.clear_identity(&token).await?;
                let Identity { token, .. } = self.identity().await?;
                self.check_time(needed)?;
                self.liveengage.send(self.caller(), &token, &build, &read).await
            }
            other => other,
        }
    }

    /// Removes a rejected ConsumerJWS from the record, unless there is a newer one already.
    async fn clear_identity(&mut self, refused: &ConsumerToken) -> Result<(), DeliveryError> {
        let without = |consumer: &mut Consumer| match &consumer.identity {
            Some(identity) if identity.token == *refused => {
                consumer.identity = None;
                Mutation::Changed
            }
            _ => Mutation::Unchanged,
        };
        self.update(without).await.map(drop)
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            account: self.account,
            owner: &self.attempt.owner,
            who: Who::of(&self.consumer),
            client_properties: &self.settings.client_properties,
            now: self.attempt.now,
        }
    }

    fn check_time(&self, needed: SignedDuration) -> Result<(), DeliveryError> {
        self.attempt.check_time(self.clock, needed)
    }

    async fn load(&mut self) -> Result<Consumer, DeliveryError> {
        let ConsumerRef { line, user } = &self.consumer;
        let none = || Consumer::new(line.clone(), user.clone(), self.account.clone());
        let mut consumer = self.consumers.consumer(&self.consumer).await?.unwrap_or_else(none);
        self.is_detached = consumer.account != *self.account && self.other_account == OtherAccount::Leave;
        consumer.move_to(self.account);
        Ok(consumer)
    }

    /// Saves the record over the version that was read. After a conflict it has to be read again.
    async fn save(&mut self, mut consumer: Consumer) -> Result<Saved, DeliveryError> {
        if self.is_detached {
            self.known = Some(consumer);
            return Ok(Saved::Saved);
        }
        let new = self.known.as_ref().map_or_else(|| consumer.pointers(), |read| consumer.pointers_beyond(read));
        let saved = self.consumers.save_consumer(&consumer, &new).await?;
        self.known = None;
        if saved == Saved::Saved {
            consumer.version += 1;
            self.known = Some(consumer);
        }
        Ok(saved)
    }
}

/// Returns the error for a file of a conversation whose consumer no longer has a record.
pub(super) fn unknown_consumer() -> DeliveryError {
    DeliveryError::Unsupported { content: Code::internal("a file for a consumer who is not known any more") }
}
