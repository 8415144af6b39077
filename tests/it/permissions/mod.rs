//! Checks what each function may do on AWS by the statements of `template.yaml`: everything that it needs, and nothing else.

mod conversation;
mod document;
mod failures;
mod keys;
mod policy;
mod roles;
pub(crate) mod template;

use std::{collections::BTreeMap, sync::Arc};

use connector_lab::aws::authorization::{Access, LEADING_KEYS};

use conversation::whole_conversation;
use policy::like;
use roles::{BOTH_KEYS, EVERYTHING, Roles, Statements, allowed, of_lambda, statements, uses_of_a_key, without};

/// Actions that no function may do, and that would do the most harm. (`dynamodb:Query` is allowed to two functions.)
const NEVER: [&str; 26] = [
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:PartiQLSelect",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateTable",
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:Encrypt",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:GetLogEvents",
    "secretsmanager:DeleteSecret",
    "secretsmanager:ListSecrets",
    "secretsmanager:PutSecretValue",
    "sqs:DeleteQueue",
    "sqs:PurgeQueue",
    "sqs:SetQueueAttributes",
    "sts:AssumeRole",
];

/// Returns everything that a function needs, as IAM sees it: its own calls in a whole conversation, Lambda's calls, and the permissions on
/// the keys that these calls need.
async fn needs() -> Vec<Access> {
    let roles = Arc::new(Roles::of_the_template());
    whole_conversation(&roles).await;
    let denied = roles.denied();
    assert!(denied.is_empty(), "a role lacks what its function needs: {denied:#?}");
    let mut needs: Vec<Access> = roles.allowed().into_iter().chain(of_lambda()).collect();
    let of_keys = needs.iter().flat_map(|access| BOTH_KEYS.map(|key| uses_of_a_key(access, key)).concat());
    needs.extend(of_keys.collect::<Vec<_>>());
    needs.sort();
    needs.dedup();
    needs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_is_allowed_to_each_function() {
    let needs = needs().await;
    let callers: Vec<String> = statements(&EVERYTHING).into_keys().collect();
    for function in &callers {
        let own = needs.iter().filter(|access| access.caller == *function && !of_lambda().contains(access));
        assert!(own.count() >= 2, "{function} was not at work");
    }
    for conditions in [&[][..], &["HasTracing"], &["HasKey"], &["HasOtherKey"], &EVERYTHING] {
        let statements = statements(conditions);
        let keys = [("HasKey", template::KEY), ("HasOtherKey", template::OTHER_KEY)];
        let keys = keys.into_iter().filter_map(|(condition, key)| conditions.contains(&condition).then_some(key));
        let keys: Vec<&str> = keys.collect();
        for access in needs.iter().filter(|access| !access.action.starts_with("kms:")) {
            let traces = access.action.starts_with("xray:");
            let wanted = !traces || conditions.contains(&"HasTracing");
            assert_eq!(allowed(&statements, access, &keys), wanted, "with {conditions:?}: {access:?}");
        }
    }
}

/// Returns each role without one action of a statement, or without one value of a condition, and the name of what is missing.
fn smaller_roles() -> Vec<(String, Statements)> {
    let all = statements(&EVERYTHING);
    let mut smaller = Vec::new();
    for (function, role) in &all {
        for (number, statement) in role.iter().enumerate() {
            for action in &statement.actions {
                let mut less = all.clone();
                without(&mut less, function, &statement.sid, action);
                smaller.push((format!("{function}: {action} in {}", statement.sid), less));
            }
            for (condition, values) in statement.conditions.iter().map(|condition| &condition.values).enumerate() {
                for (value, name) in values.iter().enumerate() {
                    let mut less = all.clone();
                    less.get_mut(function).unwrap()[number].conditions[condition].values.remove(value);
                    smaller.push((format!("{function}: {name} in {}", statement.sid), less));
                }
            }
        }
    }
    smaller
}

/// One resource of each kind in the AWS account, of the stack and outside it.
fn resources() -> Vec<(String, BTreeMap<String, Vec<String>>)> {
    let source = template::source();
    let own =
        ["Table", "ToLiveEngageQueue", "ToChannelQueue", "ToLiveEngageDeadLetterQueue", "ToChannelDeadLetterQueue"];
    let logs =
        template::functions(&source).into_iter().map(|function| function.log_group).chain(["ApiLogGroup".to_owned()]);
    let own = own.into_iter().map(str::to_owned).chain(logs).map(|resource| template::arn(&source, &resource));
    let foreign = [
        "*",
        "arn:aws:dynamodb:us-east-1:000000000000:table/orders",
        "arn:aws:dynamodb:us-east-1:000000000000:table/connector-lab/index/any",
        "arn:aws:dynamodb:us-east-1:000000000000:table/connector-lab/stream/any",
        "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-0000-4000-8000-000000000000",
        "arn:aws:lambda:us-east-1:000000000000:function:connector-lab-webhook",
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/other:*",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:connector/other/1-Q7r3Zp",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:connector/account-Q7r3Zp",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/connector/account/1-Q7r3Zp",
        "arn:aws:secretsmanager:us-west-2:000000000000:secret:connector/account/47110815-Q7r3Zp",
        "arn:aws:sqs:us-east-1:000000000000:orders.fifo",
        "arn:aws:sqs:us-east-1:111111111111:to-channel.fifo",
    ];
    let secrets = ["account/47110815", "line/sms-lab", "line/whatsapp-lab"];
    let secrets =
        secrets.map(|name| format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:connector/{name}-Q7r3Zp"));
    let plain = own.chain(foreign.map(str::to_owned)).chain(secrets).map(|resource| (resource, BTreeMap::new()));
    let via = ["dynamodb", "secretsmanager", "sqs", "s3", "lambda"].map(|service| {
        let via = format!("{service}.us-east-1.amazonaws.com");
        BTreeMap::from([("kms:ViaService".to_owned(), vec![via])])
    });
    let ways: Vec<_> = via.into_iter().chain([BTreeMap::new()]).collect();
    let keys = BOTH_KEYS.into_iter().flat_map(|key| ways.iter().map(move |way| (key.to_owned(), way.clone())));
    plain.chain(keys).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_permission_is_unused_and_nothing_else_is_allowed() {
    let needs = needs().await;
    for (missing, statements) in smaller_roles() {
        let fails = needs.iter().any(|access| !allowed(&statements, access, &[]));
        assert!(fails, "nothing needs it, take it out of template.yaml: {missing}");
    }

    let statements = statements(&EVERYTHING);
    let mut actions: Vec<&str> = needs.iter().map(|access| access.action.as_str()).chain(NEVER).collect();
    actions.sort_unstable();
    actions.dedup();
    let mut refused = 0;
    for function in statements.keys() {
        for (resource, context) in resources() {
            // X-Ray's actions have no resource.
            let possible = |action: &&&str| resource == "*" || !action.starts_with("xray:");
            for action in actions.iter().filter(possible) {
                let access = Access {
                    caller: function.clone(),
                    action: (*action).to_owned(),
                    resource: resource.clone(),
                    context: context.clone(),
                };
                // The next assertion checks the keys of the table.
                let same = |need: &&Access| {
                    (&need.caller, &need.action, &need.resource) == (&access.caller, &access.action, &access.resource)
                        && (need.context == access.context || need.context.contains_key(LEADING_KEYS))
                };
                let needed = needs.iter().any(|need| same(&need));
                assert_eq!(allowed(&statements, &access, &[]), needed, "{access:?}");
                refused += usize::from(!needed);
            }
        }
    }
    assert!(refused > 5000, "{refused}");

    let mut other = needs
        .iter()
        .find(|access| access.caller == "token-refresh" && access.action == "dynamodb:GetItem")
        .unwrap()
        .clone();
    other.context.insert(LEADING_KEYS.to_owned(), vec!["CONS#sms-lab#+4915155001".to_owned()]);
    assert!(!allowed(&statements, &other, &[]), "the schedule may read consumers' records");
    let nobody = Access { caller: "nobody".to_owned(), ..other };
    assert!(!allowed(&statements, &nobody, &[]));
}

#[test]
fn patterns_match_as_in_iam() {
    for (pattern, text) in [
        ("a", "a"),
        ("*", ""),
        ("a*", "abc"),
        ("*c", "abc"),
        ("a?c", "abc"),
        ("a*c*e", "abcde"),
        ("TOKEN#*", "TOKEN#1"),
    ] {
        assert!(like(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("", "a"), ("a", ""), ("a", "ab"), ("a?", "a"), ("*b", "abc"), ("TOKEN#*", "CONS#TOKEN#1")]
    {
        assert!(!like(pattern, text), "{pattern} {text}");
    }
}
