//! Simulates the outage of one line's gateway, and prints how long the texts on another line waited.
//!
//! ```sh
//! cargo run -p connector-testing --example outage             # 20 hours, with a thousandth of AWS's numbers
//! cargo run -p connector-testing --example outage -- per-line # each line has its own queue
//! # AWS's number: 5 hours, a queue looks through 120,000 messages, 20,000 conversations, a text every 100 ms (hours, unoptimized)
//! cargo run -p connector-testing --example outage -- shared 5 120000 20000 100
//! ```

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::env;

use connector_testing::simulation::{Outage, Probe, Queues, simulate_outage};
use jiff::SignedDuration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut outage = Outage::small();
    if arguments.first().is_some_and(|layout| layout == "per-line") {
        outage.queues = Queues::PerLine;
    }
    if let [_, hours, ..] = &arguments[..] {
        outage.lasts = SignedDuration::from_hours(hours.parse()?);
    }
    if let [_, _, look_through, conversations, every_ms] = &arguments[..] {
        outage.look_through = look_through.parse()?;
        outage.conversations = conversations.parse()?;
        outage.every = SignedDuration::from_millis(every_ms.parse()?);
    }
    let report = simulate_outage(outage, None);
    println!("{:>8} {:>9} {:>9} {:>8} {:>12}", "hours", "visible", "in flight", "parked", "waited, min");
    for (number, Probe { at, backlog, parked, waited }) in report.probes.iter().enumerate() {
        if number % 3 == 0 {
            let waited = waited.map_or("never".to_owned(), |waited| format!("{:.2}", waited.as_secs_f64() / 60.0));
            let hours = at.as_secs_f64() / 3600.0;
            println!("{hours:>8.2} {:>9} {:>9} {parked:>8} {waited:>12}", backlog.visible, backlog.in_flight);
        }
    }
    let hours = |time: SignedDuration| time.as_secs_f64() / 3600.0;
    println!("first parked after {:?} hours", report.first_parked.map(hours));
    println!("settled {:.2} hours after the outage", hours(report.settled_after));
    println!("{:?} {:?}", report.counts, report.violation);
    Ok(())
}
