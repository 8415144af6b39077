//! The rows of the page: each kind of webhook, measured.

use std::collections::BTreeMap;

use connector_lab::{ACCOUNT, Lab};

use super::{
    deployment::{Deployment, Line},
    usage::{Usage, sum},
};

/// The first consumer loads what warm functions have: settings, tokens, addresses. Then this one comes back.
const FIRST: &str = "+4915155001";
/// The consumer of the other rows.
const SECOND: &str = "+4915155002";
const PNG: &[u8] = b"\x89PNG\r\n\x1A\na picture of nothing";

const STATE: &str = "ExConversationChangeNotification";
const CONTENT: &str = "ContentEvent";
const MARK: &str = "AcceptStatusEvent";
const TYPING: &str = "ChatStateEvent";
const CHANNEL: &str = "channel";

/// What a webhook is about, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    TextToLiveEngage,
    Echo,
    TextToChannel,
    ReportOfAcceptance,
    ReportOfDelivery,
    ReportOfReading,
    EchoOfReport,
    PictureToLiveEngage,
    PrivateNote,
    ReadMark,
    TypingBegins,
    TypingEnds,
    FirstTextOfNewPerson,
    FirstTextOfKnownPerson,
    Opened,
    AgentJoined,
    Closed,
    WholeConversation,
    ForeignOpened,
    ForeignFirstText,
    ForeignText,
}

impl Row {
    /// Its name on the page.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::TextToLiveEngage => "text to LiveEngage in an open conversation",
            Self::Echo => "echo of an own text: the proof that it was published",
            Self::TextToChannel => "text to the channel",
            Self::ReportOfAcceptance => "report of the channel: accepted",
            Self::ReportOfDelivery => "report of the channel: delivered",
            Self::ReportOfReading => "report of the channel: read",
            Self::EchoOfReport => "echo of an own mark (delivered, read)",
            Self::PictureToLiveEngage => "picture to LiveEngage",
            Self::PrivateNote => "private note",
            Self::ReadMark => "read mark of the agent",
            Self::TypingBegins => "typing of the agent",
            Self::TypingEnds => "end of typing",
            Self::FirstTextOfNewPerson => "first text of a new person",
            Self::FirstTextOfKnownPerson => "first text of a returning person",
            Self::Opened => "notification that the conversation is open",
            Self::AgentJoined => "notification that an agent has it",
            Self::Closed => "notification that it is closed",
            Self::WholeConversation => "**conversation of a new person opened and closed, in all**",
            Self::ForeignOpened => "notification that another channel's conversation is open",
            Self::ForeignFirstText => "first text of another channel's conversation",
            Self::ForeignText => "text of another channel's conversation",
        }
    }

    /// The key in the app install's manifest without which LiveEngage doesn't send it.
    pub(super) const fn key(self) -> Option<&'static str> {
        match self {
            Self::ReadMark | Self::EchoOfReport => Some("ms.MessagingEventNotification.AcceptStatusEvent"),
            Self::TypingBegins | Self::TypingEnds => Some("ms.MessagingEventNotification.ChatStateEvent"),
            _ => None,
        }
    }
}

/// What each kind of webhook uses on one line. A line without reports has no rows for them.
pub(super) type Rows = BTreeMap<Row, Usage>;

/// Measures a line. Each step waits until nothing is under way.
pub(super) async fn measured(line: Line, logs_info: bool) -> Rows {
    let mut on = Deployment::start(line, logs_info).await;
    warm_up(&mut on, line).await;
    let mut rows = Rows::new();

    let known = on.after(text(line, FIRST), &[CHANNEL, STATE, CONTENT]).await;
    rows.insert(Row::FirstTextOfKnownPerson, known[0].clone());
    let new = on.after(text(line, SECOND), &[CHANNEL, STATE, CONTENT]).await;
    let id = newest(on.lab());
    let joined = on.after(|lab| lab.liveengage().join(&id).unwrap(), &[STATE]).await;

    let to_liveengage = on.after(text(line, SECOND), &[CHANNEL, CONTENT]).await;
    assert!(to_liveengage[1].costs_as(&new[2]), "every echo costs the same");
    rows.extend([Row::TextToLiveEngage, Row::Echo].into_iter().zip(to_liveengage));
    rows.extend(answer(&mut on, line, &id).await);
    let note = on.after(|lab| lab.liveengage().say_privately(&id, "call them back").unwrap(), &[CONTENT]).await;
    let read = on.after(|lab| lab.liveengage().read(&id).unwrap(), &[MARK]).await;
    let types = on.after(|lab| lab.liveengage().typing(&id, true).unwrap(), &[TYPING]).await;
    let stops = on.after(|lab| lab.liveengage().typing(&id, false).unwrap(), &[TYPING]).await;
    let picture = on.after(picture(line), &[CHANNEL, CONTENT]).await;
    let closed = on.after(|lab| lab.liveengage().close(&id).unwrap(), &[STATE]).await;

    rows.insert(Row::WholeConversation, sum(new.iter().chain(&joined).chain(&closed)));
    let first = [
        (Row::PrivateNote, note),
        (Row::ReadMark, read),
        (Row::TypingBegins, types),
        (Row::TypingEnds, stops),
        (Row::PictureToLiveEngage, picture),
        (Row::AgentJoined, joined),
        (Row::Closed, closed),
    ];
    rows.extend(first.map(|(row, usages)| (row, usages[0].clone())));
    rows.extend([Row::FirstTextOfNewPerson, Row::Opened].into_iter().zip(new));
    rows.extend(foreign(&mut on).await);
    rows
}

