//! Chooses the fault of a call by the seed, with the answer that each service gives for it.

use std::hash::Hash;
use std::time::Duration;

use http::StatusCode;

use super::kind::FaultKind;
use super::random::SeededRandom;
use super::service::Hop;
use super::tag::{Piece, Tag};

/// How many of a thousand messages are refused permanently.
const REFUSED_PER_MILLE: u16 = 12;
/// How many of a thousand calls have each fault, at LiveEngage, the gateway and the connector's endpoints.
const FAULTS: &[(FaultKind, u16)] = &[
    (FaultKind::Throttle, 15),
    (FaultKind::Error, 20),
    (FaultKind::Drop, 12),
    (FaultKind::LostAnswer, 15),
    (FaultKind::CarriedOut, 12),
    (FaultKind::Stall, 4),
    (FaultKind::Delay, 120),
];
/// How many of a thousand calls to LiveEngage refuse the AppJWT, if this fault is enabled.
const TOKENS_REFUSED_PER_MILLE: u16 = 333;
/// The statuses for a call that is carried out but answered with an error.
const CARRIED_OUT: [StatusCode; 5] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
/// AWS calls fail less often, because a message needs several of them, and the SDK tries each three times.
const AWS_FAULTS: &[(FaultKind, u16)] = &[
    (FaultKind::Throttle, 12),
    (FaultKind::Error, 8),
    (FaultKind::Drop, 5),
    (FaultKind::LostAnswer, 8),
    (FaultKind::Delay, 30),
];
/// The longest delay of a call in milliseconds. It is shorter than every timeout, so that no call is carried out after
/// its caller was replaced.
const MAX_DELAY_MS: u64 = 400;

/// The fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallFault {
    /// The call is passed on after this delay.
    Pass(Duration),
    /// The call is answered like this and not carried out.
    Answer(StatusCode, &'static str),
    /// The connection is cut and the call is not carried out.
    Drop,
    /// The connection is cut after the call was carried out.
    LoseAnswer,
    /// The call is carried out and answered with this status.
    CarryOutAndAnswer(StatusCode),
    /// The call is carried out, and its answer comes later than any caller waits.
    Stall,
}

impl CallFault {
    const fn answer((status, body): (StatusCode, &'static str)) -> Self {
        Self::Answer(status, body)
    }
}

/// A call, as far as faults and score need it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// The name of the call for random choices. It is the same in every run.
    pub(super) name: String,
    /// The pieces that the call delivers.
    pub(super) pieces: Vec<Piece>,
    /// The message whose step the call saves to the table.
    pub(super) saved_step: Option<Tag>,
}

/// Chooses the fault of this call, which is made for the `time`th time, among the kinds that `injects` enables.
pub(super) fn choose_fault(
    random: SeededRandom,
    injects: impl Fn(FaultKind) -> bool,
    hop: Hop,
    call: &Call,
    time: u64,
) -> CallFault {
    let aws = match hop {
        Hop::Table => Some(FaultKind::Table),
        Hop::Queue => Some(FaultKind::Queue),
        Hop::Api | Hop::LiveEngage | Hop::Channel(_) => None,
    };
    if aws.is_some_and(|kind| !injects(kind)) {
        return CallFault::Pass(Duration::ZERO);
    }
    let refusable_piece = call.pieces.first().filter(|piece| piece.part == 0 && hop != Hop::Api);
    if let Some(piece) = refusable_piece
        && time == 1
        && injects(FaultKind::Refuse)
        && random.hits(REFUSED_PER_MILLE, ("refuse", piece))
    {
        return CallFault::answer(hop.refusal());
    }
    if let Some(fault) = frequent_fault(random, &injects, hop, call, time) {
        return fault;
    }
    let faults = if aws.is_some() { AWS_FAULTS } else { FAULTS };
    for &(kind, per_mille) in faults {
        let key = (kind, hop, call, time);
        if !injects(kind) || !random.hits(per_mille, key) {
            continue;
        }
        return match kind {
            FaultKind::Throttle => CallFault::answer(hop.throttling()),
            FaultKind::Error => CallFault::answer(hop.error()),
            FaultKind::Drop => CallFault::Drop,
            FaultKind::LostAnswer => CallFault::LoseAnswer,
            FaultKind::CarriedOut => CallFault::CarryOutAndAnswer(one_of(&CARRIED_OUT, random, ("carried out", key))),
            FaultKind::Stall => CallFault::Stall,
            _ => CallFault::Pass(Duration::from_millis(1 + random.below(MAX_DELAY_MS, ("delay", key)))),
        };
    }
    CallFault::Pass(Duration::ZERO)
}

