//! Fault injection around the functions, decided by a seed, and the observations of it.
//!
//! A [`FaultPlan`] runs proxies in front of services and wraps functions. It doesn't depend on the lab that uses it.

mod call_fault;
mod invocation;
mod kind;
mod observation;
mod plan;
mod proxy;
mod random;
mod service;
mod state;
mod tag;
mod worker;

pub use invocation::{FailureInjector, Invocation, KillPoint};
pub use kind::{FaultKind, FaultSet, UnknownFault};
pub(crate) use observation::Observation;
pub use plan::FaultPlan;
pub(crate) use random::SeededRandom;
pub use service::{ChannelFaults, Hop};
pub use state::Sabotage;
pub use tag::{Destination, Piece, Tag};
