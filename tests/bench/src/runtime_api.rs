//! Lambda's runtime API, for one function that runs as a process ("Lambda runtime API", AWS Lambda's developer guide).

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use connector::port::Clock;
use connector_aws::SystemClock;
use connector_lab::aws::{ACCOUNT, REGION};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use uuid::Uuid;

use crate::BenchError;

/// The timeout of an invocation, as the template sets it for the workers.
const TIMEOUT_MS: i64 = 60_000;

/// What the function answered. An error is a function error, as its text.
type Answer = Result<Value, String>;

struct Invocation {
    event: Value,
    answer: oneshot::Sender<Answer>,
}

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    /// When the function first asked for an invocation.
    ready: watch::Sender<Option<Instant>>,
}

/// The API. Dropping it ends its connections.
pub(crate) struct RuntimeApi {
    address: String,
    invocations: mpsc::UnboundedSender<Invocation>,
    ready: watch::Receiver<Option<Instant>>,
    _server: JoinSet<()>,
}

impl RuntimeApi {
    /// Starts it on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Result<Self, BenchError> {
        let (invocations, waiting) = mpsc::unbounded_channel();
        let (ready, is_ready) = watch::channel(None);
        let shared = Arc::new(Shared { waiting: waiting.into(), running: Mutex::default(), ready });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(shared);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let mut server = JoinSet::new();
        server.spawn(async move {
            // It ends only with an error of the listener. Then the next invocation has no answer.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, invocations, ready: is_ready, _server: server })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the function's first request for an invocation, and returns its time.
    pub(crate) async fn ready(&self) -> Result<Instant, BenchError> {
        let mut ready = self.ready.clone();
        let at = ready.wait_for(Option::is_some).await.map_err(|_| BenchError::NoAnswer)?;
        at.ok_or(BenchError::NoAnswer)
    }

    /// Invokes the function, behind the invocations before it.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Answer, BenchError> {
        let (answer, answered) = oneshot::channel();
        self.invocations.send(Invocation { event, answer }).map_err(|_| BenchError::NoAnswer)?;
        answered.await.map_err(|_| BenchError::NoAnswer)
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.ready.send_if_modified(|ready| {
        let is_first = ready.is_none();
        ready.get_or_insert_with(Instant::now);
        is_first
    });
    let Some(Invocation { event, answer }) = shared.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let id = Uuid::new_v4().to_string();
    shared.running.lock().insert(id.clone(), answer);
    let now = SystemClock.now().as_millisecond();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", (now + TIMEOUT_MS).to_string()),
        ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:bench")),
    ];
    (headers, Json(event)).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"));
    shared.answer(&id, answer)
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.answer(&id, Err(String::from_utf8_lossy(&body).into_owned()))
}

impl Shared {
    fn answer(&self, id: &str, answer: Answer) -> StatusCode {
        // Whoever invoked it may have gone.
        match self.running.lock().remove(id).map(|waiting| waiting.send(answer)) {
            Some(_) => StatusCode::ACCEPTED,
            None => StatusCode::NOT_FOUND,
        }
    }
}

#[cfg(test)]
mod tests {
    use connector_aws::outgoing_http;
    use serde_json::json;

    use super::*;

    /// Takes one invocation as a function does, and answers at the end of this path. Returns the event.
    async fn serve_one(address: &str, end: &str, answer: &str) -> Value {
        let (client, url) =
            (outgoing_http::client().unwrap(), format!("http://{address}/2018-06-01/runtime/invocation"));
        let next = client.get(format!("{url}/next")).send().await.unwrap();
        let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
        let (id, deadline) = (header("lambda-runtime-aws-request-id"), header("lambda-runtime-deadline-ms"));
        assert!(deadline.parse::<i64>().unwrap() > SystemClock.now().as_millisecond());
        let answered = client.post(format!("{url}/{id}/{end}")).body(answer.to_owned()).send();
        let event = serde_json::from_slice(&next.bytes().await.unwrap()).unwrap();
        assert_eq!(answered.await.unwrap().status(), StatusCode::ACCEPTED);
        event
    }

    #[tokio::test]
    async fn an_invocation_gets_the_functions_answer_or_its_error() {
        let api = RuntimeApi::start().await.unwrap();
        for (end, expected) in
            [("response", Ok(json!({"statusCode": 200}))), ("error", Err(json!({"statusCode": 200}).to_string()))]
        {
            let answer = json!({"statusCode": 200}).to_string();
            let (answered, event) = tokio::join!(api.invoke(json!({"n": 1})), serve_one(api.address(), end, &answer));
            assert_eq!((answered.unwrap(), event), (expected, json!({"n": 1})));
        }
        api.ready().await.unwrap();
    }
}
