//! The account's configuration, through the session of an administrator.

use connector::port::Http as _;
use connector_aws::outgoing_http::{self, ReqwestHttp};
use connector_liveengage::{
    LiveEngageError,
    app_install::{
        Installation, create_request, installation_answer, list_answer, list_request, read_request, update_request,
    },
    domain_api::{self, Service},
    id::{AccountId, InstallationId},
    login::{self, Session},
};
use connector_message::http::{HttpCall, HttpFailure, HttpReply};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::access::{AccessArguments, BEARER, Entry};

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// LiveEngage's answer.
    Answer(LiveEngageError),
    /// There was no answer.
    NoAnswer(&'static str, HttpFailure),
}

impl From<LiveEngageError> for CallError {
    fn from(error: LiveEngageError) -> Self {
        Self::Answer(error)
    }
}

impl CallError {
    /// Whether somebody else changed the record.
    pub(super) const fn is_conflict(&self) -> bool {
        matches!(self, Self::Answer(LiveEngageError::RevisionConflict { .. }))
    }

    /// Whether LiveEngage may have done what was asked.
    pub(super) const fn is_uncertain(&self) -> bool {
        match self {
            Self::NoAnswer(_, failure) => matches!(failure, HttpFailure::Unanswered),
            Self::Answer(error) => {
                matches!(error, LiveEngageError::Unavailable { .. } | LiveEngageError::Unreadable { .. })
            }
        }
    }

    /// The error for the operator, and what to do.
    pub(super) fn explained(&self, access: &AccessArguments) -> String {
        let account = access.account();
        let error = match self {
            Self::Answer(error) => error,
            Self::NoAnswer(call, failure) => return format!("{call}: {failure}: check the network, and try again"),
        };
        let hint = match error {
            LiveEngageError::LoginRefused { .. } => {
                format!(
                    ": check the name and the password. If account {account} has single sign-on, or asks for a second factor, give \
                     the bearer of a session in {BEARER} instead"
                )
            }
            LiveEngageError::SessionRefused { .. } if AccessArguments::has_bearer() => {
                format!(": the bearer in {BEARER} is of another account, or its session has ended")
            }
            LiveEngageError::Refused { status: 403, .. } => format!(
                ": the user may not see or change the app installs of account {account}. Log in as an administrator. If your account has \
                 none with this right, give LivePerson what `connector manifest` prints"
            ),
            LiveEngageError::Refused { status: 400, .. } => {
                ": LiveEngage finds the record wrong. Check that no other app install has the name".to_owned()
            }
            LiveEngageError::NoService { .. } => {
                ". Until then, give LivePerson what `connector manifest` prints".to_owned()
            }
            _ => String::new(),
        };
        format!("{error}{hint}")
    }
}

/// The configuration of an account.
pub(super) struct Configuration {
    http: ReqwestHttp,
    host: Url,
    account: AccountId,
    bearer: SecretString,
    /// The session of this command, and the host that ends it.
    session: Option<(Url, Session)>,
    /// Warnings about how it was opened.
    warnings: Vec<String>,
}

impl Configuration {
    /// Looks up the account's hosts and logs in.
    ///
    /// # Errors
    /// A message for the operator.
    pub(super) async fn open(access: &AccessArguments, now: Timestamp) -> Result<Self, String> {
        let (entry, warnings) = access.entry()?;
        let http = ReqwestHttp::new(outgoing_http::client().map_err(|error| error.to_string())?);
        let entered = Self::enter(http, access, entry, now).await.map_err(|error| error.explained(access))?;
        Ok(Self { warnings, ..entered })
    }

    async fn enter(
        http: ReqwestHttp,
        access: &AccessArguments,
        entry: Entry,
        now: Timestamp,
    ) -> Result<Self, CallError> {
        let account = access.account().clone();
        let (reply, _) = call(&http, domain_api::request(access.domain_api(), &account)).await?;
        let hosts = domain_api::answer(&reply)?;
        let host = hosts.url(Service::Configuration)?.clone();
        let (bearer, session) = match entry {
            Entry::Bearer(bearer) => (bearer, None),
            Entry::Login(credentials) => {
                let at = hosts.url(Service::Login)?;
                let (reply, headers) = call(&http, login::request(at, &account, &credentials)).await?;
                let session = login::answer(&reply, &headers, now)?;
                (session.bearer.clone(), Some((at.clone(), session)))
            }
        };
        Ok(Self { http, host, account, bearer, session, warnings: vec![] })
    }

    /// Warnings about how the configuration was opened, for example about the password's file.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Ends the session of this command. If that fails, LiveEngage ends it after its idle time.
    pub(super) async fn close(&self) {
        if let Some((host, session)) = &self.session
            && let Ok(logout) = login::logout_request(host, &self.account, session)
        {
            let _ = self.http.call(logout).await;
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<Installation>, CallError> {
        let (reply, headers) = call(&self.http, list_request(&self.host, &self.account, &self.bearer)?).await?;
        Ok(list_answer(&reply, &headers)?)
    }

    pub(super) async fn read(&self, id: &InstallationId) -> Result<Installation, CallError> {
        self.one(read_request(&self.host, &self.account, &self.bearer, id)?).await
    }

    pub(super) async fn create(&self, manifest: &Value) -> Result<Installation, CallError> {
        self.one(create_request(&self.host, &self.account, &self.bearer, manifest)?).await
    }

    pub(super) async fn update(&self, installation: &Installation) -> Result<Installation, CallError> {
        self.one(update_request(&self.host, &self.account, &self.bearer, installation)?).await
    }

    async fn one(&self, request: HttpCall) -> Result<Installation, CallError> {
        let (reply, headers) = call(&self.http, request).await?;
        Ok(installation_answer(&reply, &headers)?)
    }
}

async fn call(http: &ReqwestHttp, call: HttpCall) -> Result<(HttpReply, HeaderMap), CallError> {
    let name = call.name;
    http.call_for_headers(call).await.map_err(|failure| CallError::NoAnswer(name, failure))
}
