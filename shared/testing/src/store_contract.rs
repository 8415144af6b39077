//! The contract that every store must keep, as one test suite. It runs on the in-memory store and on the DynamoDB store.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test suite: a broken contract is a panic"
)]

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use connector::{
    domain::{
        conversation::{Consumer, OpenLease},
        delivery::{Acquired, ConsumerRef, ConversationOwner, Lease, Parked},
        id::{CorrelationId, LineId, Owner},
        message_key::MessageKey,
        progress::Step,
        receipt::{AcceptedCall, Echo, InboundReceipt, LedgerEntry, MessagePosition, OutboundReceipt, ReceiptName},
        uncertain::{CarriedOut, UncertainOutcome},
    },
    port::{
        Consumers, ConversationFilter, Conversations, FoundConsumers, Ledger, Messages, PastRuns, Saved, StoreError,
        Tokens,
    },
};
use connector_channels::Receipt;
use connector_channels::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_liveengage::messaging::DialogRef;
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, ExtConsumerId, LpConsumerId, Sequence},
    identity::{ConsumerToken, Identity},
    sentinel::AppJwt,
};

fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}
fn conversation(name: &str) -> ConversationId {
    ConversationId::new(name).unwrap()
}
fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}
fn who(user: &str) -> ConsumerRef {
    ConsumerRef { line: LineId::new("sms-main").unwrap(), user: ChannelUserId::new(user).unwrap() }
}
fn new_consumer(user: &str) -> Consumer {
    let who = who(user);
    Consumer::new(who.line, who.user, account())
}
fn identity(user: &str) -> Identity {
    Identity {
        ext_consumer_id: ExtConsumerId::new(format!("ext-{user}")).unwrap(),
        lp_consumer_id: LpConsumerId::new(format!("lp-{user}")).unwrap(),
        token: ConsumerToken::new(format!("jws-{user}")),
    }
}
fn lease(message: &str, by: &str) -> Lease {
    Lease { message: MessageKey::FromChannel { line: who("x").line, name: message.to_owned() }, owner: owner(by) }
}
fn step(reference: &str) -> Step {
    let receipt = Receipt { provider_id: Some(reference.to_owned()), is_message: true };
    Step::ChannelCall { receipt, file: None }
}

fn uncertain(attempts: u32) -> UncertainOutcome {
    UncertainOutcome { attempts, ..UncertainOutcome::default() }
}

/// Runs the whole suite on an empty store.
pub async fn check<S: Consumers + Conversations + Messages + Ledger + Tokens + 'static>(store: Arc<S>) {
    a_record_is_saved_over_the_version_that_was_read(&*store).await;
    pointers_are_written_with_the_record(&*store).await;
    of_many_racing_openers_one_is_first(&store).await;
    a_foreign_mark_never_hides_an_own_conversation(&*store).await;
    consumers_are_found_by_the_state_of_their_conversation(&*store).await;
    the_last_reconciliations_of_an_account_are_remembered(&*store).await;
    an_unknown_conversation_is_looked_for_since_the_first_look(&*store).await;
    a_message_is_worked_on_by_one_at_a_time_and_done_once(&*store).await;
    steps_are_kept_over_attempts(&*store).await;
    who_lost_the_lease_writes_nothing(&*store).await;
    of_many_racing_workers_one_gets_the_message(&store).await;
    a_parked_message_is_done(&*store).await;
    a_token_is_renewed_by_one_at_a_time(&*store).await;
    a_surveys_dialog_leads_to_its_conversation(&*store).await;
    an_outbound_receipt_is_written_with_the_step(&*store).await;
    an_inbound_receipt_is_written_with_the_step_or_the_end(&*store).await;
    a_doubt_is_kept_until_the_step_is_done(&*store).await;
    echoes_are_found_by_dialog_in_the_order_of_their_numbers(&*store).await;
    a_call_that_was_taken_is_found_by_its_reference(&*store).await;
}

