//! Which app install is meant, and what makes it the wanted one.

use std::collections::BTreeSet;

use connector_liveengage::{
    app_install::Installation,
    id::{AccountId, AppInstallId},
    manifest::{Indications, manifest},
};
use serde_json::{Map, Value};
use url::Url;

use super::changes::{Change, changes, shown_text};
use crate::manifest::{DESCRIPTION, NAME};

/// What the operator wants.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) webhook: Url,
    /// `None` keeps the installed one.
    pub(super) name: Option<String>,
    /// `None` keeps the installed one.
    pub(super) description: Option<String>,
    pub(super) indications: Indications,
}

impl Wanted {
    fn manifest(&self, installed: Option<&Installation>) -> Result<Value, String> {
        let described = |installed: &Installation| installed.record().get("description")?.as_str().map(str::to_owned);
        let known_name = installed.and_then(Installation::name);
        let known_description = installed.and_then(described);
        let name = self.name.as_deref().or(known_name).unwrap_or(NAME);
        let description = self.description.as_deref().or(known_description.as_deref()).unwrap_or(DESCRIPTION);
        let mut manifest =
            manifest(&self.webhook, name, description, self.indications).map_err(|error| error.to_string())?;
        if let (Some(fields), Some(_)) = (manifest.as_object_mut(), installed) {
            if self.name.is_none() && known_name.is_some() {
                fields.remove("client_name");
                fields.remove("display_name");
            }
            if self.description.is_none() {
                fields.remove("description");
            }
        }
        Ok(manifest)
    }
}

/// What says which app install is meant, in this order.
#[derive(Debug, Clone)]
pub(super) struct Selector<'a> {
    /// Its `id` or `client_id`, as the operator gave it.
    pub(super) id: Option<&'a str>,
    /// The `client_id` in the account's secret.
    pub(super) client_id: Option<AppInstallId>,
    /// The name.
    pub(super) name: &'a str,
}

/// Whether an operator can mean this app install by the id.
pub(super) fn is_named(install: &Installation, id: &str) -> bool {
    install.id().is_some_and(|own| own.as_str() == id) || install.client_id().is_some_and(|own| own.as_str() == id)
}

/// The error for an id that no app install has.
pub(super) fn no_such_install(id: &str, installs: &[Installation]) -> String {
    let known: Vec<_> = installs.iter().filter(|one| !one.is_deleted()).map(named).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("the account has no app install {id} (installed: {known})")
}

/// The id and the name of an app install.
fn named(install: &Installation) -> String {
    let id = install.client_id().map_or_else(|| "without a client_id".to_owned(), |id| id.to_string());
    format!("{id} \"{}\"", install.name().unwrap_or_default())
}

/// How an app install was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// By an id: the operator's, or that in the account's secret.
    ById,
    /// By its name alone. Another deployment may have registered it under the same name.
    ByName,
}

/// The app install that is meant, and how it was found. `None`: there is none yet. A deleted one is never meant.
///
/// # Errors
/// A message for the operator if it was named by an id, and doesn't exist.
pub(super) fn select<'a>(
    installs: &'a [Installation],
    selector: &Selector<'_>,
) -> Result<Option<(&'a Installation, Found)>, String> {
    let mut all = installs.iter().filter(|one| !one.is_deleted());
    if let Some(id) = selector.id {
        let named = all.find(|one| is_named(one, id)).ok_or_else(|| no_such_install(id, installs))?;
        return Ok(Some((named, Found::ById)));
    }
    let of_secret =
        selector.client_id.as_ref().and_then(|id| all.clone().find(|one| one.client_id().as_ref() == Some(id)));
    let by_name = || Some((all.find(|one| one.name() == Some(selector.name))?, Found::ByName));
    Ok(of_secret.map(|one| (one, Found::ById)).or_else(by_name))
}

/// Why an app install that was found like this may be that of another deployment: it was found by its name alone, and its webhooks go
/// elsewhere. `None` if there is no doubt.
pub(super) fn doubt(install: &Installation, found: Found, webhook: &Url) -> Option<String> {
    let webhooks = install.record().get("capabilities")?.get("webhooks")?.as_object()?;
    let endpoints = webhooks.values().filter_map(|settings| settings.get("endpoint")?.as_str());
    let is_elsewhere = |endpoint: &&str| !endpoint.is_empty() && endpoint.parse::<Url>().ok().as_ref() != Some(webhook);
    let elsewhere: BTreeSet<String> = endpoints.filter(is_elsewhere).map(shown_text).collect();
    if found == Found::ById || elsewhere.is_empty() {
        return None;
    }
    let (described, endpoints) = (described(install), elsewhere.into_iter().collect::<Vec<_>>().join(", "));
    let id = install.id().map(|id| id.to_string()).unwrap_or_default();
    Some(format!(
        "the app install {described} was found by its name alone, and its webhooks go to {endpoints}. It may be that of another deployment, \
         which would get no webhooks any more. If you mean this one, confirm it with --install {id}. If not, give another --name"
    ))
}

