//! Registering an app install and changing it, as an administrator.

use connector_liveengage::{
    LiveEngageError,
    app_install::{
        Installation, create_request, delete_answer, delete_request, installation_answer, list_answer, list_request,
        read_request, update_request,
    },
    domain_api::Service,
    manifest::{Indications, manifest},
};
use connector_message::http::HttpCall;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{CLIENT_ID, Client, PASSWORD, SECRET, login::user};

/// An administrator at the configuration.
struct Desk<'a> {
    client: &'a Client,
    bearer: SecretString,
}

impl Desk<'_> {
    async fn of<'a>(client: &'a Client, name: &str) -> Desk<'a> {
        Desk { client, bearer: client.login(&user(name, PASSWORD)).await.unwrap().bearer }
    }

    async fn one(&self, call: Result<HttpCall, LiveEngageError>) -> Result<Installation, LiveEngageError> {
        let (reply, headers) = self.client.call_for_headers(call.unwrap()).await;
        installation_answer(&reply, &headers)
    }

    async fn list(&self) -> Result<Vec<Installation>, LiveEngageError> {
        let host = self.client.host(Service::Configuration);
        let call = list_request(host, &self.client.account, &self.bearer).unwrap();
        let (reply, headers) = self.client.call_for_headers(call).await;
        list_answer(&reply, &headers)
    }

    async fn create(&self, manifest: &Value) -> Result<Installation, LiveEngageError> {
        let host = self.client.host(Service::Configuration);
        self.one(create_request(host, &self.client.account, &self.bearer, manifest)).await
    }

    async fn read(&self, like: &Installation) -> Result<Installation, LiveEngageError> {
        let (host, id) = (self.client.host(Service::Configuration), like.id().unwrap());
        self.one(read_request(host, &self.client.account, &self.bearer, &id)).await
    }

    async fn update(&self, installation: &Installation) -> Result<Installation, LiveEngageError> {
        let host = self.client.host(Service::Configuration);
        self.one(update_request(host, &self.client.account, &self.bearer, installation)).await
    }

    async fn delete(&self, installation: &Installation) -> Result<(), LiveEngageError> {
        let host = self.client.host(Service::Configuration);
        let call = delete_request(host, &self.client.account, &self.bearer, installation).unwrap();
        delete_answer(&self.client.call(call).await)
    }
}

fn printed(name: &str, host: &str) -> Value {
    let webhook = format!("https://{host}/webhooks/liveengage").parse().unwrap();
    manifest(&webhook, name, "Texts to agents", Indications::ALL).unwrap()
}

#[tokio::test]
async fn the_printed_manifest_is_registered_changed_and_removed() {
    let client = Client::new().await;
    let desk = Desk::of(&client, "ada").await;
    let [own] = desk.list().await.unwrap().try_into().unwrap();
    assert_eq!(own.client_id().unwrap().as_str(), CLIENT_ID);
    assert_eq!(own.client_secret().unwrap().expose_secret(), SECRET);

    let mut made = desk.create(&printed("SMS connector", "old.example")).await.unwrap();
    assert!(made.client_id().is_some() && made.client_secret().is_some() && made.secret_expires_at().is_none());
    assert_eq!(desk.read(&made).await.unwrap(), made);

    made.set_manifest(&printed("SMS connector", "new.example")).unwrap();
    let updated = desk.update(&made).await.unwrap();
    let event = "ms.MessagingEventNotification.ContentEvent";
    assert_eq!(
        updated.record()["capabilities"]["webhooks"][event]["endpoint"],
        "https://new.example/webhooks/liveengage"
    );
    assert_eq!(updated.client_id(), made.client_id());
    assert_ne!(updated.revision, made.revision);
    desk.delete(&updated).await.unwrap();
    assert!(matches!(desk.read(&updated).await, Err(LiveEngageError::Refused { status: 404, .. })));
}

#[tokio::test]
async fn of_two_changes_of_one_revision_the_second_is_refused_and_repeated_from_the_new_record() {
    let client = Client::new().await;
    let (first, second) = (Desk::of(&client, "ada").await, Desk::of(&client, "ada").await);
    let made = first.create(&printed("SMS connector", "a.example")).await.unwrap();
    let (mut ours, mut theirs) = (made.clone(), made);
    theirs.set_manifest(&json!({"logo_uri": "https://logo.example/a.png"})).unwrap();
    second.update(&theirs).await.unwrap();
    ours.set_manifest(&json!({"description": "ours"})).unwrap();
    let conflict = first.update(&ours).await.unwrap_err();
    assert!(matches!(conflict, LiveEngageError::RevisionConflict { .. }));

    let mut ours = first.read(&ours).await.unwrap();
    ours.set_manifest(&json!({"description": "ours"})).unwrap();
    let both = first.update(&ours).await.unwrap();
    assert_eq!(both.record()["description"], "ours");
    assert_eq!(both.record()["logo_uri"], "https://logo.example/a.png");
}

#[tokio::test]
async fn only_an_administrator_sees_the_records() {
    let client = Client::new().await;
    let agent = Desk::of(&client, "ben").await;
    assert!(matches!(agent.list().await, Err(LiveEngageError::Refused { status: 403, .. })));
    let stranger = Desk { client: &client, bearer: "made-up".into() };
    assert!(matches!(stranger.list().await, Err(LiveEngageError::SessionRefused { .. })));
    let desk = Desk::of(&client, "ada").await;
    desk.create(&printed("SMS connector", "a.example")).await.unwrap();
    // The name is unique in the account.
    let twice = desk.create(&printed("SMS connector", "b.example")).await;
    assert!(matches!(twice, Err(LiveEngageError::Refused { status: 400, .. })));
}
