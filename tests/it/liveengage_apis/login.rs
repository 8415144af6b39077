//! Logging in, keeping the session and ending it.

use connector_lab::liveengage::Service as Simulated;
use connector_liveengage::{
    LiveEngageError,
    domain_api::Service,
    login::{Credentials, Session, answer, logout_answer, logout_request, refresh_answer, refresh_request, request},
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::{CLIENT_ID, Client, PASSWORD, SECRET};

pub(super) fn user(name: &str, password: &str) -> Credentials {
    Credentials::User { user: name.to_owned(), password: password.into() }
}

impl Client {
    pub(super) async fn login(&self, credentials: &Credentials) -> Result<Session, LiveEngageError> {
        let call = request(self.host(Service::Login), &self.account, credentials);
        let (reply, headers) = self.call_for_headers(call).await;
        answer(&reply, &headers, Timestamp::UNIX_EPOCH)
    }

    async fn refresh(&self, session: &Session) -> Result<(), LiveEngageError> {
        let call = refresh_request(self.host(Service::Login), &self.account, session).unwrap();
        refresh_answer(&self.call(call).await)
    }
}

#[tokio::test]
async fn a_person_and_an_application_log_in_and_out() {
    let client = Client::new().await;
    let application = |secret: &str| Credentials::Application {
        user: "install-bot".to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: secret.into(),
    };
    for (credentials, is_administrator) in
        [(user("ada", PASSWORD), true), (user("ben", PASSWORD), false), (application(SECRET), true)]
    {
        let session = client.login(&credentials).await.unwrap();
        assert_eq!(session.is_administrator, is_administrator);
        assert_eq!(session.ends_at.duration_since(Timestamp::UNIX_EPOCH), SignedDuration::from_hours(8));
        assert!(session.agent.is_some() && session.id.is_some());
        assert_eq!(session.services, client.services);
        client.refresh(&session).await.unwrap();
        let call = logout_request(client.host(Service::Login), &client.account, &session).unwrap();
        logout_answer(&client.call(call).await).unwrap();
        assert!(matches!(client.refresh(&session).await, Err(LiveEngageError::SessionRefused { .. })));
    }
    for wrong in [user("ada", "no"), user("nobody", PASSWORD), application("no")] {
        assert!(matches!(client.login(&wrong).await, Err(LiveEngageError::LoginRefused { .. })), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_session_is_refreshed_only_with_its_own_tokens() {
    let client = Client::new().await;
    let session = client.login(&user("ada", PASSWORD)).await.unwrap();
    let other = client.login(&user("ben", PASSWORD)).await.unwrap();
    for wrong in [
        Session { csrf: "no".into(), ..session.clone() },
        Session { csrf: other.csrf.clone(), ..session.clone() },
        Session { id: other.id, ..session.clone() },
        Session { id: None, ..session.clone() },
    ] {
        assert!(matches!(client.refresh(&wrong).await, Err(LiveEngageError::SessionRefused { .. })));
    }
    client.refresh(&session).await.unwrap();
}

#[tokio::test]
async fn a_service_that_limits_or_blocks_is_told_from_wrong_credentials() {
    let client = Client::new().await;
    client.simulator.fail_next(Simulated::Login, StatusCode::TOO_MANY_REQUESTS, "");
    let limited = client.login(&user("ada", PASSWORD)).await.unwrap_err();
    assert!(matches!(limited, LiveEngageError::RateLimited { after, .. } if after == SignedDuration::from_secs(5)));
    client.simulator.fail_next(Simulated::Login, StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, "");
    let blocked = client.login(&user("ada", PASSWORD)).await.unwrap_err();
    assert!(matches!(blocked, LiveEngageError::Blocked { .. }));
}
