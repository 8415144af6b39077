use serde_json::json;

use super::*;
use connector_message::Disposition;

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn with_app<T>(then: impl FnOnce(App<'_>) -> T) -> T {
    let monitoring = "https://va.smt.liveperson.net".parse().unwrap();
    let (account, app) = (AccountId::new("72419083").unwrap(), AppInstallId::new("0f6c/2a9e").unwrap());
    then(App { monitoring: &monitoring, account: &account, app: &app })
}

fn visit(session: Option<&str>) -> Visit {
    Visit {
        visitor: VisitorId::new("v 1").unwrap(),
        session: session.map(|session| VisitorSessionId::new(session).unwrap()),
    }
}

fn observation() -> Observation {
    let impression = |kind, context_id: Option<&str>| Impression {
        kind,
        campaign_id: 3_115_000_001,
        engagement_id: 3_115_000_002,
        revision: 5,
        context_id: context_id.map(str::to_owned),
    };
    Observation {
        identities: vec![
            VisitorIdentity::authenticated("e-1"),
            VisitorIdentity {
                issuer: "Shop".to_owned(),
                subject: "guest-9".to_owned(),
                assurance: Assurance::Unauthenticated,
            },
        ],
        entry_points: vec![
            EntryPoint::Phone("4930000000".to_owned()),
            EntryPoint::Page("https://shop.example/shoes".parse().unwrap()),
            EntryPoint::Section("Shoes".to_owned()),
            EntryPoint::Language("German".to_owned()),
        ],
        attributes: vec![json!({"type": "personal", "personal": {"firstname": "Ada"}})],
        impressions: vec![impression(ImpressionKind::Display, Some("1")), impression(ImpressionKind::Timeout, None)],
        page_id: Some("p-1".to_owned()),
    }
}

#[test]
fn the_engagement_is_asked_for_as_documented() {
    let client = ClientProperties {
        os_name: Some("ANDROID".to_owned()),
        ip_address: Some("192.0.2.7".to_owned()),
        ..ClientProperties::default()
    };
    let mut observation = observation();
    observation.impressions.clear();
    let call = with_app(|app| engagement_request(app, None, Some(&client), &observation));
    assert_eq!(
        (call.method.as_str(), call.url.as_str()),
        ("POST", "https://va.smt.liveperson.net/api/account/72419083/app/0f6c%2F2a9e/engagement?v=1.0")
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        json!({
            "clientProperties": {"osName": "ANDROID", "ipAddress": "192.0.2.7"},
            "identities": [
                {"iss": "LivePerson", "acr": "loa1", "sub": "e-1"},
                {"iss": "Shop", "acr": "0", "sub": "guest-9"},
            ],
            "entryPoints": ["tel://4930000000", "https://shop.example/shoes", "sec://Shoes", "lang://German"],
            "engagementAttributes": [{"type": "personal", "personal": {"firstname": "Ada"}}],
        })
    );
    let shown = format!("{observation:?} {client:?} {call:?}");
    assert!(["e-1", "4930000000", "Ada", "192.0.2"].iter().all(|hidden| !shown.contains(hidden)), "{shown}");
}

#[test]
fn a_known_visit_is_named_and_nothing_empty_is_sent() {
    let url = |visit: &Visit| {
        let call = with_app(|app| engagement_request(app, Some(visit), None, &Observation::default()));
        assert_eq!(&call.body[..], b"{}");
        call.url.query().unwrap().to_owned()
    };
    assert_eq!(url(&visit(None)), "v=1.0&vid=v+1");
    assert_eq!(url(&visit(Some("s&1"))), "v=1.0&vid=v+1&sid=s%261");
}

#[test]
fn a_report_has_the_page_and_the_impressions() {
    let call = with_app(|app| report_request(app, &visit(Some("s1")), &observation()));
    assert_eq!((call.method.as_str(), call.url.path()), ("PUT", "/api/account/72419083/app/0f6c%2F2a9e/report"));
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["pageId"], "p-1");
    let context = json!([{"type": "engagementContext", "id": "1"}]);
    let ids = json!({"campaign": 3_115_000_001_i64, "engId": 3_115_000_002_i64, "revision": 5});
    let impression = |name: &str| {
        let mut impression = ids.clone();
        impression["type"] = json!(name);
        impression
    };
    let mut display = impression("impDisplay");
    display["eContext"] = context;
    assert_eq!(body["engagementAttributes"][1], display);
    assert_eq!(body["engagementAttributes"][2], impression("impTimeout"));
    let names = [ImpressionKind::Accept, ImpressionKind::Expanded, ImpressionKind::Close].map(ImpressionKind::name);
    assert_eq!(names, ["impAccept", "impExpanded", "impClose"]);
}

