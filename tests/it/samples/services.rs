//! The services beside the Connector API: login, app installs, Monitoring, history, agents' profiles.

use http::{Method, header::SET_COOKIE};
use serde_json::{Value, json};

use super::{ACCOUNT, CLIENT_ID, PASSWORD, SECRET, Sample};

#[tokio::test]
async fn a_user_logs_in_refreshes_and_logs_out() {
    let sample = Sample::start().await;
    let path = |call: &str| format!("/api/account/{ACCOUNT}/{call}?v=1.3");
    let answer = sample.post(&path("login"), &[], &json!({"username": "ada", "password": PASSWORD})).await;
    let cookie = answer.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("Session_id="), "{cookie}");
    let session = answer.of_status(200);
    for member in ["csrf", "wsuk", "config", "csdsCollectionResponse", "accountData", "sessionTTl", "bearer"] {
        assert!(session.get(member).is_some(), "{member}");
    }
    assert_eq!((&session["sessionTTl"], &session["config"]["loginName"]), (&json!("28800000"), &json!("ada")));
    let csrf = json!({"csrf": session["csrf"]});
    let with_cookie = [("cookie", cookie.as_str())];
    assert_eq!(sample.post(&path("refresh"), &with_cookie, &csrf).await.of_status(200), Value::Null);
    let wrong = sample.post(&path("refresh"), &with_cookie, &json!({"csrf": "another"})).await.of_status(401);
    assert_eq!(
        (&wrong["error"]["internalCode"], &wrong["error"]["responseStatus"]),
        (&json!(10), &json!("UNAUTHORIZED"))
    );
    assert_eq!(sample.post(&path("logout"), &with_cookie, &csrf).await.of_status(200), Value::Null);
    assert_eq!(sample.post(&path("refresh"), &with_cookie, &csrf).await.status, 401);
}

#[tokio::test]
async fn an_application_logs_in_with_oauth_2_credentials_in_the_old_fields() {
    let sample = Sample::start().await;
    let body = json!({
        "username": "bot", "appKey": CLIENT_ID, "secret": SECRET, "accessToken": "dummy", "accessTokenSecret": "dummy",
    });
    let path = format!("/api/account/{ACCOUNT}/login?v=1.3");
    assert!(sample.post(&path, &[], &body).await.of_status(200)["bearer"].is_string());
}

#[tokio::test]
async fn an_app_is_installed_changed_from_its_revision_and_uninstalled() {
    let sample = Sample::start().await;
    let bearer = sample.bearer().await;
    let auth = ("authorization", bearer.as_str());
    let installs = format!("/api/account/{ACCOUNT}/configuration/app-install/installations");
    let hook = json!({"endpoint": "https://connector.example/events", "max_retries": 3,
        "headers": [{"header_name": "X-Source", "header_value": "liveperson"}]});
    let manifest = json!({
        "client_name": "A sample's connector", "description": "Texts of a channel", "grant_types": ["client_credentials"],
        "response_types": ["code"], "scope": "msg.consumer", "logo_uri": "https://pictures.example/logo.png",
        "capabilities": {
            "engagement": {"design_engagement": false, "design_window": false, "entry_point": ["section"],
                "visitor_behavior": ["flow"], "goal": ["url"], "consumer_identity": ["auth"], "language_selection": false},
            "webhooks": {"ms.MessagingEventNotification.ContentEvent": hook, "cqm.ExConversationChangeNotification": hook,
                "retry": {"retention_time": 259_200}},
        },
    });
    let made = sample.post(&format!("{installs}?v=1.0"), &[auth, ("user-agent", "Connector App Hub")], &manifest).await;
    let revision = made.headers["ac-revision"].to_str().unwrap().to_owned();
    let mut record = made.of_status(201);
    for (member, value) in manifest.as_object().unwrap() {
        assert_eq!(&record[member], value, "{member}");
    }
    for issued in ["client_id", "client_secret", "id"] {
        assert!(record[issued].is_string(), "{issued}");
    }
    let state = (&record["client_secret_expires_at"], &record["enabled"], &record["deleted"]);
    assert_eq!(state, (&json!(0), &json!(true), &json!(false)));

    record["description"] = json!("Texts of two channels");
    let one = format!("{installs}/{}?v=1.0", record["id"].as_str().unwrap());
    let put = |revision: &str| {
        let headers = [auth, ("if-match", revision), ("x-http-method-override", "PUT")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()));
        let (one, record, sample) = (one.clone(), record.to_string(), &sample);
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            sample.call(Method::PUT, &one, &headers, record).await
        }
    };
    let changed = put(&revision).await;
    let next = changed.headers["ac-revision"].to_str().unwrap().to_owned();
    assert_eq!(changed.of_status(200), record);
    assert_eq!(put(&revision).await.status, 412, "the revision is an old one");
    let delete = sample.call(Method::DELETE, &one, &[auth, ("if-match", &next)], "").await;
    assert_eq!(delete.status, 200);
    assert_eq!(sample.get(&one, &[auth]).await.status, 404);
}

