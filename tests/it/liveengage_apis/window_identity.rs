//! Consumers who sign in themselves.

use connector_liveengage::{
    LiveEngageError,
    domain_api::Service,
    history::{ConversationSearch, conversations_answer, conversations_request},
    id::IdentityConnectorId,
    idp::window::{ANONYMOUS_LIFE, SignIn, SignedIn, answer, request},
};
use jiff::Timestamp;
use secrecy::SecretString;

use super::Client;

impl Client {
    async fn sign_in(&self, sign_in: SignIn<'_>) -> Result<SignedIn, LiveEngageError> {
        let call = request(self.host(Service::Idp), &self.account, sign_in);
        answer(&self.call(call).await, Timestamp::UNIX_EPOCH)
    }
}

#[tokio::test]
async fn everybody_who_signs_up_is_a_consumer_of_their_own() {
    let client = Client::new().await;
    let first = client.sign_in(SignIn::SignUp).await.unwrap();
    let second = client.sign_in(SignIn::SignUp).await.unwrap();
    assert!(first.consumer.is_some() && first.consumer != second.consumer);
    assert!(first.expires_at.unwrap() > Timestamp::UNIX_EPOCH);
    // The history knows the consumer, who has no conversation yet.
    let host = client.host(Service::History);
    let call = conversations_request(host, &client.account, &first.token, &ConversationSearch::default()).unwrap();
    assert_eq!(conversations_answer(&client.call(call).await).unwrap().count, Some(0));
}

#[tokio::test]
async fn an_anonymous_consumer_stays_the_same_while_the_token_is_extended() {
    let client = Client::new().await;
    let first = client.sign_in(SignIn::Anonymous { extends: None }).await.unwrap();
    assert_eq!(first.expires_at.unwrap().duration_since(Timestamp::UNIX_EPOCH), ANONYMOUS_LIFE);
    let token = SecretString::from(first.token.expose());
    let extended = client.sign_in(SignIn::Anonymous { extends: Some(&token) }).await.unwrap();
    assert_eq!(extended.consumer, first.consumer);
    let stranger = client.sign_in(SignIn::Anonymous { extends: Some(&"a.b.c".into()) }).await;
    assert!(matches!(stranger, Err(LiveEngageError::IdentityRefused { .. })));
}

#[tokio::test]
async fn an_authenticated_consumer_is_the_same_one_every_time() {
    let client = Client::new().await;
    let connector = IdentityConnectorId::new("2642000112").unwrap();
    // `{"sub":"customer-7"}`
    let brands = SecretString::from("e30.eyJzdWIiOiJjdXN0b21lci03In0.c2ln");
    let by_token = SignIn::Authenticated { connector: &connector, id_token: &brands };
    let first = client.sign_in(by_token).await.unwrap();
    assert_eq!(client.sign_in(by_token).await.unwrap().consumer, first.consumer);
    let code = SecretString::from("code-1");
    let by_code = client.sign_in(SignIn::AuthCode(&code)).await.unwrap();
    assert!(by_code.consumer.is_some() && by_code.consumer != first.consumer);
    let broken = SignIn::Authenticated { connector: &connector, id_token: &"broken".into() };
    assert!(matches!(client.sign_in(broken).await, Err(LiveEngageError::IdentityRefused { .. })));
}
