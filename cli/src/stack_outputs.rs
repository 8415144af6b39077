//! A deployed stack as the AWS CLI describes it: its outputs (the webhook's address, the table, the queues) and its
//! parameters.
//!
//! Two commands print it: `aws cloudformation describe-stacks` as `{"Stacks": [{"Outputs": [...]}]}`, and
//! `sam list stack-outputs --output json` as the bare list. Only the first prints the parameters.

use std::{io::Read as _, path::Path};

use serde_json::Value;

/// The stack output with the webhook's address.
pub(crate) const WEBHOOK_OUTPUT: &str = "LiveEngageWebhookUrl";

/// Why an output can't be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackOutputsError {
    /// The input is not JSON.
    NotJson,
    /// The JSON has no list of outputs.
    NoOutputs,
    /// No stack has the output; holds the outputs that exist.
    Missing(&'static str, Vec<String>),
    /// Several stacks have the output, with different values.
    Several(&'static str),
}

impl std::fmt::Display for StackOutputsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson => {
                f.write_str("the stack outputs are not JSON: run the command that prints them with `--output json`")
            }
            Self::NoOutputs => f.write_str(
                "this JSON has no stack outputs: give what `aws cloudformation describe-stacks --stack-name NAME` or \
                 `sam list stack-outputs --stack-name NAME --output json` prints",
            ),
            Self::Missing(wanted, keys) if keys.is_empty() => {
                write!(f, "the stack has no outputs, so no {wanted}: wait until its deployment is finished")
            }
            Self::Missing(wanted, keys) => {
                write!(
                    f,
                    "the stack has no output {wanted}, only {}: check that it is the connector's stack",
                    keys.join(", ")
                )
            }
            Self::Several(wanted) => {
                write!(f, "several stacks have an output {wanted}: name one with `--stack-name`")
            }
        }
    }
}

/// Finds the value of an output of the stack's template.
///
/// # Errors
/// [`StackOutputsError`].
pub(crate) fn find(json: &[u8], wanted: &'static str) -> Result<String, StackOutputsError> {
    find_in(&serde_json::from_slice(json).map_err(|_| StackOutputsError::NotJson)?, wanted)
}

/// Finds the value of an output in a description that is read already.
///
/// # Errors
/// [`StackOutputsError`].
pub(crate) fn find_in(value: &Value, wanted: &'static str) -> Result<String, StackOutputsError> {
    let lists: Vec<&Vec<Value>> = match value {
        Value::Array(outputs) => vec![outputs],
        value => match value.get("Stacks").and_then(Value::as_array) {
            // A stack that is being created has no outputs yet.
            Some(stacks) => stacks.iter().filter_map(|stack| stack.get("Outputs")?.as_array()).collect(),
            None => vec![value.get("Outputs").and_then(Value::as_array).ok_or(StackOutputsError::NoOutputs)?],
        },
    };
    let text = |output: &Value, key: &str| output.get(key).and_then(Value::as_str).map(str::to_owned);
    let outputs = || lists.iter().flat_map(|outputs| outputs.iter());
    let mut found = outputs()
        .filter(|output| text(output, "OutputKey").as_deref() == Some(wanted))
        .filter_map(|output| text(output, "OutputValue"));
    let value = found.next().ok_or_else(|| {
        StackOutputsError::Missing(wanted, outputs().filter_map(|output| text(output, "OutputKey")).collect())
    })?;
    if found.any(|other| other != value) { Err(StackOutputsError::Several(wanted)) } else { Ok(value) }
}

/// A parameter of a stack.
pub(crate) fn parameter(stack: &Value, key: &str) -> Option<String> {
    let parameters = stack.pointer("/Stacks/0/Parameters").or_else(|| stack.get("Parameters"))?.as_array()?;
    let text = |parameter: &Value, field: &str| parameter.get(field).and_then(Value::as_str).map(str::to_owned);
    let found = parameters.iter().find(|parameter| text(parameter, "ParameterKey").as_deref() == Some(key))?;
    text(found, "ParameterValue")
}

/// A parameter that lists accounts or lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdList {
    /// The LiveEngage accounts.
    Accounts,
    /// The lines.
    Lines,
}

impl IdList {
    /// The name of the parameter.
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            Self::Accounts => "LiveEngageAccounts",
            Self::Lines => "Lines",
        }
    }

    /// The kind of the listed ids, for messages.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Accounts => "account",
            Self::Lines => "line",
        }
    }

    /// The listed ids, if `id` is not among them; `None` if it is, or if the description has no such parameter.
    pub(crate) fn without(self, stack: &Value, id: &str) -> Option<Vec<String>> {
        let list = parameter(stack, self.parameter())?;
        let known: Vec<_> = list.split(',').map(str::trim).filter(|known| !known.is_empty()).collect();
        (!known.contains(&id)).then(|| known.into_iter().map(str::to_owned).collect())
    }
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// A message that names the file: it can't be read, or it is empty.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let json = if path == Path::new("-") {
        let mut json = Vec::new();
        std::io::stdin().lock().read_to_end(&mut json).map(|_| json)
    } else {
        std::fs::read(path)
    };
    let json = json.map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    if json.trim_ascii().is_empty() { Err(empty(path)) } else { Ok(json) }
}

