use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn event(path: &str, query: &str) -> Value {
    let http =
        json!({"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"});
    json!({
        "version": "2.0", "routeKey": "POST /channels/{line}", "rawPath": path, "rawQueryString": query,
        "headers": {
            "host": "a1.execute-api.eu-central-1.amazonaws.com", "x-forwarded-proto": "https", "x-signature": "s1",
        },
        "requestContext": {"requestId": "r-1", "stage": "$default", "domainName": "a1.example", "http": http},
        "pathParameters": {"line": "sms-main"}, "body": "{\"id\":\"mo-1\"}", "isBase64Encoded": false,
    })
}

fn made(event: &Value) -> Request {
    request(&event.to_string()).unwrap()
}

/// The valid members that every test's event has.
fn has_the_rest(request: &Request) {
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.headers()["x-signature"], "s1");
    assert_eq!(request.path_parameters().first("line"), Some("sms-main"));
    assert_eq!(request.body(), &Body::Text("{\"id\":\"mo-1\"}".to_owned()));
    match request.request_context() {
        RequestContext::ApiGatewayV2(context) => {
            assert_eq!(context.request_id.as_deref(), Some("r-1"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_readable_query_is_the_requests() {
    for query in ["", "hub.mode=subscribe&hub.challenge=1158201444", "a=%7B%22&b=+x", "q={a|b}[]"] {
        let request = made(&event("/channels/sms-main", query));
        assert_eq!(request.uri().query().unwrap_or_default(), query);
        has_the_rest(&request);
    }
}

#[test]
fn a_query_that_is_no_part_of_a_uri_is_left_out_and_the_rest_stays() {
    for query in ["a=<b>", "a b", "a\"b", "\u{7f}", "a\nb"] {
        let request = made(&event("/channels/sms-main", query));
        assert_eq!(request.uri().query(), None, "{query:?}");
        has_the_rest(&request);
    }
}

#[test]
fn an_invalid_address_leaves_the_rest_of_the_request_unchanged() {
    for host in
        ["a.example:99999", "", " ", "[::1", "a b", "a.example/x", "\u{fc}.example", "@", "a%zz", "xn--", "0x.0x"]
    {
        for scheme in ["https,http", "", "https", "://", "a b", "\u{e4}"] {
            for name in ["host", "Host"] {
                let mut event = event("/channels/sms-main", "");
                event["headers"] = json!({name: host, "X-Forwarded-Proto": scheme, "x-signature": "s1"});
                event["requestContext"]["domainName"] = host.into();
                event["requestContext"]["stage"] = scheme.into();
                has_the_rest(&made(&event));
            }
        }
    }
}

#[test]
fn a_header_that_no_request_can_have_is_left_out_and_the_rest_stays() {
    let mut event = event("/channels/sms-main", "");
    for (name, value) in [("", json!("x")), ("a b", json!("x")), ("x-odd", json!("a\nb")), ("x-number", json!(7))] {
        event["headers"][name] = value;
    }
    event["headers"]["X-Umlaut"] = "\u{fc}".into();
    let request = made(&event);
    has_the_rest(&request);
    assert_eq!(request.headers().len(), 2);
    assert_eq!(request.headers()["x-umlaut"].as_bytes(), "\u{fc}".as_bytes());
}

#[test]
fn more_headers_than_api_gateway_takes_make_a_request() {
    let mut event = event("/channels/sms-main", "");
    event["headers"] = (0..40_000).map(|n| (format!("x-{n}"), json!("v"))).collect::<Map<_, _>>().into();
    assert_eq!(made(&event).headers().len(), MOST_HEADERS);
}

#[test]
fn a_body_that_is_not_what_it_is_said_to_be_is_left_out() {
    let mut event = event("/channels/sms-main", "");
    event["isBase64Encoded"] = true.into();
    assert!(made(&event).body().is_empty());
    event["body"] = "aGk=".into();
    assert_eq!(made(&event).body(), &Body::Binary(b"hi".to_vec()));
    event["body"] = json!({"id": "mo-1"});
    assert!(made(&event).body().is_empty());
    let half = event.to_string().replace("{\"id\":\"mo-1\"}", "\"\\ud800\"");
    assert!(request(&half).unwrap().body().is_empty());
}

#[test]
fn a_method_that_none_is_makes_a_request_that_no_channel_takes() {
    for method in [json!("a b"), json!(""), json!(null), json!(7)] {
        let mut event = event("/channels/sms-main", "");
        event["requestContext"]["http"]["method"] = method;
        assert_eq!(made(&event).method(), UNKNOWN_METHOD);
    }
}

#[test]
fn what_is_no_event_is_an_error_that_quotes_nothing() {
    let odd = "{\"requestContext\": {\"http\": \"+49 151 7000000\"}}";
    for event in ["", "{", "[]", "{\"rawQueryString\": 7}", "{\"Records\": []}", "{\"requestContext\": {}}", odd] {
        let error = request(event).unwrap_err();
        assert!(matches!(error, FunctionError::UnknownHttpEvent), "{event}");
        assert_eq!(error.to_string(), "the event is not that of an HTTP API with payload format 2.0");
    }
}

#[test]
fn a_query_has_its_parameters_decoded() {
    let request = made(&event("/channels/wa-main", "hub.challenge=11%2058&hub.mode=subscribe&hub.mode=again"));
    let query = request.query_string_parameters();
    assert_eq!(query.first("hub.challenge"), Some("11 58"));
    assert_eq!(query.all("hub.mode"), Some(vec!["subscribe", "again"]));
}

#[test]
fn an_answer_has_the_status_the_headers_and_the_body() {
    let response =
        |status: u16, body| Response::builder().status(status).header("content-type", "text/plain").body(body);
    let answered = |status, body| serde_json::to_value(answer(response(status, body).unwrap())).unwrap();
    let rest = json!({"headers": {"content-type": "text/plain"}, "multiValueHeaders": {}, "cookies": []});
    for (status, body, expected) in [
        (200, Body::Empty, json!({"statusCode": 200, "isBase64Encoded": false})),
        (403, Body::Text("no".to_owned()), json!({"statusCode": 403, "isBase64Encoded": false, "body": "no"})),
        (200, Body::Binary(vec![255, 0]), json!({"statusCode": 200, "isBase64Encoded": true, "body": "/wA="})),
    ] {
        let members = rest.as_object().into_iter().chain(expected.as_object()).flatten();
        let expected: Map<_, _> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(answered(status, body), Value::from(expected));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..3).prop_map(|all| Map::from_iter(all).into()),
        ]
    })
}

/// The paths of an event's members, at any depth.
const MEMBERS: [&str; 21] = [
    "/version",
    "/routeKey",
    "/rawPath",
    "/rawQueryString",
    "/headers",
    "/headers/host",
    "/headers/x-forwarded-proto",
    "/headers/x-signature",
    "/requestContext/requestId",
    "/requestContext/stage",
    "/requestContext/domainName",
    "/requestContext/http/method",
    "/requestContext/http/path",
    "/requestContext/http/protocol",
    "/requestContext/http/sourceIp",
    "/requestContext/http/userAgent",
    "/pathParameters",
    "/pathParameters/line",
    "/body",
    "/isBase64Encoded",
    "/cookies",
];

proptest! {
    #[test]
    fn whatever_an_event_holds_makes_a_request(odd in prop::collection::vec((prop::sample::select(&MEMBERS), value()), 1..5)) {
        let mut event = event("/channels/sms-main", "");
        event["cookies"] = json!(["a=b"]);
        for (member, value) in odd {
            if let Some(place) = event.pointer_mut(member) {
                *place = value;
            }
        }
        made(&event);
    }

    #[test]
    fn whatever_headers_and_address_an_event_has_make_a_request(
        headers in prop::collection::vec(("\\PC{0,12}", any::<String>()), 0..6),
        path in any::<String>(), query in any::<String>(), host in "\\PC{0,20}", method in any::<String>(),
    ) {
        let mut event = event(&path, &query);
        event["requestContext"]["http"]["method"] = method.into();
        let headers = headers.into_iter().chain([("host".to_owned(), host)]);
        event["headers"] = headers.map(|(name, value)| (name, value.into())).collect::<Map<_, _>>().into();
        made(&event);
    }
}
