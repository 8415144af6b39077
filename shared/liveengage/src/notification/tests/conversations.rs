//! Tests of conversation changes.

use serde_json::{Value, json};

use super::super::*;
use crate::id::DialogId;

fn conversation(change: Value) -> ConversationChange {
    match read(NotificationType::ConversationChange, &change) {
        Ok(Change::Conversation(change)) => change,
        other => panic!("{other:?}"),
    }
}

fn conversation_change(state: &str, stage: Option<&str>) -> Value {
    json!({"type": "UPSERT", "result": {"convId": "c1", "effectiveTTR": -1, "conversationDetails": {
        "participants": [{"id": "a1", "role": "ASSIGNED_AGENT"}, {"id": "lp1", "role": "CONSUMER"}],
        "state": state, "stage": stage, "metaDataLastUpdateTs": 1_772_600_767_123_i64}}})
}

#[test]
fn stage_decides_and_without_it_state() {
    for (state, stage, closed) in [
        ("OPEN", Some("OPEN"), false),
        ("CLOSE", Some("OPEN"), false),
        ("CLOSE", Some("CLOSE"), true),
        ("CLOSE", Some("CLOSED"), true),
        ("CLOSE", None, true),
        ("OPEN", None, false),
        ("OPEN", Some("LIMBO"), false),
    ] {
        assert_eq!(conversation(conversation_change(state, stage)).closed, closed, "{state} {stage:?}");
    }
}

#[test]
fn the_consumer_is_found_in_either_form_of_the_participants() {
    let list = conversation(conversation_change("OPEN", None));
    assert_eq!(list.consumer.unwrap().as_str(), "lp1");
    assert_eq!(list.as_of.unwrap().as_millisecond(), 1_772_600_767_123);
    let map = conversation(json!({"result": {"convId": "c1", "conversationDetails": {"state": "OPEN",
        "participantsPId": {"CONSUMER": ["lp2"], "ASSIGNED_AGENT": ["a1"]}}}}));
    assert_eq!(map.consumer.unwrap().as_str(), "lp2");
}

/// A conversation with a survey dialog and, after it, a main dialog with these participants.
fn with_dialogs(main: &str, survey: &str, participants: Value) -> Value {
    let mut change = conversation_change(main, Some("OPEN"));
    change["result"]["conversationDetails"]["dialogs"] = json!([
        {"dialogId": "PwT_q7", "dialogType": "POST_SURVEY", "state": survey},
        {"dialogId": "c1", "dialogType": "MAIN", "state": main, "closedBy": "SYSTEM", "participantsDetails": participants},
    ]);
    change
}

#[test]
fn a_survey_is_found_by_its_type_at_any_position() {
    let running = conversation(with_dialogs("CLOSE", "OPEN", json!([])));
    assert_eq!((running.closed, running.main_open), (false, false));
    assert_eq!(running.survey, Some(DialogId::new("PwT_q7").unwrap()));
    let over = conversation(with_dialogs("CLOSE", "CLOSE", json!([])));
    assert_eq!((over.main_open, over.survey), (false, None));
    let mut ended = with_dialogs("CLOSE", "OPEN", json!([]));
    ended["result"]["conversationDetails"]["stage"] = json!("CLOSE");
    assert_eq!(conversation(ended).survey, None);
    let mut bare = with_dialogs("CLOSE", "OPEN", json!([]));
    bare["result"]["conversationDetails"]["dialogs"] = json!({"dialogId": "PwT_q7", "dialogType": "POST_SURVEY"});
    assert_eq!(conversation(bare).survey, Some(DialogId::new("PwT_q7").unwrap()));
}

#[test]
fn without_dialogs_the_state_is_that_of_the_main_dialog() {
    for (state, stage, main_open) in
        [("OPEN", Some("OPEN"), true), ("CLOSE", Some("OPEN"), false), ("CLOSE", None, false), ("LIMBO", None, true)]
    {
        assert_eq!(conversation(conversation_change(state, stage)).main_open, main_open, "{state} {stage:?}");
    }
    let mut untyped = conversation_change("OPEN", Some("OPEN"));
    untyped["result"]["conversationDetails"]["dialogs"] =
        json!([{"dialogId": "other", "state": "OPEN"}, {"dialogId": "c1", "state": "CLOSE"}]);
    assert!(!conversation(untyped).main_open);
}

