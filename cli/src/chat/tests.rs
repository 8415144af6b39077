//! Runs the command against the lab's simulator.

use std::time::Duration;

use connector_lab::liveengage::{
    AcceptStatus, AccountOptions, ConversationView, LiveEngageOptions, LiveEngageSimulator, Role,
};
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;

const ACCOUNT: &str = "74120988";

/// A person at a terminal, and the simulator behind it.
struct Terminal {
    simulator: LiveEngageSimulator,
    keyboard: mpsc::UnboundedSender<Input>,
    screen: mpsc::UnboundedReceiver<String>,
    running: JoinHandle<Result<(), String>>,
}

async fn terminal() -> Terminal {
    let options = LiveEngageOptions {
        accounts: vec![AccountOptions::new(ACCOUNT, "install", "secret")],
        ..LiveEngageOptions::default()
    };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let arguments = ChatArguments {
        account: AccountId::new(ACCOUNT).unwrap(),
        domain_api: simulator.base_url().parse().unwrap(),
        skill: None,
    };
    let (keyboard, input) = mpsc::unbounded_channel();
    let (shown, screen) = mpsc::unbounded_channel();
    let policy = Policy { pauses: vec![Duration::from_millis(10)], ..Policy::default() };
    let show = move |line: &str| shown.send(line.to_owned()).unwrap_or_default();
    let running = tokio::spawn(run(arguments, policy, input, show));
    Terminal { simulator, keyboard, screen, running }
}

impl Terminal {
    fn types(&self, line: &str) {
        self.keyboard.send(Input::Line(line.to_owned())).unwrap();
    }

    /// Waits for a line that contains this text.
    async fn sees(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let waiting = async {
            while let Some(line) = self.screen.recv().await {
                if line.contains(text) {
                    return Some(line);
                }
                seen.push(line);
            }
            None
        };
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(Some(line)) => line,
            _ => panic!("{text:?} was not shown, but {seen:#?}"),
        }
    }

    /// Waits until the desk shows this.
    async fn desk(&self, expected: impl Fn(&ConversationView) -> bool) -> ConversationView {
        let mut changes = self.simulator.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = self.simulator.conversations().into_iter().find(|found| expected(found)) {
                    return found;
                }
                let _ = changes.recv().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the desk shows it in time")
    }

    /// Waits until the desk has this text of the consumer.
    async fn desk_has(&self, text: &str) -> ConversationView {
        self.desk(|seen| seen.transcript.iter().any(|line| line.who == Role::Consumer && line.text == text)).await
    }
}

#[tokio::test]
async fn a_consumer_and_an_agent_talk_and_the_consumer_closes() {
    let mut terminal = terminal().await;
    terminal.types("Grüezi, is my parcel here?");
    let conversation = terminal.desk_has("Grüezi, is my parcel here?").await.id;
    terminal.simulator.say(&conversation, "Yes,\nsince noon").unwrap();
    assert_eq!(terminal.sees("since noon").await, "< Yes,\n  since noon");
    let read = |seen: &ConversationView| {
        let receipts = seen.transcript.iter().flat_map(|line| &line.receipts);
        receipts.filter(|receipt| receipt.status == AcceptStatus::Read).count() == 1
    };
    terminal.desk(read).await;
    let card = json!({"type": "vertical", "elements": [{"type": "text", "text": "Open until 6"}]});
    terminal.simulator.say_rich(&conversation, card, None).unwrap();
    terminal.sees("Open until 6").await;
    terminal.simulator.typing(&conversation, true).unwrap();
    terminal.sees("is typing").await;

    terminal.types("/close");
    assert_eq!(terminal.running.await.unwrap(), Ok(()));
    assert!(!terminal.simulator.conversation(&conversation).unwrap().open);
}

#[tokio::test]
async fn it_comes_back_after_an_expired_identity_and_a_broken_connection() {
    let mut terminal = terminal().await;
    terminal.types("one");
    let conversation = terminal.desk_has("one").await.id;
    terminal.simulator.expire_window_tokens();
    terminal.sees("(disconnected: IdentityExpired").await;
    terminal.simulator.say(&conversation, "missed by a moment").unwrap();
    terminal.sees("missed by a moment").await;
    terminal.simulator.break_web_sockets();
    terminal.sees("(disconnected: Lost").await;
    terminal.types("two");
    let seen = terminal.desk_has("two").await;
    assert_eq!(seen.id, conversation, "the same consumer in the same conversation");
    assert_eq!(terminal.simulator.conversations().len(), 1);
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_the_texts_and_leaves_the_conversation_open() {
    let terminal = terminal().await;
    terminal.types("from a pipe");
    terminal.keyboard.send(Input::End).unwrap();
    assert_eq!(terminal.running.await.unwrap(), Ok(()));
    let seen = terminal.simulator.conversations().remove(0);
    assert_eq!((seen.transcript[0].text.as_str(), seen.open), ("from a pipe", true));
}

#[tokio::test]
async fn an_unknown_account_is_a_clear_error() {
    let known = terminal().await;
    let arguments = ChatArguments {
        account: AccountId::new("99999999").unwrap(),
        domain_api: known.simulator.base_url().parse().unwrap(),
        skill: None,
    };
    let (_keyboard, input) = mpsc::unbounded_channel();
    let error = run(arguments, Policy::default(), input, |_| {}).await.unwrap_err();
    assert!(error.contains("no such account"), "{error}");
}
