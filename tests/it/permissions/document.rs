//! `docs/permissions.md` from the template: every statement, and who makes the calls that it allows.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use serde_json::Value;

use super::{
    policy::{Operator, Statement},
    roles::{self, EVERYTHING},
};

const HEAD: &str = "\
# What each function may do on AWS

Made from `template.yaml` by `tests/it/permissions`, which fails when this page says something else. The same tests run whole conversations
in the lab behind these statements, take every one of them away, and ask for what is not here.

- **Nothing that is used is missing**: `a_whole_conversation_is_allowed_to_each_function`.
- **Nothing here is unused, and nothing else is allowed**: `no_permission_is_unused_and_nothing_else_is_allowed`. What *Lambda calls* can't be
  seen in the lab, where no IAM stands before Lambda's own calls: those are the ones that AWS's documentation asks for.
- **A function without a permission fails, and loses nothing**: `a_function_fails_without_each_permission_and_goes_on_when_it_has_it_again`.
- What a key (`KmsKeyArn`) needs is AWS's documentation too: DynamoDB, SQS and Secrets Manager use it in the function's name.
- **No step of a change of key takes a key away that is in use**: `no_step_of_a_change_of_key_takes_a_key_that_is_in_use`. What a function
  may do with the one key, it may do with the other (`OtherKmsKeyArn`).

Three wildcards are forced by AWS. X-Ray's actions know no resource. The ARN of a log group ends with `:*`, for the streams in it, which
Lambda names. The ARN of a secret ends with six characters that Secrets Manager draws; and as CloudFormation can't turn a list of ids into a
list of ARNs, the statement names all secrets of one kind under the prefix: keep other things' secrets under another prefix.
";

/// The page as it must be.
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

/// The template's own name of a resource.
fn written(resource: &Value) -> String {
    let name = match (resource.get("Ref"), resource.get("Fn::Sub"), resource.get("Fn::GetAtt")) {
        (Some(name), ..) => name.as_str().unwrap().to_owned(),
        (_, Some(arn), _) => {
            let (_, secret) = arn.as_str().unwrap().split_once(":secret:").unwrap();
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
    if fs::read_to_string(root.join("docs/permissions.md")).unwrap_or_default() != wanted {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("permissions.md");
        fs::write(&place, &wanted).unwrap();
        panic!("docs/permissions.md is not what template.yaml says; what it must be is in {}", place.display());
    }
}
