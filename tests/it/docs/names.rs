//! Checks that names in the documentation exist, and that everything that must be documented is documented.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use super::pages::{self, Page};
use crate::permissions::template;

/// Names of other systems that are in no file of the project.
const FOREIGN: [&str; 4] = ["DescribeKey", "UPDATE_COMPLETE", "parameter_overrides", "whatsapp_business_messaging"];

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    names.into_iter().cloned().collect()
}

#[test]
fn every_parameter_and_output_is_documented_and_no_other() {
    let template = template::source();
    let page = pages::read("docs/reference/template-parameters.md");
    assert_eq!(set(&page.first_cells["Parameters"]), keys(&template["Parameters"]));
    assert_eq!(set(&page.first_cells["Outputs"]), keys(&template["Outputs"]));
}

#[test]
fn every_parameters_default_is_documented() {
    let template = template::source();
    let page = fs::read_to_string(pages::root().join("docs/reference/template-parameters.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let wanted = match parameter.get("Default").and_then(Value::as_str) {
            None => String::new(),
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let row = rows.iter().find(|row| row[0].contains(&format!("`{name}`"))).unwrap();
        let place = row[0].split(", ").position(|cell| cell == format!("`{name}`")).unwrap();
        // If there is one default for several parameters, it applies to each.
        let defaults: Vec<&str> = row[1].split(", ").collect();
        assert_eq!(*defaults.get(place).unwrap_or(&defaults[0]), wanted, "{name}");
    }
}

#[test]
fn every_alarm_is_documented_and_no_other() {
    let template = template::source();
    let resources = template["Resources"].as_object().unwrap();
    let alarms = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let alarms: BTreeSet<String> = alarms.map(|(name, _)| name.clone()).collect();
    assert_eq!(set(&pages::read("docs/reference/alarms.md").first_cells["Alarms"]), alarms);
}

/// Returns the paths of all fields: `routing`, `routing.skill_id` and so on.
fn paths(value: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        all.insert(name.clone());
        all.extend(paths(inner).into_iter().map(|path| format!("{name}.{path}")));
    }
    all
}

/// Returns the fields of an account's secret, and those of a line's secret on every channel.
fn settings() -> [BTreeSet<String>; 2] {
    let folder = pages::root().join("cli/src/secret/reference");
    let (mut account, mut line) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        match path.file_stem().unwrap().to_str().unwrap() {
            "account" => account.extend(paths(&value)),
            "line" => line.extend(paths(&value)),
            other => panic!("{other} is neither an account's nor a line's secret"),
        }
    }
    for channel in connector_channels::ALL {
        line.insert(channel.name().to_owned());
        line.extend(channel.settings().iter().map(|setting| format!("{}.{}", channel.name(), setting.name)));
    }
    [account, line]
}

#[test]
fn every_setting_is_documented_and_no_other() {
    let [account, line] = settings();
    for (name, known) in [("account", account), ("line", line)] {
        let page = pages::read(&format!("docs/reference/{name}-secret.md"));
        let code = set(&page.code);
        let missing: Vec<_> = known
            .iter()
            // The documentation of an object's fields is enough for the object.
            .filter(|path| !code.contains(*path) && !known.iter().any(|other| other.starts_with(&format!("{path}."))))
            .collect();
        assert!(missing.is_empty(), "docs/reference/{name}-secret.md misses {missing:?}");
        let of_settings = page.first_cells.iter().filter(|(section, _)| {
            !matches!(section.as_str(), "What LiveEngage sends" | "on_uncertain" | "sender" | "late")
        });
        let unknown: Vec<_> = of_settings.flat_map(|(_, cells)| cells).filter(|cell| !known.contains(*cell)).collect();
        assert!(unknown.is_empty(), "docs/reference/{name}-secret.md names {unknown:?}, which no secret has");
    }
}

#[test]
fn every_environment_variable_is_documented_and_no_other() {
    let page = pages::read("docs/reference/environment-variables.md");
    let documented = set(page.first_cells.values().flatten());
    let used: BTreeSet<String> =
        words(&sources()).filter(|word| word.starts_with("CONNECTOR_") && !word.ends_with('_')).collect();
    assert_eq!(documented, used);
}

