//! A scripted conversation over the whole road, checked on both sides.

use std::{fmt::Write as _, time::Duration};

use crate::{
    lab::Lab,
    liveengage::{ConversationView, Role},
    sms_gateway::Direction,
};

const PHONE: &str = "+4915155501";

/// The longest that one message may take on its way: a retry or two are within it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A step of the script.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The person writes.
    Phone(&'static str),
    /// The agent writes.
    Desk(&'static str),
    /// The agent closes the conversation.
    Close,
}

const SCRIPT: [Step; 8] = [
    Step::Phone("Hi, is my parcel on its way? 📦"),
    Step::Desk("Good morning! Let me look. 👀"),
    Step::Phone("The number is 4711/B"),
    Step::Desk("It arrives today between 2 and 4 pm."),
    Step::Phone("Danke schön, Grüße aus Köln"),
    Step::Close,
    Step::Phone("One more thing: can I change the address?"),
    Step::Desk("Yes, until noon."),
];

/// What the run showed.
#[derive(Debug)]
pub struct Report {
    /// Both transcripts, side by side in time, for printing.
    pub transcript: String,
    /// What was not as the script wants it; empty for a good run.
    pub problems: Vec<String>,
}

/// Plays the script on a fresh lab and compares what both sides have seen.
pub async fn run(lab: &Lab) -> Report {
    let mut problems = Vec::new();
    let mut phone: Vec<(bool, &str)> = Vec::new();
    let mut desk: Vec<Vec<(bool, &str)>> = vec![vec![]];
    for step in SCRIPT {
        let result = match step {
            Step::Phone(text) => {
                phone.push((true, text));
                if let Some(conversation) = desk.last_mut() {
                    conversation.push((true, text));
                }
                let sent = lab.gateway().consumer_sends(PHONE, text).map_err(|error| error.to_string());
                sent.map(drop)
            }
            Step::Desk(text) => {
                phone.push((false, text));
                if let Some(conversation) = desk.last_mut() {
                    conversation.push((false, text));
                }
                current(lab).and_then(|id| lab.liveengage().say(&id, text).map(drop).map_err(|error| error.to_string()))
            }
            Step::Close => {
                desk.push(vec![]);
                current(lab).and_then(|id| lab.liveengage().close(&id).map_err(|error| error.to_string()))
            }
        };
        if let Err(problem) = result {
            problems.push(format!("{step:?}: {problem}"));
            break;
        }
        if let Err(problem) = arrive(lab, &phone, &desk).await {
            problems.push(format!("after {step:?}: {problem}"));
            break;
        }
    }
    // What arrives twice arrives a little later than what arrives once.
    if tokio::time::timeout(PATIENCE, lab.settled()).await.is_err() {
        problems.push("something is still on its way".to_owned());
    }
    if let Some(problem) = difference(lab, &phone, &desk) {
        problems.push(format!("at the end: {problem}"));
    }
    Report { transcript: transcript(lab), problems }
}

fn current(lab: &Lab) -> Result<String, String> {
    let open = lab.liveengage().conversations().into_iter().rev().find(|conversation| conversation.open);
    open.map(|conversation| conversation.id).ok_or_else(|| "no conversation is open at the desk".to_owned())
}

/// Waits until both sides show what they should.
async fn arrive(lab: &Lab, phone: &[(bool, &str)], desk: &[Vec<(bool, &str)>]) -> Result<(), String> {
    let (mut phones, mut desks) = (lab.gateway().subscribe(), lab.liveengage().subscribe());
    let waiting = async {
        while difference(lab, phone, desk).is_some() {
            tokio::select! {
                _ = phones.recv() => {}
                _ = desks.recv() => {}
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(()) => Ok(()),
        Err(_) => Err(difference(lab, phone, desk).unwrap_or_default()),
    }
}

fn difference(lab: &Lab, phone: &[(bool, &str)], desk: &[Vec<(bool, &str)>]) -> Option<String> {
    let seen: Vec<(bool, String)> = lab
        .gateway()
        .transcript(PHONE)
        .into_iter()
        .map(|message| (message.direction == Direction::FromPhone, message.text))
        .collect();
    if !same(&seen, phone) {
        return Some(format!("the phone shows {} messages of {}, or others", seen.len(), phone.len()));
    }
    // An empty conversation of the script is one that the next text opens.
    let wanted: Vec<_> = desk.iter().filter(|conversation| !conversation.is_empty()).collect();
    let conversations = lab.liveengage().conversations();
    if conversations.len() != wanted.len() {
        return Some(format!("the desk shows {} conversations instead of {}", conversations.len(), wanted.len()));
    }
    for (number, (conversation, wanted)) in conversations.iter().zip(wanted).enumerate() {
        let seen = texts(conversation);
        if !same(&seen, wanted) {
            let number = number + 1;
            return Some(format!("conversation {number} shows {} texts of {}, or others", seen.len(), wanted.len()));
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
    for message in lab.gateway().transcript(PHONE) {
        let side = if message.direction == Direction::FromPhone { "me   " } else { "brand" };
        let _ = writeln!(out, "  {side}  {}", message.text);
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
