//! Each permission that a function itself uses is taken from it in a running lab: it fails, and goes on when it has it again.

use std::sync::Arc;

use connector::lambda::{self, config};
use connector_lab::{ACCOUNT, Lab, aws::authorization::Guard, liveengage::Service, sms_gateway::Direction};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::{
    conversation::{guarded, refused_by_the_gateway, with_questions},
    roles::{EVERYTHING, Roles, of_lambda, statements},
};
use crate::{
    silence::WatchedLab,
    steps::{HELLO, PHONE, consumer_texts, desk, opened, received, settled, soon},
};

/// How many labs run at once: each waits more than it works.
const LABS: usize = 4;

/// One permission, and the resource that it is for in the template's words.
#[derive(Debug, Clone)]
struct Permission {
    function: String,
    sid: String,
    action: String,
    on: String,
}

/// All that the functions themselves use, by the template: a new one must get its proof here.
fn permissions() -> Vec<Permission> {
    let mut permissions = Vec::new();
    for (function, role) in statements(&EVERYTHING) {
        for statement in role {
            let lambdas =
                of_lambda().into_iter().filter(|access| access.caller == function && statement.allows(access));
            let lambdas: Vec<String> = lambdas.map(|access| access.action).collect();
            let on = statement.written.pointer("/Fn::GetAtt/0").and_then(Value::as_str).unwrap_or_default();
            for action in &statement.actions {
                if !lambdas.contains(action) && !action.starts_with("kms:") {
                    let (function, sid, action, on) =
                        (function.clone(), statement.sid.clone(), action.clone(), on.to_owned());
                    permissions.push(Permission { function, sid, action, on });
                }
            }
        }
    }
    permissions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_fails_without_each_permission_and_goes_on_when_it_has_it_again() {
    let proofs = stream::iter(permissions()).map(|permission| async move {
        let proof = tokio::spawn(proof(permission.clone())).await;
        proof.err().map(|error| format!("{permission:?}: {error}"))
    });
    let proofs: Vec<Option<String>> = proofs.buffer_unordered(LABS).collect().await;
    let problems: Vec<String> = proofs.iter().flatten().cloned().collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(proofs.len() >= 20, "{}", proofs.len());
}

async fn proof(permission: Permission) {
    let roles = Arc::new(Roles::of_the_template());
    let Permission { function, sid, action, on } = &permission;
    let revoke = || roles.revoke(function, sid, action);
    let denied = || soon("the call is denied", roles.asked(function, action, false));
    let lab = || async { WatchedLab::start(guarded(&roles, with_questions())).await };
    match (function.as_str(), action.as_str(), on.as_str()) {
        (_, "secretsmanager:GetSecretValue", _) => {
            revoke();
            let refusal = Lab::start(guarded(&roles, Value::Null)).await.unwrap_err().to_string();
            assert!(refusal.contains("AccessDenied"), "{refusal}");
            assert!(roles.denied().iter().all(|access| access.caller == *function && access.action == *action));
        }
        ("token-refresh", ..) => {
            revoke();
            let lab = lab().await;
            denied().await;
            refresh(&lab, &roles).await.unwrap_err();
            roles.restore();
            refresh(&lab, &roles).await.unwrap();
        }
        ("inbound", "sqs:SendMessage", _)
        | ("to-liveengage", "dynamodb:GetItem" | "dynamodb:PutItem" | "dynamodb:UpdateItem", _) => {
            let lab = lab().await;
            revoke();
            lab.gateway().consumer_sends(PHONE, HELLO).unwrap();
            denied().await;
            assert!(lab.liveengage().conversations().iter().all(|one| one.transcript.is_empty()));
            roles.restore();
            let all =
                desk(&lab, "the text is at the desk", |all| all.iter().any(|one| !one.transcript.is_empty())).await;
            settled(&lab).await;
            assert_eq!((all.len(), consumer_texts(&all[0])), (1, vec![HELLO]));
        }
        ("to-liveengage", "dynamodb:Query", _) => {
            let (lab, _) = in_conversation(&roles).await;
            revoke();
            lab.liveengage().fail_next(Service::Send, StatusCode::BAD_GATEWAY, "");
            lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
            // Nobody can look up whether it was published, so it is not sent again.
            denied().await;
            assert_eq!(consumer_texts(&lab.liveengage().conversations()[0]), [HELLO]);
            roles.restore();
            desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]) == [HELLO, "anyone?"]).await;
        }
        ("webhook", "sqs:SendMessage", _) | ("to-channel", "dynamodb:GetItem" | "dynamodb:UpdateItem", _) => {
            let (lab, id) = in_conversation(&roles).await;
            revoke();
            lab.liveengage().say(&id, "hello to you").unwrap();
            denied().await;
            assert_eq!(shown(&lab), 0);
            roles.restore();
            assert_eq!(received(&lab, PHONE, 1).await, ["hello to you"]);
        }
        ("to-channel", "dynamodb:PutItem", _) => {
            let (lab, id) = in_conversation(&roles).await;
            revoke();
            lab.liveengage().say(&id, "hello to you").unwrap();
            denied().await;
            roles.restore();
            // The gateway had taken it, and the note of that was denied: one of the windows in which a message doubles.
            assert!(received(&lab, PHONE, 1).await.iter().all(|text| text == "hello to you"));
            settled(&lab).await;
            assert!(shown(&lab) <= 2);
        }
        ("to-liveengage", "sqs:ChangeMessageVisibility", "ToLiveEngageQueue") => {
            let (lab, _) = in_conversation(&roles).await;
            revoke();
            lab.liveengage().fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
            lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
            denied().await;
            // Nobody has set the time of the next attempt: it is the queue's own.
            desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]) == [HELLO, "anyone?"]).await;
        }
        ("to-channel", "sqs:ChangeMessageVisibility", "ToChannelQueue") => {
            let (lab, id) = in_conversation(&roles).await;
            revoke();
            lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
            lab.liveengage().say(&id, "here").unwrap();
            denied().await;
            assert_eq!(received(&lab, PHONE, 1).await, ["here"]);
        }
        ("to-liveengage", "sqs:SendMessage", "ToChannelQueue") => {
            let (lab, _) = in_conversation(&roles).await;
            revoke();
            // Refused at each attempt: that it is given up can't be told yet, so it is not.
            for _ in 0..20 {
                lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
            }
            lab.gateway().consumer_sends(PHONE, "not for you").unwrap();
            denied().await;
            assert_eq!(shown(&lab), 0);
            roles.restore();
            assert!(received(&lab, PHONE, 1).await[0].starts_with("Sorry"));
        }
        ("to-channel", "sqs:SendMessage", "ToLiveEngageQueue") => {
            let (lab, id) = in_conversation(&roles).await;
            revoke();
            for _ in 0..20 {
                lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), refused_by_the_gateway());
            }
            lab.liveengage().say(&id, "refused").unwrap();
            denied().await;
            assert_eq!(consumer_texts(&lab.liveengage().conversations()[0]), [HELLO]);
            roles.restore();
            desk(&lab, "the agent is told", |all| {
                consumer_texts(&all[0]).iter().any(|text| text.contains("Not delivered"))
            })
            .await;
        }
        ("to-channel", "sqs:SendMessage", "ToChannelQueue") => {
            let (lab, id) = in_conversation(&roles).await;
            lab.liveengage().say(&id, "done").unwrap();
            received(&lab, PHONE, 1).await;
            settled(&lab).await;
            revoke();
            lab.liveengage().close(&id).unwrap();
            denied().await;
            assert_eq!(shown(&lab), 1);
            roles.restore();
            assert_eq!(received(&lab, PHONE, 2).await, ["done", "How was it, from 1 to 5?"]);
        }
        _ => panic!("nothing shows what it is for"),
    }
}

