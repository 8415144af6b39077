//! The worked example: a thousand texts.

use connector_liveengage::manifest::{Indications, manifest};
use serde_json::Value;

use super::{
    deployment::Line,
    rows::{Row, Rows},
    usage::{Usage, sum},
};

/// Texts of consumers, and as many of agents.
pub(super) const TEXTS_EACH_WAY: u64 = 500;
pub(super) const CONVERSATIONS: u64 = 100;

/// Which notifications LiveEngage sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Install {
    /// What the line's channel can show: the manifest of `connector manifest --channel`.
    OfChannel,
    /// All that the connector knows: the manifest without that option.
    All,
}

impl Install {
    fn indications(self, line: Line) -> Indications {
        match self {
            Self::OfChannel => {
                let channel = connector_channels::by_name(line.channel()).unwrap();
                Indications { typing: channel.shows_typing(), read_marks: channel.shows_read_marks() }
            }
            Self::All => Indications::ALL,
        }
    }
}

/// The webhooks of the example.
fn webhooks(line: Line) -> Vec<(Row, u64)> {
    let mut webhooks = vec![
        (Row::WholeConversation, CONVERSATIONS),
        // The first text of a conversation is part of the row above.
        (Row::TextToLiveEngage, TEXTS_EACH_WAY - CONVERSATIONS),
        (Row::Echo, TEXTS_EACH_WAY - CONVERSATIONS),
        (Row::TextToChannel, TEXTS_EACH_WAY),
        (Row::ReadMark, TEXTS_EACH_WAY),
        (Row::TypingBegins, TEXTS_EACH_WAY),
        (Row::TypingEnds, TEXTS_EACH_WAY),
    ];
    if line != Line::Sms {
        webhooks.extend([(Row::ReportOfDelivery, TEXTS_EACH_WAY), (Row::EchoOfReport, TEXTS_EACH_WAY)]);
    }
    if line == Line::WhatsApp {
        let of_whatsapp = [Row::ReportOfAcceptance, Row::ReportOfReading, Row::EchoOfReport];
        webhooks.extend(of_whatsapp.map(|row| (row, TEXTS_EACH_WAY)));
    }
    webhooks
}

/// What the thousand texts use on a line.
pub(super) fn thousand_texts(line: Line, rows: &Rows, install: Install) -> Usage {
    let url = "https://connector.example/webhooks/liveengage".parse().unwrap();
    let manifest = manifest(&url, "SMS connector", "", install.indications(line)).unwrap();
    let installed = &manifest["capabilities"]["webhooks"];
    let is_sent = |row: &Row| row.key().is_none_or(|key| installed.get(key).is_some_and(Value::is_object));
    let webhooks = webhooks(line).into_iter().filter(|(row, _)| is_sent(row));
    let usages: Vec<_> = webhooks.map(|(row, count)| rows[&row].times(count)).collect();
    sum(&usages)
}