async fn a_surveys_dialog_leads_to_its_conversation(store: &dyn Consumers) {
    let mut consumer = new_consumer("+7");
    let survey = DialogId::new("PwT_survey7").unwrap();
    consumer.attach(&conversation("c7"), at(0));
    consumer.apply_opened(&conversation("c7"), Some(&survey), Some(at(1)));
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    let read = store.consumer(&who("+7")).await.unwrap().unwrap();
    assert_eq!(read.survey(), Some(&survey));
    let owner = |id: &str| {
        let id = conversation(id);
        async move { store.conversation_owner(&account(), &id).await.unwrap() }
    };
    assert_eq!(owner("c7").await, Some(ConversationOwner::Ours(who("+7"))));
    assert_eq!(owner("PwT_survey7").await, Some(ConversationOwner::OurSurvey(who("+7"), conversation("c7"))));
}

fn outbound_receipt(name: &ReceiptName) -> OutboundReceipt {
    OutboundReceipt {
        line: who("+8").line,
        name: name.clone(),
        user: who("+8").user,
        position: Some(MessagePosition {
            conversation: conversation("c8"),
            dialog: DialogId::new("c8").unwrap(),
            sequence: Sequence(4),
        }),
        part: 2,
        last: true,
        rank: 0,
        correlation: Some(CorrelationId::new("r-8").unwrap()),
        at: at(0),
    }
}

async fn an_outbound_receipt_is_written_with_the_step<S: Messages + Ledger>(store: &S) {
    let (line, id) = (who("+8").line, ReceiptName::Id(ProviderMessageId::new("mt-8#1").unwrap()));
    let receipt = outbound_receipt(&id);
    assert_eq!(store.outbound_receipt(&line, &id).await.unwrap(), None);
    store.reported(&line, &id, 2).await.unwrap();
    assert_eq!(store.outbound_receipt(&line, &id).await.unwrap(), None, "a report alone makes no entry");

    let first = lease("m8", "a");
    store.acquire(&first, at(0), at(30)).await.unwrap();
    let entry = LedgerEntry::OutboundReceipt(receipt.clone());
    let other_owner = Lease { owner: owner("stranger"), ..first.clone() };
    assert_eq!(store.step_done(&other_owner, 0, &step("x"), Some(&entry)).await, Err(StoreError::LeaseLost));
    assert_eq!(store.outbound_receipt(&line, &id).await.unwrap(), None, "no step, no entry");
    store.step_done(&first, 0, &step("x"), Some(&entry)).await.unwrap();
    assert_eq!(store.outbound_receipt(&line, &id).await.unwrap(), Some(receipt.clone()));
    store.reported(&line, &id, 3).await.unwrap();
    store.reported(&line, &id, 2).await.unwrap();
    let highest = OutboundReceipt { rank: 3, ..receipt };
    assert_eq!(store.outbound_receipt(&line, &id).await.unwrap(), Some(highest), "the highest rank stays");

    let reference = ReceiptName::Reference(CallReference::of("8a", 1).unwrap());
    let unnamed = outbound_receipt(&reference);
    assert_eq!(store.outbound_receipt(&line, &reference).await.unwrap(), None);
    let unnamed_entry = LedgerEntry::OutboundReceipt(unnamed.clone());
    store.step_done(&first, 1, &step("w"), Some(&unnamed_entry)).await.unwrap();
    store.reported(&line, &reference, 2).await.unwrap();
    assert_eq!(store.outbound_receipt(&line, &reference).await.unwrap(), Some(OutboundReceipt { rank: 2, ..unnamed }));
}

