//! A late notification of an older conversation changes nothing.

use super::world::{ANNA, account, at, conversation_id as id, line, owner, who};
use connector::domain::conversation::{Consumer, Conversation, Mutation};
use connector_liveengage::id::DialogId;

fn consumer() -> Consumer {
    Consumer::new(line(), who(ANNA).user, account())
}

#[test]
fn an_older_conversation_does_not_replace_an_open_one() {
    let mut record = consumer();
    record.attach(&id("c2"), at(50));
    let known = record.clone();
    let survey = DialogId::new("s1").unwrap();
    for as_of in [0, 49, 50] {
        record.apply_opened(&id("c1"), None, Some(at(as_of)));
        record.apply_opened(&id("c1"), Some(&survey), Some(at(as_of)));
        assert_eq!(record.conversation, known.conversation, "{as_of}");
    }
    assert_eq!(record.attach(&id("c1"), at(49)), Mutation::Unchanged);
    assert_eq!(record.conversation, known.conversation);
    assert_eq!(record.apply_opened(&id("c3"), None, Some(at(51))), Mutation::Changed, "and a newer one does");
    assert_eq!(record.open_conversation(), Some(&id("c3")));
}

#[test]
fn an_older_conversation_does_not_replace_a_closed_one() {
    let mut record = consumer();
    record.attach(&id("c2"), at(50));
    record.apply_closed(&id("c2"), Some(at(60)));
    let known = record.clone();
    let survey = DialogId::new("s1").unwrap();
    for as_of in [0, 50, 59] {
        assert_eq!(record.attach(&id("c1"), at(as_of)), Mutation::Unchanged, "{as_of}");
        record.apply_opened(&id("c1"), None, Some(at(as_of)));
        record.apply_opened(&id("c1"), Some(&survey), Some(at(as_of)));
        assert_eq!(record.conversation, known.conversation, "{as_of}");
    }
    assert_eq!(record.apply_opened(&id("c3"), None, Some(at(61))), Mutation::Changed, "and a newer one does");
    assert_eq!(record.open_conversation(), Some(&id("c3")));
}

/// Its time may be by a clock that is behind ours, so it is kept until LiveEngage says that one is open.
#[test]
fn an_unconfirmed_conversation_is_applied_only_while_none_is_open_and_it_has_not_ended() {
    let mut record = consumer();
    record.attach(&id("c2"), at(5000));
    assert_eq!(record.apply_opened(&id("c3"), None, Some(at(50))), Mutation::Changed, "kept");
    assert_eq!(record.apply_opened(&id("c1"), None, Some(at(40))), Mutation::Unchanged, "an older one is not kept");
    let mut ended = record.clone();
    assert_eq!(record.clone().apply_unconfirmed(), Mutation::Changed);
    record.apply_closed(&id("c2"), Some(at(51)));
    let mut of_survey = record.clone();
    assert_eq!(record.apply_unconfirmed(), Mutation::Changed);
    assert_eq!(record.open_conversation(), Some(&id("c3")));
    assert_eq!(record.apply_unconfirmed(), Mutation::Unchanged);

    assert_eq!(ended.apply_closed(&id("c3"), Some(at(60))), Mutation::Changed);
    ended.apply_closed(&id("c2"), Some(at(61)));
    assert_eq!((ended.apply_unconfirmed(), ended.open_conversation()), (Mutation::Unchanged, None));

    assert_eq!(of_survey.apply_opened(&id("c4"), None, Some(at(70))), Mutation::Changed, "a newer one opens at once");
    assert_eq!(of_survey.unconfirmed, None);
    of_survey.apply_closed(&id("c4"), Some(at(80)));
    assert_eq!(of_survey.apply_opened(&id("c2"), None, Some(at(60))), Mutation::Unchanged, "it is known to have ended");
}

#[test]
fn the_end_of_an_older_conversation_ends_nothing() {
    let mut record = consumer();
    record.attach(&id("c2"), at(50));
    assert_eq!(record.apply_closed(&id("c1"), Some(at(70))), Mutation::Unchanged);
    record.reserve(&owner("a"), at(80), at(110));
    assert!(matches!(record.conversation, Conversation::Open { .. }));
}