/// A lab with an open conversation, and nothing on its way.
async fn in_conversation(roles: &Arc<Roles>) -> (WatchedLab, String) {
    let lab = WatchedLab::start(guarded(roles, with_questions())).await;
    let id = opened(&lab, PHONE).await;
    settled(&lab).await;
    (lab, id)
}

/// How many messages the phone shows that it did not send.
fn shown(lab: &Lab) -> usize {
    lab.gateway().transcript(PHONE).iter().filter(|message| message.direction == Direction::ToPhone).count()
}

/// One run of the schedule.
async fn refresh(lab: &Lab, roles: &Arc<Roles>) -> Result<(), lambda::FunctionError> {
    let guard = Guard::in_front_of(lab.aws().endpoints(), Arc::clone(roles) as _).await.unwrap();
    let table = lab.aws().table_name().to_owned();
    let environment = move |variable: &str| match variable {
        config::ACCOUNTS => Some(ACCOUNT.to_owned()),
        config::SECRET_PREFIX => Some("connector".to_owned()),
        config::TABLE => Some(table.clone()),
        _ => None,
    };
    let config = config::TokenRefreshConfig::read(&environment).unwrap();
    let sdk = lab.aws().sdk_config_for("token-refresh", guard.endpoints());
    let mut context = Context::default();
    context.request_id = "a-run-of-the-schedule".to_owned();
    lambda::token_refresh(&config, &sdk).await.unwrap().handle(LambdaEvent::new(json!({}), context)).await
}
