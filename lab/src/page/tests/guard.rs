//! Tests of origin checks and size limits.

use reqwest::Method;
use reqwest::header::{HOST, ORIGIN};

use super::*;

#[tokio::test]
async fn requests_from_another_site_are_refused() {
    let lab = PageFixture::start().await;
    let own = lab.page.url().trim_end_matches('/').to_owned();
    let send = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = lab.client.request(method, format!("{own}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = json!({ "channel": CHAT, "phone": PHONE, "text": "hi" }).to_string();
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let json_type = (CONTENT_TYPE.as_str(), "application/json");
    let post = "/api/phones/send";
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), "https://evil.example")]).await, 403);
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), "http://127.0.0.1:1")]).await, 403);
    assert_eq!(send(Method::POST, post, &[json_type, ("sec-fetch-site", "cross-site")]).await, 403);
    // A form, or a fetch without preflight, can't set the JSON content type.
    assert_eq!(send(Method::POST, post, &[(CONTENT_TYPE.as_str(), "text/plain")]).await, 415);
    assert_eq!(send(Method::POST, post, &[json_type, (HOST.as_str(), "evil.example")]).await, 403);
    assert_eq!(send(Method::GET, "/api/state", &[(HOST.as_str(), "evil.example")]).await, 403);
    assert_eq!(lab.fake.bubbles(), []);
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), &own)]).await, 204);
    assert_eq!(lab.fake.bubbles().len(), 1);
}

#[tokio::test]
async fn every_changing_route_is_restricted_to_the_page() {
    let lab = PageFixture::start().await;
    for path in ROUTES {
        let request = lab.client.post(format!("{}{path}", lab.page.url())).header(CONTENT_TYPE, "application/json");
        let response = request.header(ORIGIN, "https://evil.example").body("{}").send().await.unwrap();
        assert_eq!(response.status(), 403, "{path}");
    }
    for path in ["api/phones/media?channel=Chat&id=picture", "api/desk/media?id=picture"] {
        let request = lab.client.get(format!("{}{path}", lab.page.url())).header(HOST, "evil.example");
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
    assert!(lab.fake.done().is_empty());
}

#[tokio::test]
async fn a_body_with_unknown_fields_or_too_large_is_refused() {
    let lab = PageFixture::start().await;
    let too_long = "x".repeat(LARGEST_BODY);
    for path in ROUTES {
        let (status, body) = lab.post(path, json!({ "surprise": true })).await;
        assert_eq!(status, 422, "{path}");
        assert!(body["error"]["message"].as_str().unwrap().contains("surprise"), "{path}: {body}");
        let (status, body) = lab.post(path, json!({ "surprise": too_long })).await;
        let is_for_files = path.ends_with("/file");
        assert_eq!(status, if is_for_files { 422 } else { 413 }, "{path}: {body}");
    }
}

const ROUTES: [&str; 15] = [
    "api/phones/send",
    "api/phones/file",
    "api/phones/place",
    "api/phones/tap",
    "api/phones/read",
    "api/phones/typing",
    "api/desk/say",
    "api/desk/say_rich",
    "api/desk/file",
    "api/desk/typing",
    "api/desk/read",
    "api/desk/transfer",
    "api/desk/leave",
    "api/desk/close",
    "api/desk/survey",
];
