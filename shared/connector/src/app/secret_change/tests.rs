use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::port::StoredVersion;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_781_000_000 + hour * 3600).unwrap()
}

fn text(value: &Value) -> SecretString {
    SecretString::from(value.to_string())
}

fn version(value: &Value, hour: i64) -> StoredVersion {
    StoredVersion { id: format!("v{hour}"), created_at: Some(at(hour)), value: text(value) }
}

fn account() -> SecretOwner {
    SecretOwner::Account(AccountId::new("72419083").unwrap())
}

fn line() -> SecretOwner {
    SecretOwner::Line(LineId::new("sms-main").unwrap())
}

fn account_with(secret: &str) -> Value {
    json!({"account_id": "72419083", "client_id": "0f6c2a9e", "client_secret": secret})
}

fn line_with(webhook_secret: &str) -> Value {
    json!({
        "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "k".repeat(64),
        "sms": {"from": "+4930555123", "send_url": "https://gateway.example/v1", "bearer_token": "b", "webhook_secret": webhook_secret},
    })
}

fn stored(current: (&Value, i64), previous: Option<(&Value, i64)>) -> StoredSecret {
    StoredSecret {
        current: version(current.0, current.1),
        previous: previous.map(|(value, hour)| version(value, hour)),
    }
}

fn judged(owner: &SecretOwner, new: &Value, stored: &StoredSecret, hour: i64) -> SecretChange {
    judge(owner, &text(new), Some(stored), at(hour)).unwrap()
}

#[test]
fn a_secret_that_a_function_would_reject_is_rejected() {
    let error = judge(&line(), &text(&line_with("")), None, at(0)).unwrap_err();
    assert_eq!(error.to_string(), "sms.webhook_secret: must not be empty");
    let other = SecretOwner::Line(LineId::new("sms-two").unwrap());
    assert_eq!(judge(&other, &text(&line_with("w")), None, at(0)).unwrap_err().field, "line_id");
    assert_eq!(judge(&account(), &SecretString::from("{"), None, at(0)).unwrap_err().rule, "is not JSON");
}

#[test]
fn a_change_names_the_fields_and_no_value() {
    let change = judge(&line(), &text(&line_with("canary")), None, at(0)).unwrap();
    assert_eq!((change.kind, change.fields.len()), (Kind::Create, 8));
    let mut new = line_with("canary");
    new["routing"] = json!({"skill_id": "canary"});
    let change = judged(&line(), &new, &stored((&line_with("old"), 0), None), 1);
    assert_eq!(
        (change.kind, change.fields.clone()),
        (Kind::Replace, vec!["routing.skill_id".to_owned(), "sms.webhook_secret".to_owned()])
    );
    assert!(change.dangers.is_empty() && !format!("{change:?}").contains("canary"));
    let same = judged(&line(), &line_with("old"), &stored((&line_with("old"), 0), None), 1);
    assert_eq!((same.kind, same.fields), (Kind::Nothing, vec![]));
}

#[test]
fn replacing_a_version_that_is_still_accepted_is_a_danger() {
    let [one, two, three] = ["one", "two", "three"].map(account_with);
    let rotating = stored((&two, 10), Some((&one, 0)));
    let drops = |new: &Value, hour| judged(&account(), new, &rotating, hour).dangers;
    assert_eq!(drops(&three, 11), [Danger::DropsPrevious { until: at(34) }]);
    assert!(drops(&three, 34).is_empty(), "a day is over");
    assert!(drops(&one, 11).is_empty(), "rolled back: both stay");
    let mut other = two.clone();
    other["domain_api"] = json!("https://api.example/");
    assert!(!drops(&other, 11).is_empty(), "another field pushes it out as well");
    let settled = stored((&other, 10), Some((&two, 0)));
    assert!(
        judged(&account(), &three, &settled, 11).dangers.is_empty(),
        "the previous one has the current one's secret"
    );
    let broken = stored((&two, 10), Some((&json!({"client_secret": "one"}), 0)));
    assert!(judged(&account(), &three, &broken, 11).dangers.is_empty(), "it verifies nothing");
}

#[test]
fn after_a_stage_was_moved_back_by_hand_the_day_counts_from_the_younger_version() {
    let [one, two] = ["one", "two"].map(account_with);
    let moved_back = stored((&one, 0), Some((&two, 100)));
    assert_eq!(previous_until(&moved_back, at(101)), Some(at(124)));
    assert_eq!(previous_until(&moved_back, at(124)), None);
    assert_eq!(previous_until(&stored((&one, 0), None), at(1)), None);
}

#[test]
fn changing_a_field_that_determines_consumer_ids_is_a_danger() {
    let current = stored((&line_with("one"), 0), None);
    for (field, value) in [("consumer_id_key", json!("j".repeat(64))), ("account_id", json!("8"))] {
        let mut new = line_with("one");
        new[field] = value;
        let dangers = judged(&line(), &new, &current, 100).dangers;
        assert_eq!(dangers, [Danger::NewConsumers { fields: vec![field.to_owned()] }]);
    }
    let never_read = stored((&json!({"line_id": "sms-main"}), 0), None);
    assert!(judged(&line(), &line_with("one"), &never_read, 100).dangers.is_empty());
}

#[derive(Default)]
struct Written(Mutex<Vec<String>>);

#[async_trait]
impl SecretStore for Written {
    async fn stored(&self, _: &str) -> Result<Option<StoredSecret>, SecretsError> {
        Ok(None)
    }
    async fn create(&self, name: &str, value: &SecretString) -> Result<(), SecretsError> {
        self.0.lock().push(format!("create {name} {}", value.expose_secret()));
        Ok(())
    }
    async fn put(&self, name: &str, value: &SecretString) -> Result<(), SecretsError> {
        self.0.lock().push(format!("put {name} {}", value.expose_secret()));
        Ok(())
    }
}

#[tokio::test]
async fn a_change_is_one_write_or_none() {
    let written = Written::default();
    for kind in [Kind::Create, Kind::Replace, Kind::Nothing] {
        let change = SecretChange { kind, fields: vec![], dangers: vec![] };
        carry_out(&change, &written, &account().secret_name("connector"), &SecretString::from("{}")).await.unwrap();
    }
    let name = "connector/account/72419083";
    assert_eq!(*written.0.lock(), [format!("create {name} {{}}"), format!("put {name} {{}}")]);
}
