//! Shows the agent's desk on the page.

use async_trait::async_trait;

use crate::page::{
    AccountFeatures, ActionError, AttachmentView, BubbleState, BubbleView, CardPartKind, CardPartView,
    ConversationState, Desk, DeskBubbleView, DeskConversationView, DeskDialogView, DialogKindView, Media, RichMessage,
    Side, UploadedFile, WebhooksChange, WebhooksView,
};

use super::account_features;
use super::conversation::{self, Receipt};
use super::desk::DeskError;
use super::event::{AcceptStatus, Audience, Role};
use super::files::{FileView, NewFile, StoredFile};
use super::simulator::LiveEngageSimulator;
use super::structured_content::{self, Part, PartKind};
use super::survey::{SurveyOptions, SurveyQuestion};
use super::view::{self, ConversationView, TranscriptLine};
use super::webhook_control;

#[async_trait]
impl Desk for LiveEngageSimulator {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        LiveEngageSimulator::conversations(self).iter().rev().map(DeskConversationView::from).collect()
    }

    async fn transcript(&self, conversation: &str) -> Option<Vec<DeskBubbleView>> {
        let conversation = self.conversation(conversation).ok()?;
        let size = |file: &FileView| Some(self.stored_file(&file.relative_path)?.bytes.len());
        Some(bubbles(&conversation, size))
    }

    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError> {
        must_have_words(text)?;
        LiveEngageSimulator::say(self, conversation, text).map(drop).map_err(ActionError::from)
    }

    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError> {
        let said = match message {
            RichMessage::Card { content, quick_replies } => {
                LiveEngageSimulator::say_rich(self, conversation, content, quick_replies)
            }
            RichMessage::Text { text, quick_replies } => {
                must_have_words(&text)?;
                self.say_with_quick_replies(conversation, &text, quick_replies)
            }
        };
        said.map(drop).map_err(ActionError::from)
    }

    async fn close(&self, conversation: &str) -> Result<(), ActionError> {
        LiveEngageSimulator::close(self, conversation).map_err(ActionError::from)
    }

    async fn say_file(&self, conversation: &str, file: UploadedFile) -> Result<(), ActionError> {
        let file_type = file_type(&file)
            .ok_or_else(|| ActionError::Rejected(format!("{:?} needs an extension, for example .png", file.name)))?;
        let file = NewFile { file_type, bytes: file.bytes, caption: file.caption };
        LiveEngageSimulator::say_file(self, conversation, file).map(drop).map_err(ActionError::from)
    }

    async fn typing(&self, conversation: &str, typing: bool) -> Result<(), ActionError> {
        LiveEngageSimulator::typing(self, conversation, typing).map_err(ActionError::from)
    }

    async fn read(&self, conversation: &str) -> Result<(), ActionError> {
        LiveEngageSimulator::read(self, conversation).map(drop).map_err(ActionError::from)
    }

    async fn transfer(&self, conversation: &str, skill: &str) -> Result<(), ActionError> {
        self.transfer_to_skill(conversation, skill).map_err(ActionError::from)
    }

    async fn leave(&self, conversation: &str) -> Result<(), ActionError> {
        LiveEngageSimulator::leave(self, conversation).map_err(ActionError::from)
    }

    async fn survey(&self) -> Option<bool> {
        Some(self.backend().accounts.keys().any(|account| self.backend().features(account).survey.is_some()))
    }

    async fn set_survey(&self, on: bool) -> Result<(), ActionError> {
        for account in self.backend().accounts.keys() {
            LiveEngageSimulator::set_survey(self, account, on.then(survey));
        }
        Ok(())
    }

    async fn webhooks(&self) -> Option<WebhooksView> {
        webhook_control::view(self)
    }

    async fn set_webhooks(&self, change: WebhooksChange) -> Result<(), ActionError> {
        webhook_control::change(self, &change)
    }

    async fn features(&self) -> Option<AccountFeatures> {
        account_features::view(self)
    }

    async fn set_features(&self, features: AccountFeatures) -> Result<(), ActionError> {
        account_features::set(self, &features);
        Ok(())
    }

    async fn expire_window_tokens(&self) -> Result<(), ActionError> {
        LiveEngageSimulator::expire_window_tokens(self);
        Ok(())
    }

    async fn media(&self, id: &str) -> Option<Media> {
        let StoredFile { content_type, file_type, bytes } = self.stored_file(id)?;
        // The declared type may be missing. The page shows pictures only if their type is known.
        let content_type = match file_type.as_str() {
            "JPG" | "JPEG" => "image/jpeg".to_owned(),
            "PNG" => "image/png".to_owned(),
            "GIF" => "image/gif".to_owned(),
            _ => content_type,
        };
        Some(Media { content_type, bytes })
    }
}

fn must_have_words(text: &str) -> Result<(), ActionError> {
    if text.trim().is_empty() {
        return Err(ActionError::Rejected("a message needs a text".to_owned()));
    }
    Ok(())
}

