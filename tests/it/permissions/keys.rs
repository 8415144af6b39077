//! Plays the change of the key on a running stack, step by step as in the table of docs/how-to/kms-key.md, against the roles. SQS keeps a
//! message under the key that it was sent with, and CloudFormation changes queues, table and roles one after another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use connector_lab::aws::authorization::Access;

use serde_json::Value;

use super::{
    roles::{Statements, allowed, statements},
    template,
    template::{KEY, OTHER_KEY},
};

/// The two key parameters of a stack. An empty one is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parameters {
    key: Option<String>,
    other: Option<String>,
}

impl Parameters {
    fn new(key: Option<&str>, other: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), other: other.map(str::to_owned) }
    }

    /// Returns the parameters after a deployment with a cell of the table, such as `` `KmsKeyArn=K2` ``. A parameter that the cell doesn't
    /// name keeps its value.
    fn deployed(&self, words: &str) -> Self {
        let mut after = self.clone();
        for assignment in words.split('`').skip(1).step_by(2) {
            let (name, value) = assignment.split_once('=').unwrap();
            let value = (!value.is_empty()).then(|| value.to_owned());
            match name {
                "KmsKeyArn" => after.key = value,
                "OtherKmsKeyArn" => after.other = value,
                unknown => panic!("{unknown} is no parameter for a key"),
            }
        }
        after
    }

    /// Whether the template's rule about the two keys accepts the deployment.
    fn is_accepted(&self) -> bool {
        let assertions = &template::source()["Rules"]["OtherKeyIsAnother"]["Assertions"];
        assertions.as_array().unwrap().iter().all(|assertion| self.holds(&assertion["Assert"]))
    }

    /// Evaluates a condition of CloudFormation's rules.
    fn holds(&self, condition: &Value) -> bool {
        let (function, operands) = condition.as_object().unwrap().iter().next().unwrap();
        let operands = operands.as_array().unwrap();
        match function.as_str() {
            "Fn::Or" => operands.iter().any(|operand| self.holds(operand)),
            "Fn::Not" => !self.holds(&operands[0]),
            "Fn::Equals" => self.value(&operands[0]) == self.value(&operands[1]),
            unknown => panic!("nothing here evaluates {unknown}"),
        }
    }

    fn value(&self, operand: &Value) -> String {
        match operand.get("Ref").and_then(Value::as_str) {
            Some("KmsKeyArn") => self.key.clone().unwrap_or_default(),
            Some("OtherKmsKeyArn") => self.other.clone().unwrap_or_default(),
            _ => operand.as_str().unwrap().to_owned(),
        }
    }

    fn roles(&self) -> Statements {
        let given = [("HasKey", &self.key), ("HasOtherKey", &self.other)];
        let conditions: Vec<&str> = given.iter().filter(|(_, key)| key.is_some()).map(|(name, _)| *name).collect();
        let mut roles = statements(&conditions);
        for statement in roles.values_mut().flatten() {
            let key = match statement.resource.as_str() {
                KEY => &self.key,
                OTHER_KEY => &self.other,
                _ => continue,
            };
            statement.resource = key.clone().unwrap();
        }
        roles
    }
}

/// A stack and the keys of its data.
struct Stack {
    parameters: Parameters,
    /// The keys that encrypt data that must not be lost.
    in_use: BTreeSet<String>,
}

impl Stack {
    fn with(parameters: Parameters) -> Self {
        let in_use = parameters.key.iter().cloned().collect();
        Self { parameters, in_use }
    }

    /// Deploys. Until the end of a deployment, the queues may be new while the roles are still old. An error says what a function could not
    /// do.
    fn deploy(&mut self, to: Parameters) -> Result<(), String> {
        if !to.is_accepted() {
            return Err(format!("the template's rule refuses {to:?}"));
        }
        self.in_use.extend(to.key.iter().cloned());
        let keys: Vec<&str> = self.in_use.iter().map(String::as_str).collect();
        for parameters in [&self.parameters, &to] {
            let roles = parameters.roles();
            if let Some(access) = calls(&roles).iter().find(|access| !allowed(&roles, access, &keys)) {
                let (caller, action) = (&access.caller, &access.action);
                return Err(format!("{caller} can't {action} with the roles of {parameters:?} under {keys:?}"));
            }
        }
        self.parameters = to;
        Ok(())
    }

