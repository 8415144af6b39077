//! A new conversation counts for the campaign that the Monitoring API names.

use serde_json::{Value, json};

use super::world::{ANNA, CONVERSATION, ENGAGEMENT, Fault, World, attempt, from_consumer};

/// The setting, beside a campaign of the line's own.
fn settings() -> Value {
    json!({
        "engagement": {"entry_points": ["sec://shop", "tel://493023125042"]},
        "routing": {"campaign": {"campaign_id": "771", "engagement_id": "772"}},
    })
}

async fn opened(world: &World) -> Value {
    world.workers().to_liveengage.work(&from_consumer("mo-1", ANNA, "hello"), &attempt("a", 0)).await.unwrap();
    assert_eq!(world.other().texts.len(), 1);
    let calls = world.http.calls();
    let call = calls.iter().find(|call| call.name == CONVERSATION).unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body[1]["body"].clone()
}

#[tokio::test]
async fn the_campaign_and_the_visit_come_from_the_monitoring_api() {
    let world = World::with(&settings()).await;
    let engagement =
        json!({"campaignId": 881, "engagementId": 882, "engagementRevision": 2, "contextId": "7", "status": "expose"});
    world.other().engagements = vec![engagement];
    let conversation = opened(&world).await;
    assert_eq!(conversation["campaignInfo"], json!({"campaignId": "881", "engagementId": "882"}));
    let context = json!({"type": "SharkContext", "visitorId": "visitor-1", "sessionId": "session-1", "interactionContextId": "7"});
    assert_eq!(conversation["conversationContext"], context);

    let calls = world.http.calls();
    let asked = calls.iter().find(|call| call.name == ENGAGEMENT).unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(asked.url.path(), "/api/account/72419083/app/5b8e1f40/engagement");
    assert_eq!(body["entryPoints"], json!(["sec://shop", "tel://493023125042"]));
    assert_eq!(body["identities"][0]["sub"], json!(ext_consumer_id(&world)));
    assert!(!asked.body.windows(8).any(|part| part == &ANNA.as_bytes()[..8]), "no phone number");
    assert!(asked.limit.is_some());
}

/// The consumer's external id, as IDP was asked for it.
fn ext_consumer_id(world: &World) -> String {
    let calls = world.http.calls();
    let call = calls.iter().find(|call| call.name == "LiveEngage IDP").unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body["ext_consumer_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_an_engagement_the_lines_own_campaign_counts() {
    let own = json!({"campaignId": "771", "engagementId": "772"});
    for fault in [
        Fault::Nothing,
        Fault::NotSent,
        Fault::LoseAnswer,
        Fault::Page,
        Fault::Answer(400, json!({"internalCode": 5, "message": "consumerId"})),
        Fault::Answer(503, json!({})),
    ] {
        let world = World::with(&settings()).await;
        world.fault(ENGAGEMENT, fault);
        let conversation = opened(&world).await;
        assert_eq!(conversation["campaignInfo"], own);
        assert_eq!(conversation["conversationContext"], Value::Null);
        assert_eq!(world.count(ENGAGEMENT), 1);
    }
}

/// A campaign that LiveEngage refuses must not keep a message from the agent.
#[tokio::test]
async fn a_conversation_that_is_refused_with_a_campaign_opens_as_the_line_says() {
    let world = World::with(&settings()).await;
    world.other().engagements = vec![json!({"campaignId": 881, "engagementId": 882, "status": "expose"})];
    let refused =
        json!([{"code": "OK", "body": {}}, {"code": "BAD_REQUEST", "body": {"msg": "Bad Request, campaign"}}]);
    world.fault(CONVERSATION, Fault::Answer(400, refused));
    assert_eq!(opened(&world).await["campaignInfo"]["campaignId"], "881");
    let calls = world.http.calls();
    let again: Value =
        serde_json::from_slice(&calls.iter().rfind(|call| call.name == CONVERSATION).unwrap().body).unwrap();
    assert_eq!(again[1]["body"]["campaignInfo"]["campaignId"], "771");
    assert_eq!((world.count(CONVERSATION), world.count(ENGAGEMENT)), (2, 1));
}

/// Without a found campaign there is nothing to leave out, so a refused conversation is not requested again.
#[tokio::test]
async fn a_conversation_that_is_refused_without_a_found_campaign_is_requested_once() {
    let world = World::with(&settings()).await;
    let refused = json!([{"code": "OK", "body": {}}, {"code": "BAD_REQUEST", "body": {"msg": "Bad Request, skill"}}]);
    world.fault(CONVERSATION, Fault::Answer(400, refused));
    world.workers().to_liveengage.work(&from_consumer("mo-1", ANNA, "hello"), &attempt("a", 0)).await.unwrap();
    assert_eq!((world.count(ENGAGEMENT), world.count(CONVERSATION)), (1, 1));
    assert_eq!(world.store.parked().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_being_loaded_is_asked_once_more() {
    let loading = || Fault::Answer(500, json!({"internalCode": 20, "message": "Loading account: v-7, vid: v-7"}));
    for (faults, expected) in [(1, "881"), (2, "771")] {
        let world = World::with(&settings()).await;
        world.other().engagements = vec![json!({"campaignId": 881, "engagementId": 882, "status": "expose"})];
        (0..faults).for_each(|_| world.fault(ENGAGEMENT, loading()));
        let conversation = opened(&world).await;
        assert_eq!(conversation["campaignInfo"]["campaignId"], json!(expected));
        assert_eq!(world.count(ENGAGEMENT), 2);
        let calls = world.http.calls();
        let again = calls.iter().rfind(|call| call.name == ENGAGEMENT).unwrap();
        assert!(again.url.query_pairs().any(|pair| pair == ("vid".into(), "v-7".into())));
    }
}

#[tokio::test]
async fn an_open_conversation_is_not_asked_about() {
    let world = World::talking_with(ANNA, &settings()).await;
    assert_eq!(world.count(ENGAGEMENT), 1);
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "again"), &attempt("b", 5)).await.unwrap();
    assert_eq!(world.count(ENGAGEMENT), 1);
}

#[tokio::test]
async fn without_the_setting_nothing_is_asked() {
    let world = World::talking(ANNA).await;
    assert_eq!(world.count(ENGAGEMENT), 0);
}
