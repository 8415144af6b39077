//! What befalls a call: rolled by the seed, and with the words that each service has for it.

use std::hash::Hash;
use std::time::Duration;

use http::StatusCode;

use super::dice::Dice;
use super::fault::FaultKind;
use super::tag::{Piece, Tag};

/// How many of a thousand messages are refused for good.
const REFUSED_PER_MILLE: u16 = 12;
/// How many of a thousand calls each fault befalls, at LiveEngage, the gateway and the connector's own endpoints.
const FAULTS: &[(FaultKind, u16)] = &[
    (FaultKind::Throttle, 15),
    (FaultKind::Error, 20),
    (FaultKind::Drop, 12),
    (FaultKind::LostAnswer, 15),
    (FaultKind::CarriedOut, 12),
    (FaultKind::Stall, 4),
    (FaultKind::Delay, 120),
];
/// How many of a thousand calls of LiveEngage refuse the AppJWT, where they do at all.
const TOKENS_REFUSED_PER_MILLE: u16 = 333;
/// What is answered to a call that was carried out all the same.
const CARRIED_OUT: [StatusCode; 5] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
/// Calls to AWS fail less often: a message costs several, and the SDK tries three times.
const AWS_FAULTS: &[(FaultKind, u16)] = &[
    (FaultKind::Throttle, 12),
    (FaultKind::Error, 8),
    (FaultKind::Drop, 5),
    (FaultKind::LostAnswer, 8),
    (FaultKind::Delay, 30),
];
/// The longest delay of a call. It is shorter than any timeout, so that nothing is carried out after its caller was replaced.
const LONGEST_DELAY: u64 = 400;

/// A service behind which a storm can stand, by the calls that go to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// The connector's own endpoints, called by LiveEngage and the gateway.
    Api,
    /// LiveEngage.
    LiveEngage,
    /// The SMS gateway.
    Gateway,
    /// WhatsApp.
    WhatsApp,
    /// DynamoDB.
    Table,
    /// SQS.
    Queue,
}

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on, after this time.
    Pass(Duration),
    /// It is answered like this, and not carried out.
    Answer(StatusCode, &'static str),
    /// The connection is cut, and it is not carried out.
    Drop,
    /// The connection is cut after it was carried out.
    LoseAnswer,
    /// It is carried out, and answered like this.
    CarryOutAndAnswer(StatusCode),
    /// It is carried out, and its answer doesn't come for longer than anybody waits.
    Stall,
}

/// A call, as far as chance and the score care.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// What it is, for chance: the same call of another run has the same name.
    pub(super) name: String,
    /// The pieces that it would bring to the other side.
    pub(super) pieces: Vec<Piece>,
    /// The message of which it notes something in the table.
    pub(super) note: Option<Tag>,
}

/// What befalls this call, made for the `time`th time, of the kinds of fault that `injects` says are about.
pub(super) fn fate(dice: Dice, injects: impl Fn(FaultKind) -> bool, hop: Hop, call: &Call, time: u64) -> Fate {
    let aws = match hop {
        Hop::Table => Some(FaultKind::Table),
        Hop::Queue => Some(FaultKind::Queue),
        Hop::Api | Hop::LiveEngage | Hop::Gateway | Hop::WhatsApp => None,
    };
    if aws.is_some_and(|kind| !injects(kind)) {
        return Fate::Pass(Duration::ZERO);
    }
    let refusable = call.pieces.first().filter(|piece| piece.part == 0 && hop != Hop::Api);
    if let Some(piece) = refusable
        && time == 1
        && injects(FaultKind::Refuse)
        && dice.hits(REFUSED_PER_MILLE, ("refuse", piece))
    {
        return refusal(hop);
    }
    if let Some(fate) = extreme(dice, &injects, hop, call, time) {
        return fate;
    }
    let faults = if aws.is_some() { AWS_FAULTS } else { FAULTS };
    for &(kind, per_mille) in faults {
        let matter = (kind, hop, call, time);
        if !injects(kind) || !dice.hits(per_mille, matter) {
            continue;
        }
        return match kind {
            FaultKind::Throttle => throttling(hop),
            FaultKind::Error => error(hop),
            FaultKind::Drop => Fate::Drop,
            FaultKind::LostAnswer => Fate::LoseAnswer,
            FaultKind::CarriedOut => Fate::CarryOutAndAnswer(one_of(&CARRIED_OUT, dice, ("carried out", matter))),
            FaultKind::Stall => Fate::Stall,
            _ => Fate::Pass(Duration::from_millis(1 + dice.below(LONGEST_DELAY, ("delay", matter)))),
        };
    }
    Fate::Pass(Duration::ZERO)
}

/// What befalls nearly everything, where that was asked for.
fn extreme(dice: Dice, injects: impl Fn(FaultKind) -> bool, hop: Hop, call: &Call, time: u64) -> Option<Fate> {
    if !matches!(hop, Hop::LiveEngage | Hop::Gateway | Hop::WhatsApp) {
        return None;
    }
    let matter = (hop, call, time);
    if injects(FaultKind::Half) && dice.hits(500, ("half", matter)) {
        return Some(Fate::Answer(one_of(&CARRIED_OUT, dice, ("half's status", matter)), ""));
    }
    // Sentinel takes none, and the Domain API asks for none.
    let takes_token = hop == Hop::LiveEngage && call.name.contains("/conversation");
    let refused = injects(FaultKind::RefusedToken) && takes_token;
    (refused && dice.hits(TOKENS_REFUSED_PER_MILLE, ("token", matter))).then_some(Fate::Answer(
        StatusCode::UNAUTHORIZED,
        r#"{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT","errorCode":40102},"type":".ReqBody$ErrorResp"}"#,
    ))
}

