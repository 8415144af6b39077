//! Generates `docs/reference/permissions.md` from the template: every statement, and who makes the calls that it allows.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use serde_json::Value;

use super::{
    policy::{Operator, Statement},
    roles::{self, EVERYTHING},
};

const HEAD: &str = "\
# Permissions

This page lists what each function may do on AWS. It is generated from `template.yaml` by `tests/it/permissions`. The tests there run whole
conversations in the lab with these statements, remove each of them in turn, and ask for what is not here.

- **Nothing that is used is missing**: `a_whole_conversation_is_allowed_to_each_function`.
- **Nothing here is unused, and nothing else is allowed**: `no_permission_is_unused_and_nothing_else_is_allowed`. The lab has no IAM before
  Lambda's own calls. So the column *Lambda calls* follows AWS's documentation.
- **A function without a permission fails, and loses nothing**: `a_function_fails_without_each_permission_and_goes_on_when_it_has_it_again`.
- **A key** (`KmsKeyArn`) needs what AWS's documentation says: DynamoDB, SQS and Secrets Manager use it in the function's name.
- **No step of a change of key takes away a key that is in use**: `no_step_of_a_change_of_key_takes_a_key_that_is_in_use`. A function
  may do the same with the second key (`OtherKmsKeyArn`) as with the first.

AWS requires three wildcards. X-Ray's actions have no resource. The ARN of a log group ends with `:*`, for the streams in it, which Lambda
names. The ARN of a secret ends with six random characters. CloudFormation can't turn a list of ids into a list of ARNs, so the statement
names all secrets of one kind under the prefix. Keep other secrets under another prefix.
";

/// Returns the page.
pub(crate) fn rendered() -> String {
    let mut page = HEAD.to_owned();
    let (all, plain) = (roles::statements(&EVERYTHING), roles::statements(&[]));
    let conditional = [("HasTracing", "Tracing=Active"), ("HasKey", "KmsKeyArn"), ("HasOtherKey", "OtherKmsKeyArn")]
        .map(|(condition, parameter)| (roles::statements(&[condition]), parameter));
    let of_lambda = roles::of_lambda();
    for (function, statements) in &all {
        write!(
            page,
            "\n## {function}\n\n| Statement | The function calls | Lambda calls | On |\n| --- | --- | --- | --- |\n"
        )
        .unwrap();
        for statement in statements {
            let (lambdas, own): (BTreeSet<_>, BTreeSet<_>) = statement.actions.iter().partition(|action| {
                of_lambda
                    .iter()
                    .any(|access| access.caller == *function && access.action == **action && statement.allows(access))
            });
            let in_role = |role: &[Statement]| role.iter().any(|other| other.sid == statement.sid);
            let only = match in_role(&plain[function]) {
                true => String::new(),
                false => {
                    let (_, parameter) = conditional.iter().find(|(with, _)| in_role(&with[function])).unwrap();
                    format!(", only with `{parameter}`")
                }
            };
            let through = statement.conditions.iter().map(condition).collect::<String>();
            let (own, lambdas, on) = (list(&own), list(&lambdas), written(&statement.written));
            writeln!(page, "| {} | {own} | {lambdas} | {on}{through}{only} |", statement.sid).unwrap();
        }
    }
    page
}

fn list(actions: &BTreeSet<&String>) -> String {
    actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(" ")
}

fn condition(condition: &super::policy::Condition) -> String {
    let values = condition.values.iter().map(|value| format!("`{}`", value.split(".us-east-1.").next().unwrap()));
    let values = values.collect::<Vec<_>>().join(" ");
    match condition.operator {
        Operator::StringEquals => format!(", through {values}"),
        Operator::ForAllValuesStringLike => format!(", only partition keys {values}"),
    }
}

/// Returns a resource's name in the template.
fn written(resource: &Value) -> String {
    let name = match (resource.get("Ref"), resource.get("Fn::Sub"), resource.get("Fn::GetAtt")) {
        (Some(name), ..) => name.as_str().unwrap().to_owned(),
        (_, Some(arn), _) => {
            let arn = arn.as_str().unwrap();
            if let Some((table, index)) = arn.split_once(".Arn}/index/") {
                return format!("`{}`, index `{index}`", table.trim_start_matches("${"));
            }
            let (_, secret) = arn.split_once(":secret:").unwrap();
            return format!("secrets `{}`", secret.replace("${SecretPrefix}", "<SecretPrefix>"));
        }
        (.., Some(attribute)) => attribute[0].as_str().unwrap().to_owned(),
        _ => resource.as_str().unwrap().to_owned(),
    };
    format!("`{name}`")
}

#[test]
fn the_page_on_permissions_says_what_the_template_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wanted = rendered();
    let page = root.join("docs/reference/permissions.md");
    if env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
        fs::write(&page, &wanted).unwrap();
    }
    let found = fs::read_to_string(page).unwrap_or_default();
    assert_eq!(
        found, wanted,
        "docs/reference/permissions.md is not up to date: run this test with CONNECTOR_WRITE_DOCS=1"
    );
}
