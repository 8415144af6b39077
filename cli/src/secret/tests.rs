//! Runs the commands as an operator types them, against the lab's Secrets Manager.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use clap::Parser as _;
use connector::{
    app::registry::Accounts,
    port::{Clock as _, SecretVersion, Secrets as _},
};
use connector_aws::{SecretsManager, SystemClock};
use connector_lab::aws::{AwsStandInOptions, AwsStandIns};
use connector_liveengage::id::AccountId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;
use crate::{Cli, Command};

mod checking;

const ACCOUNT_SECRET: &str = "connector/account/72419083";
const LINE_SECRET: &str = "connector/line/sms-main";

/// A key that is long enough to sign with.
const VALID_KEY: &str = "canary-0123456789abcdef";

/// A file that only its owner can read. Dropping this deletes it.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("connector-secret-{}-{}.json", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        let file = Self(path);
        file.set_mode(0o600);
        file
    }

    #[cfg(unix)]
    fn set_mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&self.0, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn set_mode(&self, _: u32) {}

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn account(client_secret: &str) -> Value {
    json!({"account_id": "72419083", "client_id": "0f6c2a9e", "client_secret": client_secret})
}

fn line(webhook_secret: &str) -> Value {
    json!({
        "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "k3y-canary".repeat(4),
        "sms": {
            "from": "+493055501", "send_url": "https://gateway.example/v1/messages", "bearer_token": "canary-t0ken",
            "webhook_secret": webhook_secret,
        },
    })
}

fn parse(arguments: &[&str]) -> Result<SecretCommand, clap::Error> {
    match Cli::try_parse_from([&["connector", "secret"], arguments].concat())?.command {
        Some(Command::Secret(command)) => Ok(command),
        other => panic!("{other:?}"),
    }
}

async fn run(arguments: &[&str]) -> Result<Report, String> {
    parse(arguments).unwrap().run(SystemClock.now()).await
}

async fn check(secret: &Value) -> Report {
    let file = SecretFile::new(&secret.to_string());
    run(&["check", file.path()]).await.unwrap()
}

/// All output of a report.
fn all(report: &Report) -> String {
    format!("{}{}", report.text, report.warnings.join("\n"))
}

struct TestStore {
    aws: AwsStandIns,
}

