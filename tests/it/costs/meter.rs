//! Proxies in front of the AWS stand-ins. They count each function's calls, and the units that DynamoDB bills for them.
//!
//! DynamoDB names these units in its answer if a request asks for them. The connector doesn't ask, so the proxy does.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use connector_aws::outgoing_http;
use connector_lab::{
    aws::{AwsStandInOptions, AwsStandIns, Endpoints},
    function::Function,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::usage::Work;

/// DynamoDB's largest request is 16 MB, and no other service's is larger.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// The service behind a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Sqs,
    SecretsManager,
}

struct Proxy {
    service: Service,
    upstream: String,
    client: reqwest::Client,
    counts: Counts,
}

type Counts = Arc<Mutex<BTreeMap<&'static str, Work>>>;

/// The proxies of one deployment. Dropping it closes their ports.
pub(super) struct Meter {
    endpoints: Endpoints,
    counts: Counts,
    _servers: JoinSet<()>,
}

impl Meter {
    /// Opens a port in front of each service.
    pub(super) async fn in_front_of(upstream: &Endpoints) -> Self {
        let (counts, mut servers) = (Counts::default(), JoinSet::new());
        let mut open = async |service, upstream: &str| {
            let client = outgoing_http::client().unwrap();
            let proxy = Proxy { service, upstream: upstream.to_owned(), client, counts: Arc::clone(&counts) };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let router = Router::new().fallback(pass_on).with_state(Arc::new(proxy));
            servers.spawn(async move { axum::serve(listener, router).await.unwrap() });
            address
        };
        let endpoints = Endpoints {
            dynamodb: open(Service::DynamoDb, &upstream.dynamodb).await,
            sqs: open(Service::Sqs, &upstream.sqs).await,
            secrets: open(Service::SecretsManager, &upstream.secrets).await,
        };
        Self { endpoints, counts, _servers: servers }
    }

    /// The addresses for the functions.
    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns what a function called since it was last asked.
    pub(super) fn take(&self, function: Function) -> Work {
        self.counts.lock().unwrap().remove(function.name()).unwrap_or_default()
    }
}

async fn pass_on(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = to_bytes(body, LARGEST_REQUEST).await.unwrap();
    if proxy.service == Service::DynamoDb {
        body = asking_for_units(&body);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let call = proxy.client.request(parts.method, format!("{}{path}", proxy.upstream));
    let answer = call.headers(end_to_end(parts.headers.clone())).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    let answer = answer.bytes().await.unwrap();
    let work = work(proxy.service, &parts.headers, (status, &answer));
    *proxy.counts.lock().unwrap().entry(caller(&parts.headers)).or_default() += work;
    (status, headers, Body::from(answer)).into_response()
}

fn asking_for_units(body: &[u8]) -> Bytes {
    let mut call: Value = serde_json::from_slice(body).unwrap();
    call["ReturnConsumedCapacity"] = json!("TOTAL");
    call.to_string().into()
}

/// Removes the headers of one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// The function that makes the call. Its name is the access key in the signature.
fn caller(headers: &HeaderMap) -> &'static str {
    let authorization = headers[header::AUTHORIZATION].to_str().unwrap();
    let (_, credential) = authorization.split_once("Credential=").unwrap();
    let name = credential.split('/').next().unwrap();
    Function::ALL.map(Function::name).into_iter().find(|known| *known == name).unwrap()
}

/// What AWS bills for one call.
fn work(service: Service, headers: &HeaderMap, (status, answer): (StatusCode, &[u8])) -> Work {
    let target = headers["x-amz-target"].to_str().unwrap();
    let (_, operation) = target.rsplit_once('.').unwrap();
    // A refused write is billed too, but its answer doesn't say how much. No row has one.
    assert!(status.is_success(), "{operation} was answered with {status}: {}", String::from_utf8_lossy(answer));
    match service {
        Service::Sqs => Work { queue_calls: 1, ..Work::default() },
        Service::SecretsManager => Work { secret_calls: 1, ..Work::default() },
        Service::DynamoDb => {
            let answer: Value = serde_json::from_slice(answer).unwrap();
            let consumed = &answer["ConsumedCapacity"];
            let tables = consumed.as_array().cloned().unwrap_or_else(|| vec![consumed.clone()]);
            let units = tables.iter().map(|table| whole(table["CapacityUnits"].as_f64().unwrap())).sum();
            match operation {
                "GetItem" | "Query" | "TransactGetItems" => Work { table_calls: 1, read: units, ..Work::default() },
                "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems" => {
                    Work { table_calls: 1, written: units, ..Work::default() }
                }
                other => panic!("it isn't known whether {other} reads or writes"),
            }
        }
    }
}

/// The connector reads with strong consistency, so there are no half units.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number, which is checked")]
fn whole(units: f64) -> u64 {
    assert!(units.fract() == 0.0 && (1.0..1000.0).contains(&units), "{units}");
    units as u64
}

/// An item of this size. Its two keys have 8 bytes, and the name of its text one.
fn item(key: &str, bytes: usize) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let fill = "x".repeat(bytes - 9);
    HashMap::from([("pk".to_owned(), text(key)), ("sk".to_owned(), text("s1")), ("t".to_owned(), text(&fill))])
}

#[tokio::test]
async fn the_units_are_counted_as_dynamodb_documents_them() {
    let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
    let meter = Meter::in_front_of(aws.endpoints()).await;
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config_for(Function::Inbound.name(), meter.endpoints()));
    let units = || {
        let work = meter.take(Function::Inbound);
        (work.written, work.read)
    };
    // A write costs a unit for each KB, rounded up.
    for (key, bytes, written) in [("p1", 1024, 1), ("p2", 1025, 2)] {
        client.put_item().table_name(aws.table_name()).set_item(Some(item(key, bytes))).send().await.unwrap();
        assert_eq!(units(), (written, 0), "{bytes} bytes");
    }
    // A read with strong consistency costs a unit for each 4 KB, and one for nothing.
    client.put_item().table_name(aws.table_name()).set_item(Some(item("p3", 4097))).send().await.unwrap();
    assert_eq!(units(), (5, 0));
    for (key, read) in [("p2", 1), ("p3", 2), ("p4", 1)] {
        let get = client.get_item().table_name(aws.table_name()).consistent_read(true);
        let get = get.key("pk", AttributeValue::S(key.to_owned())).key("sk", AttributeValue::S("s1".to_owned()));
        get.send().await.unwrap();
        assert_eq!(units(), (0, read), "{key}");
    }
    // A transaction costs twice as much for each item, each rounded up alone. A smaller item costs what the old one did.
    let put = |key, bytes| {
        let put = Put::builder().table_name(aws.table_name()).set_item(Some(item(key, bytes)));
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    };
    let transaction = client.transact_write_items().transact_items(put("p5", 100)).transact_items(put("p2", 100));
    transaction.send().await.unwrap();
    assert_eq!(units(), (2 + 4, 0));
}
