//! The use cases over in-memory ports, against a LiveEngage and a gateway that can fail, lose answers and be overtaken.

mod channel_texts;
mod client;
mod conversations;
mod crashes;
mod entry_points;
mod indications;
mod lifecycle;
mod menus;
mod out_of_time;
mod outage;
mod ports;
mod races;
mod redrive;
mod secrets;
mod telling;
mod world;
