//! A consumer's record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Json, Stored};
use connector::{
    domain::{
        conversation::{AskedSatisfaction, Composing, Consumer, Conversation, Openings, UnconfirmedConversation},
        id::{LineId, Owner},
        menu::Menu,
    },
    port::StoreError,
};
use connector_channels::{
    choice::{Choice, FreeAnswer},
    id::{ChannelUserId, ProviderMessageId},
};
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, ExtConsumerId, LpConsumerId, Sequence},
    identity::{ConsumerToken, Identity},
    messaging::DialogRef,
};
use connector_message::{MessageText, rich_content::Metadata};

#[derive(Serialize, Deserialize)]
pub(crate) struct ConsumerV1 {
    line: LineId,
    user: ChannelUserId,
    account: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityV1>,
    conversation: ConversationV1,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier_dialogs: Vec<DialogV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    menu: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    composing: Option<ComposingV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    satisfaction: Option<SatisfactionV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openings: Option<OpeningsV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contradicted_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<UnconfirmedV1>,
}

#[derive(Serialize, Deserialize)]
struct UnconfirmedV1 {
    id: ConversationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    survey: Option<DialogId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct IdentityV1 {
    ext_consumer_id: ExtConsumerId,
    lp_consumer_id: LpConsumerId,
    token: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum ConversationV1 {
    None,
    Opening {
        owner: Owner,
        until: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<ConversationId>,
    },
    Open {
        id: ConversationId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_of: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        survey: Option<DialogId>,
    },
    Closed {
        id: ConversationId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_of: Option<Timestamp>,
    },
}

#[derive(Serialize, Deserialize)]
struct DialogV1 {
    conversation: ConversationId,
    dialog: DialogId,
}

#[derive(Serialize, Deserialize)]
struct ComposingV1 {
    event: ProviderMessageId,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SatisfactionV1 {
    conversation: ConversationId,
    asked_at: Timestamp,
    until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct OpeningsV1 {
    message: String,
    count: u32,
    closed: u32,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct MenuV1 {
    conversation: ConversationId,
    dialog: DialogId,
    sequence: Sequence,
    shown_at: Timestamp,
    until: Timestamp,
    choices: Vec<ChoiceV1>,
    /// The metadata of the free answer, if one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    free_answer: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submit: Option<Metadata>,
}

#[derive(Serialize, Deserialize)]
struct ChoiceV1 {
    number: u32,
    title: MessageText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    publish: Option<MessageText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    several: bool,
    as_button: bool,
}

impl From<&Menu> for MenuV1 {
    fn from(menu: &Menu) -> Self {
        let Menu { conversation, dialog, sequence, shown_at, until, choices, free_answer, submit } = menu.clone();
        let choice = |Choice { number, title, publish, metadata, several, as_button }: Choice| ChoiceV1 {
            number,
            title,
            publish,
            metadata,
            several,
            as_button,
        };
        Self {
            conversation,
            dialog,
            sequence,
            shown_at,
            until,
            choices: choices.into_iter().map(choice).collect(),
            free_answer: free_answer.map(|FreeAnswer { metadata }| metadata),
            submit,
        }
    }
}

impl From<MenuV1> for Menu {
    fn from(menu: MenuV1) -> Self {
        let MenuV1 { conversation, dialog, sequence, shown_at, until, choices, free_answer, submit } = menu;
        let choice = |ChoiceV1 { number, title, publish, metadata, several, as_button }: ChoiceV1| Choice {
            number,
            title,
            publish,
            metadata,
            several,
            as_button,
        };
        Self {
            conversation,
            dialog,
            sequence,
            shown_at,
            until,
            choices: choices.into_iter().map(choice).collect(),
            free_answer: free_answer.map(|metadata| FreeAnswer { metadata }),
            submit,
        }
    }
}

impl From<Conversation> for ConversationV1 {
    fn from(conversation: Conversation) -> Self {
        match conversation {
            Conversation::None => Self::None,
            Conversation::Opening { owner, until, previous } => Self::Opening { owner, until, previous },
            Conversation::Open { id, as_of, survey } => Self::Open { id, as_of, survey },
            Conversation::Closed { id, as_of } => Self::Closed { id, as_of },
        }
    }
}

impl From<ConversationV1> for Conversation {
    fn from(conversation: ConversationV1) -> Self {
        match conversation {
            ConversationV1::None => Self::None,
            ConversationV1::Opening { owner, until, previous } => Self::Opening { owner, until, previous },
            ConversationV1::Open { id, as_of, survey } => Self::Open { id, as_of, survey },
            ConversationV1::Closed { id, as_of } => Self::Closed { id, as_of },
        }
    }
}

/// The record's version is a separate attribute, for the condition of a write. Here it is 0.
impl Stored for Consumer {
    type Wire = ConsumerV1;
    const WHAT: &'static str = "a consumer's record";

    fn to_wire(&self) -> Result<ConsumerV1, StoreError> {
        let consumer = self.clone();
        let menu = self.menu.as_ref().map(|menu| Json::of(&MenuV1::from(menu), Self::WHAT)).transpose()?;
        Ok(ConsumerV1 {
            line: consumer.line,
            user: consumer.user,
            account: consumer.account,
            identity: consumer.identity.map(|Identity { ext_consumer_id, lp_consumer_id, token }| IdentityV1 {
                ext_consumer_id,
                lp_consumer_id,
                token: token.expose().to_owned(),
            }),
            conversation: consumer.conversation.into(),
            earlier_dialogs: consumer
                .earlier_dialogs
                .into_iter()
                .map(|DialogRef { conversation, dialog }| DialogV1 { conversation, dialog })
                .collect(),
            menu,
            composing: consumer.composing.map(|Composing { event, since }| ComposingV1 { event, since }),
            profile: consumer.profile,
            satisfaction: consumer.satisfaction.map(|AskedSatisfaction { conversation, asked_at, until, rate }| {
                SatisfactionV1 { conversation, asked_at, until, rate }
            }),
            openings: consumer.openings.map(|Openings { message, count, closed, since }| OpeningsV1 {
                message,
                count,
                closed,
                since,
            }),
            contradicted_since: consumer.contradicted_since,
            unconfirmed: consumer.unconfirmed.map(|UnconfirmedConversation { id, survey, as_of }| UnconfirmedV1 {
                id,
                survey,
                as_of,
            }),
        })
    }

    fn from_wire(wire: ConsumerV1) -> Result<Self, StoreError> {
        let menu = wire.menu.map(|menu| menu.read::<MenuV1>(Self::WHAT)).transpose()?;
        Ok(Self {
            line: wire.line,
            user: wire.user,
            account: wire.account,
            identity: wire.identity.map(|IdentityV1 { ext_consumer_id, lp_consumer_id, token }| Identity {
                ext_consumer_id,
                lp_consumer_id,
                token: ConsumerToken::new(token),
            }),
            conversation: wire.conversation.into(),
            earlier_dialogs: wire
                .earlier_dialogs
                .into_iter()
                .map(|DialogV1 { conversation, dialog }| DialogRef { conversation, dialog })
                .collect(),
            menu: menu.map(Into::into),
            composing: wire.composing.map(|ComposingV1 { event, since }| Composing { event, since }),
            profile: wire.profile,
            satisfaction: wire.satisfaction.map(|SatisfactionV1 { conversation, asked_at, until, rate }| {
                AskedSatisfaction { conversation, asked_at, until, rate }
            }),
            openings: wire.openings.map(|OpeningsV1 { message, count, closed, since }| Openings {
                message,
                count,
                closed,
                since,
            }),
            contradicted_since: wire.contradicted_since,
            unconfirmed: wire.unconfirmed.map(|UnconfirmedV1 { id, survey, as_of }| UnconfirmedConversation {
                id,
                survey,
                as_of,
            }),
            version: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn consumer() -> Consumer {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let (conversation, dialog) = (ConversationId::new("c1").unwrap(), DialogId::new("s1").unwrap());
        let metadata = Metadata::new(&json!([{"id": "y", "n": 12_345_678_901_234_567_890_u64}]));
        let choice = Choice {
            number: 1,
            title: MessageText::new("Yes"),
            publish: Some(MessageText::new("Yes!")),
            metadata: Some(json!([{"id": "y"}])),
            several: true,
            as_button: true,
        };
        Consumer {
            unconfirmed: Some(UnconfirmedConversation {
                id: conversation.clone(),
                survey: Some(dialog.clone()),
                as_of: Some(at),
            }),
            identity: Some(Identity {
                ext_consumer_id: ExtConsumerId::new("ext").unwrap(),
                lp_consumer_id: LpConsumerId::new("lp").unwrap(),
                token: ConsumerToken::new("jws"),
            }),
            conversation: Conversation::Open {
                id: conversation.clone(),
                as_of: Some(at),
                survey: Some(dialog.clone()),
            },
            menu: Some(Menu {
                conversation: conversation.clone(),
                dialog,
                sequence: Sequence(4),
                shown_at: at,
                until: at,
                choices: vec![choice],
                free_answer: metadata.clone().map(|metadata| FreeAnswer { metadata }),
                submit: metadata,
            }),
            composing: Some(Composing { event: ProviderMessageId::new("m").unwrap(), since: at }),
            earlier_dialogs: vec![DialogRef::main_of(&conversation)],
            profile: Some("digest".to_owned()),
            satisfaction: Some(AskedSatisfaction { conversation, asked_at: at, until: at, rate: Some(4) }),
            openings: Some(Openings { message: "m".to_owned(), count: 1, closed: 2, since: at }),
            contradicted_since: Some(at),
            ..Consumer::new(
                LineId::new("sms-main").unwrap(),
                ChannelUserId::new("+4915112345678").unwrap(),
                AccountId::new("72419083").unwrap(),
            )
        }
    }

    #[test]
    fn a_record_is_read_back_as_itself() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let id = ConversationId::new("c1").unwrap();
        let owner = Owner::new("me").unwrap();
        let states = [
            consumer().conversation,
            Conversation::None,
            Conversation::Opening { owner, until: at, previous: Some(id.clone()) },
            Conversation::Closed { id, as_of: Some(at) },
        ];
        for conversation in states {
            let consumer = Consumer { conversation, ..consumer() };
            assert_eq!(Consumer::from_attribute(consumer.to_attribute().unwrap()).unwrap(), consumer);
        }
        let new = Consumer { identity: None, menu: None, ..consumer() };
        assert_eq!(Consumer::from_attribute(new.to_attribute().unwrap()).unwrap(), new);
    }
}