    /// The operator has waited until only data under the present key is left.
    fn emptied(&mut self) {
        self.in_use = self.parameters.key.iter().cloned().collect();
    }
}

/// Returns each call that the roles allow on a service that uses a key.
fn calls(roles: &Statements) -> Vec<Access> {
    let statements = roles.iter().flat_map(|(function, role)| role.iter().map(move |statement| (function, statement)));
    let calls = statements.flat_map(|(function, statement)| {
        statement.actions.iter().map(move |action| Access {
            caller: function.clone(),
            action: action.clone(),
            resource: statement.resource.replace('*', "x"),
            context: BTreeMap::new(),
        })
    });
    let services = ["dynamodb:", "secretsmanager:", "sqs:"];
    calls.filter(|access| services.iter().any(|service| access.action.starts_with(service))).collect()
}

/// Returns the deployments in the row of docs/how-to/kms-key.md for this purpose: the first, the second and the last.
fn row(purpose: &str) -> [String; 3] {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/kms-key.md");
    let page = fs::read_to_string(page).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {purpose} |"))).unwrap();
    let cells: Vec<String> = row.trim_matches('|').split('|').skip(1).map(|cell| cell.trim().to_owned()).collect();
    cells.try_into().unwrap()
}

const PROCEDURES: [(&str, Option<&str>, Option<&str>); 3] =
    [("set K1", None, Some("K1")), ("change K1 to K2", Some("K1"), Some("K2")), ("remove K1", Some("K1"), None)];

#[test]
fn no_step_of_a_change_of_key_takes_a_key_that_is_in_use() {
    for (purpose, before, after) in PROCEDURES {
        let mut stack = Stack::with(Parameters::new(before, None));
        let [first, then, at_last] = row(purpose);
        for words in [first, then] {
            let to = stack.parameters.deployed(&words);
            stack.deploy(to).unwrap_or_else(|problem| panic!("{purpose}, {words}: {problem}"));
        }
        stack.emptied();
        let to = stack.parameters.deployed(&at_last);
        stack.deploy(to).unwrap_or_else(|problem| panic!("{purpose}, {at_last}: {problem}"));
        assert_eq!(stack.parameters, Parameters::new(after, None), "{purpose}");
    }
}

#[test]
fn each_short_cut_in_a_change_of_key_is_refused_or_would_strand_something() {
    let short_cuts = [
        ("set at once", None, vec![(Some("K1"), None)]),
        ("changed at once", Some("K1"), vec![(Some("K2"), None)]),
        ("changed without a first step", Some("K1"), vec![(Some("K2"), Some("K1"))]),
        ("the old key forgotten", Some("K1"), vec![(Some("K1"), Some("K2")), (Some("K2"), None)]),
        ("the second key left as it was", None, vec![(None, Some("K1")), (Some("K1"), Some("K1"))]),
        ("not waited", Some("K1"), vec![(Some("K1"), Some("K2")), (Some("K2"), Some("K1")), (Some("K2"), None)]),
        ("removed at once", Some("K1"), vec![(None, None)]),
    ];
    for (name, before, deployments) in short_cuts {
        let mut stack = Stack::with(Parameters::new(before, None));
        let (last, good) = deployments.split_last().unwrap();
        for (key, other) in good {
            stack.deploy(Parameters::new(*key, *other)).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        }
        assert!(stack.deploy(Parameters::new(last.0, last.1)).is_err(), "{name}");
    }
}

#[test]
fn each_function_may_use_the_other_key_in_exactly_the_ways_of_the_key() {
    let of_the_key = Parameters::new(Some("K"), None).roles();
    let of_the_other = Parameters::new(None, Some("K")).roles();
    let ways = |roles: &Statements| -> Vec<(String, BTreeSet<String>, String)> {
        let statements = roles.iter().flat_map(|(name, role)| role.iter().map(move |statement| (name, statement)));
        let of_keys = statements.filter(|(_, statement)| statement.resource == "K");
        of_keys
            .map(|(name, statement)| (name.clone(), statement.actions.clone(), format!("{:?}", statement.conditions)))
            .collect()
    };
    assert_eq!(ways(&of_the_key).len(), 11);
    assert_eq!(ways(&of_the_key), ways(&of_the_other));
}
