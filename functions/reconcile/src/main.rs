//! The Lambda function `reconcile`. It reads the configuration, creates the clients and runs the handler of `connector_aws::lambda`.

use connector_aws::{
    self as aws,
    lambda::{self, config},
};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::init_logs();
    let config = lambda::started(config::ReconcileConfig::read(&config::ProcessEnvironment))?;
    let aws = lambda::started(aws::sdk_config(aws::TimeoutProfile::Worker))?;
    let function = lambda::started(lambda::reconcile(&config, &aws))?;
    run(service_fn(|event| function.handle(event))).await
}