/// # Errors
/// A message for the operator if another app install has the name that `install` shall get.
pub(super) fn check_name(installs: &[Installation], install: &Installation, name: Option<&str>) -> Result<(), String> {
    let Some(name) = name else { return Ok(()) };
    let is_other = |one: &&Installation| !one.is_deleted() && one.id() != install.id() && one.name() == Some(name);
    match installs.iter().find(is_other) {
        None => Ok(()),
        Some(other) => Err(format!(
            "the name \"{name}\" is taken by another app install, {}: give another --name, or mean that one with --install",
            named(other)
        )),
    }
}

/// What is to be done at LiveEngage.
#[derive(Debug)]
pub(super) enum Plan {
    /// Register the app with this manifest.
    Create { manifest: Value, changes: Vec<Change> },
    /// Replace the record.
    Update {
        /// The record with the manifest in it.
        wanted: Box<Installation>,
        /// The fields that differ from the installed record. Empty if there is nothing to do.
        changes: Vec<Change>,
    },
}

impl Plan {
    /// # Errors
    /// A message for the operator if the manifest can't be made.
    pub(super) fn create(wanted: &Wanted) -> Result<Self, String> {
        let manifest = wanted.manifest(None)?;
        let changes = changes(&Map::new(), manifest.as_object().unwrap_or(&Map::new()));
        Ok(Self::Create { manifest, changes })
    }

    /// # Errors
    /// A message for the operator if the manifest can't be made.
    pub(super) fn update(installed: Installation, wanted: &Wanted) -> Result<Self, String> {
        let manifest = wanted.manifest(Some(&installed))?;
        let mut new = installed.clone();
        new.set_manifest(&manifest).map_err(|error| error.to_string())?;
        let changes = changes(installed.record(), new.record());
        Ok(Self::Update { wanted: Box::new(new), changes })
    }

    pub(super) fn changes(&self) -> &[Change] {
        match self {
            Self::Create { changes, .. } | Self::Update { changes, .. } => changes,
        }
    }

    pub(super) fn is_change(&self) -> bool {
        !self.changes().is_empty()
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { changes, .. } if changes.is_empty() => "nothing",
            Self::Update { .. } => "update",
        }
    }

    pub(super) fn heading(&self, account: &AccountId) -> String {
        match self {
            Self::Create { manifest, .. } => {
                let name = manifest.get("client_name").and_then(Value::as_str).unwrap_or_default();
                format!("Account {account} has no app install \"{name}\". A new one would have:")
            }
            Self::Update { wanted, changes } if changes.is_empty() => {
                format!("The app install {} of account {account} has no difference.", described(wanted))
            }
            Self::Update { wanted, changes } => {
                let count = match changes.len() {
                    1 => "1 field differs".to_owned(),
                    several => format!("{several} fields differ"),
                };
                format!("The app install {} of account {account}: {count}.", described(wanted))
            }
        }
    }
}

/// The ids and the name of an app install.
pub(super) fn described(install: &Installation) -> String {
    let id = install.id().map_or_else(|| "without an id".to_owned(), |id| id.to_string());
    format!("{id} (client_id {})", shown_text(&named(install)))
}

#[cfg(test)]
mod tests {
    use connector_liveengage::app_install::{REVISION, installation_answer, list_answer};
    use connector_message::http::HttpReply;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    use super::*;

    fn headers() -> HeaderMap {
        [(REVISION, HeaderValue::from_static("4"))].into_iter().collect()
    }

    fn reply(body: &Value) -> HttpReply {
        HttpReply { status: StatusCode::OK, retry_after: None, body: body.to_string().into() }
    }

    fn list(records: &Value) -> Vec<Installation> {
        list_answer(&reply(records), &headers()).unwrap()
    }

    fn records() -> Vec<Installation> {
        list(&json!([
            {"id": "r-0", "client_id": "c-0", "client_name": "SMS connector", "deleted": true},
            {"id": "r-1", "client_id": "c-1", "client_name": "Reports"},
            {"id": "r-2", "client_id": "c-2", "client_name": "SMS connector"},
        ]))
    }

    fn selected(id: Option<&str>, client_id: Option<&str>, name: &str) -> Result<Option<String>, String> {
        let client_id = client_id.map(|id| AppInstallId::new(id).unwrap());
        let records = records();
        let found = select(&records, &Selector { id, client_id, name })?;
        Ok(found.map(|(one, found)| format!("{} {found:?}", one.id().unwrap())))
    }

    #[test]
    fn an_id_comes_before_the_secret_and_the_secret_before_the_name() {
        let some = |found: &str| Ok(Some(found.to_owned()));
        assert_eq!(selected(Some("c-1"), Some("c-2"), "SMS connector"), some("r-1 ById"));
        assert_eq!(selected(Some("r-1"), None, "x"), some("r-1 ById"));
        assert_eq!(selected(None, Some("c-1"), "SMS connector"), some("r-1 ById"));
        assert_eq!(selected(None, None, "SMS connector"), some("r-2 ByName"), "the deleted one has the name, too");
        assert_eq!(selected(None, Some("c-9"), "SMS connector"), some("r-2 ByName"), "the secret's is gone");
        assert_eq!(selected(None, Some("c-0"), "x"), Ok(None), "it is deleted");
        let error = selected(Some("r-0"), None, "SMS connector").unwrap_err();
        assert_eq!(error, "the account has no app install r-0 (installed: c-1 \"Reports\", c-2 \"SMS connector\")");
    }