fn one_of(statuses: &[StatusCode], dice: Dice, matter: impl Hash) -> StatusCode {
    let index = usize::try_from(dice.below(statuses.len() as u64, matter)).unwrap_or(0);
    statuses.get(index).copied().unwrap_or(StatusCode::BAD_GATEWAY)
}

/// What befalls a call to a service that is down: half of them find nobody, and half of them a proxy that says so.
pub(super) fn down(dice: Dice, call: &Call, time: u64) -> Fate {
    if dice.hits(500, ("down", call, time)) { Fate::Drop } else { error(Hop::LiveEngage) }
}

impl Hop {
    /// As the report names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Api => "webhooks",
            Self::LiveEngage => "LiveEngage",
            Self::Gateway => "gateway",
            Self::WhatsApp => "WhatsApp",
            Self::Table => "DynamoDB",
            Self::Queue => "SQS",
        }
    }
}

fn refusal(hop: Hop) -> Fate {
    match hop {
        Hop::Gateway => {
            Fate::Answer(StatusCode::UNPROCESSABLE_ENTITY, r#"{"error":{"code":"opted_out","message":"a drill"}}"#)
        }
        Hop::WhatsApp => Fate::Answer(StatusCode::BAD_REQUEST, r#"{"error":{"code":131026,"message":"a drill"}}"#),
        _ => Fate::Answer(StatusCode::FORBIDDEN, "{}"),
    }
}

fn throttling(hop: Hop) -> Fate {
    match hop {
        Hop::Table => Fate::Answer(
            StatusCode::BAD_REQUEST,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"a drill"}"#,
        ),
        Hop::Queue => Fate::Answer(
            StatusCode::FORBIDDEN,
            r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"a drill"}"#,
        ),
        Hop::WhatsApp => {
            Fate::Answer(StatusCode::TOO_MANY_REQUESTS, r#"{"error":{"code":130429,"message":"a drill"}}"#)
        }
        Hop::Api | Hop::LiveEngage | Hop::Gateway => Fate::Answer(StatusCode::TOO_MANY_REQUESTS, "{}"),
    }
}

fn error(hop: Hop) -> Fate {
    match hop {
        Hop::Table => Fate::Answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"a drill"}"#,
        ),
        Hop::Queue => Fate::Answer(
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"a drill"}"#,
        ),
        Hop::Api | Hop::LiveEngage | Hop::Gateway | Hop::WhatsApp => Fate::Answer(StatusCode::SERVICE_UNAVAILABLE, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::Destination;
    use super::*;

    const PIECE: Piece = Piece { tag: Tag { conversation: 0, destination: Destination::ToPhone, number: 0 }, part: 0 };

    fn fates(hop: Hop, kinds: &[FaultKind]) -> Vec<Fate> {
        let call = |n| Call { name: format!("call {n}"), pieces: vec![PIECE], note: None };
        (0..2000).map(|n| fate(Dice::new(n), |kind| kinds.contains(&kind), hop, &call(n), 1)).collect()
    }

    #[test]
    fn aws_is_left_alone_unless_it_is_meant_to_fail_too() {
        let fails = |hop, kinds: &[FaultKind]| fates(hop, kinds).contains(&Fate::Drop);
        assert!(!fails(Hop::Table, &[FaultKind::Drop]));
        assert!(fails(Hop::Table, &[FaultKind::Drop, FaultKind::Table]));
        assert!(!fails(Hop::Queue, &[FaultKind::Drop, FaultKind::Table]));
        assert!(fails(Hop::Queue, &[FaultKind::Drop, FaultKind::Queue]));
        assert!(fails(Hop::Gateway, &[FaultKind::Drop]));
    }

    #[test]
    fn what_is_carried_out_is_answered_with_each_status_and_never_by_aws() {
        let carried_out = fates(Hop::LiveEngage, &[FaultKind::CarriedOut]);
        assert!(CARRIED_OUT.iter().all(|status| carried_out.contains(&Fate::CarryOutAndAnswer(*status))));
        let by_aws = fates(Hop::Table, &[FaultKind::CarriedOut, FaultKind::Table]);
        assert!(by_aws.iter().all(|fate| *fate == Fate::Pass(Duration::ZERO)));
    }

    #[test]
    fn half_of_the_calls_to_the_other_sides_fail_where_that_is_asked_for() {
        let failed =
            fates(Hop::Gateway, &[FaultKind::Half]).iter().filter(|fate| matches!(fate, Fate::Answer(..))).count();
        assert!((900..1100).contains(&failed), "{failed}");
        assert!(fates(Hop::Api, &[FaultKind::Half]).iter().all(|fate| *fate == Fate::Pass(Duration::ZERO)));
    }

    #[test]
    fn only_what_brings_a_message_to_the_other_side_is_refused_and_only_at_first() {
        let refused = |hop| fates(hop, &[FaultKind::Refuse]).iter().any(|fate| matches!(fate, Fate::Answer(..)));
        assert!(refused(Hop::Gateway) && refused(Hop::WhatsApp) && refused(Hop::LiveEngage));
        assert!(!refused(Hop::Api));
        let call = Call { pieces: vec![PIECE], ..Call::default() };
        let again = (0..2000).map(|n| fate(Dice::new(n), |kind| kind == FaultKind::Refuse, Hop::Gateway, &call, 2));
        assert!(again.into_iter().all(|fate| fate == Fate::Pass(Duration::ZERO)));
    }
}
