//! The part of IAM's policy language that the template uses. Anything else fails the test, so that no statement is ignored.

use std::collections::BTreeSet;

use connector_lab::aws::authorization::Access;
use serde_json::Value;

use super::template;

/// A statement of a role. It allows something. No statement denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) actions: BTreeSet<String>,
    pub(crate) resource: String,
    pub(crate) conditions: Vec<Condition>,
    /// The resource as the template names it.
    pub(crate) written: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// The context has the key, and its value is one of these.
    StringEquals,
    /// Each value of the key matches one of these patterns. A call without the key passes, too.
    ForAllValuesStringLike,
}

impl Statement {
    pub(crate) fn allows(&self, access: &Access) -> bool {
        self.actions.contains(&access.action)
            && like(&self.resource, &access.resource)
            && self.conditions.iter().all(|condition| condition.holds(access))
    }
}

impl Condition {
    fn holds(&self, access: &Access) -> bool {
        let actual = access.context.get(&self.key).map(Vec::as_slice).unwrap_or_default();
        match self.operator {
            Operator::StringEquals => matches!(actual, [one] if self.values.contains(one)),
            Operator::ForAllValuesStringLike => {
                actual.iter().all(|one| self.values.iter().any(|pattern| like(pattern, one)))
            }
        }
    }
}

/// `*` matches any text, and `?` matches one character.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| like(rest.as_str(), &text[at..]))
        }
        Some(wanted) => {
            let mut text = text.chars();
            text.next().is_some_and(|found| wanted == '?' || wanted == found) && like(rest.as_str(), text.as_str())
        }
    }
}

fn texts(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// Returns the statements of a role if these conditions of the template hold.
pub(crate) fn statements(source: &Value, role: &str, conditions: &[&str]) -> Vec<Statement> {
    let properties = &source["Resources"][role]["Properties"];
    assert!(properties.get("ManagedPolicyArns").is_none(), "{role}");
    let policies = properties["Policies"].as_array().unwrap().iter();
    let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    statements
        .filter_map(|statement| template::decided(statement, conditions))
        .map(|statement| {
            assert_eq!(statement["Effect"], "Allow", "{role}");
            let resolve = |value: &Value| template::resolved(source, value);
            let conditions = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
            let conditions = conditions.flat_map(|(operator, keys)| {
                let operator = match operator.as_str() {
                    "StringEquals" => Operator::StringEquals,
                    "ForAllValues:StringLike" => Operator::ForAllValuesStringLike,
                    unknown => panic!("{role} has a condition that nothing here evaluates: {unknown}"),
                };
                keys.as_object().unwrap().iter().map(move |(key, values)| (operator, key.clone(), values.clone()))
            });
            Statement {
                sid: statement["Sid"].as_str().unwrap().to_owned(),
                actions: texts(&statement["Action"]).into_iter().map(resolve).collect(),
                resource: resolve(&statement["Resource"]),
                conditions: conditions
                    .map(|(operator, key, values)| Condition {
                        operator,
                        key,
                        values: texts(&values).into_iter().map(resolve).collect(),
                    })
                    .collect(),
                written: statement["Resource"].clone(),
            }
        })
        .collect()
}
