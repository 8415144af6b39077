use super::*;
use crate::domain_api::Service;
use connector_message::Disposition;

fn host() -> Url {
    "https://va.agentvep.liveperson.net".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn cookies(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (SET_COOKIE, value.parse().unwrap())).collect()
}

/// A reply in the documented form.
fn documented() -> Value {
    json!({
        "csrf": "7f3a91c2",
        "wsuk": "700112233445566778",
        "config": {
            "loginName": "install-bot", "userId": "4711223344", "userPid": "5c2d7e90-1a2b-5c3d-8e4f-9a0b1c2d3e4f",
            "userPrivileges": [100, 101], "serverCurrentTime": 1_790_000_000_000_i64, "isLPA": false, "isAdmin": true,
        },
        "csdsCollectionResponse": {"baseURIs": [
            {"account": "72419083", "baseURI": "va.acconfig.liveperson.net", "service": "accountConfigReadWrite"},
        ]},
        "accountData": {"agentGroupsData": {"items": [{"id": -1, "deleted": false, "name": "Main Group"}], "revision": 1}},
        "sessionTTl": "3600000",
        "bearer": "b34r3r",
    })
}

fn session() -> Session {
    answer(&reply(200, &documented()), &cookies(&["Session_id=s3ss10n; Path=/; Secure"]), Timestamp::UNIX_EPOCH)
        .unwrap()
}

#[test]
fn each_kind_of_login_has_its_documented_body() {
    let body = |credentials: Credentials| {
        let call = request(&host(), &account(), &credentials);
        assert_eq!(call.url.as_str(), "https://va.agentvep.liveperson.net/api/account/72419083/login?v=1.3");
        assert_eq!((call.method, call.headers["content-type"].to_str().unwrap()), (Method::POST, "application/json"));
        assert!(!format!("{credentials:?}").contains("s3cret"));
        serde_json::from_slice::<Value>(&call.body).unwrap()
    };
    assert_eq!(
        body(Credentials::User { user: "ada".to_owned(), password: "s3cret".into() }),
        json!({"username": "ada", "password": "s3cret"})
    );
    let application = Credentials::Application {
        user: "install-bot".to_owned(),
        client_id: "0f6c2a9e".to_owned(),
        client_secret: "s3cret".into(),
    };
    assert_eq!(
        body(application),
        json!({
            "username": "install-bot", "appKey": "0f6c2a9e", "secret": "s3cret", "accessToken": "dummy",
            "accessTokenSecret": "dummy",
        })
    );
    assert_eq!(body(Credentials::Saml { assertion: "s3cret".into() }), json!({"assertion": "s3cret"}));
}

#[test]
fn the_documented_session_is_read() {
    let session = session();
    assert_eq!(session.bearer.expose_secret(), "b34r3r");
    assert_eq!(session.csrf.expose_secret(), "7f3a91c2");
    assert_eq!(session.id.as_ref().unwrap().expose_secret(), "s3ss10n");
    assert_eq!(session.ends_at.as_second(), 3600);
    assert_eq!(session.user_id.as_deref(), Some("4711223344"));
    assert_eq!(session.agent.as_ref().unwrap().as_str(), "5c2d7e90-1a2b-5c3d-8e4f-9a0b1c2d3e4f");
    assert!(session.is_administrator);
    let configuration = session.services.url(Service::Configuration).unwrap();
    assert_eq!(configuration.as_str(), "https://va.acconfig.liveperson.net/");
    let shown = format!("{session:?}");
    assert!(["b34r3r", "7f3a91c2", "s3ss10n"].iter().all(|secret| !shown.contains(secret)), "{shown}");
}

#[test]
fn a_session_needs_only_its_two_tokens() {
    let read = |body: Value| answer(&reply(200, &body), &HeaderMap::new(), Timestamp::UNIX_EPOCH);
    let life = |ttl: Value| read(json!({"csrf": "c", "bearer": "b", "sessionTTL": ttl})).unwrap().ends_at.as_second();
    assert_eq!(
        [life(json!(90_000)), life(json!("90000")), life(json!(-1)), life(Value::Null)],
        [90, 90, 28_800, 28_800]
    );
    let session = read(json!({"csrf": "c", "bearer": "b", "sessionId": "from-body", "config": {"userId": 7}})).unwrap();
    assert_eq!(session.id.unwrap().expose_secret(), "from-body");
    assert_eq!((session.user_id.as_deref(), session.is_administrator), (Some("7"), false));
    assert_eq!(session.services, Directory::default());
    for body in [json!({"csrf": "c"}), json!({"bearer": "b", "csrf": ""}), json!([]), json!("<html>")] {
        assert!(matches!(read(body), Err(LiveEngageError::Unreadable { .. })));
    }
}

#[test]
fn the_sessions_cookie_is_found_among_others() {
    let id = |values: &[&str]| session_cookie(&cookies(values)).map(|id| id.expose_secret().to_owned());
    assert_eq!(id(&["a=b", "Session_id = x=y ; Secure"]).as_deref(), Some("x=y"));
    assert_eq!(id(&["Session_id=", "session_id=x", "Other=Session_id"]), None);
}

#[test]
fn refresh_and_logout_prove_the_session() {
    let session = session();
    for (call, action) in [
        (refresh_request(&host(), &account(), &session).unwrap(), "refresh"),
        (logout_request(&host(), &account(), &session).unwrap(), "logout"),
    ] {
        assert_eq!(call.url.path(), format!("/api/account/72419083/{action}"));
        assert_eq!(&call.body[..], br#"{"csrf":"7f3a91c2"}"#);
        assert_eq!(call.headers[COOKIE], "Session_id=s3ss10n");
        assert!(call.headers[COOKIE].is_sensitive());
    }
    let without = Session { id: None, ..session };
    assert!(!refresh_request(&host(), &account(), &without).unwrap().headers.contains_key(COOKIE));
    assert_eq!(refresh_answer(&reply(200, &json!(null))), Ok(()));
    assert_eq!(logout_answer(&reply(204, &json!(null))), Ok(()));
    let csrf =
        json!({"error": {"message": "CSRF token invalid!", "internalCode": 10, "responseStatus": "UNAUTHORIZED"}});
    assert_eq!(refresh_answer(&reply(401, &csrf)), Err(LiveEngageError::SessionRefused { call: REFRESH }));
    assert_eq!(logout_answer(&reply(401, &csrf)), Err(LiveEngageError::SessionRefused { call: LOGOUT }));
    assert!(matches!(refresh_answer(&reply(500, &json!({}))), Err(LiveEngageError::Unavailable { .. })));
}

#[test]
fn errors_say_what_to_do() {
    let error = |status| answer(&reply(status, &json!({})), &HeaderMap::new(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(error(401), LiveEngageError::LoginRefused { call: LOGIN });
    assert_eq!(error(401).disposition(), Disposition::RETRY);
    assert_eq!(error(429), LiveEngageError::RateLimited { call: LOGIN, after: LEAST_WAIT });
    let slower = HttpReply { retry_after: Some(SignedDuration::from_secs(90)), ..reply(429, &json!({})) };
    let slower = answer(&slower, &HeaderMap::new(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(slower.disposition(), Disposition::Retry { after: Some(SignedDuration::from_secs(90)) });
    assert_eq!(error(451), LiveEngageError::Blocked { call: LOGIN });
    assert_eq!(error(400).disposition(), Disposition::Park);
    assert_eq!(error(500), LiveEngageError::Unavailable { call: LOGIN, status: 500, after: None });
}
