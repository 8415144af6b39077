//! `connector install`, run as an operator runs it, against the lab.

#![expect(clippy::unwrap_used, reason = "a step that the tests share may fail as loudly as a test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use connector::port::Secrets as _;
use connector_aws::SecretsManager;
use connector_lab::{
    ADMINISTRATOR, Lab, LabOptions,
    aws::{AwsStandInOptions, AwsStandIns},
    liveengage::{AccountOptions, LiveEngageOptions, LiveEngageSimulator, UserOptions, UserProof},
    phone::{Direction, PhoneMessage},
};
use secrecy::ExposeSecret as _;
use serde_json::Value;

const ACCOUNT: &str = "72419083";
const PASSWORD: &str = "canary-password";
const WEBHOOK: &str = "https://new.example/webhooks/liveengage";

/// A folder of its own for a test. Dropping it deletes it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("connector-install-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `connector` in a folder, with these variables.
async fn connector(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connector"));
    command.args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    command.env_remove("CONNECTOR_LIVEENGAGE_PASSWORD").env_remove("CONNECTOR_LIVEENGAGE_BEARER");
    command.envs(variables.iter().copied());
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [out, errors] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for secret in ["canary", ADMINISTRATOR].iter().filter(|secret| !arguments.contains(secret)) {
        assert!(!out.contains(secret) && !errors.contains(secret), "a secret is printed: {out}{errors}");
    }
    Printed { code: status.code().unwrap(), out, errors }
}

/// What a command has printed.
#[derive(Debug)]
struct Printed {
    code: i32,
    out: String,
    errors: String,
}

/// An account at LiveEngage, and a Secrets Manager without secrets.
struct Office {
    simulator: LiveEngageSimulator,
    aws: AwsStandIns,
    folder: Folder,
}

impl Office {
    async fn new() -> Self {
        let user = |name: &str, administrator| UserOptions {
            name: name.to_owned(),
            proof: UserProof::Password(PASSWORD.into()),
            administrator,
        };
        let users = vec![user("ada", true), user("ben", false)];
        let account = AccountOptions { users, ..AccountOptions::new(ACCOUNT, "an-install", "canary-secret") };
        let options = LiveEngageOptions { accounts: vec![account], ..LiveEngageOptions::default() };
        Self {
            simulator: LiveEngageSimulator::start(options).await.unwrap(),
            aws: AwsStandIns::start(AwsStandInOptions::default()).await.unwrap(),
            folder: Folder::new(),
        }
    }

