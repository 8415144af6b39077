//! The kinds of fault that a drill can inject.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A call is carried out late.
    Delay,
    /// A call is answered 429 (or AWS's equivalent) and not carried out.
    Throttle,
    /// A call is answered 5xx and not carried out.
    Error,
    /// The connection is cut after the request was read. The call is not carried out.
    Drop,
    /// The connection is cut after the request was carried out.
    LostAnswer,
    /// A call is carried out and answered with an error status: 408, 500, 502, 503 or 504.
    CarriedOut,
    /// A call is carried out, and its answer comes later than the caller waits, so that the function times out.
    Stall,
    /// A message is refused permanently, so that it is parked and its sender is notified.
    Refuse,
    /// A function is killed, between or within its outside calls.
    Kill,
    /// The functions are replaced repeatedly, one after the other. New ones start with empty memory. Running
    /// invocations complete or are killed.
    Deploy,
    /// A batch is delivered to the worker a second time.
    Repeat,
    /// LiveEngage's tokens expire.
    Token,
    /// LiveEngage's client secret is rotated.
    Rotate,
    /// The agent closes the conversation while texts to it are in transit.
    Close,
    /// LiveEngage's webhooks arrive before the answer to the call that caused them.
    Overtake,
    /// LiveEngage's webhooks arrive twice.
    Duplicate,
    /// LiveEngage's webhooks arrive out of order.
    Reorder,
    /// Delays, throttling, errors and cuts affect DynamoDB too.
    Table,
    /// Delays, throttling, errors and cuts affect SQS too.
    Queue,
    /// Half of the calls to LiveEngage and the channels are answered 5xx and not carried out. Must be enabled by name.
    Half,
    /// LiveEngage refuses the AppJWT in every third call, regardless of its age. Must be enabled by name.
    RefusedToken,
}

impl FaultKind {
    /// The kinds that `all` enables.
    pub const ALL: [Self; 19] = [
        Self::Delay,
        Self::Throttle,
        Self::Error,
        Self::Drop,
        Self::LostAnswer,
        Self::CarriedOut,
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

    /// The kinds that delay nearly everything.
    const BY_NAME_ONLY: [Self; 2] = [Self::Half, Self::RefusedToken];

    fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::BY_NAME_ONLY)
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::Error => "error",
            Self::Drop => "drop",
            Self::LostAnswer => "lost-answer",
            Self::CarriedOut => "carried-out",
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
            Self::Half => "half",
            Self::RefusedToken => "refused-token",
        }
    }
}

/// The kinds of fault of a drill. Written as `none` or as a comma-separated list of names. The name `all` stands for
/// [`FaultKind::ALL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSet(BTreeSet<FaultKind>);

impl FaultSet {
    /// Every kind of [`FaultKind::ALL`].
    pub fn all() -> Self {
        Self(FaultKind::ALL.into())
    }

    /// No kind.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether a kind is in the set.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }
}

/// A name that is not a kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault {0:?}: use all, none, or some of {names}", names = names(FaultKind::every()))]
pub struct UnknownFault(String);

fn names(kinds: impl IntoIterator<Item = FaultKind>) -> String {
    kinds.into_iter().map(FaultKind::name).collect::<Vec<_>>().join(",")
}

impl FromStr for FaultSet {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        if text == "none" {
            return Ok(Self::none());
        }
        let mut faults = Self::none();
        for name in text.split(',').map(str::trim) {
            if name == "all" {
                faults.0.extend(FaultKind::ALL);
            } else {
                let kind = FaultKind::every().find(|kind| kind.name() == name);
                faults.0.insert(kind.ok_or_else(|| UnknownFault(name.to_owned()))?);
            }
        }
        Ok(faults)
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&names(self.0.iter().copied())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_set_is_all_none_or_a_list() {
        assert_eq!("all".parse(), Ok(FaultSet::all()));
        assert_eq!("none".parse(), Ok(FaultSet::none()));
        let some: FaultSet = "kill, lost-answer".parse().unwrap();
        assert!(some.has(FaultKind::Kill) && some.has(FaultKind::LostAnswer) && !some.has(FaultKind::Drop));
        assert_eq!(some.to_string(), "lost-answer,kill");
        assert_eq!(FaultSet::all().to_string().parse(), Ok(FaultSet::all()));
        let fault_plan: FaultSet = "half,refused-token".parse().unwrap();
        assert!(fault_plan.has(FaultKind::Half) && !FaultSet::all().has(FaultKind::Half));
        let everything: FaultSet = "half, all".parse().unwrap();
        assert!(everything.has(FaultKind::Half) && !everything.has(FaultKind::RefusedToken));
        assert!(FaultKind::ALL.into_iter().all(|kind| everything.has(kind)));
        assert!("none,kill".parse::<FaultSet>().is_err());
        let error = "kil".parse::<FaultSet>().unwrap_err().to_string();
        assert!(error.starts_with("unknown fault \"kil\": use all, none, or some of delay,"), "{error}");
    }
}
