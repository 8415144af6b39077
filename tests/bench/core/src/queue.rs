//! Writing and reading queue messages.

use std::error::Error;

use connector::queue_message::{Message, Unread, decode};
use serde_json::Value;

use crate::{Benchmark, Prepared, input, work};

pub(crate) const ALL: &[Benchmark] = &[
    Benchmark { name: "write_queue_sms_text", prepare: || write(&input::queued(input::TO_LIVEENGAGE, 0)?) },
    Benchmark { name: "write_queue_liveengage_text", prepare: || write(&input::queued(input::TO_CHANNEL, 1)?) },
    Benchmark { name: "write_queue_liveengage_200_kib", prepare: || write(&large()?) },
    Benchmark { name: "read_queue_sms_text", prepare: || read(input::queued(input::TO_LIVEENGAGE, 0)?) },
    Benchmark { name: "read_queue_liveengage_text", prepare: || read(input::queued(input::TO_CHANNEL, 1)?) },
    Benchmark { name: "read_queue_liveengage_200_kib", prepare: || read(large()?) },
];

/// Returns the body of a queue message with an agent's text of 200 KiB.
fn large() -> Result<String, Box<dyn Error>> {
    let mut body: Value = serde_json::from_str(&input::queued(input::TO_CHANNEL, 1)?)?;
    input::set(&mut body, "/change/event/message", input::text(200 * 1024))?;
    Ok(body.to_string())
}

/// Measures the body of a queue message, and its ids in the queue.
fn write(body: &str) -> Prepared {
    work(decode(body).map_err(unread)?, Message::queued)
}

fn read(body: String) -> Prepared {
    work(body, |body| decode(body).map_err(unread))
}

fn unread(reason: Unread) -> String {
    format!("{reason:?}")
}
