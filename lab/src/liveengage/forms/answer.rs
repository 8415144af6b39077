//! The forms of API answers.

use serde_json::{Value, json};

use super::{AnswerCode, Forms, SingleService, add_unknown_field};
use crate::liveengage::fault::Service;

pub(super) fn formed(forms: &Forms, service: Service, mut body: Value) -> Value {
    match service {
        Service::Domain => {
            if forms.bare_hosts {
                bare_hosts(&mut body);
            }
            single_service(forms, &mut body);
        }
        Service::Conversation | Service::Send => match &mut body {
            Value::Array(elements) => elements.iter_mut().for_each(|element| send_answer(forms, element)),
            element => send_answer(forms, element),
        },
        _ => {}
    }
    if forms.unknown_fields {
        match &mut body {
            Value::Array(elements) => elements.iter_mut().for_each(add_unknown_field),
            element => add_unknown_field(element),
        }
    }
    body
}

fn bare_hosts(body: &mut Value) {
    let list = body.get_mut("baseURIs").and_then(Value::as_array_mut);
    let entries: Vec<&mut Value> = match list {
        Some(list) => list.iter_mut().collect(),
        None => vec![body],
    };
    for base_uri in entries.into_iter().filter_map(|entry| entry.get_mut("baseURI")) {
        *base_uri = base_uri.as_str().map_or_else(Value::default, |url| url.trim_start_matches("http://").into());
    }
}

fn single_service(forms: &Forms, body: &mut Value) {
    if forms.single_service == SingleService::List && body.get("service").is_some() {
        *body = json!({ "baseURIs": [body.take()] });
    }
}

fn send_answer(forms: &Forms, element: &mut Value) {
    let Some(answer) = element.as_object_mut() else { return };
    let number = match answer.get("code").and_then(Value::as_str) {
        Some("OK") => Some(200),
        Some("BAD_REQUEST") => Some(400),
        _ => None,
    };
    match (forms.answer_code, number) {
        (AnswerCode::Number, Some(number)) => {
            answer.insert("code".to_owned(), number.into());
        }
        (AnswerCode::Absent, Some(200)) => {
            answer.remove("code");
        }
        _ => {}
    }
    let body = answer.get("body").and_then(Value::as_object);
    let app_jwt_is_missing = body.and_then(|body| body.get("title")).is_some_and(|title| title == "AppJWT is missing");
    let message = body.filter(|body| body.len() == 1).and_then(|body| body.get("msg")).cloned();
    // Token errors have both members in every form.
    if forms.typed_answers && !answer.contains_key("kind") {
        let kind = if message.is_some() { ".ReqBody$StringResponse" } else { ".ReqBody$Response" };
        answer.insert("kind".to_owned(), "resp".into());
        answer.insert("type".to_owned(), kind.into());
    }
    if let Some(message) = message.filter(|_| forms.text_bodies) {
        answer.insert("body".to_owned(), message);
    }
    if app_jwt_is_missing
        && forms.app_jwt_missing_is_40104
        && let Some(number) = element.pointer_mut("/body/errorCode")
    {
        *number = 40104.into();
    }
}
