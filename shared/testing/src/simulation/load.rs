//! Who writes what and when: consumers, and the agents who answer them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    agenda::Event,
    channel::Content,
    liveengage::{ACCOUNT, Role, Stage},
    random::Random,
    truth::{Lane, MessageId, Piece, Writer},
    world::World,
};

/// How many of a thousand texts have two pieces.
const LONG: u16 = 30;
/// How many of a thousand messages of a consumer are pictures.
const PICTURES: u16 = 80;
/// How many of a thousand acts of an agent end the conversation.
const ENDS: u16 = 60;
/// The length of the first part of a long text of a consumer: LiveEngage takes 5000 characters.
const LONG_FOR_LIVEENGAGE: usize = 4_900;
/// The same of an agent: an SMS has at most ten segments, and a text on WhatsApp 4096 characters.
const LONG_FOR_CHANNEL: usize = 4_090;

/// How fast people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tempo {
    /// All at once.
    Storm,
    /// As in a chat.
    Chat,
    /// Now and then, over hours.
    Slow,
}

/// A choice of a consumer: a button's id, or none if they type its title.
#[derive(Debug)]
struct Choice {
    consumer: usize,
    button: Option<String>,
    message: MessageId,
}

/// What is left to write.
#[derive(Debug)]
pub(super) struct Load {
    tempo: Tempo,
    pub(super) consumers: usize,
    /// The choices that consumers were offered and will make.
    choices: BTreeMap<u64, Choice>,
    chosen: u64,
    /// How many messages are left, in both directions together.
    left: u64,
    written: u64,
}

impl Load {
    /// Draws the load of a seed.
    pub(super) fn drawn(random: &mut Random, messages: u64) -> Self {
        let tempo = random.one_of([Tempo::Storm, Tempo::Chat, Tempo::Chat, Tempo::Slow]);
        let most = (messages / 4).clamp(1, 2_000);
        let consumers = usize::try_from(1 + random.below(most)).unwrap();
        Self { tempo, consumers, choices: BTreeMap::new(), chosen: 0, left: messages, written: 0 }
    }

    /// Returns a load of this many messages, which are written at other times than this module's.
    pub(super) const fn of(messages: u64) -> Self {
        Self { tempo: Tempo::Slow, consumers: 0, choices: BTreeMap::new(), chosen: 0, left: messages, written: 0 }
    }

    /// Returns how many messages are written.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Draws the time until someone writes again.
    fn gap(&self, random: &mut Random) -> SignedDuration {
        match self.tempo {
            Tempo::Storm => random.millis(0, 1_500),
            Tempo::Chat if random.hits(300) => random.millis(100, 3_000),
            Tempo::Chat => random.millis(3_000, 90_000),
            Tempo::Slow => random.millis(30_000, 1_800_000),
        }
    }

    /// Whether everything is written.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }
}

impl World {
    /// Schedules the first message of each consumer.
    pub(super) fn begin_load(&mut self) {
        for consumer in 0..self.load.consumers {
            self.after_a_gap(Event::Write(consumer));
        }
    }

    fn after_a_gap(&mut self, event: Event) {
        let gap = self.load.gap(&mut self.agenda.random);
        self.agenda.after(gap, event);
    }

    /// A consumer writes a message, and will write the next one later.
    pub(super) fn consumer_writes(&mut self, consumer: usize) {
        if self.is_scripted() {
            return self.consumer_opens(consumer);
        }
        if !self.take_one() {
            return;
        }
        let is_picture = self.agenda.random.hits(PICTURES);
        let (content, pieces) = if is_picture { (Content::Picture, 1) } else { (Content::Text, self.pieces()) };
        let id = self.truth.write(Writer::Consumer, Lane::Consumer(consumer), self.load.written, pieces);
        self.agenda.note(format_args!("consumer {consumer} writes {}", id.0));
        self.consumer_message(consumer, id, &text(id, pieces, LONG_FOR_LIVEENGAGE), &content);
        self.after_a_gap(Event::Write(consumer));
    }

    /// A message with choices is shown to a consumer, who may make one later.
    pub(super) fn offer(&mut self, consumer: usize, mut choices: Vec<(Option<String>, MessageId)>) {
        if choices.is_empty() || !self.agenda.random.hits(600) {
            return;
        }
        let (button, message) = choices.swap_remove(self.agenda.random.index(choices.len()));
        self.load.chosen += 1;
        let number = self.load.chosen;
        self.load.choices.insert(number, Choice { consumer, button, message });
        self.after_a_gap(Event::Choose(number));
    }