fn empty(path: &Path) -> String {
    if path == Path::new("-") {
        // A shell starts both commands of a pipe, so this one doesn't see that the other failed.
        "standard input is empty: check whether the command before the pipe failed".to_owned()
    } else {
        format!("{} is empty", path.display())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://h41.execute-api.eu-central-1.amazonaws.com/webhooks/liveengage";

    fn outputs(url: &str) -> Value {
        json!([
            {"OutputKey": "TableName", "OutputValue": "connector-Table-1", "Description": "The table."},
            {"OutputKey": "LiveEngageWebhookUrl", "OutputValue": url, "Description": "The endpoint."},
        ])
    }

    fn webhook(value: &Value) -> Result<String, StackOutputsError> {
        find(value.to_string().as_bytes(), WEBHOOK_OUTPUT)
    }

    #[test]
    fn outputs_of_both_commands_are_read() {
        let stack = json!({"StackName": "connector", "Outputs": outputs(URL)});
        for printed in [outputs(URL), json!({"Stacks": [stack]}), stack.clone()] {
            assert_eq!(webhook(&printed).as_deref(), Ok(URL));
            assert_eq!(find(printed.to_string().as_bytes(), "TableName").as_deref(), Ok("connector-Table-1"));
        }
    }

    #[test]
    fn a_missing_output_lists_the_existing_outputs() {
        let other = json!({"Stacks": [{"Outputs": [{"OutputKey": "BucketName", "OutputValue": "b"}]}]});
        let error = webhook(&other).unwrap_err();
        assert_eq!(error, StackOutputsError::Missing(WEBHOOK_OUTPUT, vec!["BucketName".to_owned()]));
        assert!(error.to_string().contains("LiveEngageWebhookUrl, only BucketName"), "{error}");
        for unfinished in [json!([]), json!({"Stacks": [{"StackName": "connector"}]}), json!({"Stacks": []})] {
            let error = webhook(&unfinished).unwrap_err();
            assert_eq!(error, StackOutputsError::Missing(WEBHOOK_OUTPUT, vec![]));
            assert!(error.to_string().contains("finished"), "{error}");
        }
    }

    #[test]
    fn input_without_outputs_is_refused() {
        assert_eq!(find(b"LiveEngageWebhookUrl: https://x", WEBHOOK_OUTPUT), Err(StackOutputsError::NotJson));
        assert_eq!(find(b"", WEBHOOK_OUTPUT), Err(StackOutputsError::NotJson));
        for wrong in [json!({}), json!("text"), json!({"Stacks": 7})] {
            assert_eq!(webhook(&wrong), Err(StackOutputsError::NoOutputs), "{wrong}");
        }
    }

    #[test]
    fn empty_input_is_reported_as_empty() {
        let file = std::env::temp_dir().join(format!("connector-stack-{}.json", std::process::id()));
        for nothing in ["", " \n"] {
            std::fs::write(&file, nothing).unwrap();
            assert_eq!(read(&file), Err(format!("{} is empty", file.display())));
        }
        std::fs::write(&file, "[]").unwrap();
        assert_eq!(read(&file).as_deref(), Ok(&b"[]"[..]));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(empty(Path::new("-")), "standard input is empty: check whether the command before the pipe failed");
    }

    #[test]
    fn the_parameters_of_a_described_stack_are_read() {
        let parameters = json!([{"ParameterKey": "SecretPrefix", "ParameterValue": "prod"}]);
        for stack in [json!({"Stacks": [{"Parameters": parameters}]}), json!({"Parameters": parameters})] {
            assert_eq!(parameter(&stack, "SecretPrefix").as_deref(), Some("prod"));
            assert_eq!(parameter(&stack, "Lines"), None);
        }
        for other in [json!([{"OutputKey": "TableName"}]), json!({"Stacks": []}), json!(7)] {
            assert_eq!(parameter(&other, "SecretPrefix"), None, "{other}");
        }
        let template = include_str!("../../template.yaml");
        let lists = [IdList::Accounts, IdList::Lines].map(IdList::parameter);
        for parameter in ["SecretPrefix", "KmsKeyArn"].into_iter().chain(lists) {
            assert!(template.contains(&format!("  {parameter}:\n")), "{parameter}");
        }
    }

    #[test]
    fn an_id_missing_from_the_stack_parameters_is_detected() {
        let stack = |lines: &str| json!({"Parameters": [{"ParameterKey": "Lines", "ParameterValue": lines}]});
        let without = |lines: &str, id: &str| IdList::Lines.without(&stack(lines), id);
        assert_eq!(without("sms-main, whatsapp-main", "whatsapp-main"), None);
        let known = vec!["sms-main".to_owned(), "whatsapp-main".to_owned()];
        assert_eq!(without("sms-main, whatsapp-main", "sms-man"), Some(known));
        assert_eq!(without("", "sms-man"), Some(vec![]));
        assert_eq!(IdList::Accounts.without(&stack("sms-main"), "7"), None, "it isn't told");
    }

    #[test]
    fn conflicting_outputs_of_two_stacks_are_refused() {
        let stacks = |second: &str| json!({"Stacks": [{"Outputs": outputs(URL)}, {"Outputs": outputs(second)}]});
        assert_eq!(
            webhook(&stacks("https://other.example/webhooks/liveengage")),
            Err(StackOutputsError::Several(WEBHOOK_OUTPUT))
        );
        assert_eq!(webhook(&stacks(URL)).as_deref(), Ok(URL));
    }
}
