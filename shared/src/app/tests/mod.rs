//! The use cases over in-memory ports, against a LiveEngage and a gateway that can fail, lose answers and be overtaken.

mod agent_files;
mod channel_texts;
mod client;
mod colliding_ids;
mod contradictions;
mod conversations;
mod copies;
mod crash_table;
mod crashes;
mod doubt;
mod entry_points;
mod indications;
mod interleavings;
mod lifecycle;
mod lost_notes;
mod menus;
mod misdirected;
mod out_of_time;
mod outage;
mod ports;
mod races;
mod redrive;
mod secrets;
mod telling;
mod unreadable;
mod world;