    #[test]
    fn an_install_found_by_its_name_is_in_doubt_only_if_its_webhooks_go_elsewhere() {
        let webhook = "https://new.example/webhooks/liveengage".parse().unwrap();
        let doubt = |endpoints: &[&str], found: Found| {
            let events =
                endpoints.iter().enumerate().map(|(at, url)| (format!("event.{at}"), json!({"endpoint": url})));
            let webhooks: Map<_, _> = events.chain([("retry".to_owned(), json!({"retention_time": 60}))]).collect();
            let record = json!({"id": "r-2", "client_name": "SMS", "capabilities": {"webhooks": webhooks}});
            doubt(&installation_answer(&reply(&record), &headers()).unwrap(), found, &webhook)
        };
        let own = "https://new.example/webhooks/liveengage";
        for without_doubt in [&[][..], &[own, own], &[""]] {
            assert_eq!(doubt(without_doubt, Found::ByName), None, "{without_doubt:?}");
        }
        let others = [own, "https://old.example/hook?key=canary", "not an address"];
        assert_eq!(doubt(&others, Found::ById), None, "the operator means this one");
        let text = doubt(&others, Found::ByName).unwrap();
        assert!(text.contains("https://old.example/hook (") && text.contains("not an address"), "{text}");
        assert!(text.contains("confirm it with --install r-2.") && !text.contains("canary"), "{text}");
        assert!(!text.contains(own), "{text}");
    }

    #[test]
    fn a_name_of_another_install_is_refused_before_the_call() {
        let records = records();
        let reports = records.get(1).unwrap();
        assert!(
            check_name(&records, reports, Some("SMS connector"))
                .unwrap_err()
                .contains("taken by another app install, c-2")
        );
        for fine in [None, Some("Reports"), Some("WhatsApp")] {
            assert_eq!(check_name(&records, reports, fine), Ok(()));
        }
    }

    fn wanted(name: Option<&str>, description: Option<&str>) -> Wanted {
        Wanted {
            webhook: "https://new.example/webhooks/liveengage".parse().unwrap(),
            name: name.map(str::to_owned),
            description: description.map(str::to_owned),
            indications: Indications { typing: false, read_marks: false },
        }
    }

    #[test]
    fn an_update_keeps_names_and_unknown_fields_unless_told() {
        let record = json!({
            "id": "r-2", "client_id": "c-2", "client_secret": "canary", "client_name": "Texts", "display_name": "Texts!",
            "description": "Ours", "later": {"x": 1},
        });
        let installed = installation_answer(&reply(&record), &headers()).unwrap();
        let Plan::Update { wanted: new, changes } = Plan::update(installed.clone(), &wanted(None, None)).unwrap()
        else {
            panic!("it exists")
        };
        for kept in ["client_name", "display_name", "description", "later", "client_secret"] {
            assert_eq!(new.record()[kept], record[kept], "{kept}");
        }
        assert!(changes.iter().any(|change| change.field.ends_with("ContentEvent.endpoint")), "{changes:?}");
        let plan = Plan::update(*new, &wanted(Some("SMS"), Some("Words"))).unwrap();
        let fields: Vec<_> = plan.changes().iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["client_name", "description", "display_name"]);
        assert_eq!(plan.kind(), "update");
        let account = AccountId::new("72419083").unwrap();
        assert_eq!(
            plan.heading(&account),
            "The app install r-2 (client_id c-2 \"SMS\") of account 72419083: 3 fields differ."
        );
    }

    #[test]
    fn a_second_plan_after_the_first_is_empty() {
        let installed = installation_answer(&reply(&json!({"id": "r-2", "client_name": "n"})), &headers()).unwrap();
        let Plan::Update { wanted: new, .. } = Plan::update(installed, &wanted(None, None)).unwrap() else {
            panic!("it exists")
        };
        let again = Plan::update(*new, &wanted(None, None)).unwrap();
        assert!(!again.is_change());
        assert_eq!(again.kind(), "nothing");
    }

    #[test]
    fn a_new_install_has_the_printed_manifest() {
        let Plan::Create { manifest: new, changes } = Plan::create(&wanted(None, None)).unwrap() else {
            panic!("there is none")
        };
        let webhook = "https://new.example/webhooks/liveengage".parse().unwrap();
        let printed = manifest(&webhook, NAME, DESCRIPTION, Indications { typing: false, read_marks: false }).unwrap();
        assert_eq!(new, printed);
        assert!(changes.iter().all(|change| change.installed.is_none()) && changes.len() > 8);
        assert!(Plan::create(&wanted(Some(""), None)).unwrap_err().contains("1 to 128 characters"));
    }
}
