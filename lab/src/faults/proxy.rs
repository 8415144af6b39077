//! The proxy in front of a service: it forwards calls and injects faults.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::call_fault::{Call, CallFault};
use super::observation::Observation;
use super::service::Hop;
use super::state::{FaultState, Sabotage};
use super::tag::{Destination, Piece};
use crate::aws::listener;

/// Longer than the functions, the SDK and the senders of webhooks wait.
const STALL_TIME: Duration = Duration::from_secs(10);
/// The longest time for which a broken connector holds a message back so that a later one overtakes it.
const MAX_REORDER_WAIT: Duration = Duration::from_secs(30);
/// The interval at which it checks for a later message.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct ConnectionCut;

struct Proxy {
    state: Arc<FaultState>,
    hop: Hop,
    upstream: String,
    address: String,
    client: reqwest::Client,
}

/// Opens a port in front of `upstream`. Returns its address and the server.
pub(super) async fn start(
    state: Arc<FaultState>,
    hop: Hop,
    upstream: &str,
) -> io::Result<(String, impl Future<Output = ()> + Send + use<>)> {
    let listener = listener::bind(0).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let client = connector_aws::outgoing_http::client().map_err(io::Error::other)?;
    let proxy = Proxy { state, hop, upstream: upstream.to_owned(), address: address.clone(), client };
    Ok((address, serve(listener, Arc::new(proxy))))
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let proxy = Arc::clone(&proxy);
                let service = service_fn(move |request| {
                    let proxy = Arc::clone(&proxy);
                    async move { proxy.handle(request).await }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // The connection ends with an error whenever it is cut.
                connections.spawn(async move { drop(connection.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Proxy {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, ConnectionCut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| ConnectionCut)?.to_bytes();
        let call = self.call(&parts, &body);
        match self.state.sabotage(self.hop, &call) {
            None => {}
            Some(Sabotage::LosesWebhooks) => {
                self.record_carried_out(&call);
                return Ok(answer(StatusCode::OK, HeaderMap::new(), Bytes::new()));
            }
            Some(Sabotage::SendsTwice) => {
                let repeated = self.pass_on(&parts, body.clone()).await;
                repeated.iter().for_each(|_| self.record_carried_out(&call));
            }
            Some(Sabotage::SendsOutOfOrder) => {
                let accepted_body = Bytes::from_static(br#"{"id":"mt-late","parts":1}"#);
                tokio::spawn(async move {
                    for _ in 0..MAX_REORDER_WAIT.as_millis() / POLL_INTERVAL.as_millis() {
                        if call.pieces.iter().all(|piece| self.state.is_overtaken(piece.tag)) {
                            break;
                        }
                        wait(POLL_INTERVAL).await;
                    }
                    let late = self.pass_on(&parts, body).await;
                    late.iter().for_each(|_| self.record_carried_out(&call));
                });
                return Ok(answer(StatusCode::CREATED, HeaderMap::new(), accepted_body));
            }
        }
        let fault = self.state.fault_for(self.hop, &call);
        if let (CallFault::Answer(..) | CallFault::Drop, Some(tag)) = (fault, call.saved_step) {
            self.state.observe(Observation::SaveFailed(tag));
        }
        let (loses_answer, replacement_status) = match fault {
            CallFault::Pass(delay) => {
                wait(delay).await;
                (false, None)
            }
            CallFault::Answer(status, body) => {
                return Ok(answer(status, HeaderMap::new(), Bytes::from_static(body.as_bytes())));
            }
            CallFault::Drop => return Err(ConnectionCut),
            CallFault::CarryOutAndAnswer(status) => (true, Some(status)),
            CallFault::LoseAnswer | CallFault::Stall => (true, None),
        };
        // A separate task, because the service continues with a request even when the caller is gone.
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let answer = self.pass_on(&parts, body).await;
            let carried_out = answer.as_ref().is_some_and(|answer| answer.status().is_success());
            if carried_out {
                self.record_carried_out(&call);
            }
            let lost = if loses_answer { true } else { sender.send(answer).is_err() };
            if lost && carried_out && self.hop != Hop::Api {
                call.pieces.iter().for_each(|piece| self.state.observe(Observation::AnswerLost(*piece)));
            }
        });
        let upstream_answer = receiver.await.ok().flatten();
        if fault == CallFault::Stall {
            wait(STALL_TIME).await;
        }
        match replacement_status {
            Some(status) => Ok(answer(status, HeaderMap::new(), Bytes::new())),
            None => upstream_answer.ok_or(ConnectionCut),
        }
    }

    async fn pass_on(&self, parts: &http::request::Parts, body: Bytes) -> Option<Response<Full<Bytes>>> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers.clone();
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let request = self.client.request(parts.method.clone(), format!("{}{path}", self.upstream));
        let upstream_answer = request.headers(headers).body(body).send().await.ok()?;
        let (status, headers) = (upstream_answer.status(), upstream_answer.headers().clone());
        let body = upstream_answer.bytes().await.ok()?;
        // The Domain API returns the addresses of the other services, which are behind this proxy too.
        let body = match (self.hop, path.contains("/baseURI.json")) {
            (Hop::LiveEngage, true) => {
                String::from_utf8_lossy(&body).replace(&self.upstream, &self.address).into_bytes().into()
            }
            _ => body,
        };
        Some(answer(status, headers, body))
    }

    /// Reads what a call is about.
    fn call(&self, parts: &http::request::Parts, body: &[u8]) -> Call {
        let path = parts.uri.path();
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let pieces = |destination: Destination| {
            let mut pieces = Piece::find_all(body);
            pieces.retain(|piece| piece.tag.destination == destination);
            pieces
        };
        let pieces = match self.hop {
            Hop::Api if path.starts_with("/channels/") => pieces(Destination::ToDesk),
            Hop::Api | Hop::Channel(_) => pieces(Destination::ToPhone),
            Hop::LiveEngage if path.ends_with("/send") => pieces(Destination::ToDesk),
            Hop::LiveEngage | Hop::Table | Hop::Queue => Vec::new(),
        };
        let saved_step = (self.hop == Hop::Table)
            .then(|| saved_message(target, body))
            .flatten()
            .and_then(|name| self.state.tag_of(&name));
        Call { name: format!("{} {path} {target}", parts.method), pieces, saved_step }
    }

    /// Records that the service carried out a call.
    fn record_carried_out(&self, call: &Call) {
        if let Some(tag) = call.saved_step {
            self.state.observe(Observation::StepSaved(tag));
        }
        for piece in &call.pieces {
            match self.hop {
                Hop::Api => self.state.observe(Observation::Arrived(piece.tag)),
                _ => self.state.accepted(*piece),
            }
        }
    }
}

/// The connector's name of the message whose step or end a write saves: the channel's id, or the position in the
/// dialog, as registered with [`super::FaultPlan::name`].
fn saved_message(target: &str, body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let updates: Vec<&Value> = match target.rsplit('.').next()? {
        "UpdateItem" => vec![&request],
        "TransactWriteItems" => {
            request.get("TransactItems")?.as_array()?.iter().filter_map(|item| item.get("Update")).collect()
        }
        _ => return None,
    };
    updates.into_iter().find_map(|update| {
        let expression = update.get("UpdateExpression")?.as_str()?;
        if !expression.starts_with("SET steps") && !expression.starts_with("SET #status = :done") {
            return None;
        }
        let key = update.pointer("/Key/pk/S")?.as_str()?;
        let mut parts = key.split('#');
        match (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()) {
            ("MSG", "in", _, id, None) => Some(id.to_owned()),
            ("MSG", "out", _, dialog, Some(sequence)) => Some(format!("{dialog}#{sequence}")),
            _ => None,
        }
    })
}

fn answer(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        response.headers_mut().remove(name);
    }
    response
}

#[expect(clippy::disallowed_methods, reason = "a drill makes calls late")]
async fn wait(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests;
