//! Surveys after a conversation.

use connector_lab::{
    LabOptions,
    liveengage::{SurveyOptions, SurveyQuestion},
    whatsapp::MessageContent,
};
use serde_json::json;

use crate::silence::WatchedLab;
use crate::steps::{
    HELLO, PHONE, consumer_texts, desk, lab_with, opened, opened_on_whatsapp, received, received_on_whatsapp, settled,
};

fn survey() -> SurveyOptions {
    SurveyOptions {
        greeting: None,
        questions: vec![
            SurveyQuestion::with_replies("How was it, from 1 to 3?", &["1", "2", "3"]),
            SurveyQuestion::open("What could be better?"),
        ],
        thanks: "Thank you!".to_owned(),
    }
}

async fn lab_with_survey() -> WatchedLab {
    WatchedLab::start(LabOptions { survey: Some(survey()), ..LabOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_survey_is_answered_by_sms_and_then_the_conversation_is_over() {
    let lab = lab_with_survey().await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().say(&id, "bye").unwrap();
    received(&lab, PHONE, 1).await;
    lab.liveengage().close(&id).unwrap();
    assert!(received(&lab, PHONE, 2).await[1].starts_with("How was it, from 1 to 3?"));
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "3").unwrap();
    assert_eq!(received(&lab, PHONE, 3).await[2], "What could be better?");
    lab.gateway().consumer_sends(PHONE, "Nothing, thanks").unwrap();
    assert_eq!(received(&lab, PHONE, 4).await[3], "Thank you!");
    let all = desk(&lab, "all of it is over", |all| !all[0].open).await;
    let answers: Vec<_> = all[0].survey_answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(answers, ["3", "Nothing, thanks"]);
    assert!(all[0].survey_answers[0].answer_id.is_some(), "the number was the button");
    assert_eq!(consumer_texts(&all[0])[0], HELLO);
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "a new matter").unwrap();
    desk(&lab, "a second conversation", |all| all.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_survey_has_buttons_on_whatsapp() {
    let lab = lab_with_survey().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.liveengage().join(&id).unwrap();
    lab.liveengage().close(&id).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::Buttons(shown) = &messages[0].content else { panic!("{messages:?}") };
    settled(&lab).await;
    lab.whatsapp().consumer_taps(PHONE, &messages[0].id, &shown.buttons[1].id).unwrap();
    let all = desk(&lab, "the answer", |all| !all[0].survey_answers.is_empty()).await;
    assert_eq!(all[0].survey_answers[0].text, "2");
    assert!(all[0].survey_answers[0].answer_id.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_overtakes_the_news_of_the_survey_still_reaches_it() {
    let lab = lab_with_survey().await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().join(&id).unwrap();
    settled(&lab).await;
    lab.liveengage().close(&id).unwrap();
    lab.gateway().consumer_sends(PHONE, "2").unwrap();
    let all = desk(&lab, "the answer", |all| all.iter().any(|one| !one.survey_answers.is_empty())).await;
    assert_eq!((all.len(), all[0].survey_answers[0].text.as_str()), (1, "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_wants_no_survey_has_none() {
    let options = LabOptions {
        survey: Some(survey()),
        line_settings: json!({"surveys": false, "close_words": ["bye"]}),
        ..LabOptions::default()
    };
    let lab = WatchedLab::start(options).await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().join(&id).unwrap();
    lab.gateway().consumer_sends(PHONE, "bye").unwrap();
    let all = desk(&lab, "it is over", |all| !all[0].open).await;
    assert_eq!(all[0].dialogs.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_own_questions_become_csat_and_fcr() {
    let lab = lab_with(json!({"satisfaction": {
        "question": "How was it, from 1 to 5?", "resolved_question": "Is it settled?", "thanks": "Thank you!",
    }}))
    .await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().say(&id, "done").unwrap();
    received(&lab, PHONE, 1).await;
    lab.liveengage().close(&id).unwrap();
    assert_eq!(received(&lab, PHONE, 2).await[1], "How was it, from 1 to 5?");
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "5").unwrap();
    assert_eq!(received(&lab, PHONE, 3).await[2], "Is it settled?");
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "yes").unwrap();
    assert_eq!(received(&lab, PHONE, 4).await[3], "Thank you!");
    let csat = lab.liveengage().conversation(&id).unwrap().csat.unwrap();
    assert_eq!((csat.csat_rate, csat.csat_resolution_confirmation), (Some(5), Some(true)));
    assert_eq!(lab.liveengage().conversations().len(), 1);
}
