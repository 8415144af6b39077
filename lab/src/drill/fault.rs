//! What a drill can inject.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A call is carried out late.
    Delay,
    /// A call is answered 429 (or with AWS's word for it) and not carried out.
    Throttle,
    /// A call is answered 5xx and not carried out.
    Error,
    /// The connection is cut after the request was read; it is not carried out.
    Drop,
    /// The connection is cut after the request was carried out.
    LostAnswer,
    /// A call is carried out, and its answer doesn't come for longer than anybody waits: the function times out.
    Stall,
    /// A message is refused for good, so that it is parked and the one who wrote it is told.
    Refuse,
    /// A function is killed, between or within its outside calls.
    Kill,
    /// The functions are replaced one after the other, again and again: new ones begin with an empty memory, and what old ones have
    /// begun is ended there or dies with them.
    Deploy,
    /// A batch is handed to the worker a second time.
    Repeat,
    /// LiveEngage's tokens expire.
    Token,
    /// LiveEngage's client secret is rotated.
    Rotate,
    /// The agent closes the conversation while texts are on their way to it.
    Close,
    /// LiveEngage's webhooks come before the answer to the call that they tell of.
    Overtake,
    /// LiveEngage's webhooks come twice.
    Duplicate,
    /// LiveEngage's webhooks come in another order than things happened.
    Reorder,
    /// Delays, throttling, errors and cuts befall DynamoDB too.
    Table,
    /// Delays, throttling, errors and cuts befall SQS too.
    Queue,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Delay,
        Self::Throttle,
        Self::Error,
        Self::Drop,
        Self::LostAnswer,
        Self::Stall,
        Self::Refuse,
        Self::Kill,
        Self::Deploy,
        Self::Repeat,
        Self::Token,
        Self::Rotate,
        Self::Close,
        Self::Overtake,
        Self::Duplicate,
        Self::Reorder,
        Self::Table,
        Self::Queue,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::Error => "error",
            Self::Drop => "drop",
            Self::LostAnswer => "lost-answer",
            Self::Stall => "stall",
            Self::Refuse => "refuse",
            Self::Kill => "kill",
            Self::Deploy => "deploy",
            Self::Repeat => "repeat",
            Self::Token => "token",
            Self::Rotate => "rotate",
            Self::Close => "close",
            Self::Overtake => "overtake",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Table => "table",
            Self::Queue => "queue",
        }
    }
}

/// The kinds of fault of one drill. Written as `all`, `none`, or names with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSet(BTreeSet<FaultKind>);

impl FaultSet {
    /// Everything.
    pub fn all() -> Self {
        Self(FaultKind::ALL.into())
    }

    /// Fair weather.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether a kind is among them.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }
}

/// A word that names no kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault {0:?}: use all, none, or some of {names}", names = names(&FaultKind::ALL))]
pub struct UnknownFault(String);

fn names<'a>(kinds: impl IntoIterator<Item = &'a FaultKind>) -> String {
    kinds.into_iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

impl FromStr for FaultSet {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let kind = |name: &str| FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
        match text {
            "all" => Ok(Self::all()),
            "none" => Ok(Self::none()),
            list => list
                .split(',')
                .map(str::trim)
                .map(|name| kind(name).ok_or_else(|| UnknownFault(name.to_owned())))
                .collect::<Result<_, _>>()
                .map(Self),
        }
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&names(&self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_all_none_or_a_list() {
        assert_eq!("all".parse(), Ok(FaultSet::all()));
        assert_eq!("none".parse(), Ok(FaultSet::none()));
        let some: FaultSet = "kill, lost-answer".parse().unwrap();
        assert!(some.has(FaultKind::Kill) && some.has(FaultKind::LostAnswer) && !some.has(FaultKind::Drop));
        assert_eq!(some.to_string(), "lost-answer,kill");
        assert_eq!(FaultSet::all().to_string().parse(), Ok(FaultSet::all()));
        let error = "kil".parse::<FaultSet>().unwrap_err().to_string();
        assert!(error.starts_with("there is no fault \"kil\": use all, none, or some of delay,"), "{error}");
    }
}