async fn an_inbound_receipt_is_written_with_the_step_or_the_end<S: Messages + Ledger>(store: &S) {
    let dialog = DialogId::new("c8").unwrap();
    let receipt = |id: &str, sequence| InboundReceipt {
        account: account(),
        dialog: dialog.clone(),
        sequence: Sequence(sequence),
        consumer: who("+8"),
        id: ProviderMessageId::new(id).unwrap(),
        at: at(1),
        by_position: true,
    };
    assert_eq!(store.last_inbound(&who("+8")).await.unwrap(), None);
    let first = lease("m8a", "a");
    store.acquire(&first, at(0), at(30)).await.unwrap();
    store.step_done(&first, 0, &step("y"), Some(&LedgerEntry::InboundReceipt(receipt("mo-1", 5)))).await.unwrap();
    assert!(!store.is_done(&first.message).await.unwrap(), "it is being worked on");
    store.complete(&first, Some(&LedgerEntry::InboundReceipt(receipt("mo-2", 6)))).await.unwrap();
    assert!(store.is_done(&first.message).await.unwrap());
    assert!(!store.is_done(&lease("never begun", "a").message).await.unwrap());
    assert_eq!(store.acquire(&first, at(2), at(30)).await.unwrap(), Acquired::Done);
    assert_eq!(store.inbound_receipt(&account(), &dialog, Sequence(5)).await.unwrap(), Some(receipt("mo-1", 5)));
    assert_eq!(store.inbound_receipt(&account(), &dialog, Sequence(7)).await.unwrap(), None);
    assert_eq!(store.last_inbound(&who("+8")).await.unwrap(), Some(receipt("mo-2", 6)));
    let by_consumer = InboundReceipt { by_position: false, ..receipt("mo-3", 7) };
    store.acquire(&lease("m8b", "a"), at(2), at(30)).await.unwrap();
    store.complete(&lease("m8b", "a"), Some(&LedgerEntry::InboundReceipt(by_consumer.clone()))).await.unwrap();
    let by_position = store.inbound_receipt(&account(), &dialog, Sequence(7)).await.unwrap();
    assert_eq!(by_position, None, "its position is not recorded");
    assert_eq!(store.last_inbound(&who("+8")).await.unwrap(), Some(by_consumer));
}

