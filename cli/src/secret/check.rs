//! `connector secret check`: what of a secret is wrong.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::Args;
use connector::{
    app::secret_change::SecretOwner,
    channel,
    domain::{
        id::{AccountId, InvalidId, LineId},
        settings::WrongField,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    OwnerArguments,
    doubts::{doubts, placeholders},
    reference::{at, channel_of, reference, remove, set},
    source,
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
    /// A sentence: the file can't be read.
    pub(crate) fn run(&self) -> Result<Report, String> {
        let source = source::read(&self.file)?;
        let (owner, called) = match self.owner.named() {
            Some(owner) => (owner.clone(), owner.to_string()),
            None => owner_of(&source.secret, &self.file).map_err(|error| error.to_string())?,
        };
        let problems = problems(&owner, &source.secret);
        let warnings = source.warnings.into_iter().chain(doubts(&source.secret, &problems)).collect();
        Ok(Report { warnings, ..report(&called, &problems, self.json) })
    }
}

/// Something that is wrong with a secret. Never holds a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The path of the field.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) wrong: String,
    /// What belongs there, or what to do.
    pub(crate) expected: String,
}

/// What was found, for whoever is to mend it.
pub(crate) fn report(owner: &str, problems: &[Problem], as_json: bool) -> Report {
    let complete = problems.is_empty();
    if as_json {
        let row =
            |problem: &Problem| json!({"field": problem.field, "wrong": problem.wrong, "expected": problem.expected});
        let rows: Vec<_> = problems.iter().map(row).collect();
        return Report { complete, ..Report::json(&json!({"owner": owner, "valid": complete, "problems": rows})) };
    }
    if complete {
        return Report::done(format!("{owner}: valid, as a function reads it.\n"));
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

/// Whose secret it is, by what is in it, and what to call it: a line's has a `line_id`. Without an id that could be one, it is checked as
/// that of any line or account. Of what can't be read only the file's name is known.
///
/// # Errors
/// None today: the ids of the examples are ids.
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
    let whole = |wrong: String| Problem { field: "the secret".to_owned(), wrong, expected: object() };
    match serde_json::from_str::<Value>(secret.expose_secret()) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(whole("is not a JSON object".to_owned())),
        // The place is told, and not what stands there.
        Err(error) => Err(whole(format!("is not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

/// More wrong fields than this are not looked for.
const MOST_PROBLEMS: usize = 200;

/// Everything that is wrong: what a function would refuse, and what nobody has filled in.
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

/// Everything that a function would refuse. The functions' own reader says what is; as it stops at the first, the field that it names is mended by a
/// right value, and it reads again.
fn refused(owner: &SecretOwner, secret: &SecretString) -> Vec<Problem> {
    let mut value = match parse(secret) {
        Ok(value) => value,
        Err(problem) => return vec![problem],
    };
    let right = reference(owner, channel_of(&value));
    let mut problems = Vec::new();
    let mut mended = BTreeSet::new();
    for _ in 0..MOST_PROBLEMS {
        let Err(wrong) = owner.check(&SecretString::from(value.to_string())) else { return problems };
        let place = Place::of(&wrong);
        // What was taken out because it was wrong may now be missing: that is no second problem.
        if mended.insert(place.path.clone()) {
            problems.push(place.problem(&wrong, &right, &value));
        }
        if !place.mend(&mut value, &right) {
            return problems;
        }
    }
    problems
}

/// The place of a wrong field, and what kind of wrong it is.
struct Place {
    path: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    Unknown,
    Wrong,
}

impl Place {
    fn of(wrong: &WrongField) -> Self {
        let missing = wrong.rule.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match missing {
            Some(name) if wrong.field == "the secret" => Self { path: name.to_owned(), kind: Kind::Missing },
            Some(name) => Self { path: format!("{}.{name}", wrong.field), kind: Kind::Missing },
            None if wrong.rule.starts_with("unknown field") => Self { path: wrong.field.clone(), kind: Kind::Unknown },
            None => Self { path: wrong.field.clone(), kind: Kind::Wrong },
        }
    }

    fn problem(&self, wrong: &WrongField, right: &Value, value: &Value) -> Problem {
        let rule = match self.kind {
            Kind::Missing => "is missing".to_owned(),
            Kind::Unknown => "is unknown".to_owned(),
            Kind::Wrong => wrong.rule.clone(),
        };
        let expected = match self.kind {
            Kind::Unknown => {
                let parent = self.path.rsplit_once('.').map(|(parent, _)| parent);
                let fields = |all: &Value| all.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
                let known = parent.map_or(Some(right), |parent| at(right, parent)).and_then(fields).unwrap_or_default();
                let there = parent.map_or(Some(value), |parent| at(value, parent)).and_then(fields).unwrap_or_default();
                let free: Vec<_> = known.into_iter().filter(|name| !there.contains(name)).collect();
                if free.is_empty() {
                    "nothing: take it out".to_owned()
                } else {
                    format!("nothing, or one of: {}", free.join(", "))
                }
            }
            Kind::Missing | Kind::Wrong => match at(right, &self.path) {
                Some(right) => described(right) + requirement(&self.path, right, at(value, &self.path)),
                None => "see the README".to_owned(),
            },
        };
        Problem { field: self.path.clone(), wrong: rule, expected }
    }

    /// Puts something right in its place. Not, if nothing right is known.
    fn mend(&self, value: &mut Value, right: &Value) -> bool {
        if self.kind == Kind::Unknown {
            return remove(value, &self.path).is_some();
        }
        let Some(replacement) = at(right, &self.path) else { return remove(value, &self.path).is_some() };
        let before = at(value, &self.path).cloned();
        if before.as_ref() == Some(replacement) {
            // Right by itself, and wrong beside something else.
            return remove(value, &self.path).is_some();
        }
        set(value, &self.path, replacement.clone());
        at(value, &self.path) != before.as_ref()
    }
}

/// What is to be heeded where an example alone doesn't show what is wrong with the value that is there.
fn requirement(path: &str, right: &Value, there: Option<&Value>) -> &'static str {
    match there {
        Some(Value::Number(_) | Value::Bool(_)) if right.is_string() => "; must be in quotes",
        // Accounts' ids have the same form.
        Some(Value::String(id)) if matches!(path, "account_id" | "line_id") && LineId::new(id.as_str()).is_err() => {
            "; 1 to 64 letters, digits, - and _; no spaces"
        }
        _ => "",
    }
}

/// What a right value looks like.
fn described(right: &Value) -> String {
    match right {
        Value::String(example) => format!("a text: {example}"),
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
