//! The options of a drill.

use crate::faults::FaultSet;

/// The longest time for which faults are injected, in seconds.
pub const MAX_SECONDS: u32 = 3600;
/// The largest number of messages of a drill.
pub const MAX_MESSAGES: u32 = 100_000;
/// The largest number of conversations of a drill.
pub const MAX_CONVERSATIONS: u16 = 500;

/// The options of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillOptions {
    /// The time in seconds over which the messages are sent, 1 to [`MAX_SECONDS`]. Faults are injected for this time,
    /// or longer if a busy machine needs longer to send. Settling takes additional time.
    pub seconds: u32,
    /// The number of messages, in both directions together: at most [`MAX_MESSAGES`].
    pub messages: u32,
    /// The number of consumers who write: 1 to [`MAX_CONVERSATIONS`].
    pub conversations: u16,
    /// The seed for random choices.
    pub seed: u64,
    /// The faults to inject.
    pub faults: FaultSet,
    /// The number of seconds in the middle of the drill during which LiveEngage is down and none of its APIs answers. 0
    /// for no outage, at most `seconds`.
    pub outage: u32,
}
