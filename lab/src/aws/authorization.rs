//! A stand-in for IAM. It runs in front of the AWS stand-ins, and passes only calls that the caller may make.
//!
//! The caller is the access key id in the request's signature, which is not verified. The required permissions are read
//! from the body. An [`Authorizer`] decides.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ACCOUNT, Endpoints, REGION, listener};

/// The IAM condition key for the partition keys of a DynamoDB call.
pub const LEADING_KEYS: &str = "dynamodb:LeadingKeys";
/// The suffix that Secrets Manager adds to a secret's name in its ARN: a hyphen and six random characters.
const SECRET_SUFFIX: &str = "-Q7r3Zp";

/// A permission that a call requires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The access key id of the caller's credentials.
    pub caller: String,
    /// The action as policies name it, for example `dynamodb:GetItem`.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The condition keys of the request, each with its values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// Decides who may do what.
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Whether a call that requires this permission is allowed.
    fn allows(&self, access: &Access) -> bool;
}

/// Guarded endpoints of the three services. Dropping it closes its ports.
#[derive(Debug)]
pub struct Guard {
    endpoints: Endpoints,
    /// Aborted on drop.
    _servers: JoinSet<()>,
}

impl Guard {
    /// Opens a port in front of each service of `upstream`.
    ///
    /// # Errors
    /// The I/O error when no port can be opened, or when the HTTP client can't be created.
    pub async fn in_front_of(upstream: &Endpoints, authorizer: Arc<dyn Authorizer>) -> io::Result<Self> {
        let mut servers = JoinSet::new();
        let mut open = async |service, upstream: &str| {
            let listener = listener::bind(0).await?;
            let address = format!("http://{}", listener.local_addr()?);
            let client = connector_aws::outgoing_http::client().map_err(io::Error::other)?;
            let authorizer = Arc::clone(&authorizer);
            let proxy = Arc::new(GuardProxy { service, upstream: upstream.to_owned(), client, authorizer });
            servers.spawn(listener::serve(
                listener,
                service_fn(move |request| {
                    let proxy = Arc::clone(&proxy);
                    async move { Ok::<_, Infallible>(proxy.handle(request).await) }
                }),
            ));
            Ok::<_, io::Error>(address)
        };
        let endpoints = Endpoints {
            dynamodb: open(GuardedService::DynamoDb, &upstream.dynamodb).await?,
            sqs: open(GuardedService::Sqs, &upstream.sqs).await?,
            secrets: open(GuardedService::SecretsManager, &upstream.secrets).await?,
        };
        Ok(Self { endpoints, _servers: servers })
    }

    /// The addresses of the guarded services.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GuardedService {
    DynamoDb,
    Sqs,
    SecretsManager,
}

struct GuardProxy {
    service: GuardedService,
    upstream: String,
    client: reqwest::Client,
    authorizer: Arc<dyn Authorizer>,
}

