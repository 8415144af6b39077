//! `connector events`: copies of recorded events with a new time and signature.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use connector_lab::events::{EventError, fresh};
use jiff::Timestamp;
use serde_json::Value;

use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Write copies of recorded HTTP events with the current time and a new signature. A gateway accepts a signature
    /// for five minutes.
    Sign(SignArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// The recorded events. Events of queues and of the schedule are not signed and are refused.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A file with the secrets to sign with: one object, by the names of the secrets.
    #[arg(long, value_name = "FILE", default_value = "events/secrets.json")]
    secrets: PathBuf,
    /// The folder for the copies. It is created if it doesn't exist.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

impl EventsCommand {
    /// # Errors
    /// A message for the operator: a file can't be read, signed or written.
    pub(crate) fn run(&self, now: Timestamp) -> Result<Report, String> {
        let Self::Sign(arguments) = self;
        // All copies are made before the first is written, so that an error in the last one leaves no partial result.
        let copies = arguments.copies(now)?;
        let to = &arguments.to;
        std::fs::create_dir_all(to).map_err(|error| format!("{} can't be created: {error}", to.display()))?;
        let mut written = String::new();
        for (copy, event) in copies {
            std::fs::write(&copy, format!("{event:#}\n")).map_err(|error| {
                let before = if written.is_empty() { "nothing\n" } else { &written };
                format!("{} can't be written: {error}. Files written before it:\n{before}", copy.display())
            })?;
            written.push_str(&format!("{}\n", copy.display()));
        }
        Ok(Report::done(written))
    }
}

impl SignArguments {
    /// The path and content of each copy.
    fn copies(&self, now: Timestamp) -> Result<BTreeMap<PathBuf, Value>, String> {
        let secrets = read(&self.secrets).map_err(|error| format!("--secrets: {error}"))?;
        let mut copies = BTreeMap::new();
        for file in &self.files {
            let event = fresh(&read(file)?, &secrets, now).map_err(|error| {
                let hint =
                    if matches!(error, EventError::Secret(..)) { " (give another file with --secrets)" } else { "" };
                format!("{}: {error}{hint}", file.display())
            })?;
            let copy = self.to.join(file.file_name().ok_or_else(|| format!("{} is not a file", file.display()))?);
            if is_same(file, &copy) {
                return Err(format!("{} would be overwritten: --to must be another folder", file.display()));
            }
            if copies.insert(copy, event).is_some() {
                return Err(format!(
                    "{}: another file has the same name, and one copy would replace the other",
                    file.display()
                ));
            }
        }
        Ok(copies)
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    // The error must not contain the text of a file of secrets.
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON (line {})", path.display(), error.line()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    fn run(arguments: &[&str]) -> Result<Report, String> {
        match Cli::try_parse_from([&["connector", "events", "sign"], arguments].concat()).unwrap().command {
            Some(Command::Events(command)) => command.run(Timestamp::from_second(1_800_000_000).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn copies_are_written_and_the_originals_are_unchanged() {
        let folder = std::env::temp_dir().join(format!("connector-events-{}", uuid::Uuid::new_v4()));
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
        let (secrets, file) = (events.join("secrets.json"), events.join("inbound-text.json"));
        let of = |path: &Path| path.to_str().unwrap().to_owned();
        let before = fs::read_to_string(&file).unwrap();
        let report = run(&[&of(&file), "--secrets", &of(&secrets), "--to", &of(&folder)]).unwrap();
        assert_eq!(report.text, format!("{}\n", folder.join("inbound-text.json").display()));
        let copy: Value = serde_json::from_str(&fs::read_to_string(folder.join("inbound-text.json")).unwrap()).unwrap();
        assert_eq!(copy["headers"]["x-sinch-webhook-signature-timestamp"], "1800000000");
        let over = run(&[&of(&file), "--secrets", &of(&secrets), "--to", &of(&events)]).unwrap_err();
        assert!(over.ends_with("--to must be another folder"), "{over}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
        assert_eq!(copy["requestContext"]["time"], "15/Jan/2027:08:00:00 +0000");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_written_unless_every_file_can_be_signed() {
        let folder = std::env::temp_dir().join(format!("connector-events-{}", uuid::Uuid::new_v4()));
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
        let of = |name: &str| events.join(name).to_str().unwrap().to_owned();
        let (good, secrets, to) = (of("inbound-text.json"), of("secrets.json"), folder.to_str().unwrap());
        let sign = |second: &str, secrets: &str| run(&[&good, second, "--secrets", secrets, "--to", to]).unwrap_err();
        assert!(sign(&of("to-channel-batch.json"), &secrets).contains("to-channel-batch.json: it is not an event"));
        assert!(sign(&of("no-such.json"), &secrets).contains("no-such.json can't be read"));
        assert!(sign(&good, &secrets).contains("another file has the same name"));
        let (missing, wrong) = (of("no-such.json"), of("inbound-text.json"));
        assert!(sign(&good, &missing).starts_with("--secrets: "));
        assert!(sign(&good, &wrong).ends_with("(give another file with --secrets)"));
        assert!(!folder.exists());
    }
}
