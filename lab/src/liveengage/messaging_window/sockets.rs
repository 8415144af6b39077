//! The open websockets, and what each has subscribed to.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

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

/// The open websockets of all consumers.
#[derive(Debug, Default)]
pub(in crate::liveengage) struct Sockets(Mutex<Vec<Weak<Socket>>>);

/// An authenticated websocket of a consumer.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) account_id: String,
    pub(super) consumer_id: String,
    /// Whether the consumer's identity is anonymous.
    pub(super) anonymous: bool,
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
}

/// A subscription to the consumer's conversations.
#[derive(Debug)]
pub(super) struct ConversationSubscription {
    pub(super) id: String,
    /// Empty lists accept every state.
    pub(super) states: Vec<String>,
    pub(super) stages: Vec<String>,
    /// The conversations that it has told about.
    pub(super) told: HashSet<String>,
}

impl ConversationSubscription {
    /// Whether the subscription includes the conversation in its current state.
    fn includes(&self, conversation: &Conversation) -> bool {
        let accepts = |states: &[String], open: bool| {
            states.is_empty() || states.iter().any(|state| state == if open { "OPEN" } else { "CLOSE" })
        };
        accepts(&self.states, conversation.main_ended().is_none()) && accepts(&self.stages, conversation.is_open())
    }

    /// The type of the change to tell. A conversation that leaves the subscription is deleted from it.
    fn change_type(&mut self, conversation: &Conversation) -> Option<&'static str> {
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
            if socket.account_id == opening.account_id && socket.consumer_id == opening.consumer_id {
                socket.tell(forms, conversation, change);
            }
        }
    }

    /// Closes every websocket, because its token has become invalid.
    pub(in crate::liveengage) fn expire_all(&self) {
        for socket in self.all() {
            socket.command(Command::Close(expiry_code(socket.anonymous)));
        }
    }

    /// Breaks every connection.
    pub(in crate::liveengage) fn break_all(&self) {
        self.all().iter().for_each(|socket| socket.command(Command::Break));
    }
}

/// The close code for an expired token.
pub(super) fn expiry_code(anonymous: bool) -> u16 {
    if anonymous { IDENTITY_EXPIRED } else { TOKEN_EXPIRED }
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
