//! The open websockets, and what each has subscribed to.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::brand;
use crate::liveengage::conversation::Conversation;
use crate::liveengage::forms::Forms;
use crate::liveengage::notification::Change;

/// The close code for a missing, invalid or expired token.
pub(super) const TOKEN_EXPIRED: u16 = 4401;
/// The close code for an expired anonymous identity.
pub(super) const IDENTITY_EXPIRED: u16 = 4407;

/// What a connection must do.
#[derive(Debug)]
pub(super) enum Command {
    /// Send a frame.
    Send(Value),
    /// Send a close frame with this code, and end.
    Close(u16),
    /// End without a close frame.
    Break,
}

/// Whose websocket it is.
#[derive(Debug, Clone)]
pub(super) enum Side {
    Consumer {
        /// Whether the consumer's identity is anonymous.
        anonymous: bool,
    },
    Agent {
        /// The agent's id in older notifications.
        old_id: String,
    },
}

/// The open websockets of all consumers and agents.
#[derive(Debug, Default)]
pub(in crate::liveengage) struct Sockets(Mutex<Vec<Weak<Socket>>>);

/// An authenticated websocket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) account_id: String,
    pub(super) side: Side,
    /// The id of the consumer or agent in conversations.
    pub(super) participant_id: String,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) subscriptions: Mutex<Subscriptions>,
}

/// What a websocket wants to be told.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    pub(super) conversations: Vec<ConversationSubscription>,
    /// The ids of the dialogs.
    pub(super) dialogs: HashSet<String>,
    /// Whether the client uses the older names (`.ams.ms.PublishEvent`). It is told in the same names.
    pub(super) older_names: bool,
    /// Whether the agent takes new conversations.
    pub(super) online: bool,
    /// The conversations that ring, if the agent has subscribed to routing tasks.
    pub(super) routing: Option<HashSet<String>>,
}

/// A subscription to the consumer's conversations.
#[derive(Debug)]
pub(super) struct ConversationSubscription {
    pub(super) id: String,
    /// Empty lists accept every state.
    pub(super) states: Vec<String>,
    pub(super) stages: Vec<String>,
    /// The assigned agents. An empty list accepts all, and also none.
    pub(super) agents: Vec<String>,
    /// The conversations that it has told about.
    pub(super) told: HashSet<String>,
}

impl ConversationSubscription {
    /// Whether the subscription includes the conversation in its current state.
    fn includes(&self, conversation: &Conversation) -> bool {
        let accepts = |states: &[String], open: bool| {
            states.is_empty() || states.iter().any(|state| state == if open { "OPEN" } else { "CLOSE" })
        };
        let agent = conversation.assigned_agent();
        let by_agent = self.agents.is_empty() || agent.is_some_and(|agent| self.agents.contains(&agent.id));
        by_agent
            && accepts(&self.states, conversation.main_ended().is_none())
            && accepts(&self.stages, conversation.is_open())
    }

    /// The type of the change to tell. A conversation that leaves the subscription is deleted from it.
    pub(super) fn change_type(&mut self, conversation: &Conversation) -> Option<&'static str> {
        if self.includes(conversation) {
            self.told.insert(conversation.id.clone());
            return Some("UPSERT");
        }
        self.told.remove(&conversation.id).then_some("DELETE")
    }
}

impl Sockets {
    pub(super) fn add(&self, socket: &Arc<Socket>) {
        let mut sockets = self.0.lock();
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(socket));
    }

    fn all(&self) -> Vec<Arc<Socket>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Tells a change to the websockets that have subscribed to it. Called under the lock of the state.
    pub(in crate::liveengage) fn tell(&self, forms: Forms, conversation: &Conversation, change: &Change) {
        for socket in self.all() {
            let opening = &conversation.opening;
            if socket.account_id != opening.account_id {
                continue;
            }
            match socket.side {
                Side::Consumer { .. } if socket.participant_id == opening.consumer_id => {
                    socket.tell(forms, conversation, change);
                }
                Side::Consumer { .. } => {}
                Side::Agent { .. } => brand::tell(&socket, conversation, change),
            }
        }
    }

    /// Closes every consumer's websocket, because its token has become invalid.
    pub(in crate::liveengage) fn expire_all(&self) {
        for socket in self.all() {
            if let Side::Consumer { .. } = socket.side {
                socket.command(Command::Close(expiry_code(&socket.side)));
            }
        }
    }

    /// Breaks every consumer's connection.
    pub(in crate::liveengage) fn break_all(&self) {
        for socket in self.all() {
            if let Side::Consumer { .. } = socket.side {
                socket.command(Command::Break);
            }
        }
    }
}

/// The close code for an expired token.
pub(super) fn expiry_code(side: &Side) -> u16 {
    match side {
        Side::Consumer { anonymous: true } => IDENTITY_EXPIRED,
        Side::Consumer { anonymous: false } | Side::Agent { .. } => TOKEN_EXPIRED,
    }
}

impl Socket {
    pub(super) fn command(&self, command: Command) {
        // The connection may have ended.
        let _ = self.commands.send(command);
    }

    pub(super) fn tell(&self, forms: Forms, conversation: &Conversation, change: &Change) {
        let mut subscriptions = self.subscriptions.lock();
        let older_names = subscriptions.older_names;
        if let Some(dialog_id) = change.visible_in() {
            if subscriptions.dialogs.contains(dialog_id) {
                self.notify(forms, change, "", older_names);
            }
            return;
        }
        if let Change::Conversation(upsert) = change {
            for subscription in &mut subscriptions.conversations {
                if let Some(kind) = subscription.change_type(conversation) {
                    let mut upsert = upsert.clone();
                    upsert.kind = kind;
                    self.notify(forms, &Change::Conversation(upsert), &subscription.id, older_names);
                }
            }
        }
    }

    /// Sends a notification in the simulator's current form.
    pub(super) fn notify(&self, forms: Forms, change: &Change, subscription_id: &str, older_names: bool) {
        let formed = Change::notification(std::slice::from_ref(change), subscription_id)
            .and_then(|notification| forms.notification(notification))
            .and_then(|notification| serde_json::from_slice::<Value>(&notification));
        // A change that can be serialized can be read back.
        let Ok(mut notification) = formed else { return };
        let about_conversations = matches!(change, Change::Conversation(_));
        if older_names && let Some(kind) = notification.get_mut("type") {
            *kind = json!(if about_conversations {
                ".ams.aam.ExConversationChangeNotification"
            } else {
                ".ams.ms.MessagingEventNotification"
            });
        }
        self.command(Command::Send(notification));
    }
}
