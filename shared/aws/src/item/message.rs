//! The steps of a message, and its uncertain outcome.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Json, Stored};
use connector::{
    domain::{
        menu::Chosen,
        progress::{Closing, FileInfo, MediaOutcome, Step},
        uncertain::UncertainOutcome,
    },
    port::StoreError,
};
use connector_channels::Receipt;
use connector_liveengage::{
    files::{FileType, HostedFile},
    id::{ConversationId, DialogId, Sequence},
    messaging::DialogRef,
};
use connector_message::MessageText;

#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum StepV1 {
    ChannelCall {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
        is_message: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<FileInfoV1>,
    },
    Published {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequence: Option<Sequence>,
    },
    ChoicePublished {
        chosen: Json,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequence: Option<Sequence>,
    },
    MediaHosted {
        file: HostedFile,
    },
    MediaRefused {
        reason: String,
    },
    CloseDecided {
        dialog: DialogRefV1,
        with_survey: bool,
    },
    SatisfactionSent,
    NackSent,
    ReasonSent,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FileInfoV1 {
    file_type: FileType,
    size: u64,
}

#[derive(Serialize, Deserialize)]
struct ChosenV1 {
    dialog: DialogId,
    sequence: Sequence,
    text: MessageText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DialogRefV1 {
    conversation: ConversationId,
    dialog: DialogId,
}

impl From<&DialogRef> for DialogRefV1 {
    fn from(dialog: &DialogRef) -> Self {
        let DialogRef { conversation, dialog } = dialog.clone();
        Self { conversation, dialog }
    }
}

impl From<DialogRefV1> for DialogRef {
    fn from(DialogRefV1 { conversation, dialog }: DialogRefV1) -> Self {
        Self { conversation, dialog }
    }
}

impl Stored for Step {
    type Wire = StepV1;
    const WHAT: &'static str = "a step of a message";

    fn to_wire(&self) -> Result<StepV1, StoreError> {
        Ok(match self.clone() {
            Self::ChannelCall { receipt: Receipt { provider_id, is_message }, file } => {
                let file = file.map(|FileInfo { file_type, size }| FileInfoV1 { file_type, size });
                StepV1::ChannelCall { provider_id, is_message, file }
            }
            Self::Published { sequence } => StepV1::Published { sequence },
            Self::ChoicePublished { chosen, sequence: published } => {
                let Chosen { dialog, sequence, text, metadata } = *chosen;
                let chosen = Json::of(&ChosenV1 { dialog, sequence, text, metadata }, Self::WHAT)?;
                StepV1::ChoicePublished { chosen, sequence: published }
            }
            Self::MediaPrepared(MediaOutcome::Hosted(file)) => StepV1::MediaHosted { file },
            Self::MediaPrepared(MediaOutcome::Refused { reason }) => StepV1::MediaRefused { reason },
            Self::CloseDecided(Closing { dialog, with_survey }) => {
                StepV1::CloseDecided { dialog: (&dialog).into(), with_survey }
            }
            Self::SatisfactionSent => StepV1::SatisfactionSent,
            Self::NackSent => StepV1::NackSent,
            Self::ReasonSent => StepV1::ReasonSent,
        })
    }