async fn a_doubt_is_kept_until_the_step_is_done(store: &dyn Messages) {
    let begun = |by: &'static str, second| async move {
        match store.acquire(&lease("m9", by), at(second), at(second + 30)).await.unwrap() {
            Acquired::Started { uncertain, .. } => uncertain,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(begun("a", 0).await, UncertainOutcome::default());
    let place = DialogRef { conversation: conversation("c9"), dialog: DialogId::new("c9").unwrap() };
    let mut known = UncertainOutcome::default();
    known.add(CarriedOut::Possibly, Some(place.clone()));
    known.add(CarriedOut::Unlikely, Some(place));
    assert_eq!((known.attempts, known.dialogs.len()), (2, 1));
    store.release(&lease("m9", "a"), true, &known).await.unwrap();
    assert_eq!(begun("b", 1).await, known, "what an attempt says of itself");
    assert_eq!(begun("b", 1).await, known, "the same request again is no other attempt");
    let after_death = begun("c", 40).await;
    assert_eq!(after_death, UncertainOutcome { attempts: 3, ..known }, "and an attempt that has died says nothing");
    for _ in 0..3 {
        assert_eq!(begun("c", 40).await, after_death, "also when the request is repeated");
        // The caller doesn't know whether it has the lease.
        store.abandon(&lease("m9", "c")).await.unwrap();
    }
    assert_eq!(begun("d", 80).await.attempts, 3, "it was not given back with the lease");
    store.step_done(&lease("m9", "d"), 0, &step("p0"), None).await.unwrap();
    store
        .release(&lease("m9", "d"), true, &UncertainOutcome { attempts: 1, ..UncertainOutcome::none_after(0) })
        .await
        .unwrap();
    assert_eq!(begun("e", 81).await, UncertainOutcome::default(), "the step is noted after all");
    store
        .release(&lease("m9", "e"), true, &UncertainOutcome { attempts: 1, ..UncertainOutcome::none_after(1) })
        .await
        .unwrap();
    assert_eq!(begun("e", 82).await.attempts, 1, "of the next one");
    let parked = Parked {
        at: at(82),
        reason: "outcome uncertain".to_owned(),
        permanent: false,
        line: None,
        conversation: None,
        body: "{}".to_owned(),
    };
    store.park(&lease("m9", "e"), &parked, &after_death).await.unwrap();
    assert_eq!(store.acquire(&lease("m9", "f"), at(120), at(150)).await.unwrap(), Acquired::Done);
}

async fn a_call_that_was_taken_is_found_by_its_reference(store: &dyn Ledger) {
    let line = who("x").line;
    let (first, second) = (CallReference::of("0a1b", 0).unwrap(), CallReference::of("0a1b", 1).unwrap());
    let id = |name: &str| ProviderMessageId::new(name).unwrap();
    let accepted = AcceptedCall { id: Some(id("mt-1")) };
    store.note_accepted(&line, &first, &accepted, at(0)).await.unwrap();
    store.note_accepted(&line, &first, &accepted, at(1)).await.unwrap();
    assert_eq!(store.accepted_call(&line, &first).await.unwrap(), Some(accepted));
    assert_eq!(store.accepted_call(&line, &second).await.unwrap(), None);
    store.note_accepted(&line, &second, &AcceptedCall::default(), at(2)).await.unwrap();
    assert_eq!(store.accepted_call(&line, &second).await.unwrap(), Some(AcceptedCall::default()), "without an id");
    assert_eq!(store.accepted_call(&LineId::new("sms-other").unwrap(), &first).await.unwrap(), None);
}

async fn echoes_are_found_by_dialog_in_the_order_of_their_numbers<S: Ledger>(store: &S) {
    let dialog = |name: &str| DialogId::new(name).unwrap();
    let echo = |sequence| Echo { sequence: Sequence(sequence), digest: format!("d{sequence}"), at: at(0) };
    for sequence in [12, 0, 3] {
        store.note_echo(&account(), &dialog("c10"), &echo(sequence)).await.unwrap();
        store.note_echo(&account(), &dialog("c10"), &echo(sequence)).await.unwrap();
    }
    store.note_echo(&account(), &dialog("c10#survey"), &echo(5)).await.unwrap();
    let found = |name: &'static str| async move { store.echoes(&account(), &dialog(name)).await.unwrap() };
    assert_eq!(found("c10").await, [echo(0), echo(3), echo(12)]);
    assert_eq!(found("c10#survey").await, [echo(5)]);
    assert_eq!(found("c11").await, []);
}

async fn a_record_is_saved_over_the_version_that_was_read(store: &dyn Consumers) {
    assert_eq!(store.consumer(&who("+1#a%")).await.unwrap(), None);
    let mut first = new_consumer("+1#a%");
    assert_eq!(store.save_consumer(&first, &first.pointers()).await.unwrap(), Saved::Saved);
    assert_eq!(store.save_consumer(&first, &[]).await.unwrap(), Saved::Saved, "the same save again");
    let second = Consumer { profile: Some("another".to_owned()), ..first.clone() };
    assert_eq!(store.save_consumer(&second, &second.pointers()).await.unwrap(), Saved::Conflict, "a second creation");
    first = store.consumer(&who("+1#a%")).await.unwrap().unwrap();
    assert_eq!(first.version, 1);
    first.reserve(&owner("a"), at(0), at(30));
    let stale = Consumer { profile: Some("stale".to_owned()), ..first.clone() };
    assert_eq!(store.save_consumer(&first, &first.pointers()).await.unwrap(), Saved::Saved);
    assert_eq!(store.save_consumer(&stale, &stale.pointers()).await.unwrap(), Saved::Conflict, "a stale write");
    assert_eq!(store.save_consumer(&first, &[]).await.unwrap(), Saved::Saved, "the same save again");
    let read = store.consumer(&who("+1#a%")).await.unwrap().unwrap();
    assert_eq!((read.version, read.conversation), (2, first.conversation));
}

async fn pointers_are_written_with_the_record(store: &dyn Consumers) {
    let mut consumer = new_consumer("+2");
    consumer.identity = Some(identity("+2"));
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    let lp = LpConsumerId::new("lp-+2").unwrap();
    assert_eq!(store.consumer_by_lp_id(&account(), &lp).await.unwrap(), Some(who("+2")));
    let other = AccountId::new("other").unwrap();
    assert_eq!(store.consumer_by_lp_id(&other, &lp).await.unwrap(), None);
    assert_eq!(store.conversation_owner(&account(), &conversation("c2")).await.unwrap(), None);
    let mut consumer = store.consumer(&who("+2")).await.unwrap().unwrap();
    assert_eq!(consumer.identity, Some(identity("+2")));
    consumer.attach(&conversation("c2"), at(1));
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    let ours = Some(ConversationOwner::Ours(who("+2")));
    assert_eq!(store.conversation_owner(&account(), &conversation("c2")).await.unwrap(), ours);
    let mut consumer = store.consumer(&who("+2")).await.unwrap().unwrap();
    consumer.apply_closed(&conversation("c2"), Some(at(2)));
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    assert_eq!(
        store.conversation_owner(&account(), &conversation("c2")).await.unwrap(),
        ours,
        "the last words after the close still find their reader"
    );
}

async fn of_many_racing_openers_one_is_first<S: Consumers + 'static>(store: &Arc<S>) {
    store.save_consumer(&new_consumer("+3"), &[]).await.unwrap();
    let racers = (0..8).map(|racer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut consumer = store.consumer(&who("+3")).await.unwrap().unwrap();
            // Let every task read before any of them writes, also if all run on one thread.
            tokio::task::yield_now().await;
            let reserved = consumer.reserve(&owner(&format!("racer-{racer}")), at(0), at(30));
            reserved == OpenLease::Reserved
                && store.save_consumer(&consumer, &consumer.pointers()).await.unwrap() == Saved::Saved
        })
    });
    let mut winners = 0;
    for racer in racers.collect::<Vec<_>>() {
        winners += usize::from(racer.await.unwrap());
    }
    assert_eq!(winners, 1);
}

