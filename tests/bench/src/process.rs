//! A function as a process.

use std::{path::Path, process::Stdio, time::Duration};

use connector_lab::aws::REGION;
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{BenchError, process_usage::ProcessUsage, runtime_api::RuntimeApi};

/// How long a function may take to start or to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running function. Dropping it kills the process.
pub(crate) struct FunctionProcess {
    api: RuntimeApi,
    child: Child,
    started: Instant,
}

impl FunctionProcess {
    /// Starts the program with this environment, and with the variables that Lambda sets. Its name is its access key id, by which the
    /// stand-ins tell the functions apart.
    pub(crate) async fn start(
        program: &Path,
        name: &str,
        environment: &[(&'static str, String)],
    ) -> Result<Self, BenchError> {
        Self::run(Command::new(program), program, name, environment).await
    }

    /// Starts the program the same way under Callgrind, which writes to `counts` when the process ends.
    pub(crate) async fn start_counted(
        program: &Path,
        name: &str,
        environment: &[(&'static str, String)],
        counts: &Path,
    ) -> Result<Self, BenchError> {
        let mut command = Command::new("valgrind");
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", counts.display())).arg(program);
        Self::run(command, Path::new("valgrind"), name, environment).await
    }

    async fn run(
        mut command: Command,
        program: &Path,
        name: &str,
        environment: &[(&'static str, String)],
    ) -> Result<Self, BenchError> {
        let api = RuntimeApi::start().await?;
        command
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", name)
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().map_err(|cause| BenchError::Spawn { program: program.to_owned(), cause })?;
        Ok(Self { api, child, started })
    }

    /// How long it took from its start to its first request for an invocation.
    pub(crate) async fn start_up(&self) -> Result<Duration, BenchError> {
        let ready =
            tokio::time::timeout(ANSWER_TIMEOUT, self.api.ready()).await.map_err(|_| BenchError::NoAnswer)??;
        Ok(ready.duration_since(self.started))
    }

    /// Ends it as Lambda does, with SIGTERM, and waits for its end.
    pub(crate) async fn terminate(mut self) -> Result<(), BenchError> {
        let id = self.child.id().ok_or(BenchError::NoAnswer)?;
        Command::new("kill").arg(id.to_string()).status().await?;
        tokio::time::timeout(ANSWER_TIMEOUT, self.child.wait()).await.map_err(|_| BenchError::NoAnswer)??;
        Ok(())
    }

    /// Invokes it. An error is a function error.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Result<Value, String>, BenchError> {
        tokio::time::timeout(ANSWER_TIMEOUT, self.api.invoke(event)).await.map_err(|_| BenchError::NoAnswer)?
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration, BenchError> {
        self.usage()?.cpu()
    }

    /// Its memory in RAM, in bytes.
    pub(crate) fn resident(&self) -> Result<u64, BenchError> {
        self.usage()?.resident()
    }

    fn usage(&self) -> Result<ProcessUsage, BenchError> {
        self.child.id().map(ProcessUsage::of).ok_or(BenchError::NoAnswer)
    }
}
