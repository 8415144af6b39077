//! Everything that LiveEngage's Connector API lets a consumer do, and everything that an agent or a bot can send, through the
//! functions and the lab. Each test is named after what a person sees; the README's table of features links to them.

mod content;
mod indications;
mod installation;
mod life;
mod people;
mod surveys;
