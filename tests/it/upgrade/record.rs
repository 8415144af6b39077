//! Records what this version leaves in the table and in the queues, for the tests of later versions.
//!
//! `CONNECTOR_RECORD=<version> cargo nextest run -p connector-tests -E 'test(records_this_version)'` writes `recorded/<version>/`. Without
//! the variable the test records into a temporary folder, so that the recorder works when a version is released.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use futures::future::join_all;
use serde_json::Value;

mod all_sorts;
mod failure;
mod queue_messages;
mod situations;
mod snapshot;

use super::recorded::{self, Recording};
use connector::queue_message::{bodies as bodies_in, decode};
use queue_messages::{Kind, QueueMessages};
use snapshot::Recorded;

/// The variable with the version's name.
const RECORD: &str = "CONNECTOR_RECORD";

/// Every file of a recorded version, by its name.
async fn record() -> Vec<(&'static str, Value)> {
    let labs = situations::ALL.map(async |(name, situation)| (name, situation().await));
    let labs: Vec<(&str, Recorded)> = join_all(labs).await;
    let mut messages = QueueMessages::default();
    labs.iter().for_each(|(_, recorded)| messages.add_all(&recorded.messages));
    messages.add_unseen();
    let mut files: Vec<_> = labs.into_iter().map(|(name, recorded)| (name, recorded.file)).collect();
    files.push(("tasks", messages.file()));
    files
}

/// A JSON object with a line for each element of its lists: a change is easy to see.
fn lines(file: &Value) -> String {
    let fields = file.as_object().unwrap().iter().map(|(name, value)| match value {
        Value::Array(list) if !list.is_empty() => {
            let elements: Vec<_> = list.iter().map(|element| format!("    {element}")).collect();
            format!("  \"{name}\": [\n{}\n  ]", elements.join(",\n"))
        }
        value => format!("  \"{name}\": {value}"),
    });
    format!("{{\n{}\n}}\n", fields.collect::<Vec<_>>().join(",\n"))
}

/// Where to write. A version that is recorded is never recorded again.
fn new_folder() -> (PathBuf, bool) {
    match env::var_os(RECORD) {
        Some(version) => {
            let version = version.into_string().unwrap();
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            assert!(
                version.starts_with(char::is_alphanumeric) && version.chars().all(is_name),
                "{version:?} is no name"
            );
            (recorded::folder().join(version), true)
        }
        None => (Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recorded-{}", std::process::id())), false),
    }
}

/// Checks that the tests can work with a recording.
fn check(name: &str, recording: &Recording) {
    let bodies = ["to_liveengage", "to_channel"].map(|queue| recording.bodies(queue)).concat();
    for body in &bodies {
        let all_readable = bodies_in(&body.to_string()).iter().all(|part| decode(part).is_ok());
        assert!(all_readable, "{name}: {body}");
    }
    if name == "tasks" {
        let kinds = bodies.iter().map(|body| Kind::of(&decode(&body.to_string()).unwrap()).unwrap());
        let kinds: BTreeSet<_> = kinds.collect();
        assert_eq!(kinds, Kind::ALL.into_iter().collect(), "one message of every kind");
        assert_eq!(kinds.len(), bodies.len());
    } else {
        assert!(!recording.items().is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_this_version() {
    let (folder, stays) = new_folder();
    assert!(!folder.exists(), "{} is there already, and a recording is never edited", folder.display());
    let files = record().await;
    fs::create_dir_all(&folder).unwrap();
    for (name, file) in &files {
        fs::write(folder.join(format!("{name}.json")), lines(file)).unwrap();
    }
    for (name, _) in &files {
        check(name, &Recording::read(&folder.join(format!("{name}.json"))));
    }
    let recorded: BTreeSet<_> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = recorded::situations().into_iter().filter(|name| !recorded.contains(name)).collect();
    assert!(missing.is_empty(), "earlier versions have recordings of these: {missing:?}");
    if !stays {
        fs::remove_dir_all(&folder).unwrap();
    }
}