impl TestStore {
    async fn new() -> Self {
        Self { aws: AwsStandIns::start(AwsStandInOptions::default()).await.unwrap() }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Report, String> {
        run(&[arguments, &["--secrets-endpoint", &self.aws.endpoints().secrets]].concat()).await
    }

    async fn put(&self, owner: [&str; 2], secret: &Value, options: &[&str]) -> Report {
        let file = SecretFile::new(&secret.to_string());
        self.run(&[&["put", file.path()], &owner[..], options].concat()).await.unwrap()
    }

    fn manager(&self) -> SecretsManager {
        SecretsManager::new(aws_sdk_secretsmanager::Client::new(self.aws.sdk_config()))
    }

    /// The `client_secret` of both versions of the account.
    async fn client_secrets(&self) -> (String, Option<String>) {
        let manager = self.manager();
        let current = manager.current(ACCOUNT_SECRET).await.unwrap();
        let previous = manager.previous(ACCOUNT_SECRET).await.unwrap();
        let client_secret = |version: SecretVersion| {
            let value: Value = serde_json::from_str(version.value.expose_secret()).unwrap();
            value["client_secret"].as_str().unwrap().to_owned()
        };
        (client_secret(current), previous.map(client_secret))
    }
}

const ACCOUNT: [&str; 2] = ["--account", "72419083"];
const LINE: [&str; 2] = ["--line", "sms-main"];

#[test]
fn a_secret_is_never_an_argument_and_its_owner_is_required() {
    assert!(parse(&["put", "-", "--account", "7", "--secret", "x"]).is_err());
    assert!(parse(&["put", "--account", "7"]).is_err(), "a file or -");
    assert!(parse(&["put", "-", "--account", "7", "--line", "l"]).is_err());
    assert!(parse(&["put", "-", "--line", "a/b"]).is_err());
    assert!(parse(&["template", "fax"]).is_err());
}

#[tokio::test]
async fn wrong_arguments_are_reported_before_aws_is_called() {
    let whose = "give the owner of the secret: --account ID or --line ID";
    for arguments in [&["show"][..], &["rollback"], &["put", "no/such/file"]] {
        assert_eq!(run(arguments).await.unwrap_err(), whose, "{arguments:?}");
    }
    let error = run(&["put", "no/such/file", "--line", "l"]).await.unwrap_err();
    assert!(error.starts_with("no/such/file can't be read"), "{error}");
    let error = run(&["put", "-", "--line", "l", "--stack-outputs", "-"]).await.unwrap_err();
    assert!(error.contains("can't both come from standard input"), "{error}");
    let long = SecretFile::new(&"x".repeat(65_537));
    assert!(run(&["check", long.path()]).await.unwrap_err().contains("longer than 65536 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_implausible_value_is_stored_with_a_warning() {
    let expected = [
        "client_id begins or ends with white space: remove it.",
        "client_secret has fewer than 16 characters: copy the complete value.",
    ];
    let mut secret = account("canary");
    secret["client_id"] = json!("0f6c2a9e ");
    let checked = check(&secret).await;
    assert!(checked.complete && checked.text.contains("valid"), "{checked:?}");
    assert_eq!(checked.warnings, expected);

    let store = TestStore::new().await;
    let put = store.put(ACCOUNT, &secret, &["--yes"]).await;
    assert!(put.complete, "{put:?}");
    assert_eq!(put.warnings[..2], expected);
    assert_eq!(store.client_secrets().await.0, "canary");
    secret["surveys"] = json!(true);
    let refused = store.put(ACCOUNT, &secret, &["--yes"]).await;
    assert!(!refused.complete && refused.warnings[..2] == expected, "{refused:?}");
}

#[tokio::test]
async fn an_aws_error_prints_a_hint() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{port}");
    let error = run(&["show", "--line", "sms-main", "--secrets-endpoint", &endpoint]).await.unwrap_err();
    assert_eq!(
        error,
        format!(
            "the secret {LINE_SECRET} can't be read: no_connection. Secrets Manager at {endpoint} can't be reached: check that it runs, and its address."
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_created_and_replaced_with_yes_only_and_both_versions_stay() {
    let store = TestStore::new().await;
    let dry = store.put(ACCOUNT, &account("canary-1"), &[]).await;
    assert!(dry.complete && dry.text.contains("a new secret"), "{dry:?}");
    assert!(dry.warnings.contains(&"Nothing was stored. Add --yes to store it.".to_owned()), "{dry:?}");
    assert!(store.manager().current(ACCOUNT_SECRET).await.is_err());

    store.put(ACCOUNT, &account("canary-1"), &["--yes"]).await;
    assert_eq!(store.client_secrets().await, ("canary-1".to_owned(), None));
    let dry = store.put(ACCOUNT, &account("canary-2"), &[]).await;
    let place = &store.aws.endpoints().secrets;
    assert_eq!(dry.text, format!("{ACCOUNT_SECRET} at {place}: a new version. Changed: client_secret\n"));
    assert_eq!(store.client_secrets().await.0, "canary-1");

    let replaced = store.put(ACCOUNT, &account("canary-2"), &["--yes"]).await;
    assert_eq!(store.client_secrets().await, ("canary-2".to_owned(), Some("canary-1".to_owned())));
    let again = store.put(ACCOUNT, &account("canary-2"), &["--yes"]).await;
    assert!(again.text.ends_with("already has this value\n"), "{again:?}");
    assert_eq!(store.client_secrets().await.1.as_deref(), Some("canary-1"), "storing the same pushes nothing out");
    for report in [&dry, &replaced, &again] {
        assert!(!all(report).contains("canary"), "{report:?}");
    }

    // A function reads both versions.
    let account = AccountId::new("72419083").unwrap();
    let secrets = std::sync::Arc::new(store.manager());
    let accounts = Accounts::new(secrets, "connector", std::slice::from_ref(&account));
    let now = SystemClock.now();
    assert_eq!(accounts.get(&account, now).await.unwrap().client_secret.expose_secret(), "canary-2");
    let previous = accounts.previous(&account, now).await.unwrap();
    assert_eq!(previous.unwrap().client_secret.expose_secret(), "canary-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_never_stored() {
    let store = TestStore::new().await;
    store.put(LINE, &line("canary"), &["--yes"]).await;
    let mut wrong = line("canary-new");
    wrong["sms"]["webhok_secret"] = json!("canary");
    wrong["surveys"] = json!(1);
    let report = store.put(LINE, &wrong, &["--yes"]).await;
    assert!(!report.complete && report.text.contains("2 fields are wrong"), "{report:?}");
    assert!(report.warnings.contains(&"Nothing was stored.".to_owned()), "{report:?}");
    assert!(store.manager().previous(LINE_SECRET).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_in_progress_is_protected_and_can_be_rolled_back() {
    let store = TestStore::new().await;
    store.put(ACCOUNT, &account("one"), &["--yes"]).await;
    let rollback = ["rollback", "--account", "72419083"];
    assert_eq!(store.run(&rollback).await.unwrap_err(), format!("{ACCOUNT_SECRET} has no previous version"));
    store.put(ACCOUNT, &account("mistyped"), &["--yes"]).await;

    let refused = store.put(ACCOUNT, &account("two"), &["--yes"]).await;
    assert!(!refused.complete && all(&refused).contains("A rotation is in progress"), "{refused:?}");
    assert_eq!(store.client_secrets().await, ("mistyped".to_owned(), Some("one".to_owned())));

    let dry = store.run(&["rollback", "--account", "72419083"]).await.unwrap();
    assert!(dry.complete && dry.warnings[0].starts_with("The previous version was written"), "{dry:?}");
    assert_eq!(store.client_secrets().await.0, "mistyped");
    store.run(&["rollback", "--account", "72419083", "--yes"]).await.unwrap();
    assert_eq!(store.client_secrets().await, ("one".to_owned(), Some("mistyped".to_owned())));

    // The mistyped version is in use nowhere, so the operator drops it.
    let dropped = store.put(ACCOUNT, &account("two"), &["--yes", "--drop-previous"]).await;
    assert!(dropped.complete, "{dropped:?}");
    let next = dropped.warnings.last().unwrap();
    assert!(next.contains("The secret that was current until now is still accepted until 2"), "{next}");
    assert!(next.ends_with(". To end that, put the same secret again with --drop-previous."), "{next}");
    assert_eq!(store.client_secrets().await, ("two".to_owned(), Some("one".to_owned())));
    // The old secret has leaked, and the sender already uses the new one.
    let ended = store.put(ACCOUNT, &account("two"), &["--yes", "--drop-previous"]).await;
    assert!(
        ended.text.contains("the same value again")
            && all(&ended).contains("Every function refuses the previous secret"),
        "{ended:?}"
    );
    assert_eq!(store.client_secrets().await, ("two".to_owned(), Some("two".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_consumers_names_is_not_changed_by_mistake() {
    let store = TestStore::new().await;
    store.put(LINE, &line("canary"), &["--yes"]).await;
    let mut renamed = line("canary");
    renamed["consumer_id_key"] = json!("another-canary".repeat(3));
    let refused = store.put(LINE, &renamed, &["--yes"]).await;
    assert!(!refused.complete && all(&refused).contains("consumer_id_key would change"), "{refused:?}");
    assert!(store.manager().previous(LINE_SECRET).await.unwrap().is_none());
    let json: Value = serde_json::from_str(&store.put(LINE, &renamed, &["--yes", "--json"]).await.text).unwrap();
    assert_eq!(
        (&json["dry_run"], &json["change"], &json["fields"]),
        (&json!(true), &json!("replace"), &json!(["consumer_id_key"]))
    );
    assert!(store.put(LINE, &renamed, &["--yes", "--new-consumers"]).await.complete);
    assert!(store.manager().previous(LINE_SECRET).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_shown_by_field_length_and_age_and_never_by_value() {
    let store = TestStore::new().await;
    assert_eq!(
        store.run(&["show", "--line", "sms-main"]).await.unwrap_err(),
        format!("there is no secret named {LINE_SECRET} in us-east-1")
    );
    store.put(LINE, &line("canary"), &["--yes"]).await;
    store.put(LINE, &line("canary-longer"), &["--yes"]).await;
    let shown = store.run(&["show", "--line", "sms-main"]).await.unwrap();
    assert!(shown.complete && !all(&shown).contains("canary") && !shown.text.contains("5501"), "{}", shown.text);
    let row = |name: &str| {
        shown
            .text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .split("  ")
            .filter(|cell| !cell.is_empty())
            .map(str::trim)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("sms.webhook_secret")[1..], ["13 characters", "6 characters, different"]);
    assert_eq!(row("consumer_id_key")[1..], ["40 characters", "40 characters"]);
    assert_eq!(row("AWSCURRENT")[4..], ["believed", "yes"]);
    assert!(row("AWSPREVIOUS")[4].starts_with("believed until 2"), "{}", shown.text);

    // Simulates a change by hand.
    store.aws.rotate_secret(LINE_SECRET, r#"{"line_id": "sms-main", "canary": 1}"#).await.unwrap();
    let shown = store.run(&["show", "--line", "sms-main"]).await.unwrap();
    assert!(!shown.complete && all(&shown).contains("No function accepts the current version"), "{shown:?}");
    assert!(all(&shown).contains("account_id") && all(&shown).contains("is missing"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_gives_the_prefix_and_the_known_lines() {
    let store = TestStore::new().await;
    let stack = json!({"Stacks": [{"Parameters": [
        {"ParameterKey": "SecretPrefix", "ParameterValue": "prod/eu"},
        {"ParameterKey": "Lines", "ParameterValue": "sms-main,sms-two"},
    ]}]});
    let stack = SecretFile::new(&stack.to_string());
    let described = ["--stack-outputs", stack.path()];
    let put = store.put(LINE, &line(VALID_KEY), &[&described[..], &["--yes"]].concat()).await;
    assert!(put.text.starts_with("prod/eu/line/sms-main at ") && put.text.contains(": a new secret"), "{put:?}");
    assert!(!all(&put).contains("doesn't list"), "{put:?}");
    let mut third = line(VALID_KEY);
    third["line_id"] = json!("sms-three");
    let put = store.put(["--line", "sms-three"], &third, &described).await;
    assert!(put.warnings[0].contains("doesn't list line sms-three yet"), "{put:?}");
    let named = store.put(LINE, &line(VALID_KEY), &[&described[..], &["--secret-prefix", "other"]].concat()).await;
    assert!(named.text.starts_with("other/line/sms-main"), "{named:?}");
}

/// The key that the stored account secret is encrypted with.
async fn key(store: &TestStore) -> Option<String> {
    let client = aws_sdk_secretsmanager::Client::new(store.aws.sdk_config());
    client.describe_secret().secret_id(ACCOUNT_SECRET).send().await.unwrap().kms_key_id
}

#[tokio::test]
async fn a_new_secret_uses_the_given_key_or_the_key_of_the_stack() {
    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0a6d";
    let parameters = |key: &str| {
        let parameter = |name: &str, value: &str| json!({"ParameterKey": name, "ParameterValue": value});
        json!({"Stacks": [{"Parameters": [parameter("LiveEngageAccounts", "72419083"), parameter("KmsKeyArn", key)]}]})
    };
    let ours = SecretFile::new(&parameters(KEY).to_string());
    let none = SecretFile::new(&parameters("").to_string());
    for (options, expected) in [
        (vec!["--kms-key-id", "alias/brand"], Some("alias/brand")),
        (vec!["--stack-outputs", ours.path()], Some(KEY)),
        (vec!["--stack-outputs", ours.path(), "--kms-key-id", "alias/brand"], Some("alias/brand")),
        (vec!["--stack-outputs", none.path()], None),
        (vec![], None),
    ] {
        let store = TestStore::new().await;
        let report = store.put(ACCOUNT, &account("one"), &[&options[..], &["--yes"]].concat()).await;
        assert_eq!(key(&store).await.as_deref(), expected, "{options:?}");
        let printed = report.text.split_once(", encrypted with ").map(|(_, key)| key.trim_end());
        assert_eq!(printed, expected, "{}", report.text);
    }
}

#[tokio::test]
async fn an_existing_secret_keeps_its_key() {
    let store = TestStore::new().await;
    store.put(ACCOUNT, &account("one"), &["--kms-key-id", "alias/brand", "--yes"]).await;
    store.put(ACCOUNT, &account("two"), &["--yes"]).await;
    let file = SecretFile::new(&account("three").to_string());
    let options = ["--kms-key-id", "alias/other", "--yes"];
    let refused = store.run(&[&["put", file.path()], &ACCOUNT[..], &options].concat()).await.unwrap_err();
    assert!(
        refused.contains("update-secret --secret-id connector/account/72419083 --kms-key-id alias/other"),
        "{refused}"
    );
    assert_eq!(key(&store).await.as_deref(), Some("alias/brand"));
    assert_eq!(store.client_secrets().await.0, "two");
}
