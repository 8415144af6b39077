//! Tests of everything that LiveEngage's Connector API lets a consumer do, and that an agent or a bot can send. They run through the
//! functions and the lab. Each test is named after what a person sees. docs/reference/features.md names the tests.

mod content;
mod indications;
mod installation;
mod life;
mod people;
mod reconciliation;
mod surveys;
