//! The gateway's phones as the page shows them.

use async_trait::async_trait;

use crate::page::{ActionError, BubbleState, BubbleView, PhoneView, Phones, Side};

use super::phone::{Direction, MessageState, PhoneMessage};
use super::{ConsumerError, SmsGateway};

#[async_trait]
impl Phones for SmsGateway {
    async fn phones(&self) -> Vec<PhoneView> {
        let view = |number: String| {
            let transcript = self.transcript(&number);
            PhoneView { number, messages: transcript.len() }
        };
        SmsGateway::phones(self).into_iter().map(view).collect()
    }

    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>> {
        let transcript = SmsGateway::transcript(self, phone);
        (!transcript.is_empty()).then(|| transcript.into_iter().map(BubbleView::from).collect())
    }

    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError> {
        self.consumer_sends(phone, text).map(drop).map_err(ActionError::from)
    }
}

impl From<PhoneMessage> for BubbleView {
    fn from(message: PhoneMessage) -> Self {
        let (state, note) = match message.state {
            MessageState::Sent => (BubbleState::Pending, None),
            MessageState::Accepted => (BubbleState::Accepted, None),
            MessageState::Failed(reason) => (BubbleState::Failed, Some(reason)),
        };
        Self {
            id: message.id,
            side: match message.direction {
                Direction::FromPhone => Side::Consumer,
                Direction::ToPhone => Side::Agent,
            },
            text: message.text,
            at_ms: message.at.as_millisecond(),
            sequence: None,
            state: Some(state),
            note,
        }
    }
}

impl From<ConsumerError> for ActionError {
    fn from(error: ConsumerError) -> Self {
        match error {
            ConsumerError::UnknownMessage(_) => Self::NotFound(error.to_string()),
            ConsumerError::NotAPhone(_) | ConsumerError::EmptyText | ConsumerError::TextTooLong(_) => {
                Self::Rejected(error.to_string())
            }
        }
    }
}
