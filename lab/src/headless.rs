//! A scripted end-to-end conversation that is checked on both sides.

use std::{fmt::Write as _, time::Duration};

use crate::{
    channel::ChannelSimulator,
    lab::Lab,
    liveengage::{ConversationView, Role},
    sms_gateway::Direction,
};

const PHONE: &str = "+4915155501";

/// The longest time for the delivery of one message, including one or two retries.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A step of the script.
#[derive(Debug, Clone, Copy)]
enum ScriptStep {
    /// The consumer writes.
    Phone(&'static str),
    /// The agent writes.
    Desk(&'static str),
    /// The agent closes the conversation.
    Close,
}

const SCRIPT: [ScriptStep; 8] = [
    ScriptStep::Phone("Hi, is my parcel on its way? 📦"),
    ScriptStep::Desk("Good morning! Let me look. 👀"),
    ScriptStep::Phone("The number is 4711/B"),
    ScriptStep::Desk("It arrives today between 2 and 4 pm."),
    ScriptStep::Phone("Danke schön, Grüße aus Köln"),
    ScriptStep::Close,
    ScriptStep::Phone("One more thing: can I change the address?"),
    ScriptStep::Desk("Yes, until noon."),
];

/// The result of the run.
#[derive(Debug)]
pub struct HeadlessReport {
    /// Both transcripts in time order, for printing.
    pub transcript: String,
    /// Deviations from the script; empty for a good run.
    pub problems: Vec<String>,
}

/// Runs the script on a fresh lab and compares what both sides show.
pub async fn run(lab: &Lab) -> HeadlessReport {
    let mut problems = Vec::new();
    let mut phone: Vec<(bool, &str)> = Vec::new();
    let mut desk: Vec<Vec<(bool, &str)>> = vec![vec![]];
    for step in SCRIPT {
        let result = match step {
            ScriptStep::Phone(text) => {
                phone.push((true, text));
                if let Some(conversation) = desk.last_mut() {
                    conversation.push((true, text));
                }
                phone_of(lab).send_text(PHONE, text).map(drop).map_err(|error| error.to_string())
            }
            ScriptStep::Desk(text) => {
                phone.push((false, text));
                if let Some(conversation) = desk.last_mut() {
                    conversation.push((false, text));
                }
                current(lab).and_then(|id| lab.liveengage().say(&id, text).map(drop).map_err(|error| error.to_string()))
            }
            ScriptStep::Close => {
                desk.push(vec![]);
                current(lab).and_then(|id| lab.liveengage().close(&id).map_err(|error| error.to_string()))
            }
        };
        if let Err(problem) = result {
            problems.push(format!("{step:?}: {problem}"));
            break;
        }
        if let Err(problem) = wait_for_transcripts(lab, &phone, &desk).await {
            problems.push(format!("after {step:?}: {problem}"));
            break;
        }
    }
    // A duplicate arrives a little later than the message itself.
    if tokio::time::timeout(MESSAGE_TIMEOUT, lab.settled()).await.is_err() {
        problems.push("messages are still in transit".to_owned());
    }
    if let Some(problem) = difference(lab, &phone, &desk) {
        problems.push(format!("at the end: {problem}"));
    }
    HeadlessReport { transcript: transcript(lab), problems }
}

/// The channel on which the consumer writes.
fn phone_of(lab: &Lab) -> &dyn ChannelSimulator {
    lab.gateway()
}

fn current(lab: &Lab) -> Result<String, String> {
    let open = lab.liveengage().conversations().into_iter().rev().find(|conversation| conversation.open);
    open.map(|conversation| conversation.id).ok_or_else(|| "no conversation is open at the desk".to_owned())
}

/// Waits until both sides show the expected messages.
async fn wait_for_transcripts(lab: &Lab, phone: &[(bool, &str)], desk: &[Vec<(bool, &str)>]) -> Result<(), String> {
    let (mut phones, mut desks) = (phone_of(lab).subscribe(), lab.liveengage().subscribe());
    let waiting = async {
        while difference(lab, phone, desk).is_some() {
            tokio::select! {
                _ = phones.recv() => {}
                _ = desks.recv() => {}
            }
        }
    };
    match tokio::time::timeout(MESSAGE_TIMEOUT, waiting).await {
        Ok(()) => Ok(()),
        Err(_) => Err(difference(lab, phone, desk).unwrap_or_default()),
    }
}

fn difference(lab: &Lab, phone: &[(bool, &str)], desk: &[Vec<(bool, &str)>]) -> Option<String> {
    let seen: Vec<(bool, String)> = phone_of(lab)
        .transcript(PHONE)
        .into_iter()
        .map(|message| (message.direction == Direction::FromPhone, message.text().to_owned()))
        .collect();
    if !same(&seen, phone) {
        return Some(format!("the phone shows {} messages instead of {}, or other ones", seen.len(), phone.len()));
    }
    // An empty conversation in the script will be opened by the next text.
    let wanted: Vec<_> = desk.iter().filter(|conversation| !conversation.is_empty()).collect();
    let conversations = lab.liveengage().conversations();
    if conversations.len() != wanted.len() {
        return Some(format!("the desk shows {} conversations instead of {}", conversations.len(), wanted.len()));
    }
    for (number, (conversation, wanted)) in conversations.iter().zip(wanted).enumerate() {
        let seen = texts(conversation);
        if !same(&seen, wanted) {
            let number = number + 1;
            return Some(format!(
                "conversation {number} shows {} texts instead of {}, or other ones",
                seen.len(),
                wanted.len()
            ));
        }
    }
    None
}

fn texts(conversation: &ConversationView) -> Vec<(bool, String)> {
    conversation.transcript.iter().map(|line| (line.who == Role::Consumer, line.text.clone())).collect()
}

fn same(seen: &[(bool, String)], wanted: &[(bool, &str)]) -> bool {
    seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| seen.0 == wanted.0 && seen.1 == wanted.1)
}

fn transcript(lab: &Lab) -> String {
    let mut out = format!("Phone {PHONE}\n");
    for message in phone_of(lab).transcript(PHONE) {
        let side = if message.direction == Direction::FromPhone { "me   " } else { "brand" };
        let _ = writeln!(out, "  {side}  {}", message.text());
    }
    for (number, conversation) in lab.liveengage().conversations().iter().enumerate() {
        let state = if conversation.open { "open" } else { "closed" };
        let _ = writeln!(out, "Desk, conversation {} ({state})", number + 1);
        for (consumer, text) in texts(conversation) {
            let _ = writeln!(out, "  {}  {text}", if consumer { "consumer" } else { "agent   " });
        }
    }
    out
}
