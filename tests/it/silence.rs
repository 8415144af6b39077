//! Checks in every test that no phone number, text, name, secret or token is in a log line of the functions.
//!
//! One subscriber for the whole process keeps every line as a deployment writes it: JSON, with the spans. It captures the
//! connector's own crates at TRACE, and the other crates of the functions at INFO, the lowest level that the template offers. It does not capture the lab's
//! simulators, because they are not part of a deployment.
//!
//! A [`Watch`] belongs to one test. The test plants what must not be logged. When the watch is dropped, it searches every line since its
//! beginning, also lines of tests that run at the same time. A [`WatchedLab`] plants all texts, people and secrets of the lab by itself.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share may fail as loudly as a test")]

use std::{
    cell::Cell,
    collections::BTreeSet,
    io::Write,
    ops::Deref,
    sync::{Arc, Mutex, Once, PoisonError},
    thread::ThreadId,
};

use connector::port::Secrets;
use connector_aws::{SecretsManager, lambda::logs};
use connector_lab::{ACCOUNT, LINE, Lab, LabOptions, WHATSAPP_LINE, liveengage::Role, sms_gateway, whatsapp};
use secrecy::ExposeSecret;
use serde_json::Value;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, dynamic_filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

mod search;
#[cfg(test)]
mod tests;

pub(crate) use search::Kind;
use search::{Canary, Finding};

/// The stack's name in the metrics.
pub(crate) const STACK: &str = "connector-lab";

/// One line of the log, and the thread that wrote it.
#[derive(Clone)]
struct LogLine {
    thread: ThreadId,
    text: Arc<str>,
}

/// All lines of this process. They are kept, because a test that runs at the same time may still need them.
static LINES: Mutex<Vec<LogLine>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether all crates are captured at TRACE on this thread.
    static ALL_EARS: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// Whether the lines of this thread are also recorded as a deployment writes them.
    static RECORDING: Cell<bool> = const { Cell::new(false) };
}

/// The recorded lines.
static RECORDED: Mutex<Vec<LogLine>> = Mutex::new(Vec::new());

/// Marks the lines that the tests of the search itself write while other tests run.
const REHEARSAL: &str = "\"target\":\"connector::planted\"";

/// Keeps every line in one of the two lists.
struct Keep(&'static Mutex<Vec<LogLine>>);

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = LogLine { thread: std::thread::current().id(), text: String::from_utf8_lossy(bytes).into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The crates of the lab and the tests.
const SIMULATORS: [&str; 7] = ["connector_lab", "it", "axum", "dynoxide", "rustack", "wiremock", "proptest"];

/// The connector's own crates that a function links.
const OWN: [&str; 5] =
    ["connector", "connector_aws", "connector_channels", "connector_liveengage", "connector_message"];

fn is_heard(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    match name {
        _ if ALL_EARS.get() => true,
        _ if OWN.contains(&name) => true,
        _ if SIMULATORS.iter().any(|simulator| name.starts_with(simulator)) => false,
        _ => *metadata.level() <= Level::INFO,
    }
}

/// Use one subscriber for the process. With one for each test, `tracing` could remember from another test that a log line is not wanted.
fn listen() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        // Leave out the time: its digits could match a planted number.
        let lines = tracing_subscriber::fmt::layer().json().without_time().with_file(true).with_line_number(true);
        let heard = dynamic_filter_fn(|metadata, _| is_heard(metadata));
        let lines = lines.with_writer(|| Keep(&LINES)).with_filter(heard);
        // This is the layer of a deployment, with the time and the metrics.
        let deployed = logs::layer(LevelFilter::INFO, Some(STACK), || Keep(&RECORDED));
        let recorded =
            dynamic_filter_fn(|metadata, _| RECORDING.get() && *metadata.level() <= Level::INFO && is_heard(metadata));
        tracing_subscriber::registry().with(lines).with(deployed.with_filter(recorded)).init();
    });
}

/// Searches the log of one test. When this is dropped, it fails the test if a planted value was logged.
pub(crate) struct Watch {
    begin: usize,
    is_rehearsal: bool,
    planted: Mutex<BTreeSet<Canary>>,
}

impl Watch {
    /// Starts to watch the log.
    pub(crate) fn begin() -> Self {
        listen();
        let begin = LINES.lock().unwrap_or_else(PoisonError::into_inner).len();
        Self { begin, is_rehearsal: false, planted: Mutex::default() }
    }

