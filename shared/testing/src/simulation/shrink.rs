//! Finds a shorter history that fails in the same way.
//!
//! A seed with fewer messages, or without one of its faults, has another history and not a part of the same one. So this is a search.

use serde_json::{Map, Value};

use super::faults::Faults;

/// With how many numbers of messages a search tries to do without a fault.
const TRIES: u64 = 20;

/// Only says how long an outage is. Without it there is still one.
const IS_NO_FAULT: &str = "longest_outage";

/// The smallest simulation that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The number of messages.
    pub messages: u64,
    /// The faults that are left.
    pub faults: Faults,
    /// The names of the faults that are not needed.
    pub without: Vec<String>,
}

/// Returns the smallest number of messages with which a seed still `fails`, and the faults without which it does.
///
/// Tries every number below `messages`, beginning with 1. If none of them fails, the number stays.
pub fn shrink(messages: u64, faults: &Faults, mut fails: impl FnMut(u64, &Faults) -> bool) -> Shrunk {
    let messages = (1..messages).find(|fewer| fails(*fewer, faults)).unwrap_or(messages);
    let mut shrunk = Shrunk { messages, faults: faults.clone(), without: Vec::new() };
    for name in faults.names() {
        let Some(fewer_faults) = shrunk.faults.without(&name) else { continue };
        let least = shrunk.messages.saturating_sub(TRIES - 1).max(1);
        if let Some(messages) = (least..=shrunk.messages).find(|messages| fails(*messages, &fewer_faults)) {
            shrunk.messages = messages;
            shrunk.faults = fewer_faults;
            shrunk.without.push(name);
        }
    }
    shrunk
}

impl Faults {
    /// Returns the names of the faults that can happen.
    pub fn names(&self) -> Vec<String> {
        let none = Self::none().fields();
        let fields = self.fields().into_iter();
        fields.filter(|(name, rate)| name != IS_NO_FAULT && none[name] != *rate).map(|(name, _)| name).collect()
    }

    /// Returns the names of all faults.
    pub fn all_names() -> Vec<String> {
        Self::none().fields().into_iter().map(|(name, _)| name).filter(|name| name != IS_NO_FAULT).collect()
    }

    /// Returns the same faults without one of them. `None` if no fault has this name.
    pub fn without(&self, name: &str) -> Option<Self> {
        let mut fields = self.fields();
        let rate = fields.get_mut(name).filter(|_| name != IS_NO_FAULT)?;
        *rate = Self::none().fields().remove(name)?;
        serde_json::from_value(Value::Object(fields)).ok()
    }

    /// Returns the fields by name, so that no list of them must be kept up to date.
    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            other => unreachable!("faults are an object and not {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Options, simulate};

    #[test]
    fn the_smallest_number_of_messages_is_found_although_a_greater_one_does_not_fail() {
        let shrunk = shrink(50, &Faults::none(), |messages, _| [7, 9, 30, 50].contains(&messages));
        assert_eq!(shrunk, Shrunk { messages: 7, faults: Faults::none(), without: vec![] });
        assert_eq!(shrink(50, &Faults::none(), |messages, _| messages == 50).messages, 50);
    }

    #[test]
    fn only_the_faults_that_are_needed_are_left() {
        let faults = Faults { killed: 9, slow: 8, skew: jiff::SignedDuration::from_secs(2), ..Faults::none() };
        let shrunk = shrink(40, &faults, |messages, faults| {
            faults.killed > 0 && messages >= if faults.slow > 0 { 30 } else { 25 }
        });
        assert_eq!((shrunk.messages, shrunk.faults), (25, Faults { killed: 9, ..Faults::none() }));
        assert_eq!(shrunk.without, ["skew", "slow"]);
    }

    #[test]
    fn a_fault_is_removed_by_its_name() {
        let faults = Faults::of_seed(5);
        for name in faults.names() {
            let fewer = faults.without(&name).unwrap();
            assert!(!fewer.names().contains(&name) && fewer.names().len() + 1 == faults.names().len(), "{name}");
        }
        assert!(Faults::all_names().contains(&"killed".to_owned()));
        assert_eq!(faults.without("floods"), None);
        assert_eq!(faults.without(IS_NO_FAULT), None, "it is a length");
    }

    #[test]
    fn the_faults_of_a_seed_give_its_history() {
        let run = |faults| simulate(Options { seed: 23, messages: 20, faults, trace: None });
        assert_eq!(run(Some(Faults::of_seed(23))), run(None));
        assert_ne!(run(Some(Faults::none())).history, run(None).history);
    }
}
