//! API Gateway's HTTP API for the two routes of the template: converts a request to an event (payload format 2.0), and
//! the function's answer to a response.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use connector::port::Clock;
use connector_aws::{SystemClock, lambda::gateway_event};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::loopback::LoopbackServer;

/// The largest request that Lambda accepts through API Gateway, 6 MB.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;
/// The size limit of the request line and the header values in bytes (API Gateway's quotas for HTTP APIs).
const LARGEST_HEAD: usize = 10_240;
/// The timeout for a request body. API Gateway reads the whole body before it calls a function, and gives up after half
/// a minute.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The answer of a function behind a route. An error is a function error.
pub type HttpAnswer = Result<lambda_http::Response<lambda_http::Body>, String>;

/// A function behind a route. It takes an event of payload format 2.0.
pub type HttpFunction = Arc<dyn Fn(Value) -> BoxFuture<'static, HttpAnswer> + Send + Sync>;

/// Returns a function that runs in this process. It takes the request that the entry points make of the event.
pub fn in_process<F>(handle: impl Fn(lambda_http::Request) -> F + Send + Sync + 'static) -> HttpFunction
where
    F: Future<Output = HttpAnswer> + Send + 'static,
{
    Arc::new(move |event| match gateway_event::request(&event.to_string()) {
        Ok(request) => Box::pin(handle(request)),
        Err(error) => Box::pin(async move { Err(error.to_string()) }),
    })
}

#[derive(Clone)]
struct Routes {
    webhook: HttpFunction,
    inbound: HttpFunction,
    timeouts: Duration,
}

/// The running gateway. It stops when dropped.
#[derive(Debug)]
pub struct ApiGateway {
    server: LoopbackServer,
}

impl ApiGateway {
    /// Starts it on a loopback port (0 for a free port) in front of the functions `webhook` and `inbound`.
    ///
    /// # Errors
    /// The I/O error when the port can't be opened.
    pub async fn start(port: u16, webhook: HttpFunction, inbound: HttpFunction) -> Result<Self, std::io::Error> {
        Self::start_with(port, webhook, inbound, BODY_TIMEOUT).await
    }

    async fn start_with(
        port: u16,
        webhook: HttpFunction,
        inbound: HttpFunction,
        timeouts: Duration,
    ) -> Result<Self, std::io::Error> {
        let routes = Routes { webhook, inbound, timeouts };
        let server = LoopbackServer::start(port, |_| Router::new().fallback(serve).with_state(routes)).await?;
        Ok(Self { server })
    }

    /// The address, without a trailing slash.
    pub fn url(&self) -> String {
        self.server.url()
    }
}

async fn serve(State(routes): State<Routes>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let (function, route, line) = match (&parts.method, path.strip_prefix("/channels/")) {
        (&Method::POST, _) if path == "/webhooks/liveengage" => (routes.webhook, "POST /webhooks/liveengage", None),
        (_, Some(line)) if !line.is_empty() && !line.contains('/') => {
            (routes.inbound, "ANY /channels/{line}", Some(line.to_owned()))
        }
        _ => return message(StatusCode::NOT_FOUND, "Not Found"),
    };
    let head = parts.uri.to_string().len() + parts.headers.values().map(http::HeaderValue::len).sum::<usize>();
    if head > LARGEST_HEAD {
        return message(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    }
    let body = match tokio::time::timeout(routes.timeouts, to_bytes(body, LARGEST_EVENT)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
        Err(_) => return message(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
    };
    let query = parts.uri.query().unwrap_or_default();
    let target = RequestTarget { method: &parts.method, path: &path, query, route, line: line.as_deref() };
    match function(event(target, &parts.headers, &body)).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let body = match body {
                lambda_http::Body::Text(text) => Body::from(text),
                lambda_http::Body::Binary(bytes) => Body::from(bytes),
                _ => Body::empty(),
            };
            Response::from_parts(parts, body)
        }
        Err(error) => {
            tracing::error!(route, error, "function error");
            message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

fn message(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({"message": text}))).into_response()
}

/// The target of a request.
struct RequestTarget<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    /// The route in the template.
    route: &'a str,
    /// The path parameter.
    line: Option<&'a str>,
}

/// Builds the event of payload format 2.0: header names in lower case, repeated headers and parameters joined by
/// commas, and the body in Base64 unless its content type is text.
fn event(target: RequestTarget<'_>, headers: &HeaderMap, body: &[u8]) -> Value {
    let RequestTarget { method, path, query, route, line } = target;
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        join(&mut joined, name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        join(&mut parameters, &name, &value);
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_text = ["text/", "application/json", "application/xml", "application/javascript"]
        .iter()
        .any(|kind| content_type.starts_with(kind));
    let text = is_text.then(|| std::str::from_utf8(body).ok()).flatten();
    let now = SystemClock.now();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": crate::aws::ACCOUNT,
            "apiId": "lab",
            "domainName": "127.0.0.1",
            "domainPrefix": "lab",
            "http": {"method": method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": joined.get("user-agent")},
            "requestId": Uuid::new_v4().to_string(),
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": text.is_none() && !body.is_empty(),
    });
    if let Some(event) = event.as_object_mut() {
        if !parameters.is_empty() {
            event.insert("queryStringParameters".to_owned(), json!(parameters));
        }
        if let Some(line) = line {
            event.insert("pathParameters".to_owned(), json!({"line": line}));
        }
        if !body.is_empty() {
            let body = text.map_or_else(|| STANDARD.encode(body), str::to_owned);
            event.insert("body".to_owned(), body.into());
        }
    }
    event
}

fn join(map: &mut BTreeMap<String, String>, name: &str, value: &str) {
    map.entry(name.to_owned())
        .and_modify(|known| {
            known.push(',');
            known.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

#[cfg(test)]
mod tests {
    use lambda_http::RequestExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    fn read(method: Method, query: &str, content_type: &str, body: &[u8]) -> (Value, lambda_http::Request) {
        let mut headers = HeaderMap::new();
        headers.append("x-twice", "a".parse().unwrap());
        headers.append("x-twice", "b".parse().unwrap());
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        let (path, route) = ("/channels/sms-lab", "ANY /channels/{line}");
        let target = RequestTarget { method: &method, path, query, route, line: Some("sms-lab") };
        let event = event(target, &headers, body);
        (event.clone(), gateway_event::request(&event.to_string()).unwrap())
    }

    #[test]
    fn json_bodies_are_passed_as_text_and_others_as_base64() {
        let body = r#"{"text":"Grüße 😀"}"#;
        for (content_type, encoded) in [("application/json", false), ("application/x-protobuf", true)] {
            let (event, request) = read(Method::POST, "", content_type, body.as_bytes());
            assert_eq!(event["isBase64Encoded"], encoded);
            assert_eq!(request.body().as_ref(), body.as_bytes(), "{content_type}");
        }
        let (event, request) = read(Method::POST, "", "application/json", &[0xff, 0xfe]);
        assert_eq!(event["isBase64Encoded"], true);
        assert_eq!(request.body().as_ref(), [0xff, 0xfe]);
    }

    #[test]
    fn headers_and_parameters_are_joined_and_the_line_is_a_path_parameter() {
        let (_, request) = read(Method::GET, "hub.mode=subscribe&x=1&x=2%20", "text/plain", b"");
        assert_eq!(request.headers().get("x-twice").unwrap(), "a,b");
        assert_eq!(request.path_parameters().first("line"), Some("sms-lab"));
        assert_eq!(request.query_string_parameters().first("hub.mode"), Some("subscribe"));
        assert!(request.body().is_empty());
    }

    fn named(name: &'static str) -> HttpFunction {
        Arc::new(move |_| {
            Box::pin(async move { Ok(lambda_http::Response::new(lambda_http::Body::Text(name.to_owned()))) })
        })
    }

    /// Announces a body and sends only its first byte. Returns the connection.
    async fn send_incomplete_body(gateway: &ApiGateway) -> TcpStream {
        let mut sender = TcpStream::connect(gateway.url().strip_prefix("http://").unwrap()).await.unwrap();
        let begun = b"POST /webhooks/liveengage HTTP/1.1\r\nhost: lab\r\ncontent-length: 1000\r\n\r\n{";
        sender.write_all(begun).await.unwrap();
        sender
    }

    #[tokio::test]
    async fn slow_senders_are_cut_off_and_hold_up_nobody() {
        let never: HttpFunction = Arc::new(|_| Box::pin(async { Err("a request that is not whole".to_owned()) }));
        let patient = Duration::from_secs(3600);
        let gateway = ApiGateway::start_with(0, Arc::clone(&never), named("inbound"), patient).await.unwrap();
        let mut slow = Vec::new();
        for _ in 0..50 {
            slow.push(send_incomplete_body(&gateway).await);
        }
        let client = connector_aws::outgoing_http::client().unwrap();
        let quick = client.post(format!("{}/channels/sms-lab", gateway.url())).send().await.unwrap();
        assert_eq!(quick.text().await.unwrap(), "inbound", "while all the others are waited for");

        let gateway = ApiGateway::start_with(0, never, named("inbound"), Duration::from_millis(100)).await.unwrap();
        let mut answer = [0; 12];
        let mut sender = send_incomplete_body(&gateway).await;
        let read = tokio::time::timeout(Duration::from_secs(60), sender.read_exact(&mut answer)).await;
        read.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
    }

    #[tokio::test]
    async fn a_body_and_headers_beyond_the_quotas_reach_no_function() {
        let never: HttpFunction = Arc::new(|_| Box::pin(async { Err("beyond a quota".to_owned()) }));
        let gateway = ApiGateway::start(0, Arc::clone(&never), never).await.unwrap();
        let client = connector_aws::outgoing_http::client().unwrap();
        let url = format!("{}/channels/sms-lab", gateway.url());
        let long = client.post(&url).header("x-hub-signature-256", "0".repeat(11_000)).send().await.unwrap();
        assert_eq!(long.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let many = client.post(format!("{url}?{}", "hub.mode=x&".repeat(1000))).send().await.unwrap();
        assert_eq!(many.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        // The server may close the connection before the whole body is sent. Then there is no answer.
        let large = client.post(&url).body(vec![b'x'; LARGEST_EVENT + 1]).send().await;
        assert!(large.is_err() || large.is_ok_and(|answer| answer.status() == StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[tokio::test]
    async fn only_routes_of_the_template_reach_a_function() {
        let gateway = ApiGateway::start(0, named("webhook"), named("inbound")).await.unwrap();
        let client = connector_aws::outgoing_http::client().unwrap();
        for (method, path, status, body) in [
            (Method::POST, "/webhooks/liveengage", 200, "webhook"),
            (Method::GET, "/webhooks/liveengage", 404, r#"{"message":"Not Found"}"#),
            (Method::GET, "/channels/sms-lab", 200, "inbound"),
            (Method::POST, "/channels/sms-lab", 200, "inbound"),
            (Method::POST, "/channels/a/b", 404, r#"{"message":"Not Found"}"#),
            (Method::POST, "/channels/", 404, r#"{"message":"Not Found"}"#),
        ] {
            let response = client.request(method.clone(), format!("{}{path}", gateway.url())).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            assert_eq!(response.text().await.unwrap(), body, "{method} {path}");
        }
    }
}