#[tokio::test]
async fn a_visitor_is_offered_an_engagement_that_opens_the_conversation() {
    let sample = Sample::start().await;
    let path = |call: &str, query: &str| format!("/api/account/{ACCOUNT}/app/{CLIENT_ID}/{call}?v=1.0{query}");
    let identities = json!([{"iss": "LivePerson", "acr": "loa1", "sub": "ines"}]);
    let body = json!({
        "clientProperties": {"osName": "ANDROID", "osVersion": "14", "deviceFamily": "MOBILE", "ipAddress": "192.0.2.17"},
        "identities": identities, "entryPoints": ["tel://4930555017", "lang://French"],
        "engagementAttributes": [{"type": "personal", "personal": {"firstname": "Ines"}}],
    });
    let visit = sample.post(&path("engagement", ""), &[], &body).await.of_status(201);
    let details = &visit["engagementDetails"][0];
    assert_eq!((&details["campaignId"], &details["engagementId"]), (&json!(3_160_221), &json!(3_160_333)));
    assert_eq!((&details["status"], details["contextId"].is_string()), (&json!("expose"), true));
    let text = |member: &str| visit[member].as_str().unwrap().to_owned();
    let query = format!("&vid={}&sid={}", text("visitorId"), text("sessionId"));
    assert_eq!(sample.post(&path("engagement", &query), &[], &body).await.status, 200, "the session exists");

    let impression = json!({
        "type": "impDisplay", "campaign": 3_160_221, "engId": 3_160_333, "revision": 1,
        "eContext": [{"type": "engagementContext", "id": "1"}],
    });
    let report = json!({"identities": identities, "pageId": text("pageId"), "engagementAttributes": [impression]});
    let headers = [("content-type", "application/json")];
    let reported = sample.call(Method::PUT, &path("report", &query), &headers, report.to_string()).await.of_status(200);
    assert_eq!(reported["visitorId"], visit["visitorId"]);

    let consumer = sample.consumer("ines").await;
    let request = json!([
        {"kind": "req", "id": "1,", "type": "userprofile.SetUserProfile", "body": {}},
        {"kind": "req", "id": "2,", "type": "cm.ConsumerRequestConversation", "body": {
            "brandId": ACCOUNT, "channelType": "MESSAGING",
            "campaignInfo": {"campaignId": details["campaignId"], "engagementId": details["engagementId"]},
            "conversationContext": {"visitorId": text("visitorId"), "sessionId": text("sessionId"),
                "interactionContextId": details["contextId"], "type": "SharkContext", "lang": "fr-FR"},
        }},
    ]);
    let opened = consumer.conversation(&request).await.of_status(200);
    let again = sample.post(&path("engagement", &query), &[], &body).await.of_status(200);
    let details = &again["engagementDetails"][0];
    assert_eq!(
        (&details["status"], &details["conversationId"]),
        (&json!("conversation"), &opened[1]["body"]["conversationId"])
    );
}

#[tokio::test]
async fn a_consumers_history_has_the_closed_conversation_and_its_events() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Bonjour").await;
    sample.simulator.close(&conversation).unwrap();
    let base = format!("/messaging_history/api/account/{ACCOUNT}/conversations");
    let (period, page) = ("startFrom=0&startTo=9999999999999", "offset=0&limit=50&sort=start:desc");
    let search = format!("{base}/consumer/metadata/search?state=close,archive&{period}&{page}");
    let bearer = format!("Bearer {}", consumer.jws);
    let found = sample.get(&search, &[("authorization", &bearer)]).await.of_status(200);
    assert_eq!(found["_responseMetadata"]["count"], 1);
    assert_eq!(found["_responseMetadata"]["shardsStatusResult"], json!({"partialResult": false}));
    let record = &found["conversationHistoryMetadataRecords"][0];
    assert_eq!((&record["convId"], &record["state"]), (&json!(conversation), &json!("CLOSE")));
    assert!(record["participants"].as_array().unwrap().contains(&json!({"id": consumer.id(), "role": "CONSUMER"})));

    let content = format!("{base}/conversation/content/search?conversationId={conversation}");
    let events = sample.get(&content, &[("authorization", &bearer)]).await.of_status(200);
    let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Bonjour"});
    let first = &events["messageEventRecords"][0];
    assert_eq!(
        (&first["sequence"], &first["originatorId"], &first["event"]),
        (&json!(0), &json!(consumer.id()), &text)
    );
    assert_eq!(sample.get(&search, &[("authorization", "Bearer made-up")]).await.status, 401);
}

#[tokio::test]
async fn an_agents_profile_is_public() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    sample.simulator.say(&conversation, "Hello").unwrap();
    let shown = sample.simulator.conversation(&conversation).unwrap();
    let agent = &shown.agents[0].id;
    let path = format!("/api/account/{ACCOUNT}/configuration/le-users/users/{agent}");
    let profile = sample.get(&path, &[]).await.of_status(200);
    assert!(profile["nickname"].is_string() && profile["fullName"].is_string(), "{profile}");
}
