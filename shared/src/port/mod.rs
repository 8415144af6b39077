//! Ports: what the use cases need from outside, as traits.

mod clock;

pub use clock::{Clock, SystemClock};