/// The survey for the page.
fn survey() -> SurveyOptions {
    SurveyOptions {
        greeting: None,
        questions: vec![
            SurveyQuestion::with_replies("How content are you with our help?", &["Very", "So so", "Not at all"]),
            SurveyQuestion::open("What could we do better?"),
        ],
        thanks: "Thank you, that helps us.".to_owned(),
    }
}

/// LivePerson's name of the file's type: that of the content type, or else the extension of the name.
fn file_type(file: &UploadedFile) -> Option<String> {
    let known = match file.content_type.as_str() {
        "image/jpeg" => "JPG",
        "image/png" => "PNG",
        "image/gif" => "GIF",
        "application/pdf" => "PDF",
        "text/plain" => "TXT",
        _ => "",
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    let (_, ending) = file.name.rsplit_once('.')?;
    let is_valid = (1..=8).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_valid.then(|| ending.to_ascii_uppercase())
}

impl From<&ConversationView> for DeskConversationView {
    fn from(conversation: &ConversationView) -> Self {
        let short: String = conversation.consumer.id.chars().take(8).collect();
        Self {
            id: conversation.id.clone(),
            title: conversation.consumer.name.clone().unwrap_or_else(|| format!("Consumer {short}")),
            state: match (conversation.open, conversation.main_dialog_open) {
                (true, true) => ConversationState::Open,
                (true, false) => ConversationState::Survey,
                (false, _) => ConversationState::Closed,
            },
            opened_at_ms: conversation.started_at_ms,
            last_text: conversation.transcript.last().map(|line| line.text.clone()),
            messages: conversation.transcript.len(),
            skill: Some(conversation.skill_id.clone()),
            agent_joined: conversation.agent_joined,
            consumer_is_typing: conversation.consumer_is_typing,
            dialogs: conversation.dialogs.iter().map(DeskDialogView::from).collect(),
            satisfaction: conversation.csat.and_then(|csat| csat.csat_rate),
        }
    }
}

impl From<&view::DialogView> for DeskDialogView {
    fn from(dialog: &view::DialogView) -> Self {
        Self { id: dialog.id.clone(), kind: dialog.kind.into(), open: dialog.open }
    }
}

impl From<conversation::DialogKind> for DialogKindView {
    fn from(kind: conversation::DialogKind) -> Self {
        match kind {
            conversation::DialogKind::Main => Self::Main,
            conversation::DialogKind::PostSurvey => Self::Survey,
        }
    }
}

/// All bubbles, with notes where the main dialog and the survey end. `size` returns the size of a file in bytes.
fn bubbles(conversation: &ConversationView, size: impl Fn(&FileView) -> Option<usize>) -> Vec<DeskBubbleView> {
    let survey = conversation.survey_dialog();
    let mut bubbles = Vec::new();
    let mut closing = (!conversation.main_dialog_open).then(|| {
        let by = conversation.closed_by.as_deref().unwrap_or("SYSTEM").to_lowercase();
        let after = if survey.is_some() { ", a survey follows" } else { "" };
        format!("Closed by {by}{after}")
    });
    for line in &conversation.transcript {
        let dialog = conversation.dialogs.iter().find(|dialog| dialog.id == line.dialog_id);
        let kind = dialog.map_or(DialogKindView::Main, |dialog| dialog.kind.into());
        if kind == DialogKindView::Survey
            && let Some(text) = closing.take()
        {
            bubbles.push(remark("closed", text, line.at_ms));
        }
        bubbles.push(bubble(line, kind, &size));
    }
    let last_ms = conversation.transcript.last().map_or(conversation.started_at_ms, |line| line.at_ms);
    let ended_ms = conversation.ended_at_ms.unwrap_or(last_ms);
    bubbles.extend(closing.map(|text| remark("closed", text, ended_ms)));
    if let Some(survey) = survey.filter(|survey| !survey.open) {
        let how = survey.closed_cause.as_deref().unwrap_or("closed").to_lowercase();
        bubbles.push(remark("survey-closed", format!("Survey {how}"), ended_ms));
    }
    bubbles
}

fn remark(id: &str, text: String, at_ms: i64) -> DeskBubbleView {
    DeskBubbleView {
        bubble: BubbleView::text(id, Side::System, text, at_ms),
        card: Vec::new(),
        tags: Vec::new(),
        dialog: DialogKindView::Main,
        speaker: None,
        private: false,
    }
}

fn bubble(line: &TranscriptLine, dialog: DialogKindView, size: impl Fn(&FileView) -> Option<usize>) -> DeskBubbleView {
    let is_consumers = line.who == Role::Consumer;
    // The connector sends no receipts for private notes, because it must not pass them on.
    let is_answer = !is_consumers && line.audience == Audience::All;
    let was_read = line.statuses.contains(&AcceptStatus::Read);
    let attachments: Vec<AttachmentView> = line.file.iter().map(|file| attachment(file, size(file))).collect();
    let bubble = BubbleView {
        id: format!("{}/{}", line.dialog_id, line.sequence),
        side: if is_consumers { Side::Consumer } else { Side::Agent },
        text: match &line.file {
            Some(file) => file.caption.clone().unwrap_or_default(),
            None => line.text.clone(),
        },
        at_ms: line.at_ms,
        sequence: Some(line.sequence),
        state: match is_consumers {
            true => was_read.then_some(BubbleState::Read),
            false => is_answer.then(|| progress(&line.receipts)),
        },
        note: is_answer.then(|| remarks(&line.receipts)).flatten(),
        attachments,
    };
    DeskBubbleView {
        bubble,
        card: card(line),
        tags: line.metadata.as_ref().map(structured_content::tags).unwrap_or_default(),
        dialog,
        speaker: speaker(line.who, dialog),
        private: line.audience != Audience::All,
    }
}

/// A stored file. Its name there consists of the consumer's id and a new id; only the second is useful.
fn attachment(file: &FileView, size: Option<usize>) -> AttachmentView {
    let name = file.relative_path.rsplit('/').next().unwrap_or_default();
    let name = name.rsplit("_uuid_").next().unwrap_or_default().to_owned();
    let is_picture = matches!(file.file_type.to_ascii_uppercase().as_str(), "JPG" | "JPEG" | "PNG" | "GIF");
    match size {
        Some(_) if is_picture => AttachmentView::Picture {
            media: file.relative_path.clone(),
            alt: file.caption.clone().unwrap_or_else(|| format!("{} file", file.file_type)),
        },
        size => AttachmentView::File {
            media: size.is_some().then(|| file.relative_path.clone()),
            name,
            size: size.and_then(|size| u64::try_from(size).ok()),
        },
    }
}

/// The speaker, unless it is the consumer or the assigned agent.
fn speaker(role: Role, dialog: DialogKindView) -> Option<String> {
    let name = match role {
        Role::Consumer | Role::AssignedAgent => return None,
        Role::Agent if dialog == DialogKindView::Survey => "Survey bot",
        Role::Agent => "Another agent",
        Role::Manager | Role::AgentManager => "Manager",
        Role::AssignedManager => "Manager who took over",
        Role::Controller => "Controller",
        Role::Reader => "Reader",
    };
    Some(name.to_owned())
}

/// The state of an answer. A negative receipt counts until a later one replaces it.
fn progress(receipts: &[Receipt]) -> BubbleState {
    receipts.iter().fold(BubbleState::Accepted, |state, receipt| match receipt.status {
        AcceptStatus::Nack => BubbleState::Failed,
        AcceptStatus::Accept if state == BubbleState::Read => BubbleState::Read,
        AcceptStatus::Accept => BubbleState::Delivered,
        AcceptStatus::Read | AcceptStatus::Access | AcceptStatus::Action => BubbleState::Read,
    })
}

/// What the receipts report in addition to delivered and read.
fn remarks(receipts: &[Receipt]) -> Option<String> {
    let remarks: Vec<String> = receipts
        .iter()
        .filter_map(|receipt| {
            let remark = match receipt.status {
                AcceptStatus::Accept | AcceptStatus::Read => return None,
                AcceptStatus::Access => "file opened",
                AcceptStatus::Nack => "NACK",
                AcceptStatus::Action => "ACTION",
            };
            let tags = receipt.metadata.as_ref().map(structured_content::tags).unwrap_or_default();
            Some(if tags.is_empty() { remark.to_owned() } else { format!("{remark} {}", tags.join(", ")) })
        })
        .collect();
    (!remarks.is_empty()).then(|| remarks.join(" · "))
}

/// A card with its text, if the message is structured.
fn card(line: &TranscriptLine) -> Vec<CardPartView> {
    let Some(rich) = &line.rich else { return Vec::new() };
    let content = rich.get("content");
    let text = content.is_none().then(|| CardPartView {
        kind: CardPartKind::Text,
        text: line.text.clone(),
        detail: None,
        tags: Vec::new(),
    });
    let parts = structured_content::parts(content, rich.get("quickReplies"));
    text.into_iter().chain(parts.into_iter().map(CardPartView::from)).collect()
}

impl From<Part> for CardPartView {
    fn from(part: Part) -> Self {
        let kind = match part.kind {
            PartKind::Heading => CardPartKind::Heading,
            PartKind::Text => CardPartKind::Text,
            PartKind::Media => CardPartKind::Media,
            PartKind::Button => CardPartKind::Button,
            PartKind::Checkbox => CardPartKind::Checkbox,
            PartKind::QuickReply => CardPartKind::QuickReply,
            PartKind::Other => CardPartKind::Other,
        };
        Self { kind, text: part.text, detail: part.detail, tags: part.tags }
    }
}

impl From<DeskError> for ActionError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::UnknownConversation(_) | DeskError::UnknownAccount(_) => Self::NotFound(error.to_string()),
            _ => Self::Rejected(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