async fn a_foreign_mark_never_hides_an_own_conversation(store: &dyn Consumers) {
    let (account, id) = (account(), conversation("c4"));
    store.presume_foreign(&account, &id, at(0)).await.unwrap();
    let presumed = Some(ConversationOwner::PresumedForeign);
    assert_eq!(store.conversation_owner(&account, &id).await.unwrap(), presumed);
    store.mark_foreign(&account, &id, at(0)).await.unwrap();
    store.presume_foreign(&account, &id, at(0)).await.unwrap();
    let foreign = Some(ConversationOwner::Foreign);
    assert_eq!(store.conversation_owner(&account, &id).await.unwrap(), foreign, "knowing outlives presuming");
    let mut consumer = new_consumer("+4");
    consumer.attach(&id, at(0));
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    store.mark_foreign(&account, &id, at(1)).await.unwrap();
    store.presume_foreign(&account, &id, at(1)).await.unwrap();
    let ours = Some(ConversationOwner::Ours(who("+4")));
    assert_eq!(store.conversation_owner(&account, &id).await.unwrap(), ours);
}

async fn consumers_are_found_by_the_state_of_their_conversation<S: Consumers + Conversations>(store: &S) {
    let account = AccountId::new("90000007").unwrap();
    let found = |filter, most| {
        let account = account.clone();
        async move {
            let FoundConsumers { mut consumers, is_complete } =
                store.consumers_in(&account, filter, most).await.unwrap();
            consumers.sort_unstable_by(|a, b| a.user.as_str().cmp(b.user.as_str()));
            (consumers, is_complete)
        }
    };
    let closed = |second| ConversationFilter::ClosedSince(at(second));
    for user in ["found-1", "found-2", "found-3"] {
        let mut consumer = Consumer::new(who(user).line, who(user).user, account.clone());
        consumer.attach(&conversation(user), at(0));
        store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    }
    let other = new_consumer("found-elsewhere");
    store.save_consumer(&other, &[]).await.unwrap();
    assert_eq!(found(ConversationFilter::Open, 9).await, (["found-1", "found-2", "found-3"].map(who).to_vec(), true));
    let (some, is_complete) = found(ConversationFilter::Open, 2).await;
    assert_eq!((some.len(), is_complete), (2, false));
    assert!(found(ConversationFilter::Open, 3).await.1, "there is no fourth one");

    let mut gone = store.consumer(&who("found-2")).await.unwrap().unwrap();
    gone.apply_closed(&conversation("found-2"), Some(at(60)));
    store.save_consumer(&gone, &[]).await.unwrap();
    assert_eq!(found(ConversationFilter::Open, 9).await.0, ["found-1", "found-3"].map(who));
    assert_eq!(found(closed(60), 9).await, (vec![who("found-2")], true));
    assert_eq!(found(closed(61), 9).await, (vec![], true));

    let mut again = store.consumer(&who("found-2")).await.unwrap().unwrap();
    again.reserve(&owner("a"), at(70), at(90));
    store.save_consumer(&again, &[]).await.unwrap();
    assert_eq!(found(closed(0), 9).await, (vec![], true), "a conversation that is being opened is in neither state");
}

