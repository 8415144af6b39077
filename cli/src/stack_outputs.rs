//! The outputs of a deployed stack: the webhook's address, the table, the queues.
//!
//! Two commands print them: `aws cloudformation describe-stacks`, as `{"Stacks": [{"Outputs": [...]}]}`, and
//! `sam list stack-outputs --output json`, as the list alone.

use std::{io::Read as _, path::Path};

use serde_json::Value;

/// The output of the stack's template that holds the address.
pub(crate) const WEBHOOK_OUTPUT: &str = "LiveEngageWebhookUrl";

/// Why the outputs don't tell the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackOutputsError {
    /// It is not JSON.
    NotJson,
    /// It is JSON, but holds no list of outputs.
    NoOutputs,
    /// No stack has the output; the ones that there are.
    Missing(&'static str, Vec<String>),
    /// Several stacks have the output, with different values.
    Several(&'static str),
}

impl std::fmt::Display for StackOutputsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson => {
                f.write_str("the stack's outputs are not JSON: use `--output json` of the command that prints them")
            }
            Self::NoOutputs => f.write_str(
                "there are no outputs in this JSON: give what `aws cloudformation describe-stacks --stack-name NAME` or \
                 `sam list stack-outputs --stack-name NAME --output json` prints",
            ),
            Self::Missing(wanted, keys) if keys.is_empty() => {
                write!(f, "the stack has no outputs, so no {wanted}: is its deployment finished?")
            }
            Self::Missing(wanted, keys) => {
                write!(f, "the stack has no output {wanted}, only {}: is it the connector's?", keys.join(", "))
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
    let value: Value = serde_json::from_slice(json).map_err(|_| StackOutputsError::NotJson)?;
    let lists: Vec<&Vec<Value>> = match &value {
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

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let json = if path == Path::new("-") {
        let mut json = Vec::new();
        std::io::stdin().lock().read_to_end(&mut json).map(|_| json)
    } else {
        std::fs::read(path)
    };
    json.map_err(|error| format!("{} can't be read: {error}", path.display()))
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
    fn the_address_is_found_in_the_output_of_either_command() {
        let stack = json!({"StackName": "connector", "Outputs": outputs(URL)});
        for printed in [outputs(URL), json!({"Stacks": [stack]}), stack.clone()] {
            assert_eq!(webhook(&printed).as_deref(), Ok(URL));
            assert_eq!(find(printed.to_string().as_bytes(), "TableName").as_deref(), Ok("connector-Table-1"));
        }
    }

    #[test]
    fn another_stacks_outputs_are_named() {
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
    fn what_holds_no_outputs_is_refused() {
        assert_eq!(find(b"LiveEngageWebhookUrl: https://x", WEBHOOK_OUTPUT), Err(StackOutputsError::NotJson));
        assert_eq!(find(b"", WEBHOOK_OUTPUT), Err(StackOutputsError::NotJson));
        for wrong in [json!({}), json!("text"), json!({"Stacks": 7})] {
            assert_eq!(webhook(&wrong), Err(StackOutputsError::NoOutputs), "{wrong}");
        }
    }

    #[test]
    fn two_deployments_are_not_mixed_up() {
        let stacks = |second: &str| json!({"Stacks": [{"Outputs": outputs(URL)}, {"Outputs": outputs(second)}]});
        assert_eq!(
            webhook(&stacks("https://other.example/webhooks/liveengage")),
            Err(StackOutputsError::Several(WEBHOOK_OUTPUT))
        );
        assert_eq!(webhook(&stacks(URL)).as_deref(), Ok(URL));
    }
}
