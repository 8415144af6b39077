//! Every test that the documentation names exists.

use std::{collections::BTreeSet, fs, path::Path};

fn sources(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
            sources(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            names.extend(source.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()).map(str::to_owned));
            // Those that a macro makes, by `name: body, cases;`.
            names.extend(
                source.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()),
            );
        }
    }
}

/// The names in backquotes that are tests: three words at least, joined by underscores. An ellipsis stands for the rest of one.
fn named(document: &str) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3
            && name.trim_matches('…').chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(is_test).map(str::to_owned).collect()
}

/// The rows of the tables of attackers.
fn threats(document: &str) -> Vec<&str> {
    let model =
        document.split("### What each attacker could try").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let is_threat = |line: &&str| line.starts_with("| ") && !line.starts_with("| Threat") && !line.starts_with("| ---");
    model.lines().filter(is_threat).collect()
}

#[test]
fn every_threat_names_what_holds_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let security = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let steps = fs::read_to_string(root.join(".ci/run")).unwrap();
    let threats = threats(&security);
    assert!(threats.len() > 20, "{}", threats.len());
    for threat in threats {
        let held = threat.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let step = held.split("`.ci/run ").nth(1).and_then(|rest| rest.split('`').next());
        let step_exists = step.is_some_and(|step| steps.contains(&format!("step_{step}() {{")));
        assert!(!named(held).is_empty() || step_exists, "nothing holds this: {threat}");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = BTreeSet::new();
    for folder in ["shared", "lab", "cli", "tests", "functions"] {
        sources(&root.join(folder), &mut names);
    }
    let guarantees = fs::read_to_string(root.join("docs/guarantees.md")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let security = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let features = readme.split("## What it carries").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let (of_guarantees, of_features, of_threats) = (named(&guarantees), named(features), named(&security));
    assert!(of_guarantees.len() > 40 && of_features.len() > 15, "{} {}", of_guarantees.len(), of_features.len());
    assert!(of_threats.len() > 40, "{}", of_threats.len());
    for test in of_guarantees.iter().chain(&of_features).chain(&of_threats) {
        let (begin, end) = test.split_once('…').unwrap_or((test, ""));
        let exists = if test.contains('…') {
            names.iter().any(|name| name.starts_with(begin) && name.ends_with(end))
        } else {
            names.contains(test)
        };
        assert!(exists, "{test} is named and doesn't exist");
    }
}
