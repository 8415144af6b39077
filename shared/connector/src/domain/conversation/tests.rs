use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

fn consumer() -> Consumer {
    Consumer::new(
        LineId::new("sms-main").unwrap(),
        ChannelUserId::new("+4915112345678").unwrap(),
        AccountId::new("72419083").unwrap(),
    )
}
fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}
fn conversation(name: &str) -> ConversationId {
    ConversationId::new(name).unwrap()
}
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn only_one_of_two_openers_gets_the_lease_until_it_runs_out() {
    let mut record = consumer();
    assert_eq!(record.reserve(&owner("a"), at(10), at(40)), OpenLease::Reserved);
    assert_eq!(record.reserve(&owner("b"), at(39), at(70)), OpenLease::Busy { until: at(40) });
    assert_eq!(record.reserve(&owner("b"), at(40), at(70)), OpenLease::Reserved);
}

#[test]
fn a_webhook_that_overtakes_the_answer_attaches_the_conversation() {
    let mut record = consumer();
    record.reserve(&owner("a"), at(10), at(40));
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(11))), Mutation::Changed);
    assert_eq!(record.attach(&conversation("c1"), at(10)), Mutation::Unchanged);
    assert_eq!(record.open_conversation(), Some(&conversation("c1")));
}

#[test]
fn late_news_of_the_closed_conversation_does_not_reopen_it() {
    let mut record = consumer();
    record.attach(&conversation("c1"), at(10));
    assert_eq!(record.apply_closed(&conversation("c1"), Some(at(20))), Mutation::Changed);
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(99))), Mutation::Unchanged);
    record.reserve(&owner("a"), at(30), at(60));
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(99))), Mutation::Unchanged);
    assert_eq!(record.apply_opened(&conversation("c2"), None, Some(at(31))), Mutation::Changed);
}

#[test]
fn news_that_a_conversation_closed_before_our_attach_is_kept() {
    let mut record = consumer();
    record.reserve(&owner("a"), at(10), at(40));
    record.apply_opened(&conversation("c1"), None, Some(at(11)));
    record.apply_closed(&conversation("c1"), Some(at(12)));
    assert_eq!(record.attach(&conversation("c1"), at(10)), Mutation::Unchanged);
    assert_eq!(record.open_conversation(), None);
}

#[test]
fn an_opener_that_comes_back_late_does_not_replace_the_newer_conversation() {
    let mut record = consumer();
    record.reserve(&owner("slow"), at(10), at(40));
    record.apply_opened(&conversation("c1"), None, Some(at(11)));
    record.apply_closed(&conversation("c1"), Some(at(50)));
    record.reserve(&owner("b"), at(60), at(90));
    assert_eq!(record.attach(&conversation("c1"), at(10)), Mutation::Unchanged);
    record.attach(&conversation("c2"), at(61));
    assert_eq!(record.attach(&conversation("c1"), at(10)), Mutation::Unchanged);
    assert_eq!(record.open_conversation(), Some(&conversation("c2")));
}

#[test]
fn giving_up_needs_the_lease() {
    let mut record = consumer();
    record.reserve(&owner("a"), at(10), at(40));
    assert_eq!(record.give_up(&owner("b")), Mutation::Unchanged);
    assert_eq!(record.give_up(&owner("a")), Mutation::Changed);
    assert_eq!(record.conversation, Conversation::None);
    let span = at(1) + 1.seconds();
    assert_eq!(record.reserve(&owner("b"), span, at(40)), OpenLease::Reserved);
}

/// Returns a dialog of the first conversation.
fn dialog(dialog: &DialogId) -> DialogRef {
    DialogRef { conversation: conversation("c1"), dialog: dialog.clone() }
}

#[test]
fn a_survey_takes_the_texts_until_the_conversation_ends() {
    let (mut record, survey) = (consumer(), DialogId::new("PwT_survey").unwrap());
    record.attach(&conversation("c1"), at(10));
    assert_eq!(record.active_dialog().unwrap().dialog.as_str(), "c1");
    assert_eq!(record.apply_opened(&conversation("c1"), Some(&survey), Some(at(20))), Mutation::Changed);
    assert_eq!(record.active_dialog().unwrap(), dialog(&survey));
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(15))), Mutation::Unchanged, "late news");
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(30))), Mutation::Changed, "the survey is done");
    assert_eq!(record.survey(), None);
    record.apply_closed(&conversation("c1"), Some(at(40)));
    assert_eq!(record.apply_opened(&conversation("c1"), Some(&survey), Some(at(20))), Mutation::Unchanged);
    assert_eq!(record.active_dialog(), None);
}

