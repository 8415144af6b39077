//! `connector secret check`: finds the wrong fields of a secret.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::Args;
use connector::{app::secret_change::SecretOwner, domain::id::LineId};
use connector_channels as channel;
use connector_liveengage::id::AccountId;
use connector_message::{id::InvalidId, settings::WrongField};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    OwnerArguments,
    reference::{at, channel_of, reference, remove, set},
    source,
    warnings::{field_warnings, placeholders},
};
use crate::output::{Report, table};

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The file with the secret, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    owner: OwnerArguments,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

impl CheckArguments {
    /// # Errors
    /// A message for the operator if the file can't be read.
    pub(crate) fn run(&self) -> Result<Report, String> {
        let source = source::read(&self.file)?;
        let (owner, name) = match self.owner.named() {
            Some(owner) => (owner.clone(), owner.to_string()),
            None => owner_of(&source.secret, &self.file).map_err(|error| error.to_string())?,
        };
        let problems = problems(&owner, &source.secret);
        let warnings = source.warnings.into_iter().chain(field_warnings(&source.secret, &problems)).collect();
        Ok(Report { warnings, ..report(&name, &problems, self.json) })
    }
}

/// A problem of a secret. Never contains a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The path of the field.
    pub(crate) field: String,
    /// What is wrong with the field.
    pub(crate) wrong: String,
    /// The expected value, or what to do.
    pub(crate) expected: String,
}

/// Reports the problems of a secret.
pub(crate) fn report(owner: &str, problems: &[Problem], as_json: bool) -> Report {
    let complete = problems.is_empty();
    if as_json {
        let row =
            |problem: &Problem| json!({"field": problem.field, "wrong": problem.wrong, "expected": problem.expected});
        let rows: Vec<_> = problems.iter().map(row).collect();
        return Report { complete, ..Report::json(&json!({"owner": owner, "valid": complete, "problems": rows})) };
    }
    if complete {
        return Report::done(format!("{owner}: valid.\n"));
    }
    let cells = |problem: &Problem| [problem.field.clone(), problem.wrong.clone(), problem.expected.clone()];
    let rows: Vec<_> = problems.iter().map(cells).collect();
    let count = match problems.len() {
        1 => "1 field is".to_owned(),
        several => format!("{several} fields are"),
    };
    let text = format!("{owner}: {count} wrong.\n\n{}", table(["FIELD", "WHAT IS WRONG", "EXPECTED"], &rows));
    Report { complete, ..Report::done(text) }
}

/// The owner of a secret and its name for messages, as its content shows: the secret of a line has a `line_id`. Without
/// a valid id it is checked like that of any line or account. An unreadable secret is named after its file.
///
/// # Errors
/// None in practice: the ids of the examples are valid.
fn owner_of(secret: &SecretString, file: &Path) -> Result<(SecretOwner, String), InvalidId> {
    let Ok(value) = parse(secret) else {
        let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
        return Ok((SecretOwner::Account(AccountId::new("72419083")?), name));
    };
    let id = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let channels = channel::ALL.iter().map(|channel| channel.name());
    let is_line =
        ["line_id", "channel", "consumer_id_key"].into_iter().chain(channels).any(|field| value.get(field).is_some());
    if is_line {
        return match LineId::new(id("line_id")) {
            Ok(id) => Ok((SecretOwner::Line(id.clone()), format!("line {id}"))),
            Err(_) => Ok((SecretOwner::Line(LineId::new("sms-main")?), "a line".to_owned())),
        };
    }
    match AccountId::new(id("account_id")) {
        Ok(id) => Ok((SecretOwner::Account(id.clone()), format!("account {id}"))),
        Err(_) => Ok((SecretOwner::Account(AccountId::new("72419083")?), "an account".to_owned())),
    }
}