async fn the_last_reconciliations_of_an_account_are_remembered(store: &dyn Conversations) {
    let account = AccountId::new("90000008").unwrap();
    assert_eq!(store.past_runs(&account).await, Ok(PastRuns::default()));
    let runs = async || store.past_runs(&account).await.map(|PastRuns { complete, refused }| (complete, refused));
    store.note_refusal(&account, None).await.unwrap();
    assert_eq!(runs().await, Ok((None, None)));
    store.note_refusal(&account, Some(at(1))).await.unwrap();
    assert_eq!(runs().await, Ok((None, Some(at(1)))));
    store.note_complete_run(&account, at(2)).await.unwrap();
    store.note_complete_run(&account, at(3)).await.unwrap();
    assert_eq!(runs().await, Ok((Some(at(3)), Some(at(1)))), "each by itself");
    store.note_refusal(&account, None).await.unwrap();
    assert_eq!(runs().await, Ok((Some(at(3)), None)));
}

async fn an_unknown_conversation_is_looked_for_since_the_first_look(store: &dyn Consumers) {
    let (account, id) = (account(), conversation("c12"));
    let owner = || store.conversation_owner(&account, &id);
    assert_eq!(store.unknown_since(&account, &id, at(5)).await.unwrap(), at(5));
    assert_eq!(store.unknown_since(&account, &id, at(9)).await.unwrap(), at(5));
    assert_eq!(owner().await.unwrap(), None, "a lookup records no owner");
    store.presume_foreign(&account, &id, at(9)).await.unwrap();
    assert_eq!(owner().await.unwrap(), Some(ConversationOwner::PresumedForeign));
    store.claim_conversation(&account, &id, &who("+12")).await.unwrap();
    assert_eq!(owner().await.unwrap(), Some(ConversationOwner::Ours(who("+12"))));
    assert_eq!(store.unknown_since(&account, &id, at(10)).await.unwrap(), at(10), "it has an owner");
    assert_eq!(store.unattached_at(&account).await, Ok(None));
    for second in [20, 25] {
        store.note_unattached(&account, at(second)).await.unwrap();
        assert_eq!(store.unattached_at(&account).await, Ok(Some(at(second))), "the last one counts");
    }
    assert_eq!(owner().await.unwrap(), Some(ConversationOwner::Ours(who("+12"))));
}