#[test]
fn every_function_is_documented_with_the_variables_that_it_has() {
    let template = template::source();
    let page = fs::read_to_string(pages::root().join("docs/reference/environment-variables.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let everywhere = keys(&template["Globals"]["Function"]["Environment"]["Variables"]);
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
        let column = rows[0].iter().position(|cell| *cell == binary).unwrap();
        let marked = rows.iter().filter(|row| row.get(column) == Some(&"●"));
        let marked: BTreeSet<String> = marked.map(|row| row[0].split('`').nth(1).unwrap().to_owned()).collect();
        let mut wanted = keys(&resource["Properties"]["Environment"]["Variables"]);
        wanted.extend(everywhere.clone());
        assert_eq!(marked, wanted, "{name}");
    }
}

/// Returns all text of the project except its documentation.
fn sources() -> String {
    fn add(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_generated = matches!(name, "target" | "node_modules" | ".git" | ".aws-sam");
            let is_prose = path == pages::root().join("docs") || name.ends_with(".md") || name.ends_with(".lock");
            if path.is_dir() && !is_generated && !is_prose {
                add(&path, text);
            } else if path.is_file() && !is_prose {
                text.push_str(&fs::read_to_string(path).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    let mut text = String::new();
    add(&pages::root(), &mut text);
    text
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_owned)
}

/// Returns the pages that describe the current state. The changelog and the decisions also name things that no longer exist.
fn present() -> BTreeMap<String, Page> {
    pages::all().into_iter().filter(|(path, _)| path != "CHANGELOG.md" && !path.starts_with("docs/adr/")).collect()
}

/// Whether this looks like a name in the project's code: `snake_case`, `CamelCase` or `UPPER_CASE`, with several parts.
fn is_name(word: &str) -> bool {
    let is_camel =
        word.chars().zip(word.chars().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    (word.contains('_') && !word.starts_with('_') && !word.ends_with('_')) || is_camel
}

#[test]
fn every_name_in_backquotes_is_a_name_in_the_project() {
    let known: BTreeSet<String> = words(&sources()).chain(FOREIGN.map(str::to_owned)).collect();
    let mut unknown = BTreeSet::new();
    for (path, page) in present().into_iter().filter(|(path, _)| path != "docs/reference/commands.md") {
        // `tests/it/guarantees.rs` checks names that an ellipsis shortens.
        for code in page.code.iter().filter(|code| !code.contains('…')) {
            unknown.extend(
                words(code).filter(|word| is_name(word) && !known.contains(word)).map(|word| format!("{path}: {word}")),
            );
        }
    }
    assert!(unknown.is_empty(), "nothing has these names:\n{}", Vec::from_iter(unknown).join("\n"));
}

#[test]
fn every_log_event_that_is_named_exists() {
    let log = pages::read("docs/reference/log-events.md");
    let events: BTreeSet<&String> = log.first_cells.values().flatten().filter(|cell| cell.contains('.')).collect();
    assert!(events.len() > 50, "{}", events.len());
    let nouns: BTreeSet<&str> = events.iter().map(|event| event.split('.').next().unwrap()).collect();
    let [account, line] = settings();
    for (path, page) in present() {
        for code in &page.code {
            let is_like_one = code.split_once('.').is_some_and(|(noun, rest)| {
                nouns.contains(noun)
                    && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    && !matches!(rest, "rs" | "md" | "json")
            });
            let is_known = events.contains(code) || account.contains(code) || line.contains(code);
            assert!(!is_like_one || is_known, "{path}: there is no log event {code}");
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    let mut missing = Vec::new();
    for (path, page) in present() {
        for code in &page.code {
            let name = code.split([' ', '#', ':']).next().unwrap_or_default();
            let is_file = [".ci/", "cli/", "docs/", "events/", "functions/", "lab/", "shared/", "tests/"]
                .iter()
                .any(|folder| name.starts_with(folder));
            let is_pattern = name.contains(['*', '<', '{', '…']);
            if is_file && !is_pattern && !pages::root().join(name).exists() {
                missing.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "these files don't exist:\n{}", missing.join("\n"));
}

/// Returns the options of each command by its name. The page is generated from the command line tool itself.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(pages::root().join("docs/reference/commands.md")).unwrap();
    let mut commands: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(name) = line.trim_start_matches('#').strip_prefix(" connector") {
            current = name.trim().to_owned();
            commands.entry(current.clone()).or_default();
        } else if let Some(options) = commands.get_mut(&current) {
            let cell = line.strip_prefix("| `--").and_then(|rest| rest.split(['`', ' ', '[', '=']).next());
            options.extend(cell.map(|name| format!("--{name}")));
        }
    }
    commands
}

/// Returns the arguments of each call of the command line tool in a line of shell, or in backquotes.
fn calls(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" # ").next().unwrap_or_default();
    let parts = line.split(['|', ';', '(', ')']).flat_map(|part| part.split("&&"));
    let call = |part: &str| {
        let start = ["cargo run --quiet -- ", "cargo run -- ", "connector "];
        let part = part.trim();
        start
            .iter()
            .find_map(|start| part.strip_prefix(start).map(|_| start.len()))
            .map(|length| length.min(part.len()))
    };
    parts.filter_map(|part| Some(part.trim()[call(part)?..].split_whitespace().collect())).collect()
}

#[test]
fn every_command_that_is_named_exists() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, page) in present() {
        // Skip output, which is no command, and the tables of the generated page.
        let blocks = page.blocks.iter().filter(|(language, _)| language == "sh").flat_map(|(_, block)| block.lines());
        let code = page.code.iter().map(String::as_str);
        for line in blocks.chain(code) {
            for arguments in calls(line) {
                let words: Vec<&str> = arguments
                    .iter()
                    .take_while(|word| {
                        word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
                    })
                    .copied()
                    .collect();
                let longest = (0..=words.len())
                    .rev()
                    .map(|count| words[..count].join(" "))
                    .find(|name| commands.contains_key(name));
                let Some(command) = longest.filter(|name| !name.is_empty()) else {
                    if !words.is_empty() {
                        wrong.push(format!("{path}: there is no command in `{line}`"));
                    }
                    continue;
                };
                seen += 1;
                let options = arguments.iter().filter(|word| word.starts_with("--") && word.len() > 2);
                for option in options.map(|word| word.split(['=', '`', ',', '.']).next().unwrap_or_default()) {
                    if !commands[&command].contains(option) {
                        wrong.push(format!("{path}: `connector {command}` has no {option}"));
                    }
                }
            }
        }
    }
    assert!(seen > 60, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn calls_are_found_in_shell() {
    assert_eq!(
        calls("stack | connector parked list --stack-outputs -   # all"),
        [["parked", "list", "--stack-outputs", "-"]]
    );
    assert_eq!(calls("cargo run -- lab --port 1 && connector drill"), [vec!["lab", "--port", "1"], vec!["drill"]]);
    assert!(calls("connector() { x; }").is_empty());
}