/// A conversation with all that warm functions know afterwards.
async fn warm_up(on: &mut Deployment, line: Line) {
    on.after(text(line, FIRST), &[CHANNEL, STATE, CONTENT]).await;
    let id = newest(on.lab());
    on.after(|lab| lab.liveengage().join(&id).unwrap(), &[STATE]).await;
    answer(on, line, &id).await;
    on.after(|lab| lab.liveengage().read(&id).unwrap(), &[MARK]).await;
    on.after(|lab| lab.liveengage().close(&id).unwrap(), &[STATE]).await;
}

/// The agent's text, and the reports of the channel.
async fn answer(on: &mut Deployment, line: Line, id: &str) -> Rows {
    let (kinds, rows): (&[_], &[_]) = match line {
        Line::Sms => (&[CONTENT], &[Row::TextToChannel]),
        Line::SmsWithReports => {
            (&[CONTENT, CHANNEL, MARK], &[Row::TextToChannel, Row::ReportOfDelivery, Row::EchoOfReport])
        }
        Line::WhatsApp => (
            &[CONTENT, CHANNEL, CHANNEL, MARK],
            &[Row::TextToChannel, Row::ReportOfAcceptance, Row::ReportOfDelivery, Row::EchoOfReport],
        ),
    };
    let answered = on.after(|lab| lab.liveengage().say(id, "It arrives today.").unwrap(), kinds).await;
    let mut rows: Rows = rows.iter().copied().zip(answered).collect();
    if let Some(echo) = rows.get(&Row::EchoOfReport).cloned() {
        let reads = |lab: &Lab| match line {
            Line::WhatsApp => lab.whatsapp().consumer_reads(newest_phone(lab)),
            _ => lab.gateway().consumer_reads(newest_phone(lab)),
        };
        let read = on.after(|lab| assert_eq!(reads(lab), 1), &[CHANNEL, MARK]).await;
        assert!(read[1].costs_as(&echo), "every echo of a mark costs the same");
        rows.insert(Row::ReportOfReading, read[0].clone());
    }
    rows
}

/// A conversation of another channel.
async fn foreign(on: &mut Deployment) -> Rows {
    let mut rows = Rows::new();
    let opened = on.after(|lab| lab.liveengage().foreign_conversation(ACCOUNT, &[]).unwrap(), &[STATE]).await;
    rows.insert(Row::ForeignOpened, opened[0].clone());
    let id = newest(on.lab());
    for row in [Row::ForeignFirstText, Row::ForeignText] {
        let said = on.after(|lab| lab.liveengage().foreign_visitor_says(&id, "hello?").unwrap(), &[CONTENT]).await;
        rows.insert(row, said[0].clone());
    }
    let joined = on.after(|lab| lab.liveengage().join(&id).unwrap(), &[STATE]).await;
    assert!(joined[0].costs_as(&rows[&Row::ForeignText]), "a known conversation of another channel costs no call");
    rows
}

/// The phone of the conversation that was opened last.
fn newest_phone(lab: &Lab) -> &'static str {
    if lab.liveengage().conversations().len() == 1 { FIRST } else { SECOND }
}

fn text(line: Line, phone: &'static str) -> impl FnOnce(&Lab) {
    move |lab| match line {
        Line::WhatsApp => drop(lab.whatsapp().consumer_sends(phone, "Where is my parcel?").unwrap()),
        _ => drop(lab.gateway().consumer_sends(phone, "Where is my parcel?").unwrap()),
    }
}

fn picture(line: Line) -> impl FnOnce(&Lab) {
    move |lab| match line {
        Line::WhatsApp => drop(lab.whatsapp().consumer_sends_image(SECOND, PNG, "image/png", None).unwrap()),
        _ => drop(lab.gateway().consumer_sends_picture(SECOND, PNG, "image/png", None).unwrap()),
    }
}

/// The id of the conversation that was opened last.
fn newest(lab: &Lab) -> String {
    lab.liveengage().conversations().last().unwrap().id.clone()
}
