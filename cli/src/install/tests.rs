//! What happens when somebody else changes the app install, or an answer is lost, between two calls of the command.

use std::path::PathBuf;

use clap::Parser as _;
use connector::port::Clock as _;
use connector_aws::SystemClock;
use connector_lab::{
    aws::{AwsStandInOptions, AwsStandIns},
    liveengage::{
        AccountOptions, LiveEngageOptions, LiveEngageSimulator, Service as Simulated, UserOptions, UserProof,
    },
};
use http::StatusCode;

use super::*;
use crate::{Cli, Command};

const ACCOUNT: &str = "72419083";
const WEBHOOK: &str = "https://new.example/webhooks/liveengage";

/// An account at LiveEngage with one app install, a Secrets Manager without secrets, and an administrator's password.
struct Office {
    simulator: LiveEngageSimulator,
    aws: AwsStandIns,
    password: PathBuf,
}

impl Office {
    async fn new() -> Self {
        let proof = UserProof::Password("canary-password".into());
        let users = vec![UserOptions { name: "ada".to_owned(), proof, administrator: true }];
        let account = AccountOptions { users, ..AccountOptions::new(ACCOUNT, "an-install", "canary-secret") };
        let options = LiveEngageOptions { accounts: vec![account], ..LiveEngageOptions::default() };
        let password = std::env::temp_dir().join(format!("connector-install-{}", uuid::Uuid::new_v4()));
        std::fs::write(&password, "canary-password\n").unwrap();
        Self {
            simulator: LiveEngageSimulator::start(options).await.unwrap(),
            aws: AwsStandIns::start(AwsStandInOptions::default()).await.unwrap(),
            password,
        }
    }

    fn apply(&self, more: &[&str]) -> ApplyArguments {
        let password = self.password.to_str().unwrap();
        let arguments = [
            ["connector", "install", "apply", "--yes", "--account", ACCOUNT, "--user", "ada"].as_slice(),
            &["--password-file", password, "--domain-api", self.simulator.base_url()],
            &["--secrets-endpoint", &self.aws.endpoints().secrets, "--webhook-url", WEBHOOK],
            more,
        ];
        match Cli::try_parse_from(arguments.concat()).unwrap().command {
            Some(Command::Install(InstallCommand::Apply(arguments))) => arguments,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&self, more: &[&str]) -> Result<Report, String> {
        self.apply(more).run(SystemClock.now()).await
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.password);
    }
}

#[tokio::test]
async fn a_change_by_somebody_else_in_the_meantime_is_shown_and_not_overwritten() {
    let office = Office::new().await;
    let (ours, now) = (office.apply(&["--install", "an-install", "--description", "ours"]), SystemClock.now());
    let prepared = ours.change.prepare().await.unwrap();
    let configuration = Configuration::open(&ours.change.access, now).await.unwrap();
    let (plan, _) = ours.change.plan(&configuration, &prepared).await.unwrap();
    // Another administrator is faster.
    office.run(&["--install", "an-install", "--description", "theirs"]).await.unwrap();

    let step = prepared.secret.step(&plan, false);
    let error = ours.make(&configuration, (&plan, step), &prepared, now).await.err().unwrap();
    assert!(error.starts_with("somebody else changed the app install in the meantime"), "{error}");
    assert!(error.contains("- \"theirs\"\n    + \"ours\""), "{error}");
    let (read, _) = ours.change.plan(&configuration, &prepared).await.unwrap();
    assert_eq!(read.changes().len(), 1, "only the description differs: theirs stays");
    assert!(!error.contains("canary"), "{error}");
    office.run(&["--install", "an-install", "--description", "ours"]).await.unwrap();
}

#[tokio::test]
async fn after_a_lost_answer_the_list_says_whether_the_app_was_registered() {
    let office = Office::new().await;
    let (arguments, now) = (office.apply(&["--name", "SMS"]), SystemClock.now());
    let prepared = arguments.change.prepare().await.unwrap();
    let configuration = Configuration::open(&arguments.change.access, now).await.unwrap();
    let (plan, _) = arguments.change.plan(&configuration, &prepared).await.unwrap();
    let step = prepared.secret.step(&plan, false);
    office.simulator.fail_next(Simulated::Configuration, StatusCode::SERVICE_UNAVAILABLE, "");
    let error = arguments.make(&configuration, (&plan, step), &prepared, now).await.err().unwrap();
    assert!(error.contains("LiveEngage's list has no such app install. Run the command again"), "{error}");

    for _ in ["the call", "the list"] {
        office.simulator.fail_next(Simulated::Configuration, StatusCode::SERVICE_UNAVAILABLE, "");
    }
    let error = arguments.make(&configuration, (&plan, step), &prepared, now).await.err().unwrap();
    assert!(
        error.contains("The app may be registered or not") && !error.contains("has no such app install"),
        "{error}"
    );
    assert!(error.contains("couldn't be read (") && error.contains("Run `connector install show`"), "{error}");

    // Registered, and the answer to it is lost.
    let Plan::Create { manifest, .. } = &plan else { panic!("it is not registered") };
    configuration.create(manifest).await.unwrap();
    office.simulator.fail_next(Simulated::Configuration, StatusCode::BAD_GATEWAY, "");
    let applied = arguments.make(&configuration, (&plan, step), &prepared, now).await;
    assert!(applied.is_ok_and(|applied| applied.complete), "the app is found by its name, and its key is stored");
    assert!(office.run(&["--name", "SMS"]).await.unwrap().text.contains("has its id and secret"));
}

#[tokio::test]
async fn a_rotation_in_progress_stops_the_command_before_anything_is_registered() {
    let office = Office::new().await;
    let secret =
        |client_id: &str| json!({"account_id": ACCOUNT, "client_id": client_id, "client_secret": "x"}).to_string();
    let name = format!("connector/account/{ACCOUNT}");
    office.aws.put_secret(&name, &secret("gone-1")).await.unwrap();
    office.aws.rotate_secret(&name, &secret("gone-2")).await.unwrap();
    let error = office.run(&["--name", "SMS"]).await.unwrap_err();
    assert!(error.contains("a rotation of connector/account/72419083 is in progress"), "{error}");
    assert!(error.ends_with("Nothing was changed"), "{error}");
    let (arguments, now) = (office.apply(&[]), SystemClock.now());
    let configuration = Configuration::open(&arguments.change.access, now).await.unwrap();
    assert_eq!(configuration.list().await.unwrap().len(), 1, "only the account's own");
}

#[test]
fn the_question_comes_after_what_it_is_about_and_only_a_yes_is_one() {
    for (typed, answer) in [("y\n", true), (" YES \n", true), ("n\n", false), ("\n", false), ("", false)] {
        let mut out = Vec::new();
        assert_eq!(ask_by(&mut out, typed.as_bytes(), "  scope\n"), Some(answer), "{typed:?}");
        assert_eq!(String::from_utf8(out).unwrap(), "  scope\nMake this change? [y/N] ");
    }
}
