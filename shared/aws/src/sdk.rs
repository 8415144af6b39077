//! The configuration of the AWS SDK in the functions, and the HTTP client of all SDK clients.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, retry::ReconnectMode};
use aws_types::{
    sdk_config::Builder,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use reqwest::{Body, Client};

use crate::{
    lambda::config::{Environment, ProcessEnvironment},
    outgoing_http::{self, ClientError},
};

/// How long a function may wait for a response of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutProfile {
    /// For an entry point: 2 s for a call with all its attempts. LiveEngage may disable an app whose endpoint is slower than 2.5 s over two
    /// minutes, and gives up on a call after 5 s. Channels give up after 3 to 5 s.
    EntryPoint,
    /// For a worker: 5 s for a call with all its attempts.
    Worker,
}

/// Returns the configuration of all SDK clients of a function.
///
/// Region and credentials come from Lambda's environment variables and from nowhere else: the SDK's default chain would read profiles and
/// link the clients of STS and of the metadata service, at every start and for nothing. Endpoints come from `AWS_ENDPOINT_URL_*`, which
/// `sam local` sets. A call has three attempts within the profile's time.
///
/// # Errors
/// If the HTTP client can't be created.
pub fn sdk_config(timeouts: TimeoutProfile) -> Result<SdkConfig, ClientError> {
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    Ok(configured(ProcessEnvironment, timeouts)?.credentials_provider(credentials).build())
}

fn configured<E>(environment: E, timeouts: TimeoutProfile) -> Result<Builder, ClientError>
where
    E: Environment + Send + Sync + 'static,
{
    // The waits before the second and the third attempt are random, up to the first and twice the first backoff. With the SDK's second, a
    // third attempt would mostly come too late for an entry point.
    let (attempt, operation, backoff) = match timeouts {
        TimeoutProfile::EntryPoint => (Duration::from_millis(900), Duration::from_secs(2), Duration::from_millis(100)),
        TimeoutProfile::Worker => (Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(1)),
    };
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(sdk_http_client()?)
        .retry_config(sdk_retries().with_initial_backoff(backoff))
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(operation).build(),
        );
    config.set_region(environment.get("AWS_REGION").map(Region::new));
    config.set_endpoint_url(environment.get(ENDPOINT_URL));
    Ok(config.service_config(EndpointVariables(environment)))
}

/// Returns how the SDK repeats a call: with three attempts in all. They may use one connection, because reqwest doesn't let the SDK close it
/// after an error; the SDK would log an ERROR each time.
pub fn sdk_retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_reconnect_mode(ReconnectMode::ReuseAllConnections)
}

const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";

/// Reads the endpoint of a service from its environment variable, as `AWS_ENDPOINT_URL_SECRETS_MANAGER` (AWS SDKs and Tools Reference
/// Guide, "Service-specific endpoints").
#[derive(derive_more::Debug)]
struct EndpointVariables<E>(#[debug(skip)] E);

impl<E: Environment + Send + Sync> LoadServiceConfig for EndpointVariables<E> {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace(' ', "_").to_uppercase();
        (key.env() == ENDPOINT_URL).then(|| self.0.get(&format!("{ENDPOINT_URL}_{service}")))?
    }
}

/// Creates the HTTP client for an [`SdkConfig`].
///
/// It is the client of the other calls with other timeouts, so that a function links one HTTP stack and reads the root certificates once.
/// A call's time limits are the SDK's.
///
/// # Errors
/// If the machine's root certificates can't be used.
pub fn sdk_http_client() -> Result<SharedHttpClient, ClientError> {
    Ok(SharedHttpClient::new(ReqwestClient(outgoing_http::aws_client()?)))
}

/// Makes the SDK's calls with reqwest.
#[derive(Debug)]
struct ReqwestClient(Client);

impl HttpClient for ReqwestClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ReqwestConnector { client: self.0.clone(), timeout: settings.read_timeout() })
    }
}

/// Makes the calls of one SDK client.
#[derive(Debug)]
struct ReqwestConnector {
    client: Client,
    /// How long an answer may take. Only the providers of the operator's credentials set it.
    timeout: Option<Duration>,
}

impl HttpConnector for ReqwestConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, timeout) = (self.client.clone(), self.timeout);
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let mut request: reqwest::Request = request.map(Body::wrap).try_into().map_err(connector_error)?;
            *request.timeout_mut() = timeout;
            let response = client.execute(request).await.map_err(connector_error)?;
            let response = http::Response::<Body>::from(response).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The SDK repeats a call after a timeout and after a failed connection, and not after an unusable request.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use aws_sdk_secretsmanager::{Client, config::Credentials};

    use super::*;
    use crate::{SecretsManager, TIMEOUT};
    use connector::port::{SecretStore as _, SecretsError};

    /// What becomes of a connection.
    #[derive(Clone, Copy)]
    enum Connection {
        /// It is closed before an answer.
        Closed,
        /// No answer comes.
        Silent,
        /// The secret does not exist.
        NotFound,
    }

    /// Whether there is a secret at a service that does this with its connections.
    async fn has_secret(connections: &'static [Connection]) -> Result<bool, SecretsError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        // The thread ends with the process.
        std::thread::spawn(move || {
            let mut open = vec![];
            for (connection, stream) in connections.iter().zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                match connection {
                    Connection::Closed => {}
                    Connection::Silent => open.push(stream),
                    Connection::NotFound => {
                        let _ = stream.read(&mut [0; 4096]).unwrap();
                        let body = r#"{"__type":"ResourceNotFoundException","message":"none"}"#;
                        let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n", body.len());
                        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
                    }
                }
            }
            std::thread::park();
        });
        let environment = move |variable: &str| match variable {
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            "AWS_ENDPOINT_URL_SECRETS_MANAGER" => Some(endpoint.clone()),
            _ => None,
        };
        let credentials = SharedCredentialsProvider::new(Credentials::new("AKIAEXAMPLE", "none", None, None, "test"));
        let config = configured(environment, TimeoutProfile::EntryPoint).unwrap();
        let client = Client::new(&config.credentials_provider(credentials).build());
        SecretsManager::new(client).stored("connector/line/sms-main").await.map(|stored| stored.is_some())
    }

    #[tokio::test]
    async fn a_call_whose_connection_breaks_is_made_again() {
        let found = has_secret(&[Connection::Closed, Connection::Closed, Connection::NotFound]).await;
        assert!(!found.unwrap());
    }

    #[tokio::test]
    async fn a_call_without_an_answer_ends_with_the_profiles_time() {
        let error = has_secret(&[Connection::Silent; 3]).await.unwrap_err();
        assert!(matches!(&error, SecretsError::Unavailable { code, .. } if code.as_str() == TIMEOUT), "{error:?}");
    }

    #[test]
    fn a_service_has_an_endpoint_of_its_own() {
        let variables = EndpointVariables(|variable: &str| Some(format!("value of {variable}")));
        let key = |service, env| ServiceConfigKey::builder().service_id(service).env(env).profile("").build().unwrap();
        let load = |service, env| variables.load_config(key(service, env));
        assert_eq!(load("SQS", ENDPOINT_URL).unwrap(), "value of AWS_ENDPOINT_URL_SQS");
        assert_eq!(load("Secrets Manager", ENDPOINT_URL).unwrap(), "value of AWS_ENDPOINT_URL_SECRETS_MANAGER");
        assert_eq!(load("SQS", "AWS_OTHER"), None);
    }
}