fn parse(secret: &SecretString) -> Result<Value, Problem> {
    let object = || "one JSON object, in braces".to_owned();
    let problem = |wrong: String| Problem { field: "the secret".to_owned(), wrong, expected: object() };
    match serde_json::from_str::<Value>(secret.expose_secret()) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(problem("is not a JSON object".to_owned())),
        // The error gives the position only, because the text may be a secret.
        Err(error) => Err(problem(format!("is not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

/// The limit of reported problems.
const MAX_PROBLEMS: usize = 200;

/// Everything that is wrong: fields that a function would refuse, and placeholders.
pub(crate) fn problems(owner: &SecretOwner, secret: &SecretString) -> Vec<Problem> {
    let mut problems = refused(owner, secret);
    if let Ok(value) = parse(secret) {
        let open = placeholders(owner, &value);
        problems.extend(
            open.into_iter().filter(|open| problems.iter().all(|known| known.field != open.field)).collect::<Vec<_>>(),
        );
    }
    problems
}

/// Everything that a function would refuse. The functions' own reader decides. Because it stops at the first problem,
/// that field is replaced by a valid value, and the secret is read again.
fn refused(owner: &SecretOwner, secret: &SecretString) -> Vec<Problem> {
    let mut value = match parse(secret) {
        Ok(value) => value,
        Err(problem) => return vec![problem],
    };
    let reference_secret = reference(owner, channel_of(&value));
    let mut problems = Vec::new();
    let mut corrected = BTreeSet::new();
    for _ in 0..MAX_PROBLEMS {
        let Err(wrong) = owner.check(&SecretString::from(value.to_string())) else { return problems };
        let invalid = InvalidField::of(&wrong);
        // A field that was removed because it was wrong may now be missing. That is not a second problem.
        if corrected.insert(invalid.path.clone()) {
            problems.push(invalid.problem(&wrong, &reference_secret, &value));
        }
        if !invalid.correct(&mut value, &reference_secret) {
            return problems;
        }
    }
    problems
}

/// A wrong field, and the kind of error.
struct InvalidField {
    path: String,
    kind: FieldError,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldError {
    Missing,
    Unknown,
    Wrong,
}

impl InvalidField {
    fn of(wrong: &WrongField) -> Self {
        let missing = wrong.rule.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match missing {
            Some(name) if wrong.field == "the secret" => Self { path: name.to_owned(), kind: FieldError::Missing },
            Some(name) => Self { path: format!("{}.{name}", wrong.field), kind: FieldError::Missing },
            None if wrong.rule.starts_with("unknown field") => {
                Self { path: wrong.field.clone(), kind: FieldError::Unknown }
            }
            None => Self { path: wrong.field.clone(), kind: FieldError::Wrong },
        }
    }

    fn problem(&self, wrong: &WrongField, reference_secret: &Value, value: &Value) -> Problem {
        let rule = match self.kind {
            FieldError::Missing => "is missing".to_owned(),
            FieldError::Unknown => "is unknown".to_owned(),
            FieldError::Wrong => wrong.rule.clone(),
        };
        let expected = match self.kind {
            FieldError::Unknown => {
                let parent = self.path.rsplit_once('.').map(|(parent, _)| parent);
                let fields = |all: &Value| all.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
                let known = parent
                    .map_or(Some(reference_secret), |parent| at(reference_secret, parent))
                    .and_then(fields)
                    .unwrap_or_default();
                let there = parent.map_or(Some(value), |parent| at(value, parent)).and_then(fields).unwrap_or_default();
                let unused: Vec<_> = known.into_iter().filter(|name| !there.contains(name)).collect();
                if unused.is_empty() {
                    "nothing: remove the field".to_owned()
                } else {
                    format!("nothing, or one of: {}", unused.join(", "))
                }
            }
            FieldError::Missing | FieldError::Wrong => match at(reference_secret, &self.path) {
                Some(reference_secret) => {
                    described(reference_secret) + requirement(&self.path, reference_secret, at(value, &self.path))
                }
                None => "see docs/reference/line-secret.md".to_owned(),
            },
        };
        Problem { field: self.path.clone(), wrong: rule, expected }
    }

    /// Replaces the field by a valid value. Returns false if no valid value is known.
    fn correct(&self, value: &mut Value, reference_secret: &Value) -> bool {
        if self.kind == FieldError::Unknown {
            return remove(value, &self.path).is_some();
        }
        let Some(replacement) = at(reference_secret, &self.path) else { return remove(value, &self.path).is_some() };
        let before = at(value, &self.path).cloned();
        if before.as_ref() == Some(replacement) {
            // The value is valid alone but not in combination with another field.
            return remove(value, &self.path).is_some();
        }
        set(value, &self.path, replacement.clone());
        at(value, &self.path) != before.as_ref()
    }
}

/// A requirement that the example alone doesn't show for the present value.
fn requirement(path: &str, reference_secret: &Value, there: Option<&Value>) -> &'static str {
    match there {
        Some(Value::Number(_) | Value::Bool(_)) if reference_secret.is_string() => "; must be in quotes",
        // Account ids have the same form.
        Some(Value::String(id)) if matches!(path, "account_id" | "line_id") && LineId::new(id.as_str()).is_err() => {
            "; 1 to 64 letters, digits, - and _; no spaces"
        }
        _ => "",
    }
}

/// Describes a valid value.
fn described(reference_secret: &Value) -> String {
    match reference_secret {
        Value::String(example) => format!("a string: {example}"),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Array(list) => match list.first() {
            Some(first) => format!("a list, such as [{first}]"),
            None => "a list".to_owned(),
        },
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            format!("an object of: {}", names.join(", "))
        }
        Value::Null => "nothing".to_owned(),
    }
}
