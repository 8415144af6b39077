//! The Lambda function `webhook`. It reads the configuration, creates the clients and runs the handler of `connector_aws::lambda`.

use connector_aws::{
    self as aws,
    lambda::{self, config},
};
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::init_logs();
    let config = lambda::started(config::WebhookConfig::read(&config::ProcessEnvironment))?;
    let aws = lambda::started(aws::sdk_config(aws::TimeoutProfile::EntryPoint))?;
    let function = lambda::webhook(&config, &aws);
    lambda::serve_http(|request| function.handle(request)).await
}