impl GuardProxy {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return answer(StatusCode::BAD_REQUEST, Bytes::new());
        };
        let body = body.to_bytes();
        let Some(required_access) =
            required_access(self.service, &parts, &body).filter(|required_access| !required_access.is_empty())
        else {
            return denied("the required permissions can't be determined");
        };
        // Every permission is checked, even after a refusal, because an authorizer may record them all.
        let refused = required_access.iter().fold(None, |refused, access| match self.authorizer.allows(access) {
            true => refused,
            false => refused.or(Some(access)),
        });
        match refused {
            Some(Access { caller, action, resource, .. }) => {
                denied(&format!("{caller} is not authorized to perform: {action} on resource: {resource}"))
            }
            None => self.pass_on(parts, body).await,
        }
    }

    async fn pass_on(&self, parts: Parts, body: Bytes) -> Response<Full<Bytes>> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers;
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let request = self.client.request(parts.method, format!("{}{path}", self.upstream)).headers(headers).body(body);
        let Ok(answered) = request.send().await else {
            return answer(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
        };
        let (status, mut headers) = (answered.status(), answered.headers().clone());
        let Ok(body) = answered.bytes().await else {
            return answer(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
        };
        for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let mut response = answer(status, body);
        *response.headers_mut() = headers;
        response
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

/// The access-denied answer. The JSON protocols of all three services read the error's name from the body.
fn denied(why: &str) -> Response<Full<Bytes>> {
    let body = json!({"__type": "com.amazon.coral.service#AccessDeniedException", "message": format!("User: {why}")});
    answer(StatusCode::BAD_REQUEST, body.to_string().into())
}

/// The permissions that a call requires; `None` if the request is not a call of an SDK.
fn required_access(service: GuardedService, parts: &Parts, body: &[u8]) -> Option<Vec<Access>> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (_, credential) = header("authorization")?.split_once("Credential=")?;
    let caller = credential.split('/').next()?;
    let (_, operation) = header("x-amz-target")?.rsplit_once('.')?;
    let body: Value = serde_json::from_slice(body).ok()?;
    let access = |service: &str, operation: &str, resource: String, context| Access {
        caller: caller.to_owned(),
        action: format!("{service}:{operation}"),
        resource,
        context,
    };
    match service {
        GuardedService::DynamoDb => match operation {
            // A transaction has no action of its own: it requires the actions of its parts.
            "TransactWriteItems" => {
                let parts = body.get("TransactItems")?.as_array()?.iter().flat_map(Value::as_object).flatten();
                let required_access = parts.map(|(kind, part)| {
                    let action = match kind.as_str() {
                        "Put" => "PutItem",
                        "Update" => "UpdateItem",
                        "Delete" => "DeleteItem",
                        "ConditionCheck" => "ConditionCheckItem",
                        _ => return None,
                    };
                    Some(access("dynamodb", action, table(part)?, leading_keys(part)))
                });
                required_access.collect()
            }
            _ => Some(vec![access("dynamodb", operation, table(&body)?, leading_keys(&body))]),
        },
        GuardedService::Sqs => {
            let (_, queue) = body.get("QueueUrl")?.as_str()?.rsplit_once('/')?;
            // A batch requires the action of its entries.
            let action = operation.strip_suffix("Batch").unwrap_or(operation);
            Some(vec![access("sqs", action, format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"), BTreeMap::new())])
        }
        GuardedService::SecretsManager => {
            let secret = body.get("SecretId")?.as_str()?;
            let arn = match secret.starts_with("arn:") {
                true => secret.to_owned(),
                false => format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret}{SECRET_SUFFIX}"),
            };
            Some(vec![access("secretsmanager", operation, arn, BTreeMap::new())])
        }
    }
}

fn table(call: &Value) -> Option<String> {
    let name = call.get("TableName")?.as_str()?;
    let index = call.get("IndexName").and_then(Value::as_str).map(|index| format!("/index/{index}"));
    Some(format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}{}", index.unwrap_or_default()))
}

fn leading_keys(call: &Value) -> BTreeMap<String, Vec<String>> {
    let key = ["/Key/pk/S", "/Item/pk/S"].iter().find_map(|place| call.pointer(place)?.as_str());
    key.or_else(|| queried_key(call)).map(|key| (LEADING_KEYS.to_owned(), vec![key.to_owned()])).into_iter().collect()
}

/// The partition key of a query: the value of the first condition, `pk = :value`.
fn queried_key(call: &Value) -> Option<&str> {
    let (_, value) = call.get("KeyConditionExpression")?.as_str()?.split_once(" = ")?;
    let name = value.split(' ').next()?;
    call.get("ExpressionAttributeValues")?.get(name)?.get("S")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: GuardedService, target: &str, body: &Value) -> Option<Vec<(String, String, Vec<String>)>> {
        let authorization = "AWS4-HMAC-SHA256 Credential=inbound/20260102/us-east-1/x/aws4_request, Signature=0";
        let request = Request::builder().header("authorization", authorization).header("x-amz-target", target);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let required_access = required_access(service, &parts, body.to_string().as_bytes())?;
        assert!(required_access.iter().all(|access| access.caller == "inbound"));
        let keys = |access: &Access| access.context.values().flatten().cloned().collect();
        Some(
            required_access
                .into_iter()
                .map(|access| (access.action.clone(), access.resource.clone(), keys(&access)))
                .collect(),
        )
    }

    #[test]
    fn a_query_requires_the_key_that_it_asks_for_on_its_table_or_index() {
        let query = |index: Option<&str>| {
            json!({
                "TableName": "t", "IndexName": index, "KeyConditionExpression": "pk = :echoes AND sk > :after",
                "ExpressionAttributeValues": {":echoes": {"S": "ECHO#1#d"}, ":after": {"S": "0"}},
            })
        };
        for (index, resource) in [(None, "table/t"), (Some("conversations"), "table/t/index/conversations")] {
            let required = asked(GuardedService::DynamoDb, "DynamoDB_20120810.Query", &query(index)).unwrap();
            assert!(required[0].1.ends_with(resource), "{required:?}");
            assert_eq!(required[0].2, ["ECHO#1#d"]);
        }
    }

    #[test]
    fn a_transaction_requires_the_actions_of_its_parts() {
        let key = |key: &str| json!({"pk": {"S": key}, "sk": {"S": "x"}});
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "t", "Item": key("a")}},
            {"Update": {"TableName": "t", "Key": key("b")}},
            {"ConditionCheck": {"TableName": "u", "Key": key("c")}},
            {"Delete": {"TableName": "t", "Key": key("d")}},
        ]});
        let arn = |table: &str| format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}");
        let one = |action: &str, table, key: &str| (action.to_owned(), arn(table), vec![key.to_owned()]);
        let required_access = vec![
            one("dynamodb:PutItem", "t", "a"),
            one("dynamodb:UpdateItem", "t", "b"),
            one("dynamodb:ConditionCheckItem", "u", "c"),
            one("dynamodb:DeleteItem", "t", "d"),
        ];
        assert_eq!(
            asked(GuardedService::DynamoDb, "DynamoDB_20120810.TransactWriteItems", &body),
            Some(required_access)
        );
    }

    #[test]
    fn a_queue_batch_requires_the_action_of_its_entries() {
        let body = json!({"QueueUrl": "http://127.0.0.1:1/000000000000/q.fifo", "Entries": []});
        let required_access =
            ("sqs:SendMessage".to_owned(), "arn:aws:sqs:us-east-1:000000000000:q.fifo".to_owned(), vec![]);
        assert_eq!(asked(GuardedService::Sqs, "AmazonSQS.SendMessageBatch", &body), Some(vec![required_access]));
    }

    #[test]
    fn a_secret_is_authorized_by_its_arn_with_suffix() {
        let asked = asked(GuardedService::SecretsManager, "secretsmanager.GetSecretValue", &json!({"SecretId": "a/b"}))
            .unwrap();
        assert_eq!(asked[0].0, "secretsmanager:GetSecretValue");
        assert_eq!(asked[0].1, format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b{SECRET_SUFFIX}"));
    }

    #[test]
    fn an_unreadable_request_is_denied() {
        for body in [json!({}), json!({"TransactItems": [{"Burn": {"TableName": "t"}}]}), json!({"TableName": 7})] {
            assert_eq!(asked(GuardedService::DynamoDb, "DynamoDB_20120810.TransactWriteItems", &body), None);
            assert_eq!(asked(GuardedService::Sqs, "AmazonSQS.SendMessage", &body), None);
        }
        assert_eq!(asked(GuardedService::DynamoDb, "GetItem", &json!({"TableName": "t"})), None);
    }
}
