#![doc = include_str!("../README.md")]

mod client;
mod link;
mod session;
mod transport;

pub use client::{Client, ClientOptions, Report, TokenFailure, TokenSource};
pub use link::{Link, Policy, Step, TokenNeed};
pub use session::{Command, Event, Output, Session, Ticket};
pub use transport::ConnectError;