    /// Plants a value that must not be logged. [`Kind`] says how short it may be.
    pub(crate) fn plant(&self, kind: Kind, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            let canary = Canary { kind, value: value.to_owned() };
            self.planted.lock().unwrap_or_else(PoisonError::into_inner).insert(canary);
        }
    }

    /// Plants several values of one kind.
    pub(crate) fn plant_all<'a>(&self, kind: Kind, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            self.plant(kind, value);
        }
    }

    /// Plants the sentences of a JSON value, the phone numbers in them, and every value under the name of a secret.
    pub(crate) fn plant_json(&self, value: &Value) {
        match value {
            Value::String(text) => {
                self.plant_numbers(text);
                if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
                    self.plant_json(&inner);
                } else if search::is_sentence(text) {
                    self.plant(Kind::Sentence, text);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.plant_json(element)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(secret) if search::is_secrets_name(name) => self.plant(Kind::Secret, secret),
                        // Such a field holds the connector's own words about a failed delivery.
                        Some(_) if matches!(name.as_str(), "reason" | "contentType") => {}
                        _ => self.plant_json(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn plant_numbers(&self, text: &str) {
        for behind in text.split('+').skip(1) {
            let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
            if digits.len() >= 9 {
                self.plant(Kind::Number, &digits);
            }
        }
    }

    /// Returns the lines of every thread since the beginning.
    fn lines(&self) -> Vec<LogLine> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).get(self.begin..).unwrap_or_default().to_vec()
    }

    /// Returns the planted values that were found.
    fn findings(&self) -> Vec<Finding> {
        let planted: Vec<Canary> =
            self.planted.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let lines = self.lines();
        let of_a_rehearsal = |line: &&LogLine| line.text.contains(REHEARSAL);
        let wanted = lines.iter().filter(|line| self.is_rehearsal || !of_a_rehearsal(line));
        search::search(wanted.map(|line| &*line.text), &planted)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let findings = self.findings();
        let shown: Vec<String> = findings.iter().take(5).map(ToString::to_string).collect();
        assert!(
            findings.is_empty(),
            "{} times in the log, where it must not be:\n{}",
            findings.len(),
            shown.join("\n")
        );
    }
}

/// Captures what every crate logs on this thread, until this is dropped.
pub(crate) struct Captured {
    begin: usize,
}

/// Captures this thread's log, every crate at TRACE. For tests whose functions all run on their own thread.
pub(crate) fn capture() -> Captured {
    listen();
    ALL_EARS.set(true);
    Captured { begin: LINES.lock().unwrap_or_else(PoisonError::into_inner).len() }
}

impl Captured {
    pub(crate) fn text(&self) -> String {
        let own = std::thread::current().id();
        let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let since = lines.get(self.begin..).unwrap_or_default();
        since.iter().filter(|line| line.thread == own).map(|line| &*line.text).collect()
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        ALL_EARS.set(false);
    }
}

/// Records what a deployment would have written on this thread, until this is dropped.
pub(crate) struct Recording {
    begin: usize,
}

/// Records what the functions write on this thread, byte for byte as on Lambda. For tests whose functions all run on their own thread.
pub(crate) fn record() -> Recording {
    listen();
    RECORDING.set(true);
    Recording { begin: RECORDED.lock().unwrap_or_else(PoisonError::into_inner).len() }
}

impl Recording {
    /// Returns the lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let own = std::thread::current().id();
        let lines = RECORDED.lock().unwrap_or_else(PoisonError::into_inner);
        let since = lines.get(self.begin..).unwrap_or_default();
        since.iter().filter(|line| line.thread == own).map(|line| line.text.to_string()).collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        RECORDING.set(false);
    }
}

/// A lab whose log is searched when the lab ends.
pub(crate) struct WatchedLab {
    lab: Option<Lab>,
    watch: Watch,
}

impl WatchedLab {
    /// Starts a lab and plants its secrets.
    pub(crate) async fn start(options: LabOptions) -> Self {
        let watch = Watch::begin();
        let lab = Lab::start(options).await.unwrap_or_else(|error| panic!("the lab doesn't start: {error}"));
        let secrets = SecretsManager::new(aws_sdk_secretsmanager::Client::new(lab.aws().sdk_config()));
        for name in [
            format!("connector/account/{ACCOUNT}"),
            format!("connector/line/{LINE}"),
            format!("connector/line/{WHATSAPP_LINE}"),
        ] {
            let current = secrets.current(&name).await.unwrap();
            watch.plant_json(&serde_json::from_str(current.value.expose_secret()).unwrap());
        }
        Self { lab: Some(lab), watch }
    }

    /// Returns the watch, to plant further values.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Deref for WatchedLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        self.lab.as_ref().unwrap_or_else(|| panic!("it is there until it is dropped"))
    }
}

impl Drop for WatchedLab {
    fn drop(&mut self) {
        if let Some(lab) = self.lab.take() {
            plant_what_was_said(&lab, &self.watch);
        }
    }
}

/// Plants the consumers' numbers and names, and all texts of consumers, agents and bots.
pub(crate) fn plant_what_was_said(lab: &Lab, watch: &Watch) {
    for phone in lab.gateway().phones() {
        watch.plant(Kind::Number, &phone);
        let transcript = lab.gateway().transcript(&phone);
        for message in transcript.iter().filter(|message| message.direction == sms_gateway::Direction::FromPhone) {
            watch.plant(Kind::Text, message.text());
            watch.plant_all(Kind::Text, message.files().iter().filter_map(|media| media.name.as_deref()));
        }
    }
    for phone in lab.whatsapp().phones() {
        watch.plant(Kind::Number, &phone);
        watch.plant_all(Kind::Name, lab.whatsapp().profile_name(&phone).as_deref());
        let transcript = lab.whatsapp().transcript(&phone);
        for message in transcript.iter().filter(|message| message.direction == whatsapp::Direction::FromPhone) {
            watch.plant(Kind::Text, message.text());
        }
    }
    for conversation in lab.liveengage().conversations() {
        watch.plant_all(Kind::Name, conversation.consumer.name.as_deref());
        watch.plant_json(&conversation.consumer.profile);
        let said = conversation.transcript.iter().filter(|line| line.who != Role::Consumer || conversation.foreign);
        for line in said {
            watch.plant(Kind::Text, &line.text);
            watch.plant_json(&line.rich.clone().unwrap_or_default());
        }
    }
    for entry in lab.journal().entries().unwrap() {
        watch.plant_json(&entry.detail.clone().unwrap_or_default());
    }
}