async fn a_message_is_worked_on_by_one_at_a_time_and_done_once(store: &dyn Messages) {
    // Another owner acquired the message before, and was stopped without releasing the lease.
    let died = || uncertain(1);
    let started = |attempts, uncertain| Acquired::Started { steps: vec![], attempts, uncertain };
    let none = UncertainOutcome::default;
    assert_eq!(store.acquire(&lease("m1", "a"), at(0), at(30)).await.unwrap(), started(1, none()));
    assert_eq!(store.acquire(&lease("m1", "b"), at(29), at(60)).await.unwrap(), Acquired::Busy { until: at(30) });
    assert_eq!(
        store.acquire(&lease("m1", "b"), at(30), at(60)).await.unwrap(),
        started(2, died()),
        "the lease has run out"
    );
    store.release(&lease("m1", "b"), true, &UncertainOutcome::default()).await.unwrap();
    assert_eq!(
        store.acquire(&lease("m1", "c"), at(31), at(60)).await.unwrap(),
        started(3, none()),
        "the lease was given back"
    );
    store.release(&lease("m1", "c"), false, &UncertainOutcome::default()).await.unwrap();
    let again = store.acquire(&lease("m1", "c"), at(31), at(60)).await.unwrap();
    assert_eq!(again, started(3, none()), "an attempt that only waited doesn't count");
    assert_eq!(store.acquire(&lease("m1", "c"), at(31), at(60)).await.unwrap(), again, "the same request");
    store.abandon(&lease("m1", "c")).await.unwrap();
    store.abandon(&lease("m1", "c")).await.unwrap();
    let begun = store.acquire(&lease("m1", "e"), at(31), at(60)).await.unwrap();
    assert_eq!(begun, started(3, none()), "one that was not answered counts for nothing");
    store.abandon(&lease("m1", "c")).await.unwrap();
    for _ in 0..2 {
        store.step_done(&lease("m1", "e"), 0, &step("p0"), None).await.unwrap();
    }
    assert_eq!(store.step_done(&lease("m1", "e"), 0, &step("p1"), None).await, Err(StoreError::LeaseLost));
    assert_eq!(store.step_done(&lease("m1", "c"), 0, &step("p0"), None).await, Err(StoreError::LeaseLost));
    store.release(&lease("m1", "e"), true, &UncertainOutcome::default()).await.unwrap();
    let begun = store.acquire(&lease("m1", "c"), at(31), at(60)).await.unwrap();
    assert_eq!(begun, Acquired::Started { steps: vec![step("p0")], attempts: 4, uncertain: none() });
    store.complete(&lease("m1", "c"), None).await.unwrap();
    assert_eq!(store.acquire(&lease("m1", "c"), at(32), at(60)).await.unwrap(), Acquired::Done);
    assert_eq!(store.acquire(&lease("m1", "d"), at(99), at(120)).await.unwrap(), Acquired::Done);
    let account = account();
    let dialog = DialogId::new("m1").unwrap();
    let other =
        Lease { message: MessageKey::FromLiveEngage { account, dialog, sequence: Sequence(0) }, owner: owner("a") };
    assert_eq!(store.acquire(&other, at(0), at(30)).await.unwrap(), started(1, none()), "another kind of message");
}

async fn steps_are_kept_over_attempts(store: &dyn Messages) {
    store.acquire(&lease("m2", "a"), at(0), at(30)).await.unwrap();
    store.step_done(&lease("m2", "a"), 0, &step("p0"), None).await.unwrap();
    store.step_done(&lease("m2", "a"), 1, &Step::NackSent, None).await.unwrap();
    assert_eq!(
        store.step_done(&lease("m2", "a"), 1, &step("again"), None).await,
        Err(StoreError::LeaseLost),
        "the same step twice"
    );
    let acquire = store.acquire(&lease("m2", "b"), at(31), at(60)).await.unwrap();
    assert_eq!(
        acquire,
        Acquired::Started { steps: vec![step("p0"), Step::NackSent], attempts: 2, uncertain: uncertain(1) }
    );
}

