//! What stands in front of a service: it passes calls on, and does with them what the storm wants.

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

use super::fate::{Call, Fate, Hop};
use super::fault_plan::{Sabotage, Sky};
use super::score::Observation;
use super::tag::{Destination, Piece};
use crate::aws::listener;

/// Longer than the functions, the SDK and those who post webhooks wait.
const STALLING: Duration = Duration::from_secs(10);
/// A broken connector dawdles with a message until a later one has overtaken it, but no longer than this.
const DAWDLING: Duration = Duration::from_secs(30);
/// How often it looks whether one has.
const LOOK: Duration = Duration::from_millis(20);

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

struct Front {
    sky: Arc<Sky>,
    hop: Hop,
    upstream: String,
    address: String,
    client: reqwest::Client,
}

/// Opens a port in front of `upstream`: its address, and the server.
pub(super) async fn start(
    sky: Arc<Sky>,
    hop: Hop,
    upstream: &str,
) -> io::Result<(String, impl Future<Output = ()> + Send + use<>)> {
    let listener = listener::bind(0).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let client = connector::outgoing_http::client().map_err(io::Error::other)?;
    let front = Front { sky, hop, upstream: upstream.to_owned(), address: address.clone(), client };
    Ok((address, serve(listener, Arc::new(front))))
}

async fn serve(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let front = Arc::clone(&front);
                let service = service_fn(move |request| {
                    let front = Arc::clone(&front);
                    async move { front.handle(request).await }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // It ends with an error whenever it is cut.
                connections.spawn(async move { drop(connection.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Front {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let call = self.call(&parts, &body);
        match self.sky.sabotage(self.hop, &call) {
            None => {}
            Some(Sabotage::Forgets) => {
                self.taken(&call);
                return Ok(answer(StatusCode::OK, HeaderMap::new(), Bytes::new()));
            }
            Some(Sabotage::Repeats) => {
                let repeated = self.pass_on(&parts, body.clone()).await;
                repeated.iter().for_each(|_| self.taken(&call));
            }
            Some(Sabotage::Dawdles) => {
                let body_of_answer = Bytes::from_static(br#"{"id":"mt-dawdled","parts":1}"#);
                tokio::spawn(async move {
                    for _ in 0..DAWDLING.as_millis() / LOOK.as_millis() {
                        if call.pieces.iter().all(|piece| self.sky.is_overtaken(piece.tag)) {
                            break;
                        }
                        wait(LOOK).await;
                    }
                    let late = self.pass_on(&parts, body).await;
                    late.iter().for_each(|_| self.taken(&call));
                });
                return Ok(answer(StatusCode::CREATED, HeaderMap::new(), body_of_answer));
            }
        }
        let fate = self.sky.fate(self.hop, &call);
        if let (Fate::Answer(..) | Fate::Drop, Some(tag)) = (fate, call.note) {
            self.sky.observe(Observation::NoteFailed(tag));
        }
        let (loses, instead) = match fate {
            Fate::Pass(delay) => {
                wait(delay).await;
                (false, None)
            }
            Fate::Answer(status, body) => {
                return Ok(answer(status, HeaderMap::new(), Bytes::from_static(body.as_bytes())));
            }
            Fate::Drop => return Err(Cut),
            Fate::CarryOutAndAnswer(status) => (true, Some(status)),
            Fate::LoseAnswer | Fate::Stall => (true, None),
        };
        // A task of its own: the other side goes on with what it has read, even when the caller is gone.
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let answer = self.pass_on(&parts, body).await;
            let taken = answer.as_ref().is_some_and(|answer| answer.status().is_success());
            if taken {
                self.taken(&call);
            }
            let lost = if loses { true } else { sender.send(answer).is_err() };
            if lost && taken && self.hop != Hop::Api {
                call.pieces.iter().for_each(|piece| self.sky.observe(Observation::AnswerLost(*piece)));
            }
        });
        let answered = receiver.await.ok().flatten();
        if fate == Fate::Stall {
            wait(STALLING).await;
        }
        match instead {
            Some(status) => Ok(answer(status, HeaderMap::new(), Bytes::new())),
            None => answered.ok_or(Cut),
        }
    }

    async fn pass_on(&self, parts: &http::request::Parts, body: Bytes) -> Option<Response<Full<Bytes>>> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers.clone();
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let request = self.client.request(parts.method.clone(), format!("{}{path}", self.upstream));
        let answered = request.headers(headers).body(body).send().await.ok()?;
        let (status, headers) = (answered.status(), answered.headers().clone());
        let body = answered.bytes().await.ok()?;
        // The Domain API names the other services by their addresses: they are behind this front too.
        let body = match (self.hop, path.contains("/baseURI.json")) {
            (Hop::LiveEngage, true) => {
                String::from_utf8_lossy(&body).replace(&self.upstream, &self.address).into_bytes().into()
            }
            _ => body,
        };
        Some(answer(status, headers, body))
    }

    /// What a call is about.
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
            Hop::Api | Hop::Gateway | Hop::WhatsApp => pieces(Destination::ToPhone),
            Hop::LiveEngage if path.ends_with("/send") => pieces(Destination::ToDesk),
            Hop::LiveEngage | Hop::Table | Hop::Queue => Vec::new(),
        };
        let note =
            (self.hop == Hop::Table).then(|| noted(target, body)).flatten().and_then(|name| self.sky.named(&name));
        Call { name: format!("{} {path} {target}", parts.method), pieces, note }
    }

    /// The other side has carried a call out.
    fn taken(&self, call: &Call) {
        if let Some(tag) = call.note {
            self.sky.observe(Observation::Noted(tag));
        }
        for piece in &call.pieces {
            match self.hop {
                Hop::Api => self.sky.observe(Observation::Arrived(piece.tag)),
                _ => self.sky.accepted(*piece),
            }
        }
    }
}

/// The connector's name of the message of which a write to the table notes a step or the end: the channel's id, or the place in
/// the dialog, as [`super::fault_plan::FaultPlan::name`] was told.
fn noted(target: &str, body: &[u8]) -> Option<String> {
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
