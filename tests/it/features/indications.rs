//! Delivered and read marks and typing, in both directions.

use connector_lab::{
    liveengage::{AcceptStatus, ChatState},
    whatsapp::MessageState,
};

use crate::steps::{PHONE, desk, lab, line, opened, opened_on_whatsapp, received, received_on_whatsapp, settled, soon};

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_sees_delivered_and_read_and_the_phone_sees_read() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    let first = lab.liveengage().say(&id, "one").unwrap();
    let second = lab.liveengage().say(&id, "two").unwrap();
    received_on_whatsapp(&lab, PHONE, 2).await;
    let statuses = |sequence: u64| {
        let conversation = lab.liveengage().conversation(&id).unwrap();
        conversation.transcript.into_iter().find(|line| line.sequence == sequence).unwrap().statuses
    };
    desk(&lab, "both are delivered", |_| {
        [first, second].iter().all(|sequence| statuses(*sequence) == [AcceptStatus::Accept])
    })
    .await;
    lab.whatsapp().consumer_reads(PHONE);
    desk(&lab, "both are read", |_| {
        [first, second].iter().all(|sequence| statuses(*sequence) == [AcceptStatus::Accept, AcceptStatus::Read])
    })
    .await;
    lab.liveengage().read(&id).unwrap();
    let read = |messages: &[connector_lab::whatsapp::PhoneMessage]| messages[0].state == MessageState::Read;
    soon("the person's text is read", lab.whatsapp().wait_for(PHONE, read)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_come_late_or_twice_change_nothing() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.whatsapp().hold_webhooks();
    lab.liveengage().say(&id, "one").unwrap();
    received_on_whatsapp(&lab, PHONE, 1).await;
    lab.whatsapp().consumer_reads(PHONE);
    // The read report comes before the delivered report, as can happen with WhatsApp's webhooks.
    lab.whatsapp().post_reversed();
    desk(&lab, "it is read", |all| {
        all[0].transcript.iter().any(|line| line.text == "one" && line.statuses.contains(&AcceptStatus::Read))
    })
    .await;
    settled(&lab).await;
    let conversation = lab.liveengage().conversation(&id).unwrap();
    let line = conversation.transcript.iter().find(|line| line.text == "one").unwrap();
    assert!(line.receipts.len() <= 2, "{:?}", line.receipts);
    assert_eq!(line.receipts.iter().filter(|receipt| receipt.status == AcceptStatus::Read).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_on_its_way_is_marked_at_the_desk_with_a_line() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.whatsapp().fail_delivery_next(131_026, "Message undeliverable");
    lab.liveengage().say(&id, "are you there?").unwrap();
    let told = line(&lab, "the line", |line| line.text.starts_with("[Not delivered")).await;
    assert_eq!(told.text, "[Not delivered: the channel reports that it could not be delivered (code 131026)]");
    let conversation = lab.liveengage().conversation(&id).unwrap();
    let failed = conversation.transcript.iter().find(|line| line.text == "are you there?").unwrap();
    assert_eq!(failed.statuses, [AcceptStatus::Nack]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_reports_of_an_sms_gateway_are_ticks_too() {
    let lab = lab().await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().say(&id, "one").unwrap();
    received(&lab, PHONE, 1).await;
    desk(&lab, "it is delivered", |all| {
        all[0].transcript.iter().any(|line| line.text == "one" && line.statuses == [AcceptStatus::Accept])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_sees_typing_and_it_never_stays_on() {
    let lab = lab().await;
    opened(&lab, PHONE).await;
    lab.gateway().consumer_types(PHONE, true).unwrap();
    desk(&lab, "the person types", |all| all[0].consumer_is_typing).await;
    lab.gateway().consumer_sends(PHONE, "here it is").unwrap();
    desk(&lab, "the text, and nobody types", |all| all[0].transcript.len() == 2 && !all[0].consumer_is_typing).await;
    let states = |all: &[connector_lab::liveengage::ConversationView]| {
        all[0].consumer_chat_states.iter().map(|state| state.chat_state).collect::<Vec<_>>()
    };
    assert_eq!(states(&lab.liveengage().conversations()), [ChatState::Composing, ChatState::Active]);
    // The consumer puts the phone away in mid-sentence. The typing is in the next five-second slot, and no event follows it.
    soon("the next typing is told", async {
        while states(&lab.liveengage().conversations()).len() == 2 {
            lab.gateway().consumer_types(PHONE, true).unwrap();
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), lab.liveengage().subscribe().recv()).await;
        }
    })
    .await;
    desk(&lab, "it is ended for the person", |all| !all[0].consumer_is_typing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_sees_that_the_agent_types() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    settled(&lab).await;
    lab.liveengage().typing(&id, true).unwrap();
    soon("the phone shows typing", lab.whatsapp().wait_for_typing(PHONE, true)).await;
    lab.liveengage().say(&id, "one").unwrap();
    soon("the answer ends it", lab.whatsapp().wait_for_typing(PHONE, false)).await;
}
