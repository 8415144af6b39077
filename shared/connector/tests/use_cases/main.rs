//! Tests of the use cases with in-memory ports, against a simulated LiveEngage and gateway that can fail and lose answers.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, which fail by panicking"
)]

mod added_text;
mod agent_files;
mod campaigns;
mod channel_texts;
mod client;
mod colliding_ids;
mod contradictions;
mod conversations;
mod copies;
mod crash_table;
mod crashes;
mod entry_points;
mod failed_reports;
mod failure_notices;
mod indications;
mod interleavings;
mod lifecycle;
mod logged;
mod lost_records;
mod menus;
mod messages;
mod misdirected;
mod narrow_cases;
mod older_notifications;
mod other_side;
mod out_of_time;
mod outage;
mod panics;
mod ports;
mod proofs;
mod races;
mod reconciliation;
mod redrive;
mod redrive_command;
mod secrets;
mod side_by_side;
mod uncertain;
mod unreadable;
mod untrusted_headers;
mod world;
