//! Who logs in to LiveEngage, and where.

use std::path::{Path, PathBuf};

use clap::Args;
use connector_aws::lambda::config::{Environment, ProcessEnvironment};
use connector_liveengage::{domain_api, id::AccountId, login::Credentials};
use secrecy::SecretString;
use url::Url;

use crate::{chat, secret::source};

/// The environment variable with the password.
pub(super) const PASSWORD: &str = "CONNECTOR_LIVEENGAGE_PASSWORD";

/// The environment variable with the bearer of a session.
pub(super) const BEARER: &str = "CONNECTOR_LIVEENGAGE_BEARER";

#[derive(Debug, Args)]
#[command(next_help_heading = "Which account, and who logs in")]
pub(super) struct AccessArguments {
    /// The LiveEngage account.
    #[arg(long, value_name = "ID", value_parser = chat::account)]
    account: AccountId,
    /// The login name of an administrator. The password comes from the environment variable
    /// CONNECTOR_LIVEENGAGE_PASSWORD or from --password-file, or it is asked on the terminal. An account with single
    /// sign-on needs the bearer of a session in CONNECTOR_LIVEENGAGE_BEARER instead.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file with the password, or `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The Domain API, where the account's hosts are looked up. For a running lab: the address of its LiveEngage
    /// simulator.
    #[arg(long, value_name = "URL", default_value = domain_api::PUBLIC, value_parser = chat::domain_api_address)]
    domain_api: Url,
}

/// How the account's configuration is opened.
pub(super) enum Entry {
    /// By a new session, which ends with the command.
    Login(Credentials),
    /// By the bearer of a session of somebody else.
    Bearer(SecretString),
}

impl AccessArguments {
    pub(super) const fn account(&self) -> &AccountId {
        &self.account
    }

    pub(super) const fn domain_api(&self) -> &Url {
        &self.domain_api
    }

    /// The Domain API, if it isn't the public one.
    pub(super) fn own_domain_api(&self) -> Option<&Url> {
        let is_public = domain_api::PUBLIC.parse::<Url>().is_ok_and(|public| public == self.domain_api);
        (!is_public).then_some(&self.domain_api)
    }

    /// Whether LiveEngage is a simulator on this machine.
    pub(super) fn is_on_this_machine(&self) -> bool {
        self.domain_api.scheme() == "http"
    }

    pub(super) fn reads_standard_input(&self) -> bool {
        self.password_file.as_deref() == Some(Path::new("-"))
    }

    /// Whether a bearer is used, and not a login.
    pub(super) fn has_bearer() -> bool {
        variable(BEARER).is_some()
    }

    /// Finds the bearer or the password, and asks on the terminal if there is none. Also returns warnings about the password's file.
    ///
    /// # Errors
    /// A message for the operator.
    pub(super) fn entry(&self) -> Result<(Entry, Vec<String>), String> {
        self.entry_from(variable, rpassword::prompt_password)
    }

    fn entry_from(
        &self,
        variable: impl Fn(&str) -> Option<SecretString>,
        prompt: impl Fn(String) -> std::io::Result<String>,
    ) -> Result<(Entry, Vec<String>), String> {
        let Some(user) = &self.user else {
            let bearer = variable(BEARER).map(|bearer| (Entry::Bearer(bearer), vec![]));
            return bearer.ok_or_else(|| {
                format!("say who logs in: --user NAME, or the bearer of an administrator's session in the environment variable {BEARER}")
            });
        };
        if variable(BEARER).is_some() {
            return Err(format!("give either --user or {BEARER}, not both"));
        }
        let (password, warnings) = match (&self.password_file, variable(PASSWORD)) {
            (Some(file), _) => {
                let source = source::read(file)?;
                (source.secret, source.warnings)
            }
            (None, Some(password)) => (password, vec![]),
            (None, None) => {
                let question = format!("Password of {user} in the LiveEngage account {}: ", self.account);
                let typed = prompt(question).map_err(|_| {
                    format!("there is no terminal to ask for the password: set {PASSWORD}, or give --password-file")
                })?;
                (SecretString::from(typed), vec![])
            }
        };
        Ok((Entry::Login(Credentials::User { user: user.clone(), password }), warnings))
    }
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<SecretString> {
    ProcessEnvironment.get(name).filter(|value| !value.is_empty()).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[derive(Debug, Parser)]
    struct TestCommand {
        #[command(flatten)]
        access: AccessArguments,
    }

    /// The entry, or the error, with these arguments, these variables and what is typed.
    fn entry(arguments: &[&str], variables: &[(&str, &str)], typed: Option<&str>) -> Result<String, String> {
        let access = TestCommand::try_parse_from([&["x", "--account", "72419083"], arguments].concat()).unwrap().access;
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| SecretString::from(*value))
        };
        let prompt = |_| typed.map(str::to_owned).ok_or_else(|| std::io::Error::other("no terminal"));
        access.entry_from(variable, prompt).map(|(entry, _)| match entry {
            Entry::Bearer(bearer) => format!("bearer {}", bearer.expose_secret()),
            Entry::Login(Credentials::User { user, password }) => format!("{user} {}", password.expose_secret()),
            Entry::Login(_) => "another kind of login".to_owned(),
        })
    }

    #[test]
    fn a_password_is_read_from_the_environment_or_asked_and_never_an_argument() {
        assert_eq!(entry(&["--user", "ada"], &[(PASSWORD, "from-env")], Some("typed")).unwrap(), "ada from-env");
        assert_eq!(entry(&["--user", "ada"], &[], Some("typed")).unwrap(), "ada typed");
        let error = entry(&["--user", "ada"], &[], None).unwrap_err();
        assert!(error.contains("no terminal") && error.contains(PASSWORD), "{error}");
        assert!(TestCommand::try_parse_from(["x", "--account", "7", "--user", "ada", "--password", "p"]).is_err());
        assert!(TestCommand::try_parse_from(["x", "--account", "7", "--password-file", "f"]).is_err(), "whose?");
    }

    #[test]
    fn a_bearer_stands_in_for_a_login() {
        assert_eq!(entry(&[], &[(BEARER, "b34r3r")], None).unwrap(), "bearer b34r3r");
        assert!(entry(&["--user", "ada"], &[(BEARER, "b34r3r")], None).unwrap_err().contains("not both"));
        assert!(entry(&[], &[(PASSWORD, "from-env")], None).unwrap_err().starts_with("say who logs in: --user NAME"));
    }
}