fn found(status: u16, body: &Value) -> Engagements {
    match engagement_answer(&reply(status, body)).unwrap() {
        EngagementAnswer::Ready(found) => found,
        EngagementAnswer::Loading(visit) => panic!("{visit:?}"),
    }
}

#[test]
fn the_documented_engagements_are_read() {
    let details = json!([
        {"campaignId": 2_695_000_112_i64, "engagementId": "2696", "engagementRevision": 3, "contextId": 1, "connectorId": 77, "status": "expose"},
        {"campaignId": 8, "engagementId": 9, "conversationId": "c-1", "status": "conversation", "language": "de-DE"},
        {"status": "later"},
        7,
    ]);
    let body = json!({"sessionId": "s-1", "visitorId": "v-1", "pageId": 1674, "engagementDetails": details});
    let found = found(201, &body);
    assert!(found.is_new_session);
    assert_eq!((found.visit.visitor.as_str(), found.visit.session.unwrap().as_str()), ("v-1", "s-1"));
    assert_eq!(found.page_id.as_deref(), Some("1674"));
    let [shown, running, later] = found.engagements.try_into().unwrap();
    let campaign = shown.campaign().unwrap();
    assert_eq!((campaign.campaign_id.as_str(), campaign.engagement_id.as_str()), ("2695000112", "2696"));
    assert_eq!(
        (shown.revision, shown.context_id.as_deref(), shown.status),
        (Some(3), Some("1"), EngagementStatus::Expose)
    );
    assert_eq!(running.conversation.unwrap().as_str(), "c-1");
    assert_eq!((running.status, running.context_id), (EngagementStatus::Conversation, None));
    assert_eq!((later.status, later.campaign()), (EngagementStatus::Unknown, None));
}

#[test]
fn no_campaign_is_no_error() {
    let nothing = found(200, &json!({"sessionId": "s-1", "visitorId": "v-1", "pageId": "p-1"}));
    assert!(nothing.engagements.is_empty() && !nothing.is_new_session);
}

#[test]
fn an_account_that_is_loading_is_asked_again_with_its_visitor() {
    let body =
        |message: &str, code: i64| json!({"time": 1_790_000_000_000_i64, "message": message, "internalCode": code});
    let loading = |body| engagement_answer(&reply(500, &body));
    let expected = Visit { visitor: VisitorId::new("v-7").unwrap(), session: None };
    for message in ["Loading account: ab12, vid: v-7", "Loading account: ab12, vid:v-7, later"] {
        assert_eq!(loading(body(message, 20)), Ok(EngagementAnswer::Loading(expected.clone())));
    }
    for other in [body("Loading account: ab12", 20), body("vid: v-7", 21), json!({})] {
        assert!(matches!(loading(other), Err(LiveEngageError::Unavailable { status: 500, .. })));
    }
    assert!(report_answer(&reply(500, &body("vid: v-7", 20))).is_err());
}

#[test]
fn errors_say_what_to_do() {
    let refused = engagement_answer(&reply(400, &json!({"message": "consumerId", "internalCode": 5}))).unwrap_err();
    assert_eq!(refused, LiveEngageError::Refused { call: ENGAGEMENT, status: 400, code: Code::internal("5") });
    assert_eq!(refused.disposition(), Disposition::Park);
    assert!(matches!(report_answer(&reply(503, &json!({}))), Err(LiveEngageError::Unavailable { .. })));
    assert!(matches!(report_answer(&reply(200, &json!({}))), Err(LiveEngageError::Unreadable { .. })));
    let next = report_answer(&reply(200, &json!({"visitorId": "v-1", "sessionId": "s-2"}))).unwrap();
    assert_eq!(next.session.unwrap().as_str(), "s-2");
}

#[test]
fn each_call_has_its_own_waits_and_they_grow() {
    for waits in [&ENGAGEMENT_RETRIES[..], &REPORT_RETRIES[..]] {
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]));
    }
    assert_eq!(ENGAGEMENT_RETRIES.map(|wait| wait.as_secs()), [10, 30, 90]);
    assert_eq!(REPORT_RETRIES.map(|wait| wait.as_secs()), [3, 10, 30, 90]);
}

#[test]
fn an_entry_point_is_read_in_the_form_on_the_wire() {
    for text in
        ["sec://Sport", "tel://493023125042", "lang://German", "https://shop.example/help", "http://shop.example/"]
    {
        let point = EntryPoint::try_from(text.to_owned()).unwrap();
        let observation = Observation { entry_points: vec![point], ..Observation::default() };
        assert_eq!(observation.report_body()["entryPoints"], json!([text]));
    }
    for text in ["", "Sport", "sec://", "sec:// ", "ftp://shop.example", "https://", "javascript:alert(1)"] {
        assert_eq!(EntryPoint::try_from(text.to_owned()), Err(InvalidEntryPoint), "{text}");
    }
}