#[test]
fn an_agent_who_has_not_accepted_is_not_present() {
    let agent = |state: Value| json!({"id": "a1", "role": "ASSIGNED_AGENT", "state": state});
    let consumer = json!({"id": "lp1", "role": "CONSUMER", "state": "ACTIVE"});
    for (participants, presence) in [
        (json!([consumer]), AgentPresence::None),
        (json!([consumer, agent(json!("SUGGESTED"))]), AgentPresence::Suggested),
        (json!([consumer, agent(json!("ACTIVE"))]), AgentPresence::Joined),
        (json!([agent(json!(null)), consumer]), AgentPresence::Joined),
        (json!([agent(json!("SUGGESTED")), agent(json!("ACTIVE"))]), AgentPresence::Joined),
        (json!([{"id": "m1", "role": "MANAGER"}, consumer]), AgentPresence::None),
        // The dialog has no participants, and the conversation has an agent.
        (json!([]), AgentPresence::Joined),
    ] {
        assert_eq!(conversation(with_dialogs("OPEN", "OPEN", participants.clone())).agent, presence, "{participants}");
    }
    let map = |roles: Value| {
        conversation(
            json!({"result": {"convId": "c1", "conversationDetails": {"state": "OPEN", "participantsPId": roles}}}),
        )
    };
    assert_eq!(map(json!({"CONSUMER": ["lp2"], "ASSIGNED_AGENT": ["a1"]})).agent, AgentPresence::Joined);
    assert_eq!(map(json!({"CONSUMER": "lp2"})).agent, AgentPresence::None);
}

#[test]
fn closed_by_is_read_from_the_reason_and_then_from_the_main_dialog() {
    let mut change = with_dialogs("CLOSE", "OPEN", json!([]));
    assert_eq!(conversation(change.clone()).closed_by, Some(ClosedBy::System));
    for (reason, who) in [
        ("AGENT", ClosedBy::Agent),
        ("CONSUMER", ClosedBy::Consumer),
        ("SYSTEM", ClosedBy::System),
        ("HOLOGRAM", ClosedBy::Other),
    ] {
        change["result"]["conversationDetails"]["closeReason"] = json!(reason);
        assert_eq!(conversation(change.clone()).closed_by, Some(who));
    }
    assert_eq!(conversation(conversation_change("OPEN", None)).closed_by, None);
}

#[test]
fn skill_and_satisfaction_are_read_in_either_form() {
    for (skill, read) in [
        (json!("558"), Some("558")),
        (json!(558), Some("558")),
        (json!("-1"), None),
        (json!(-1), None),
        (json!(null), None),
    ] {
        let mut change = conversation_change("OPEN", None);
        change["result"]["conversationDetails"]["skillId"] = skill;
        assert_eq!(conversation(change).skill.as_deref(), read);
    }
    for (csat, filled) in [
        (json!({"csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED"}), true),
        (json!({"csatRate": 4, "status": "PARTIALLY_FILLED"}), true),
        (json!({"csatRate": 4}), true),
        (json!({"status": "SKIPPED"}), false),
        (json!({}), false),
        (json!(null), false),
    ] {
        let mut change = conversation_change("CLOSE", None);
        change["result"]["conversationDetails"]["csat"] = csat;
        assert_eq!(conversation(change).csat_filled, filled);
    }
}

#[test]
fn a_participant_without_an_id_does_not_hide_the_others() {
    let mut change = conversation_change("OPEN", None);
    change["result"]["conversationDetails"]["participants"] =
        json!([{"role": "ASSIGNED_AGENT"}, 7, {"id": "lp1", "role": "CONSUMER"}]);
    let read = conversation(change);
    assert_eq!((read.consumer.unwrap().as_str(), read.agent), ("lp1", AgentPresence::Joined));
}

#[test]
fn the_start_time_replaces_a_missing_update_time() {
    let mut change = conversation_change("OPEN", None);
    change["result"]["conversationDetails"]["metaDataLastUpdateTs"].take();
    change["result"]["conversationDetails"]["startTs"] = json!(1_772_600_000_000_i64);
    assert_eq!(conversation(change).as_of.unwrap().as_millisecond(), 1_772_600_000_000);
}