/// The fault of a call if nearly every call is to fail.
fn frequent_fault(
    random: SeededRandom,
    injects: impl Fn(FaultKind) -> bool,
    hop: Hop,
    call: &Call,
    time: u64,
) -> Option<CallFault> {
    if !matches!(hop, Hop::LiveEngage | Hop::Channel(_)) {
        return None;
    }
    let key = (hop, call, time);
    if injects(FaultKind::Half) && random.hits(500, ("half", key)) {
        return Some(CallFault::Answer(one_of(&CARRIED_OUT, random, ("half's status", key)), ""));
    }
    // Sentinel and the Domain API take no AppJWT.
    let takes_token = hop == Hop::LiveEngage && call.name.contains("/conversation");
    let refused = injects(FaultKind::RefusedToken) && takes_token;
    (refused && random.hits(TOKENS_REFUSED_PER_MILLE, ("token", key))).then_some(CallFault::Answer(
        StatusCode::UNAUTHORIZED,
        r#"{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT","errorCode":40102},"type":".ReqBody$ErrorResp"}"#,
    ))
}

fn one_of(statuses: &[StatusCode], random: SeededRandom, key: impl Hash) -> StatusCode {
    let index = usize::try_from(random.below(statuses.len() as u64, key)).unwrap_or(0);
    statuses.get(index).copied().unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The fault of a call to a service that is down: half of the calls are cut, and half are answered by a proxy.
pub(super) fn outage_fault(random: SeededRandom, call: &Call, time: u64) -> CallFault {
    if random.hits(500, ("down", call, time)) { CallFault::Drop } else { CallFault::answer(Hop::LiveEngage.error()) }
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::GATEWAY;
    use super::super::tag::Destination;
    use super::*;

    const PIECE: Piece = Piece { tag: Tag { conversation: 0, destination: Destination::ToPhone, number: 0 }, part: 0 };

    fn faults_of_calls(hop: Hop, kinds: &[FaultKind]) -> Vec<CallFault> {
        let call = |n| Call { name: format!("call {n}"), pieces: vec![PIECE], saved_step: None };
        (0..2000).map(|n| choose_fault(SeededRandom::new(n), |kind| kinds.contains(&kind), hop, &call(n), 1)).collect()
    }

    #[test]
    fn aws_calls_fail_only_if_their_fault_kind_is_enabled() {
        let fails = |hop, kinds: &[FaultKind]| faults_of_calls(hop, kinds).contains(&CallFault::Drop);
        assert!(!fails(Hop::Table, &[FaultKind::Drop]));
        assert!(fails(Hop::Table, &[FaultKind::Drop, FaultKind::Table]));
        assert!(!fails(Hop::Queue, &[FaultKind::Drop, FaultKind::Table]));
        assert!(fails(Hop::Queue, &[FaultKind::Drop, FaultKind::Queue]));
        assert!(fails(GATEWAY, &[FaultKind::Drop]));
    }

    #[test]
    fn carried_out_calls_get_each_error_status_but_never_from_aws() {
        let carried_out = faults_of_calls(Hop::LiveEngage, &[FaultKind::CarriedOut]);
        assert!(CARRIED_OUT.iter().all(|status| carried_out.contains(&CallFault::CarryOutAndAnswer(*status))));
        let by_aws = faults_of_calls(Hop::Table, &[FaultKind::CarriedOut, FaultKind::Table]);
        assert!(by_aws.iter().all(|fault| *fault == CallFault::Pass(Duration::ZERO)));
    }

    #[test]
    fn half_of_the_vendor_calls_fail_if_half_is_enabled() {
        let failed = faults_of_calls(GATEWAY, &[FaultKind::Half])
            .iter()
            .filter(|fault| matches!(fault, CallFault::Answer(..)))
            .count();
        assert!((900..1100).contains(&failed), "{failed}");
        assert!(
            faults_of_calls(Hop::Api, &[FaultKind::Half]).iter().all(|fault| *fault == CallFault::Pass(Duration::ZERO))
        );
    }

    #[test]
    fn only_the_first_call_that_delivers_a_message_is_refused() {
        let refused =
            |hop| faults_of_calls(hop, &[FaultKind::Refuse]).iter().any(|fault| matches!(fault, CallFault::Answer(..)));
        assert!(refused(GATEWAY) && refused(Hop::LiveEngage));
        assert!(!refused(Hop::Api));
        let call = Call { pieces: vec![PIECE], ..Call::default() };
        let again =
            (0..2000).map(|n| choose_fault(SeededRandom::new(n), |kind| kind == FaultKind::Refuse, GATEWAY, &call, 2));
        assert!(again.into_iter().all(|fault| fault == CallFault::Pass(Duration::ZERO)));
    }
}
