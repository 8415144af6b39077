//! The Lambda function `inbound`: configuration, clients, run. The work is in `connector::lambda`.

use connector::{
    aws,
    lambda::{self, config},
};
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::init_logs();
    let config = lambda::started(config::InboundConfig::read(&config::ProcessEnvironment))?;
    let function =
        lambda::started(lambda::inbound(&config, &aws::sdk_config(aws::TimeoutProfile::EntryPoint).await).await)?;
    lambda::serve_http(move |request| {
        let function = function.clone();
        async move { function.handle(request).await }
    })
    .await
}
