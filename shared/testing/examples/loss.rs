//! Simulates that LiveEngage drops every webhook for hours, and prints how what agents wrote arrives all the same.
//!
//! ```sh
//! cargo run -p connector-testing --example loss                  # 4 hours, 500 conversations, 10,000 texts of agents
//! cargo run -p connector-testing --example loss -- 7 1000 20000  # seed, conversations, texts
//! ```

#![expect(clippy::print_stdout, reason = "it prints a report")]

use std::env;

use connector_testing::simulation::{Loss, simulate_loss};
use jiff::SignedDuration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut loss =
        Loss { seed: 1, conversations: 500, messages: 10_000, texts: 4, lasts: SignedDuration::from_hours(4) };
    if let [seed, conversations, messages] = &arguments[..] {
        loss.seed = seed.parse()?;
        loss.conversations = conversations.parse()?;
        loss.messages = messages.parse()?;
    }
    let report = simulate_loss(loss, None);
    let minutes = |time: SignedDuration| time.as_secs_f64() / 60.0;
    println!("settled {:.1} minutes after webhooks came back", minutes(report.settled_after));
    println!("the slowest text of an agent took {:.1} minutes", minutes(report.longest));
    println!("{} runs, {} calls to the history", report.runs, report.calls);
    println!("{:?} {:?}", report.counts, report.violation);
    Ok(())
}