    /// A consumer makes a choice.
    pub(super) fn consumer_chooses(&mut self, number: u64) {
        let Some(Choice { consumer, button, message }) = self.load.choices.remove(&number) else { return };
        // A message that was shown twice offers the same choices twice.
        if self.truth.is_written(message) || !self.take_one() {
            return;
        }
        self.truth.begin(message, Lane::Consumer(consumer), self.load.written);
        self.agenda.note(format_args!("consumer {consumer} chooses {}", message.0));
        let content = button.map_or(Content::Text, |id| Content::Button { id });
        self.consumer_message(consumer, message, &Piece { message, part: 0 }.to_string(), &content);
    }

    /// An agent sees a consumer's text, and may answer it. A survey mostly ends with it.
    pub(super) fn agent_notices(&mut self, index: usize) {
        if self.liveengage.conversations[index].stage == Stage::Survey && self.agenda.random.hits(700) {
            self.close(index);
        } else if self.agenda.random.hits(600) {
            self.liveengage.conversations[index].agent_acts += 1 + self.agenda.random.below(3) as u32;
            self.after_a_gap(Event::Agent(index));
        }
    }

    /// An agent or a survey's bot writes, or ends the conversation.
    pub(super) fn agent_acts(&mut self, index: usize) {
        if self.is_scripted() {
            return;
        }
        let conversation = &mut self.liveengage.conversations[index];
        if conversation.stage == Stage::Closed || conversation.agent_acts == 0 {
            return;
        }
        conversation.agent_acts -= 1;
        let is_survey = conversation.stage == Stage::Survey;
        if !is_survey && self.agenda.random.hits(ENDS) {
            self.end_main(index);
            return;
        }
        if !self.take_one() {
            return;
        }
        let kind = self.agenda.random.below(1000);
        let pieces = if kind < 700 { self.pieces() } else { 1 };
        let lane = Lane::Dialog(2 * index + usize::from(is_survey));
        let id = self.truth.write(Writer::Agent, lane, self.load.written, pieces);
        self.agenda.note(format_args!("an agent writes {}", id.0));
        let text = text(id, pieces, LONG_FOR_CHANNEL);
        let event = match kind {
            0..700 => json!({"type": "ContentEvent", "contentType": "text/plain", "message": text}),
            700..900 => self.question(&text),
            _ => {
                let path = format!("/v1/AUTH_async-images/{ACCOUNT}/agent_{}.PNG", id.0);
                let file = json!({"relativePath": path, "fileType": "PNG", "caption": text});
                json!({"type": "ContentEvent", "contentType": "hosted/file", "message": file})
            }
        };
        self.show(index, Role::Agent, &event);
        if self.agenda.random.hits(500) {
            self.agenda.after(SignedDuration::ZERO, Event::Agent(index));
        } else {
            self.after_a_gap(Event::Agent(index));
        }
    }

    /// Returns a text with two quick replies.
    fn question(&mut self, text: &str) -> Value {
        let replies = [(); 2].map(|()| {
            let title = Piece { message: self.truth.reserve(Writer::Consumer, 1), part: 0 }.to_string();
            json!({"type": "button", "title": title, "click": {
                "actions": [{"type": "publishText", "text": title}], "metadata": [{"type": "ExternalId", "id": "x"}],
            }})
        });
        let replies = json!({"type": "quickReplies", "itemsPerRow": 8, "replies": replies});
        json!({"type": "ContentEvent", "contentType": "text/plain", "message": text, "quickReplies": replies})
    }

    /// Takes one message off the load. Returns whether there was one.
    pub(super) fn take_one(&mut self) -> bool {
        let Some(left) = self.load.left.checked_sub(1) else { return false };
        self.load.left = left;
        self.load.written += 1;
        if left == 0 {
            self.load_is_over();
        }
        true
    }

    fn pieces(&mut self) -> usize {
        1 + usize::from(self.agenda.random.hits(LONG))
    }
}

/// Returns a text with a mark for each of its pieces, which are `length` characters apart.
fn text(message: MessageId, pieces: usize, length: usize) -> String {
    let mark = |part| Piece { message, part }.to_string();
    match pieces {
        1 => format!("{} Grüße", mark(0)),
        _ => format!("{} {}{}", mark(0), "und so weiter ".repeat(length / 14), mark(1)),
    }
}
