//! API Gateway's event, before it is made a request: a stranger chooses what stands in its address.

use bytes::Bytes;
use http::uri::PathAndQuery;
use serde::Deserialize;
use serde_json::{Map, Value};

const QUERY: &str = "rawQueryString";

/// The event, without its query if that can't be part of a URI: `lambda_http` panics over one.
///
/// No sender's signature is over the query. Only Meta's question for the verify token is in one, and that is a URI.
pub fn with_readable_query(event: Bytes) -> Bytes {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Address {
        raw_query_string: Option<String>,
    }
    let is_readable = |query: &str| PathAndQuery::try_from(format!("/?{query}")).is_ok();
    match serde_json::from_slice(&event) {
        Ok(Address { raw_query_string: Some(query) }) if !is_readable(&query) => {
            tracing::warn!(count = 1, "the query of an address is no part of a URI: left out");
            without_query(&event).unwrap_or(event)
        }
        _ => event,
    }
}

fn without_query(event: &[u8]) -> Option<Bytes> {
    let mut event: Map<String, Value> = serde_json::from_slice(event).ok()?;
    event.remove(QUERY);
    serde_json::to_vec(&event).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use lambda_http::RequestExt;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(path: &str, query: &str) -> Bytes {
        let http =
            json!({"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"});
        let event = json!({
            "version": "2.0", "routeKey": "POST /channels/{line}", "rawPath": path, "rawQueryString": query,
            "headers": {"host": "a1.execute-api.eu-central-1.amazonaws.com", "x-forwarded-proto": "https"},
            "requestContext": {"requestId": "r-1", "stage": "$default", "http": http},
            "pathParameters": {"line": "sms-main"}, "body": "{\"id\":\"mo-1\"}", "isBase64Encoded": false,
        });
        event.to_string().into()
    }

    fn request(event: &Bytes) -> lambda_http::Request {
        lambda_http::request::from_str(std::str::from_utf8(event).unwrap()).unwrap()
    }

    #[test]
    fn a_readable_event_is_passed_on_as_it_is() {
        for query in ["", "hub.mode=subscribe&hub.challenge=1158201444", "a=%7B%22&b=+x", "q={a|b}[]"] {
            let event = event("/channels/sms-main", query);
            assert_eq!(with_readable_query(event.clone()), event);
            let request = request(&event);
            assert_eq!(request.uri().query().unwrap_or_default(), query);
        }
    }

    #[test]
    fn a_query_that_is_no_part_of_a_uri_is_left_out_and_the_rest_stays() {
        for query in ["a=<b>", "a b", "a\"b", "\u{7f}", "a\nb"] {
            let request = request(&with_readable_query(event("/channels/sms-main", query)));
            assert_eq!(request.uri().query(), None, "{query:?}");
            assert_eq!(request.path_parameters().first("line"), Some("sms-main"));
            assert_eq!(request.body(), &lambda_http::Body::Text("{\"id\":\"mo-1\"}".to_owned()));
        }
    }

    #[test]
    fn what_is_no_event_is_left_to_the_runtime() {
        for event in ["", "{", "[]", "{\"rawQueryString\": 7}", "{\"Records\": []}"] {
            assert_eq!(with_readable_query(Bytes::from(event)), event);
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_an_address_makes_a_request(path in "/channels/\\PC{0,20}", query in any::<String>()) {
            request(&with_readable_query(event(&path, &query)));
        }
    }
}
