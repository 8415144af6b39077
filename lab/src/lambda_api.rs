//! Lambda's Invoke API for the function that an operator invokes.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::{function::Function, loopback::LoopbackServer};

/// The name of the function in the lab, as an operator names it.
pub const RECONCILE: &str = Function::Reconcile.name();

/// What a function answers: its result, or the type and the text of its error.
pub(crate) type Answer = Result<Value, (String, String)>;

/// A function that can be invoked with an event.
pub(crate) type Invocable = Arc<dyn Fn(Value) -> BoxFuture<'static, Answer> + Send + Sync>;

/// The running API. It stops when dropped.
#[derive(Debug)]
pub(crate) struct LambdaApi {
    server: LoopbackServer,
}

impl LambdaApi {
    /// Starts it on a loopback port (0 for a free port) in front of `reconcile`.
    pub(crate) async fn start(port: u16, reconcile: Invocable) -> Result<Self, std::io::Error> {
        let route = post(invoke).with_state(reconcile);
        let router = Router::new().route("/2015-03-31/functions/{name}/invocations", route);
        Ok(Self { server: LoopbackServer::start(port, |_| router).await? })
    }

    /// The address, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }
}

/// `Invoke`, only for the type `RequestResponse` and without a qualifier.
async fn invoke(
    State(reconcile): State<Invocable>,
    Path(name): Path<String>,
    headers: HeaderMap,
    event: Bytes,
) -> Response {
    if name != RECONCILE {
        let text = format!("Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}");
        return refused(StatusCode::NOT_FOUND, "ResourceNotFoundException", &text);
    }
    let kind = headers.get("x-amz-invocation-type").map_or("RequestResponse", |kind| kind.to_str().unwrap_or_default());
    if kind != "RequestResponse" {
        let text = format!("The lab doesn't simulate the invocation type {kind}");
        return refused(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &text);
    }
    let Ok(event) = serde_json::from_slice(&event) else {
        let text = "Could not parse request body into json";
        return refused(StatusCode::BAD_REQUEST, "InvalidRequestContentException", text);
    };
    match reconcile(event).await {
        Ok(answer) => Json(answer).into_response(),
        Err((kind, text)) => {
            let error = Json(json!({ "errorType": kind, "errorMessage": text }));
            ([("x-amz-function-error", "Unhandled")], error).into_response()
        }
    }
}

fn refused(status: StatusCode, kind: &'static str, text: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], Json(json!({ "Type": "User", "Message": text }))).into_response()
}
