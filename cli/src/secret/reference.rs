//! A valid secret of each kind with every field. It shows what a field must contain.

use connector::app::secret_change::SecretOwner;
use connector_channels::{
    self as channel, Channel,
    setting::{SecretOrigin, SecretValue, SettingValue, example},
};
use serde_json::Value;

/// The prefix of the value of a field that the operator makes up.
pub(crate) const USER_CHOSEN: &str = "Yours to choose";

/// An example of every setting of a channel.
fn settings(channel: &dyn Channel) -> Value {
    let mut example = example(channel.settings());
    for setting in channel.settings() {
        if let SettingValue::Secret(SecretValue { origin: SecretOrigin::Operator, hint, .. }) = setting.value {
            let hint = format!("{USER_CHOSEN}: 64 hexadecimal digits, as of `openssl rand -hex 32`; {hint}");
            set(&mut example, setting.name, Value::from(hint));
        }
    }
    example
}

/// A valid secret of this owner; for a line, on this channel.
pub(crate) fn reference(owner: &SecretOwner, channel: &str) -> Value {
    match owner {
        SecretOwner::Account(id) => {
            let mut account = parse(include_str!("reference/account.json"));
            set(&mut account, "account_id", Value::from(id.as_str()));
            account
        }
        SecretOwner::Line(id) => {
            let mut line = parse(include_str!("reference/line.json"));
            set(&mut line, "line_id", Value::from(id.as_str()));
            set(&mut line, "channel", Value::from(channel));
            if let Some(known) = channel::by_name(channel) {
                set(&mut line, channel, settings(known));
            }
            line
        }
    }
}

/// The channel of a line's secret: the one that it names, or else the one whose settings it has.
pub(crate) fn channel_of(line: &Value) -> &'static str {
    let named = line.get("channel").and_then(Value::as_str).and_then(channel::by_name);
    let known = || channel::ALL.iter().copied().find(|channel| line.get(channel.name()).is_some());
    named.or_else(known).map_or("sms", |channel| channel.name())
}

/// A test checks these files.
fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// The value at a path such as `sms.media_hosts[1]`. A path into a list returns the list.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    names(path).try_fold(value, |value, name| value.get(name))
}

/// The names of the fields of a path. An index ends it.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('[').next().unwrap_or(path).split('.')
}

/// Sets the value at a path. Does nothing if a parent is not an object.
pub(crate) fn set(value: &mut Value, path: &str, new: Value) {
    let names: Vec<_> = names(path).collect();
    let Some((last, parents)) = names.split_last() else { return };
    let place = parents.iter().try_fold(value, |value, name| value.get_mut(*name));
    if let Some(object) = place.and_then(Value::as_object_mut) {
        object.insert((*last).to_owned(), new);
    }
}

/// Removes the value at a path.
pub(crate) fn remove(value: &mut Value, path: &str) -> Option<Value> {
    let names: Vec<_> = names(path).collect();
    let (last, parents) = names.split_last()?;
    parents.iter().try_fold(value, |value, name| value.get_mut(*name))?.as_object_mut()?.remove(*last)
}

/// The paths of all fields of an object, parents first: `routing`, `routing.skill_id`, ...
pub(crate) fn paths(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        all.push(name.clone());
        all.extend(paths(inner).into_iter().map(|path| format!("{name}.{path}")));
    }
    all
}

#[cfg(test)]
mod tests {
    use connector::domain::id::LineId;
    use connector_liveengage::id::AccountId;
    use secrecy::SecretString;

    use super::*;

    fn check(owner: &SecretOwner, secret: &Value) -> Result<(), String> {
        owner.check(&SecretString::from(secret.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_accepts_the_reference_of_every_channel() {
        let line = SecretOwner::Line(LineId::new("some-line").unwrap());
        for channel in channel::ALL {
            assert_eq!(check(&line, &reference(&line, channel.name())), Ok(()), "{}", channel.name());
        }
        let account = SecretOwner::Account(AccountId::new("7").unwrap());
        assert_eq!(check(&account, &reference(&account, "")), Ok(()));
    }

    /// Serde lists the fields of an object when it meets an unknown one.
    #[test]
    fn the_reference_contains_every_field() {
        let line = SecretOwner::Line(LineId::new("some-line").unwrap());
        let account = SecretOwner::Account(AccountId::new("7").unwrap());
        let mut looked_at = 0;
        let lines = channel::ALL.iter().map(|channel| (&line, channel.name()));
        for (owner, channel) in lines.chain([(&account, "")]) {
            let reference = reference(owner, channel);
            let objects =
                paths(&reference).into_iter().filter(|path| at(&reference, path).is_some_and(Value::is_object));
            for object in objects.chain([String::new()]) {
                let mut with_more = reference.clone();
                let unknown = format!("{object}.no_such_field");
                set(&mut with_more, unknown.trim_start_matches('.'), Value::Null);
                let error = check(owner, &with_more).unwrap_err();
                // The reader of a line's top-level fields lists no names.
                let Some((_, listed)) = error.split_once(", expected ") else { continue };
                for field in listed.split('`').skip(1).step_by(2) {
                    looked_at += 1;
                    let path = format!("{object}.{field}");
                    assert!(at(&reference, path.trim_start_matches('.')).is_some(), "{path} is missing: {error}");
                }
            }
        }
        assert!(looked_at > 30, "{looked_at}");
    }
}