    fn from_wire(wire: StepV1) -> Result<Self, StoreError> {
        Ok(match wire {
            StepV1::ChannelCall { provider_id, is_message, file } => {
                let file = file.map(|FileInfoV1 { file_type, size }| FileInfo { file_type, size });
                Self::ChannelCall { receipt: Receipt { provider_id, is_message }, file }
            }
            StepV1::Published { sequence } => Self::Published { sequence },
            StepV1::ChoicePublished { chosen, sequence: published } => {
                let ChosenV1 { dialog, sequence, text, metadata } = chosen.read(Self::WHAT)?;
                let chosen = Box::new(Chosen { dialog, sequence, text, metadata });
                Self::ChoicePublished { chosen, sequence: published }
            }
            StepV1::MediaHosted { file } => Self::MediaPrepared(MediaOutcome::Hosted(file)),
            StepV1::MediaRefused { reason } => Self::MediaPrepared(MediaOutcome::Refused { reason }),
            StepV1::CloseDecided { dialog, with_survey } => {
                Self::CloseDecided(Closing { dialog: dialog.into(), with_survey })
            }
            StepV1::SatisfactionSent => Self::SatisfactionSent,
            StepV1::NackSent => Self::NackSent,
            StepV1::ReasonSent => Self::ReasonSent,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct UncertainV1 {
    attempts: u32,
    #[serde(default)]
    unlikely: u32,
    #[serde(default)]
    dialogs: Vec<DialogRefV1>,
    #[serde(default)]
    accepted: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
}

impl Stored for UncertainOutcome {
    type Wire = UncertainV1;
    const WHAT: &'static str = "the uncertain outcome of a message";

    fn to_wire(&self) -> Result<UncertainV1, StoreError> {
        let Self { attempts, unlikely, dialogs, accepted, steps } = self;
        let dialogs = dialogs.iter().map(Into::into).collect();
        Ok(UncertainV1 { attempts: *attempts, unlikely: *unlikely, dialogs, accepted: *accepted, steps: *steps })
    }

    fn from_wire(
        UncertainV1 { attempts, unlikely, dialogs, accepted, steps }: UncertainV1,
    ) -> Result<Self, StoreError> {
        let dialogs = dialogs.into_iter().map(Into::into).collect();
        Ok(Self { attempts, unlikely, dialogs, accepted, steps })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps() -> Vec<Step> {
        let file = HostedFile {
            relative_path: connector_liveengage::files::RelativePath::new("/v1/AUTH_x/c/72419083/a.png").unwrap(),
            file_type: FileType::Png,
            caption: Some(MessageText::new("look")),
        };
        let dialog = DialogRef::main_of(&ConversationId::new("c1").unwrap());
        // Deeper and larger than DynamoDB supports.
        let mut metadata = json!({"n": 12_345_678_901_234_567_890_u64});
        for _ in 0..40 {
            metadata = json!([metadata]);
        }
        let chosen = Chosen {
            dialog: DialogId::new("d1").unwrap(),
            sequence: Sequence(7),
            text: MessageText::new("Yes"),
            metadata: Some(metadata),
        };
        let receipt = Receipt { provider_id: Some("wamid.1".to_owned()), is_message: false };
        vec![
            Step::ChannelCall { receipt, file: Some(FileInfo { file_type: FileType::Png, size: 5 }) },
            Step::Published { sequence: None },
            Step::ChoicePublished { chosen: Box::new(chosen), sequence: Some(Sequence(8)) },
            Step::MediaPrepared(MediaOutcome::Hosted(file)),
            Step::MediaPrepared(MediaOutcome::Refused { reason: "it is empty".to_owned() }),
            Step::CloseDecided(Closing { dialog, with_survey: true }),
            Step::SatisfactionSent,
            Step::NackSent,
            Step::ReasonSent,
        ]
    }

    #[test]
    fn every_step_is_read_back_as_itself() {
        for step in steps() {
            assert_eq!(Step::from_attribute(step.to_attribute().unwrap()).unwrap(), step);
        }
    }

    #[test]
    fn an_uncertain_outcome_is_read_back_as_itself() {
        let dialog = DialogRef::main_of(&ConversationId::new("c1").unwrap());
        let uncertain =
            UncertainOutcome { attempts: 3, unlikely: 1, dialogs: vec![dialog], accepted: 2, steps: Some(1) };
        for uncertain in [uncertain, UncertainOutcome::default()] {
            assert_eq!(UncertainOutcome::from_attribute(uncertain.to_attribute().unwrap()).unwrap(), uncertain);
        }
    }
}