async fn who_lost_the_lease_writes_nothing(store: &dyn Messages) {
    store.acquire(&lease("m3", "slow"), at(0), at(30)).await.unwrap();
    store.acquire(&lease("m3", "next"), at(31), at(60)).await.unwrap();
    let slow = lease("m3", "slow");
    assert_eq!(store.step_done(&slow, 0, &step("late"), None).await, Err(StoreError::LeaseLost));
    assert_eq!(store.complete(&slow, None).await, Err(StoreError::LeaseLost));
    assert_eq!(store.release(&slow, false, &uncertain(9)).await, Ok(()));
    let busy = store.acquire(&lease("m3", "third"), at(32), at(60)).await.unwrap();
    assert_eq!(busy, Acquired::Busy { until: at(60) }, "the release of a lost lease changes nothing");
}

async fn of_many_racing_workers_one_gets_the_message<S: Messages + 'static>(store: &Arc<S>) {
    let racers = (0..8).map(|racer| {
        let store = Arc::clone(store);
        let lease = lease("m4", &format!("racer-{racer}"));
        tokio::spawn(async move { store.acquire(&lease, at(0), at(30)).await.unwrap() })
    });
    let mut started = 0;
    for racer in racers.collect::<Vec<_>>() {
        started += usize::from(matches!(racer.await.unwrap(), Acquired::Started { .. }));
    }
    assert_eq!(started, 1);
}

async fn a_parked_message_is_done(store: &dyn Messages) {
    let parked = Parked {
        at: at(5),
        reason: "the channel refuses the message".to_owned(),
        permanent: true,
        line: Some(who("x").line),
        conversation: None,
        body: "{}".to_owned(),
    };
    let none = UncertainOutcome::default();
    store.acquire(&lease("m5", "a"), at(0), at(30)).await.unwrap();
    assert_eq!(store.park(&lease("m5", "b"), &parked, &none).await, Err(StoreError::LeaseLost));
    store.park(&lease("m5", "a"), &parked, &none).await.unwrap();
    assert_eq!(store.acquire(&lease("m5", "b"), at(40), at(60)).await.unwrap(), Acquired::Done);
    store.park(&lease("never-begun", "a"), &parked, &none).await.unwrap();
    assert_eq!(store.acquire(&lease("never-begun", "b"), at(6), at(60)).await.unwrap(), Acquired::Done);
}

async fn a_token_is_renewed_by_one_at_a_time(store: &dyn Tokens) {
    let account = account();
    assert_eq!(store.token(&account).await.unwrap(), None);
    assert!(store.lease_token(&account, &owner("a"), at(0), at(20)).await.unwrap());
    assert!(!store.lease_token(&account, &owner("b"), at(19), at(40)).await.unwrap());
    assert_eq!(store.token(&account).await.unwrap(), None, "a lease alone is no token");
    let end = at(0).checked_add(SignedDuration::from_hours(1)).expect("in range");
    let token = AppJwt::new("app.jwt.1", end);
    store.save_token(&account, &owner("a"), &token).await.unwrap();
    assert_eq!(store.token(&account).await.unwrap(), Some(token.clone()));
    assert!(store.lease_token(&account, &owner("b"), at(21), at(40)).await.unwrap(), "saving gave the lease back");
    store.save_token(&account, &owner("a"), &AppJwt::new("late", end)).await.unwrap();
    assert_eq!(store.token(&account).await.unwrap(), Some(token), "who lost the lease saves nothing");
    store.release_token(&account, &owner("b")).await.unwrap();
    assert!(store.lease_token(&account, &owner("c"), at(22), at(40)).await.unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        check(Arc::new(MemoryStore::default())).await;
    }
}
