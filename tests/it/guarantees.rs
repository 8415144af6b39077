//! Checks that every test and every mutant that the documentation names exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

fn sources(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
            sources(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            names.extend(source.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()).map(str::to_owned));
            // Tests that a macro generates from `name: body, cases;`.
            names.extend(
                source.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()),
            );
        }
    }
}

/// Returns the names in backquotes that are tests: at least three words, joined by underscores. An ellipsis replaces a part of a name.
fn named(document: &str) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3
            && name.trim_matches('…').chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(is_test).map(str::to_owned).collect()
}

/// Returns the rows of the tables of attackers.
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
    let guarantees = fs::read_to_string(root.join("docs/explanation/guarantee-tests.md")).unwrap();
    let features = fs::read_to_string(root.join("docs/reference/features.md")).unwrap();
    let security = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let (of_guarantees, of_features, of_threats) = (named(&guarantees), named(&features), named(&security));
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

/// Returns the fields of each mutant in a list such as `tests/mutants.toml`. The file has each field on its own line and without escapes.
fn mutants(list: &str) -> Vec<BTreeMap<&str, &str>> {
    let field = |line: &'_ str| !line.starts_with('#') && line.contains(" = ");
    list.split("[[mutant]]\n")
        .skip(1)
        .map(|table| {
            let fields = table.lines().filter(|line| field(line)).filter_map(|line| line.split_once(" = "));
            fields.map(|(name, value)| (name, unquoted(value))).collect()
        })
        .collect()
}

fn unquoted(value: &str) -> &str {
    let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"')).unwrap();
    let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).unwrap();
    assert!(!inner.contains(quote) && (quote == '\'' || !inner.contains('\\')), "{value} has an escape");
    inner
}

/// Returns the cells of the rows of a section's table.
fn rows<'a>(document: &'a str, section: &str) -> Vec<Vec<&'a str>> {
    let begin = format!("\n## {section}\n");
    let section = document.split(&begin).nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let table = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    table.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Returns the second cell of each row by its first one.
///
/// # Panics
///
/// If two rows have the same first cell. Whoever adds a test to one of them could overlook the other.
fn by_guarantee<'a>(rows: impl IntoIterator<Item = Vec<&'a str>>) -> BTreeMap<&'a str, &'a str> {
    let mut by_guarantee = BTreeMap::new();
    for row in rows {
        assert!(by_guarantee.insert(row[0], row[1]).is_none(), "two rows begin with “{}”: make them one", row[0]);
    }
    by_guarantee
}

#[test]
fn a_guarantee_has_one_row() {
    let read = |document: &str| {
        let document = document.to_owned();
        std::panic::catch_unwind(move || by_guarantee(rows(&document, "Kept")).len())
    };
    let table = "# All\n\n## Kept\n\n| Guarantee | Test |\n| --- | --- |\n| One | `a` |\n| Two | `b` |\n";
    assert_eq!(read(table).unwrap(), 2);
    assert!(read(&format!("{table}| One | `c` |\n")).is_err());
}

#[test]
fn every_mutant_breaks_a_guarantee_and_is_noticed_by_a_test_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (list, document) = (read("tests/mutants.toml"), read("docs/explanation/guarantee-tests.md"));
    let promises = ["Nothing is lost", "Nothing is doubled or reordered", "Nobody gets in, and nothing gets out"];
    let guarantees = by_guarantee(promises.iter().flat_map(|promise| rows(&document, promise)));
    let mut broken: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut tests = BTreeSet::new();
    sources(&root.join("shared"), &mut tests);
    let mutants = mutants(&list);
    assert!(mutants.len() > 30, "{}", mutants.len());
    for mutant in &mutants {
        let (name, guarantee, test) = (mutant["name"], mutant["guarantee"], mutant["test"]);
        assert_eq!(read(mutant["file"]).matches(mutant["from"]).count(), 1, "{name}: `from` in {}", mutant["file"]);
        assert_ne!(mutant["from"], mutant["to"], "{name}");
        assert!(tests.contains(test), "{name}: there is no {test} in shared");
        let held = guarantees.get(guarantee).unwrap_or_else(|| panic!("{name}: there is no row “{guarantee}”"));
        assert!(held.contains(&format!("`{test}`")), "{name}: “{guarantee}” doesn't name {test}");
        assert!(broken.entry(guarantee).or_default().insert(format!("`{name}`")), "{name}: twice");
    }
    let said: BTreeMap<&str, BTreeSet<String>> = by_guarantee(rows(&document, "What breaks them"))
        .into_iter()
        .map(|(guarantee, mutants)| (guarantee, mutants.split(", ").map(str::to_owned).collect()))
        .collect();
    assert_eq!(said, broken, "docs/explanation/guarantee-tests.md and tests/mutants.toml differ");
}

#[test]
fn every_mutant_of_the_simulation_is_one_change_and_is_in_the_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (list, document) = (read("tests/simulation-mutants.toml"), read("docs/explanation/simulation-mutations.md"));
    let mutants = mutants(&list);
    let is_found = |mutant: &&BTreeMap<&str, &str>| !mutant.contains_key("survives");
    assert!(mutants.iter().filter(is_found).count() >= 25, "{}", mutants.len());
    for mutant in &mutants {
        let (name, file) = (mutant["name"], mutant["file"]);
        // A mutant of the simulation itself would show nothing about the product.
        assert!(
            file.starts_with("shared/connector/src/") || file == "shared/aws/src/lambda/batch.rs",
            "{name}: {file}"
        );
        assert_eq!(read(file).matches(mutant["from"]).count(), 1, "{name}: `from` in {file}");
        assert_ne!(mutant["from"], mutant["to"], "{name}");
    }
    let quoted = |mutant: &BTreeMap<&str, &str>| format!("`{}`", mutant["name"]);
    let found = mutants.iter().filter(is_found).map(|mutant| (quoted(mutant), mutant["what"].to_owned()));
    let said = rows(&document, "Found").into_iter().map(|row| (row[0].to_owned(), row[1].to_owned()));
    assert_eq!(said.collect::<Vec<_>>(), found.collect::<Vec<_>>(), "what is found");
    let survivors = mutants.iter().filter(|mutant| !is_found(mutant));
    let survivors = survivors.map(|mutant| [quoted(mutant), mutant["what"].to_owned(), mutant["survives"].to_owned()]);
    let said = rows(&document, "Not found").into_iter().map(|row| [0, 1, 2].map(|cell| row[cell].to_owned()));
    assert_eq!(said.collect::<Vec<_>>(), survivors.collect::<Vec<_>>(), "what is not found");
}
