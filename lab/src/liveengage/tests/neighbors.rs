//! Tests of the services that carry no message, with raw requests: what they refuse.

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{ACCOUNT, CLIENT_ID, SECRET, get, options, post, request};
use crate::liveengage::conversation::Staff;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{LiveEngageOptions, UserOptions, UserProof};

const JSON: (&str, &str) = ("content-type", "application/json");

pub(super) async fn with_administrator() -> LiveEngageSimulator {
    let mut options: LiveEngageOptions = options();
    let proof = UserProof::Password("s3cret".into());
    options.accounts[0].users = vec![
        UserOptions { name: "ada".to_owned(), proof, administrator: true },
        UserOptions { name: "bot".to_owned(), proof: UserProof::AppInstall, administrator: true },
    ];
    LiveEngageSimulator::start(options).await.unwrap()
}

async fn login(simulator: &LiveEngageSimulator, body: &Value) -> (u16, Value) {
    post(simulator, &format!("/api/account/{ACCOUNT}/login?v=1.3"), &[JSON], body.to_string()).await
}

pub(super) async fn bearer(simulator: &LiveEngageSimulator) -> String {
    let (status, session) = login(simulator, &json!({ "username": "ada", "password": "s3cret" })).await;
    assert_eq!(status, 200);
    format!("Bearer {}", session["bearer"].as_str().unwrap())
}

#[tokio::test]
async fn profiles_are_public_and_no_token_may_be_sent_to_them() {
    let simulator = with_administrator().await;
    let path = |agent: &str| format!("/api/account/{ACCOUNT}/configuration/le-users/users/{agent}");
    let (status, profile) = get(&simulator, &path(&Staff::Agent.id(ACCOUNT))).await;
    assert_eq!((status, profile["nickname"].as_str()), (200, Some("Robin")));
    assert_eq!(get(&simulator, &path(&Staff::SurveyBot.id(ACCOUNT))).await.1, json!({ "nickname": "Survey" }));
    for nobody in [Staff::Reader.id(ACCOUNT), Staff::Agent.id("99999"), "x".to_owned()] {
        assert_eq!(get(&simulator, &path(&nobody)).await, (404, Value::Null));
    }
    let url = format!("{}{}", simulator.base_url(), path(&Staff::Agent.id(ACCOUNT)));
    assert_eq!(request(Method::GET, &url, &[("authorization", "x")], "").await.0, 400);
}