#[test]
fn a_survey_is_accepted_although_our_clock_is_ahead_of_liveengages() {
    let (mut record, survey) = (consumer(), DialogId::new("PwT_survey").unwrap());
    record.attach(&conversation("c1"), at(100));
    assert_eq!(record.apply_opened(&conversation("c1"), Some(&survey), Some(at(90))), Mutation::Changed);
    assert_eq!(record.survey(), Some(&survey));
}

#[test]
fn a_conversation_found_closed_by_an_answer_reopens_only_for_its_survey() {
    let (mut record, survey) = (consumer(), DialogId::new("PwT_survey").unwrap());
    record.attach(&conversation("c1"), at(10));
    let main = DialogRef::main_of(&conversation("c1"));
    assert_eq!(record.found_closed(&main), Mutation::Changed);
    assert_eq!(record.apply_opened(&conversation("c1"), None, Some(at(20))), Mutation::Unchanged);
    record.reserve(&owner("a"), at(30), at(60));
    assert_eq!(record.apply_opened(&conversation("c1"), Some(&survey), Some(at(20))), Mutation::Changed);
    assert_eq!(record.survey(), Some(&survey));
    assert_eq!(record.give_up(&owner("a")), Mutation::Unchanged);
}

#[test]
fn a_closed_main_dialog_is_no_news_once_the_survey_is_known() {
    let (mut record, survey) = (consumer(), DialogId::new("PwT_survey").unwrap());
    record.attach(&conversation("c1"), at(10));
    record.apply_opened(&conversation("c1"), Some(&survey), Some(at(20)));
    let main = DialogRef::main_of(&conversation("c1"));
    assert_eq!(record.found_closed(&main), Mutation::Unchanged);
    assert_eq!(record.found_closed(&dialog(&survey)), Mutation::Changed);
}

#[test]
fn composing_is_sent_at_most_every_five_seconds() {
    let mut record = consumer();
    assert!(record.may_compose(at(10)));
    record.composing = Some(Composing { event: ProviderMessageId::new("t-1").unwrap(), since: at(10) });
    assert!(!record.may_compose(at(14)));
    assert!(record.may_compose(at(15)));
}

#[derive(Debug, Clone)]
enum Step {
    OpenLease(u8, i64),
    Attach(u8, i64),
    GiveUp(u8),
    Opened(u8, i64),
    Closed(u8, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..3, 0i64..100).prop_map(|(o, t)| Step::OpenLease(o, t)),
        (0u8..3, 0i64..100).prop_map(|(c, t)| Step::Attach(c, t)),
        (0u8..3).prop_map(Step::GiveUp),
        (0u8..3, 0i64..100).prop_map(|(c, t)| Step::Opened(c, t)),
        (0u8..3, 0i64..100).prop_map(|(c, t)| Step::Closed(c, t)),
    ]
}

proptest! {
    #[test]
    fn no_interleaving_reopens_a_closed_conversation_or_shares_a_lease(steps in prop::collection::vec(step(), 0..40)) {
        let mut record = consumer();
        for step in steps {
            let before = record.conversation.clone();
            match step {
                Step::OpenLease(o, t) => {
                    let me = owner(&o.to_string());
                    let answer = record.reserve(&me, at(t), at(t + 30));
                    if let Conversation::Opening { owner: holder, until, .. } = &before
                        && holder != &me && *until > at(t) {
                        prop_assert_eq!(answer, OpenLease::Busy { until: *until });
                    }
                }
                Step::Attach(c, t) => { record.attach(&conversation(&c.to_string()), at(t)); }
                Step::GiveUp(o) => { record.give_up(&owner(&o.to_string())); }
                Step::Opened(c, t) => {
                    record.apply_opened(&conversation(&c.to_string()), None, Some(at(t)));
                    if let Conversation::Closed { id, .. } = &before {
                        prop_assert_ne!(record.open_conversation(), Some(id));
                    }
                }
                Step::Closed(c, t) => { record.apply_closed(&conversation(&c.to_string()), Some(at(t))); }
            }
        }
    }
}
