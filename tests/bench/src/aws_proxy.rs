//! Proxies in front of the AWS stand-ins. They count each function's calls and DynamoDB's write units, and delay each call as long as a real
//! one takes.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use connector_aws::outgoing_http;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::BenchError;

/// DynamoDB's largest request is 16 MB, and no other service's is larger.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// The calls so far: the caller's name, the operation, and how often.
pub(crate) type Calls = BTreeMap<(String, String), usize>;

struct Proxy {
    upstream: String,
    client: reqwest::Client,
    shared: Arc<Shared>,
}

/// DynamoDB's write units so far, by the caller's name.
pub(crate) type WriteUnits = BTreeMap<String, u64>;

#[derive(Default)]
struct Shared {
    calls: Mutex<Calls>,
    delay: Mutex<Duration>,
    /// Whether DynamoDB is asked for the units of each call. The connector doesn't ask.
    asks_for_units: Mutex<bool>,
    written: Mutex<WriteUnits>,
}

/// Who makes a call, and which one.
struct Caller {
    function: String,
    operation: String,
    is_dynamodb: bool,
}

/// The proxies of one system. Dropping them closes their ports.
#[derive(Default)]
pub(crate) struct AwsProxies {
    shared: Arc<Shared>,
    servers: JoinSet<()>,
}

impl AwsProxies {
    /// Opens a port in front of a service, and returns its address.
    pub(crate) async fn in_front_of(&mut self, upstream: &str) -> Result<String, BenchError> {
        let client = outgoing_http::client().map_err(|_| BenchError::HttpClient)?;
        let proxy = Proxy { upstream: upstream.to_owned(), client, shared: Arc::clone(&self.shared) };
        let router = Router::new().fallback(pass_on).with_state(Arc::new(proxy));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        self.servers.spawn(async move {
            // It ends only with an error of the listener. Then calls fail.
            let _ = axum::serve(listener, router).await;
        });
        Ok(address)
    }

    /// Delays every call by this time from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock() = delay;
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Calls {
        self.shared.calls.lock().clone()
    }

    /// Counts DynamoDB's write units from now on, or no more. A call that is asked for its units is another one than a function makes, so
    /// measure no time in the meantime.
    pub(crate) fn count_units(&self, count: bool) {
        *self.shared.asks_for_units.lock() = count;
    }

    /// The write units that were counted so far.
    pub(crate) fn written(&self) -> WriteUnits {
        self.shared.written.lock().clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "a call that takes as long as a real one is what is measured")]
async fn pass_on(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&parts.headers);
    proxy.shared.count(&caller);
    let counts_units = caller.is_dynamodb && *proxy.shared.asks_for_units.lock();
    let delay = *proxy.shared.delay.lock();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else { return StatusCode::BAD_REQUEST.into_response() };
    let body = if counts_units { asking_for_units(body) } else { body };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let headers = end_to_end(parts.headers);
    let call = proxy.client.request(parts.method, format!("{}{path}", proxy.upstream)).headers(headers).body(body);
    match answered(call).await {
        Ok((status, headers, body)) => {
            if counts_units {
                proxy.shared.add_units(caller, &body);
            }
            (status, headers, body).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn answered(call: reqwest::RequestBuilder) -> reqwest::Result<(StatusCode, HeaderMap, Bytes)> {
    let answer = call.send().await?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    Ok((status, headers, answer.bytes().await?))
}

/// Removes the headers of one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// Adds to a call of DynamoDB that its answer shall name the units.
fn asking_for_units(body: Bytes) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut call)) => {
            call.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
            Value::from(call).to_string().into()
        }
        _ => body,
    }
}

/// The units that an answer of DynamoDB names: those of one table, or of several.
fn units(answer: &Value) -> u64 {
    let of_table = |table: &Value| table.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default();
    let units: f64 = match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(of_table).sum(),
        Some(table) => of_table(table),
        None => 0.0,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of whole units")]
    let whole = units.round() as u64;
    whole
}

impl Caller {
    /// Reads a call of an SDK. Its signature names the caller, and a header the service and the operation.
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let credential = text("authorization").split_once("Credential=").map(|(_, rest)| rest);
        let function = credential.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let target = text("x-amz-target");
        let operation = target.rsplit_once('.').map_or(target, |(_, operation)| operation);
        Self {
            function: function.to_owned(),
            operation: operation.to_owned(),
            is_dynamodb: target.starts_with("DynamoDB"),
        }
    }
}

impl Shared {
    fn count(&self, caller: &Caller) {
        *self.calls.lock().entry((caller.function.clone(), caller.operation.clone())).or_default() += 1;
    }

    fn add_units(&self, caller: Caller, answer: &[u8]) {
        let is_write =
            ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&caller.operation.as_str());
        let answer = serde_json::from_slice(answer).unwrap_or_default();
        if is_write {
            *self.written.lock().entry(caller.function).or_default() += units(&answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_passed_on_and_counted_for_its_caller_and_operation() {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}", upstream.local_addr().unwrap());
        let mut server = JoinSet::new();
        let router = Router::new().fallback(|body: String| async move { format!("{body} back") });
        server.spawn(async move { axum::serve(upstream, router).await.unwrap() });
        let mut proxies = AwsProxies::default();
        let url = proxies.in_front_of(&address).await.unwrap();
        let call = outgoing_http::client().unwrap().post(url).header("x-amz-target", "DynamoDB_20120810.GetItem");
        let credential = "AWS4-HMAC-SHA256 Credential=inbound/20260102/us-east-1/dynamodb/aws4_request, Signature=0";
        let answer = call.header("authorization", credential).body("there and").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "there and back");
        assert_eq!(proxies.calls(), BTreeMap::from([(("inbound".to_owned(), "GetItem".to_owned()), 1)]));
    }
    #[test]
    fn the_units_of_a_transaction_are_those_of_all_its_tables() {
        assert_eq!(units(&json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 2.0}})), 2);
        let tables = json!([{"TableName": "t", "CapacityUnits": 6.0}, {"TableName": "u", "CapacityUnits": 1.0}]);
        assert_eq!(units(&json!({"ConsumedCapacity": tables})), 7);
        assert_eq!(units(&json!({})), 0);
    }

    #[test]
    fn a_call_is_asked_for_its_units_and_stays_as_it_was() {
        let asked: Value = serde_json::from_slice(&asking_for_units(r#"{"TableName":"t"}"#.into())).unwrap();
        assert_eq!(asked, json!({"TableName": "t", "ReturnConsumedCapacity": "TOTAL"}));
    }
}
