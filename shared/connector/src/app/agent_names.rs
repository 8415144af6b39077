//! The names that agents and bots show to consumers, as far as one process knows them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::{
    liveengage_client::{Keeper, LiveEngage},
    single_flight::{Flight, SingleFlight},
};
use crate::log_event;
use connector_liveengage::id::{AccountId, AgentId};
use connector_message::MessageText;

/// How long a name is used before it is requested again, also that an agent shows none. An agent changes it rarely.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How long after a failure the name isn't requested again: each request can delay a message by its [limit](super::policy::OPTIONAL_CALL).
const FAILED_FOR: SignedDuration = SignedDuration::from_mins(1);

/// The most names in memory, a quarter of a megabyte. Large brands have some thousand agents.
const MOST_NAMES: usize = 2_000;

/// The longest name, in characters. LivePerson documents no limit.
const LONGEST_NAME: usize = 40;

/// An account's agent.
type AgentKey = (AccountId, AgentId);

/// The names of one process.
#[derive(derive_more::Debug, Default)]
#[debug("AgentNames")]
pub(super) struct AgentNames {
    names: Mutex<HashMap<AgentKey, KnownName>>,
    requests: SingleFlight<AgentKey>,
}

/// What is known of an agent's name.
#[derive(Clone)]
struct KnownName {
    name: Option<MessageText>,
    until: Timestamp,
}

impl AgentNames {
    /// Returns the name that an agent or bot shows. `None` if they show none, or if it can't be found out now: no message waits for it.
    pub(super) async fn of(&self, liveengage: &LiveEngage, caller: Keeper<'_>, agent: AgentId) -> Option<MessageText> {
        let key = (caller.account.clone(), agent);
        if let Some(known) = self.fresh(&key, caller.now) {
            return known.name;
        }
        let flight = self.requests.join(&key).await;
        let older = self.names.lock().get(&key).and_then(|known| known.name.clone());
        let Flight::Leader(_guard) = flight else { return older };
        let (name, fresh_for) = match liveengage.agent_profile(caller, &key.1).await {
            Ok(profile) => (profile.and_then(|profile| shown(profile.shown_name()?)), FRESH_FOR),
            Err(error) => {
                log_event!(AGENT_NAME_UNKNOWN, account = %caller.account, %error);
                (older, FAILED_FOR)
            }
        };
        self.remember(key, KnownName { name: name.clone(), until: caller.now + fresh_for }, caller.now);
        name
    }

    fn fresh(&self, key: &AgentKey, now: Timestamp) -> Option<KnownName> {
        self.names.lock().get(key).filter(|known| now < known.until).cloned()
    }

    fn remember(&self, key: AgentKey, known: KnownName, now: Timestamp) {
        let mut names = self.names.lock();
        if names.len() >= MOST_NAMES {
            names.retain(|_, known| now < known.until);
        }
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        names.insert(key, known);
    }
}

/// Returns a name in one line, of at most [`LONGEST_NAME`] characters. `None` if nothing of it can be seen.
fn shown(name: &str) -> Option<MessageText> {
    let visible: String = name.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(LONGEST_NAME).collect();
    (!short.is_empty()).then(|| MessageText::new(short.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line() {
        for (name, expected) in [
            (" Ada ", Some("Ada")),
            ("Ada\r\n\u{7}Quist", Some("Ada Quist")),
            ("\n\t ", None),
            ("Zoë 🦊", Some("Zoë 🦊")),
        ] {
            assert_eq!(shown(name).as_ref().map(MessageText::as_str), expected, "{name:?}");
        }
        assert_eq!(shown(&"é".repeat(300)).unwrap().as_str().chars().count(), LONGEST_NAME);
        assert_eq!(shown(&format!("{} b", "a".repeat(39))).unwrap().as_str(), "a".repeat(39));
    }
}