    async fn show(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Printed {
        let common = ["install", "show", "--account", ACCOUNT, "--domain-api", self.simulator.base_url()];
        connector(&self.folder.0, &[&common, arguments].concat(), variables).await
    }

    async fn change(&self, command: &str, arguments: &[&str]) -> Printed {
        self.change_with(command, arguments, &self.aws.endpoints().secrets).await
    }

    async fn change_with(&self, command: &str, arguments: &[&str], secrets: &str) -> Printed {
        self.change_of((secrets, WEBHOOK), command, arguments).await
    }

    /// The change for a deployment with this Secrets Manager and this webhook.
    async fn change_of(&self, (secrets, webhook): (&str, &str), command: &str, arguments: &[&str]) -> Printed {
        let common = ["install", command, "--account", ACCOUNT, "--domain-api", self.simulator.base_url()];
        let of_change = ["--user", "ada", "--secrets-endpoint", secrets, "--webhook-url", webhook];
        let variables = [("CONNECTOR_LIVEENGAGE_PASSWORD", PASSWORD)];
        connector(&self.folder.0, &[&common, of_change.as_slice(), arguments].concat(), &variables).await
    }

    /// The account's secret, if there is one.
    async fn secret(&self) -> Option<Value> {
        let manager = SecretsManager::new(aws_sdk_secretsmanager::Client::new(self.aws.sdk_config()));
        let current = manager.current(&format!("connector/account/{ACCOUNT}")).await.ok()?;
        Some(serde_json::from_str(current.value.expose_secret()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_install_is_registered_and_its_key_is_stored() {
    let office = Office::new().await;
    let diff = office.change("diff", &["--name", "SMS"]).await;
    assert_eq!(diff.code, 3, "{diff:?}");
    assert!(diff.out.contains("Account 72419083 has no app install \"SMS\"") && diff.out.contains(WEBHOOK), "{diff:?}");
    assert!(diff.out.contains("doesn't exist. It would be created with client_id and client_secret"), "{diff:?}");
    let asked = office.change("apply", &["--name", "SMS"]).await;
    assert_eq!((asked.code, asked.errors.as_str()), (0, "Nothing was changed. Add --yes to make the change.\n"));
    assert_eq!(office.secret().await, None);

    let applied = office.change("apply", &["--name", "SMS", "--yes"]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.out.contains("Registered the app install ") && applied.out.contains("Created the secret connector/")
    );
    let stored = office.secret().await.unwrap();
    let key = stored["client_secret"].as_str().unwrap();
    assert!(!applied.out.contains(key) && !applied.errors.contains(key), "the secret is printed");
    assert_eq!(stored["domain_api"], format!("{}/", office.simulator.base_url()));

    let variables = [("CONNECTOR_LIVEENGAGE_PASSWORD", PASSWORD)];
    let id = stored["client_id"].as_str().unwrap();
    let shown = office.show(&["--user", "ada", "--install", id, "--json"], &variables).await;
    assert!(!shown.out.contains(key), "the secret is printed");
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["app_installs"][0]["name"], "SMS");
    assert!(shown["app_installs"][0]["webhooks"][0].as_str().unwrap().starts_with(WEBHOOK));

    let again = office.change("diff", &[]).await;
    assert_eq!(again.code, 0, "the secret says which one is meant: {again:?}");
    assert!(again.out.contains("has no difference") && again.out.contains("has its id and secret"), "{again:?}");
    let again = office.change("apply", &["--yes"]).await;
    assert_eq!((again.code, again.errors.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_app_gets_its_key_into_the_accounts_secret_and_an_own_field_stays() {
    let office = Office::new().await;
    let name = format!("connector/account/{ACCOUNT}");
    let other =
        r#"{"account_id": "72419083", "client_id": "gone", "client_secret": "x", "webhook_signature": "sha256"}"#;
    office.aws.put_secret(&name, other).await.unwrap();
    let applied = office.change("apply", &["--install", "an-install", "--yes"]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.out.contains("A new version would have those of the app install."), "{applied:?}");
    let stored = office.secret().await.unwrap();
    assert_eq!((&stored["client_id"], &stored["client_secret"]), (&"an-install".into(), &"canary-secret".into()));
    assert_eq!(stored["webhook_signature"], "sha256");

    // Another secret of the same id may be a rotation: it is replaced only if the operator says so.
    let rotated = other.replace("gone", "an-install");
    office.aws.rotate_secret(&name, &rotated).await.unwrap();
    let kept = office.change("apply", &["--yes"]).await;
    assert!(kept.out.contains("--store-secret would replace it"), "{kept:?}");
    assert_eq!(office.secret().await.unwrap()["client_secret"], "x");
    assert_eq!(office.change("diff", &[]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_or_right_says_what_to_do() {
    let office = Office::new().await;
    let refused = async |arguments: &[&str], variables: &[(&str, &str)]| {
        let printed = office.show(arguments, variables).await;
        assert_eq!((printed.code, printed.out.as_str()), (1, ""), "{printed:?}");
        printed.errors
    };
    let wrong = refused(&["--user", "ada"], &[("CONNECTOR_LIVEENGAGE_PASSWORD", "canary-wrong")]).await;
    assert!(wrong.contains("HTTP 401") && wrong.contains("check the name and the password"), "{wrong}");
    let agent = refused(&["--user", "ben"], &[("CONNECTOR_LIVEENGAGE_PASSWORD", PASSWORD)]).await;
    assert!(agent.contains("HTTP 403") && agent.contains("Log in as an administrator"), "{agent}");
    let bearer = refused(&[], &[("CONNECTOR_LIVEENGAGE_BEARER", "canary-bearer")]).await;
    assert!(bearer.contains("the bearer in CONNECTOR_LIVEENGAGE_BEARER is of another account"), "{bearer}");
    let nobody = refused(&[], &[]).await;
    assert!(nobody.contains("say who logs in: --user NAME"), "{nobody}");
    let unknown = refused(&["--user", "ada", "--install", "x"], &[("CONNECTOR_LIVEENGAGE_PASSWORD", PASSWORD)]).await;
    assert!(unknown.contains("has no app install x (installed: an-install \"Connector\")"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_stored_is_kept_in_a_file_of_the_operator() {
    let office = Office::new().await;
    let applied = office.change_with("apply", &["--name", "SMS", "--yes"], &refusing_secrets()).await;
    assert_eq!(applied.code, 1, "{applied:?}");
    assert!(applied.errors.contains("AccessDeniedException"), "{applied:?}");
    assert!(applied.errors.contains("secretsmanager:CreateSecret"), "{applied:?}");
    let (_, command) = applied.errors.split_once(&format!("secret put --account {ACCOUNT} ")).unwrap();
    let (file, _) = command.split_once(" --yes").unwrap();
    let path = office.folder.0.join(file);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let key = kept["client_secret"].as_str().unwrap();
    assert!(!applied.out.contains(key) && !applied.errors.contains(key), "the secret is printed");
    assert_eq!(file, format!("./connector-account-{ACCOUNT}-{}.json", kept["client_id"].as_str().unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // The file of the first one doesn't stand in the way of a second one.
    let second = office.change_with("apply", &["--name", "Other", "--yes"], &refusing_secrets()).await;
    assert!(second.errors.contains("It is in the file ./connector-account-72419083-"), "{second:?}");
    let kept = std::fs::read_dir(&office.folder.0).unwrap();
    assert_eq!(kept.count(), 2, "one for each app install");

    let secrets = &office.aws.endpoints().secrets;
    let put = ["secret", "put", "--account", ACCOUNT, file, "--yes", "--secrets-endpoint", secrets];
    assert_eq!(connector(&office.folder.0, &put, &[]).await.code, 0);
    assert_eq!(office.change("diff", &["--name", "SMS"]).await.code, 0, "it is the registered one's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_install_of_another_deployment_is_not_taken_for_its_name() {
    let office = Office::new().await;
    assert_eq!(office.change("apply", &["--yes"]).await.code, 0, "the first deployment registers the default name");
    let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
    let second = (aws.endpoints().secrets.as_str(), "https://second.example/webhooks/liveengage");

    let diff = office.change_of(second, "diff", &[]).await;
    assert_eq!(diff.code, 3, "{diff:?}");
    assert!(diff.out.contains("+ \"https://second.example/webhooks/liveengage\""), "{diff:?}");
    assert!(diff.errors.starts_with("apply would refuse this change: the app install "), "{diff:?}");
    let refused = office.change_of(second, "apply", &["--yes"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.errors.contains("was found by its name alone, and its webhooks go to https://new.example/"));
    assert!(refused.errors.ends_with("give another --name. Nothing was changed\n"), "{refused:?}");
    assert_eq!(office.change("diff", &[]).await.code, 0, "the first deployment still has its webhooks");

    let (_, confirm) = refused.errors.split_once("confirm it with --install ").unwrap();
    let (id, _) = confirm.split_once('.').unwrap();
    let confirmed = office.change_of(second, "apply", &["--install", id, "--yes"]).await;
    assert_eq!(confirmed.code, 0, "{confirmed:?}");
    assert_eq!(office.change_of(second, "diff", &[]).await.code, 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_password_file_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let office = Office::new().await;
    let file = office.folder.0.join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap();
    for (mode, warnings) in [(0o644, 1), (0o600, 0)] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        let from_file = ["--user", "ada", "--password-file", file];
        let shown = office.show(&from_file, &[]).await;
        let secrets = &office.aws.endpoints().secrets;
        let of_change =
            ["--account", ACCOUNT, "--domain-api", office.simulator.base_url(), "--secrets-endpoint", secrets];
        let to = ["--webhook-url", WEBHOOK];
        let change = async |command: &str| {
            let arguments = [["install", command].as_slice(), &of_change, &to, &from_file].concat();
            connector(&office.folder.0, &arguments, &[]).await
        };
        for printed in [shown, change("diff").await, change("apply").await] {
            assert!(printed.code == 0 || printed.code == 3, "{printed:?}");
            let found = printed.errors.matches("password can be read by other users (mode 644)").count();
            assert_eq!(found, warnings, "{printed:?}");
        }
    }
}

/// A Secrets Manager without secrets that lets nobody create one.
fn refusing_secrets() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The thread ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut length, mut creates) = (0, false);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                creates |= line.ends_with("secretsmanager.createsecret");
                if line.is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let kind = if creates { "AccessDeniedException" } else { "ResourceNotFoundException" };
            let body = format!(r#"{{"__type":"{kind}","message":"no"}}"#);
            let head =
                format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            reader.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_the_endpoint_webhooks_arrive_at_the_new_one() {
    let nowhere = "http://127.0.0.1:9/webhooks/liveengage".parse().unwrap();
    let options = LabOptions { liveengage_webhook: Some(nowhere), ..LabOptions::default() };
    let lab = Lab::start(options).await.unwrap();
    let folder = Folder::new();
    let webhook = format!("{}/webhooks/liveengage", lab.api_url());
    let change = async |command: &str, more: &[&str]| {
        let common = ["install", command, "--account", lab.account_id(), "--user", ADMINISTRATOR];
        let (liveengage, secrets) = (lab.liveengage().base_url(), &lab.aws().endpoints().secrets);
        let of_lab = ["--domain-api", liveengage, "--secrets-endpoint", secrets, "--webhook-url", &webhook];
        let variables = [("CONNECTOR_LIVEENGAGE_PASSWORD", ADMINISTRATOR)];
        connector(&folder.0, &[&common, of_lab.as_slice(), more].concat(), &variables).await
    };
    let diff = change("diff", &[]).await;
    assert_eq!(diff.code, 3, "{diff:?}");
    assert!(diff.out.contains("- \"http://127.0.0.1:9/webhooks/liveengage\"\n    + "), "{diff:?}");
    assert!(diff.out.contains("has its id and secret."), "{diff:?}");
    let applied = change("apply", &["--yes"]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(change("diff", &[]).await.code, 0);

    let phone = "+4915155077";
    lab.gateway().consumer_sends(phone, "is anybody there?").unwrap();
    let mut changes = lab.liveengage().subscribe();
    let patience = Duration::from_secs(60);
    let arrived = tokio::time::timeout(patience, async {
        while lab.liveengage().conversations().iter().all(|one| one.transcript.is_empty()) {
            let _ = changes.recv().await;
        }
    });
    arrived.await.unwrap();
    let conversation = lab.liveengage().conversations().remove(0).id;
    lab.liveengage().say(&conversation, "yes, by the new address").unwrap();
    let is_there = |messages: &[PhoneMessage]| messages.iter().any(|one| one.direction == Direction::ToPhone);
    let messages = tokio::time::timeout(patience, lab.gateway().wait_for(phone, is_there)).await.unwrap();
    assert_eq!(messages.last().unwrap().text(), "yes, by the new address");
}