#[tokio::test]
async fn a_login_needs_a_user_with_the_right_proof() {
    let simulator = with_administrator().await;
    let application = json!({
        "username": "bot", "appKey": CLIENT_ID, "secret": SECRET, "accessToken": "dummy", "accessTokenSecret": "dummy",
    });
    let (status, session) = login(&simulator, &application).await;
    assert_eq!(
        (status, &session["sessionTTl"], &session["config"]["isAdmin"]),
        (200, &json!("28800000"), &json!(true))
    );
    assert!(session["csdsCollectionResponse"]["baseURIs"].as_array().unwrap().len() > 5);
    let without_dummies = json!({ "username": "bot", "appKey": CLIENT_ID, "secret": SECRET });
    for (body, status) in [
        (json!({}), 400),
        (json!({ "username": "ada" }), 400),
        (json!([]), 400),
        (json!({ "username": "ada", "password": "wrong" }), 401),
        (json!({ "username": "bot", "password": "s3cret" }), 401),
        (json!({ "username": "ada", "appKey": CLIENT_ID, "secret": SECRET }), 401),
        (without_dummies, 401),
        (json!({ "assertion": "PHNhbWw+" }), 401),
    ] {
        assert_eq!(login(&simulator, &body).await, (status, Value::Null), "{body}");
    }
    let ada = json!({ "username": "ada", "password": "s3cret" }).to_string();
    for (path, status) in [("74120988/login", 400), ("74120988/login?v=2", 400), ("99999/login?v=1.3", 401)] {
        assert_eq!(post(&simulator, &format!("/api/account/{path}"), &[JSON], ada.clone()).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_csrf_token_has_the_documented_error() {
    let simulator = with_administrator().await;
    let url = format!("{}/api/account/{ACCOUNT}/login?v=1.3", simulator.base_url());
    let client = super::webhook_client(std::time::Duration::from_secs(5)).unwrap();
    let response = client.post(&url).body(r#"{"username":"ada","password":"s3cret"}"#).send().await.unwrap();
    let headers: HeaderMap = response.headers().clone();
    let cookie = headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let path = format!("/api/account/{ACCOUNT}/refresh?v=1.3");
    let (status, error) = post(&simulator, &path, &[("cookie", &cookie)], r#"{"csrf":"wrong"}"#).await;
    assert_eq!((status, &error["error"]["internalCode"]), (401, &json!(10)));
    assert_eq!(post(&simulator, &path, &[("cookie", &cookie)], "{}").await.0, 400);
}

#[tokio::test]
async fn a_record_is_replaced_only_whole_and_from_its_revision() {
    let simulator = with_administrator().await;
    let bearer = bearer(&simulator).await;
    let installs = format!("{}/api/account/{ACCOUNT}/configuration/app-install/installations", simulator.base_url());
    let auth = ("authorization", bearer.as_str());
    let (_, list) = request(Method::GET, &format!("{installs}?v=1.0"), &[auth], "").await;
    let record = list[0].clone();
    assert_eq!((&record["client_id"], &record["client_secret"]), (&json!(CLIENT_ID), &json!(SECRET)));
    let one = format!("{installs}/{}?v=1.0", record["id"].as_str().unwrap());
    let put = async |revision: &str, body: &Value| {
        request(Method::PUT, &one, &[auth, ("if-match", revision)], body.to_string()).await.0
    };
    let mut changed = record.clone();
    changed["description"] = json!("new");
    assert_eq!([put("2", &changed).await, put("", &changed).await], [412, 412]);
    for field in ["id", "client_id", "client_secret", "client_name", "grant_types", "scope"] {
        let mut partial = changed.clone();
        partial.as_object_mut().unwrap().remove(field);
        assert_eq!(put("1", &partial).await, 400, "{field}");
    }
    assert_eq!(put("1", &changed).await, 200);
    assert_eq!(put("1", &changed).await, 412, "the revision is another one now");
    assert_eq!(request(Method::DELETE, &one, &[auth, ("if-match", "2")], "").await.0, 200);
    assert_eq!(request(Method::GET, &one, &[auth], "").await.0, 404);
    assert_eq!(request(Method::GET, &installs, &[auth], "").await.0, 400, "without a version");
}

#[tokio::test]
async fn reports_need_a_visitor_and_the_accounts_own_app() {
    let simulator = with_administrator().await;
    let body = json!({ "consumerId": "e-1" }).to_string();
    let put = async |path: &str| {
        let url = format!("{}/api/account/{ACCOUNT}/app/{path}", simulator.base_url());
        request(Method::PUT, &url, &[JSON], body.clone()).await
    };
    let (status, error) = put(&format!("{CLIENT_ID}/report?v=1.0")).await;
    assert_eq!((status, &error["message"], &error["internalCode"]), (400, &json!("visitorId"), &json!(5)));
    let (status, visit) = put(&format!("{CLIENT_ID}/report?v=1.0&vid=v-1&sid=s-1")).await;
    assert_eq!((status, &visit["visitorId"]), (201, &json!("v-1")), "the session is not known");
    assert_eq!(put("another-app/report?v=1.0&vid=v-1").await.0, 404);
}

#[tokio::test]
async fn sign_ins_refuse_what_is_missing() {
    let simulator = with_administrator().await;
    let post = async |path: &str, body: &str| {
        post(&simulator, &format!("/api/account/{ACCOUNT}/{path}"), &[JSON], body.to_owned()).await
    };
    assert_eq!(post("authenticate", "{}").await.0, 400);
    assert_eq!(post("app/1/authenticate", r#"{"id_token":"e30.eyJzdWIiOiJ4In0.c2ln"}"#).await.0, 400, "no version");
    let broken = post("app/1/authenticate?v=3.0", r#"{"id_token":"broken"}"#).await;
    assert_eq!(broken, (500, json!({ "internalErrorCode": "9007" })));
    // A token that was not issued to an anonymous consumer can't be extended.
    let signed_up = post("signup", "").await.1["jwt"].as_str().unwrap().to_owned();
    assert_eq!(post("anonymous/authorize", &json!({ "id_token": signed_up }).to_string()).await.0, 401);
}
