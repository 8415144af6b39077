//! Domain API, Sentinel and IDP.

use http::Method;
use serde_json::{Value, json};

use super::{ACCOUNT, CLIENT_ID, FORM, SECRET, Sample, claims};

#[tokio::test]
async fn the_domain_api_answers_with_a_list_or_one_entry() {
    let sample = Sample::start().await;
    let list =
        sample.get(&format!("/api/account/{ACCOUNT}/service/baseURI.json?version=1.0"), &[]).await.of_status(200);
    let entries = list["baseURIs"].as_array().unwrap();
    for service in ["asyncMessagingEnt", "sentinel", "idp", "agentVep", "accountConfigReadWrite", "acCdnDomain", "smt"]
    {
        let path = format!("/api/account/{ACCOUNT}/service/{service}/baseURI.json?version=1.0");
        let one = sample.get(&path, &[]).await.of_status(200);
        assert_eq!((&one["service"], &one["account"]), (&json!(service), &json!(ACCOUNT)));
        assert!(entries.contains(&one), "{one}");
    }
    let other = "/api/account/99999/service/baseURI.json?version=1.0";
    assert_eq!(sample.get(other, &[]).await.of_status(401), Value::Null);
}

#[tokio::test]
async fn sentinel_takes_the_three_documented_placements_of_its_parameters() {
    let sample = Sample::start().await;
    let base = format!("/sentinel/api/account/{ACCOUNT}/app/token");
    let credentials = format!("client_id={CLIENT_ID}&client_secret={SECRET}");
    for (query, body) in [
        ("?v=1.0&grant_type=client_credentials".to_owned(), credentials.clone()),
        ("?v=1.0".to_owned(), format!("grant_type=client_credentials&{credentials}")),
        (format!("?v=1.0&grant_type=client_credentials&{credentials}"), String::new()),
    ] {
        let token = sample.call(Method::POST, &format!("{base}{query}"), &[FORM], body).await.of_status(200);
        let jwt = token["access_token"].as_str().unwrap();
        assert_eq!(token, json!({"access_token": jwt, "token_type": "Bearer"}), "exactly these members");
        let claims = claims(jwt);
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        let (exp, iat) = (&claims["exp"], &claims["iat"]);
        let documented = json!({
            "aud": ACCOUNT, "azp": CLIENT_ID, "scope": "msg.consumer", "iss": "Sentinel", "exp": exp, "iat": iat,
        });
        assert_eq!((&claims, lifetime), (&documented, 3600));
    }
}

#[tokio::test]
async fn idp_creates_a_consumers_token_without_an_end() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("d41d8cd9-a-users-unguessable-id").await;
    let claims = claims(&consumer.jws);
    let id = consumer.id();
    assert_eq!(id.len(), 64);
    let documented = json!({
        "account_id": ACCOUNT, "ext_consumer_id": "d41d8cd9-a-users-unguessable-id", "lp_consumer_id": id,
    });
    assert_eq!(claims, documented);
    assert_eq!(sample.consumer("d41d8cd9-a-users-unguessable-id").await.id(), id);
}

#[tokio::test]
async fn token_errors_of_the_send_api_have_the_documented_numbers() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("d41d8cd9").await;
    let path = format!("/api/account/{ACCOUNT}/messaging/consumer/conversation?v=3");
    let (app_jwt, jws) = (("authorization", consumer.app_jwt.as_str()), ("x-lp-on-behalf", consumer.jws.as_str()));
    let error = |title: &str, details: &str, number: u32| {
        let body = json!({"title": title, "details": details, "errorCode": number});
        json!({"kind": "resp", "code": 401, "body": body, "type": ".ReqBody$ErrorResp"})
    };
    for (headers, documented) in [
        (vec![jws], error("AppJWT is missing", "AUTHORIZATION header is not present", 40105)),
        (vec![app_jwt], error("ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present", 40104)),
        (vec![("authorization", "ey.no"), jws], error("Invalid AppJWT", "AppJWT has expired or is invalid", 40102)),
        (vec![app_jwt, ("x-lp-on-behalf", "ey.no")], error("Invalid ConsumerJWS", "ConsumerJWS is invalid", 40103)),
    ] {
        assert_eq!(sample.post(&path, &headers, &super::minimal()).await.of_status(401), documented);
    }
    let bearer = format!("Bearer {}", consumer.app_jwt);
    let refused = sample.post(&path, &[("authorization", &bearer), jws], &super::minimal()).await.of_status(401);
    assert_eq!(refused["body"]["errorCode"], 40102, "the token is sent without Bearer");
}
