use serde_json::json;

use super::*;

fn choice(number: u32, title: &str, metadata: Option<Value>) -> Choice {
    Choice {
        number,
        title: MessageText::new(title),
        publish: Some(MessageText::new(format!("{title}!"))),
        metadata,
        several: false,
        as_button: false,
    }
}

fn menu() -> Menu {
    Menu {
        conversation: ConversationId::new("c1").unwrap(),
        dialog: DialogId::new("c1").unwrap(),
        sequence: Sequence(4),
        shown_at: at(10),
        until: at(100),
        choices: vec![choice(1, "Yes", Some(external("y"))), choice(2, "No", None)],
        free_answer: None,
        submit: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn here() -> ConversationId {
    ConversationId::new("c1").unwrap()
}

fn external(id: &str) -> Value {
    json!([{"type": "ExternalId", "id": id}])
}

/// Returns a menu that asks for a date in addition to its choices.
fn dated() -> Menu {
    Menu { free_answer: Some(FreeAnswer { metadata: Metadata::new(&external("day")).unwrap() }), ..menu() }
}

/// Returns a checklist with three options and a button that submits it.
fn checklist() -> Menu {
    let mut menu = menu();
    menu.choices = [("Tea", "t"), ("Bread", "b"), ("Fruit", "f")]
        .into_iter()
        .zip(1..)
        .map(|((title, id), number)| Choice { several: true, ..choice(number, title, Some(external(id))) })
        .collect();
    menu.choices.push(choice(4, "Back", Some(external("back"))));
    menu.submit = Metadata::new(&external("order"));
    menu
}

fn ids(chosen: &Chosen) -> Vec<&str> {
    let entries = chosen.metadata.as_ref().and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry["id"].as_str()).collect()
}

#[test]
fn a_number_or_a_title_chooses_and_brings_the_metadata() {
    for answer in ["1", "yes", " YES "] {
        let chosen = menu().chosen(answer, &here(), at(99)).unwrap();
        assert_eq!((chosen.text.as_str(), chosen.sequence), ("Yes!", Sequence(4)), "{answer}");
        assert_eq!(chosen.metadata, Some(external("y")));
    }
    assert_eq!(menu().chosen("2", &here(), at(99)).unwrap().metadata, None);
    assert_eq!(menu().chosen("maybe", &here(), at(99)), None);
}

#[test]
fn a_menu_is_for_its_conversation_and_its_time() {
    let there = ConversationId::new("c2").unwrap();
    assert!(menu().chosen("1", &here(), at(99)).is_some());
    assert_eq!(menu().chosen("1", &here(), at(100)), None);
    assert_eq!(menu().chosen("1", &there, at(50)), None);
    assert!(menu().chosen("1", &here(), at(10)).is_some());
    assert_eq!(menu().chosen("1", &here(), at(9)), None, "it was written before the menu was shown");
}

#[test]
fn what_is_too_large_is_left_out() {
    let mut large = Menu { submit: Metadata::new(&json!(["x".repeat(1000)])), ..dated() };
    large.choices[0].metadata = Some(json!(["x".repeat(1000)]));
    large.free_answer = Metadata::new(&json!(["x".repeat(1000)])).map(|metadata| FreeAnswer { metadata });
    let kept = large.bounded().unwrap();
    assert_eq!((&kept.choices[0].metadata, &kept.free_answer, &kept.submit), (&None, &None, &None));
    assert_eq!(dated().bounded(), Some(dated()), "what can be sent is kept");
    assert_eq!(checklist().bounded(), Some(checklist()));
    let mut huge = menu();
    huge.choices = vec![huge.choices[0].clone(); 1000];
    assert_eq!(huge.bounded(), None);
}

#[test]
fn a_button_chooses_in_its_own_menu_only_and_for_as_long_as_that_is_kept() {
    let menu = menu();
    let token = Menu::token(&menu.dialog, menu.sequence);
    let chosen = menu.chosen_by_id(&format!("{token}.1"), &here()).unwrap();
    assert_eq!((chosen.text.as_str(), &chosen.metadata), ("Yes!", &Some(external("y"))));
    assert_eq!((chosen.dialog, chosen.sequence), (menu.dialog.clone(), menu.sequence));
    assert_eq!(menu.chosen_by_id(&format!("{token}.2"), &here()).unwrap().text.as_str(), "No!");
    let there = ConversationId::new("c2").unwrap();
    assert_eq!(menu.chosen_by_id(&format!("{token}.1"), &there), None);
    let newer = Menu::token(&menu.dialog, Sequence(5));
    let elsewhere = Menu::token(&DialogId::new("c9").unwrap(), menu.sequence);
    for id in [
        format!("{token}.3"),
        format!("{token}.0"),
        format!("{token}.01"),
        format!("{token}.+1"),
        format!("{token}.1.1"),
        format!("{token}."),
        token.clone(),
        format!("{newer}.1"),
        format!("{elsewhere}.1"),
        "1".to_owned(),
        String::new(),
        format!("{token}.99999999999"),
    ] {
        assert_eq!(menu.chosen_by_id(&id, &here()), None, "{id}");
    }
}

#[test]
fn a_token_is_short_and_stays_the_same() {
    let dialog = DialogId::new("d".repeat(256)).unwrap();
    let token = Menu::token(&dialog, Sequence(u64::MAX));
    assert_eq!(token, Menu::token(&dialog, Sequence(u64::MAX)));
    assert_eq!(token.len(), 10);
    assert!(token.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()), "{token}");
    assert!(format!("{token}.{}", u32::MAX).len() <= 64);
    // Buttons that consumers still have on their phones must work after an update.
    assert_eq!(Menu::token(&DialogId::new("c1").unwrap(), Sequence(4)), "3641b88888");
}

#[test]
fn a_text_that_chooses_nothing_is_the_answer_that_was_asked_for_once() {
    let mut menu = dated();
    let chosen = menu.chosen(" 3 May or so ", &here(), at(50)).unwrap();
    assert_eq!((chosen.text.as_str(), &chosen.metadata), (" 3 May or so ", &Some(external("day"))));
    assert!(menu.answered(&chosen));
    assert_eq!(menu.chosen("thanks!", &here(), at(51)), None);
    assert!(menu.chosen("1", &here(), at(51)).is_some(), "what can be chosen stays");
    assert!(!menu.answered(&chosen), "there is nothing left to take away");
}

#[test]
fn a_choice_comes_before_a_free_answer_and_takes_it_away() {
    for answer in ["1", "yes", "YES!"] {
        let mut menu = dated();
        let chosen = menu.chosen(answer, &here(), at(50)).unwrap();
        assert_eq!((chosen.text.as_str(), &chosen.metadata), ("Yes!", &Some(external("y"))), "{answer}");
        assert!(menu.answered(&chosen));
        assert_eq!(menu.chosen("and thanks", &here(), at(51)), None);
    }
}

#[test]
fn a_free_answer_has_its_time_and_is_no_blank() {
    for (text, written) in [("3 May", 9), ("3 May", 100), (" \n", 50)] {
        assert_eq!(dated().chosen(text, &here(), at(written)), None, "{text:?} at {written}");
    }
    assert_eq!(dated().chosen("3 May", &ConversationId::new("c2").unwrap(), at(50)), None);
}

#[test]
fn the_answer_to_an_older_message_uses_nothing_up() {
    let older = Menu { sequence: Sequence(3), ..dated() }.chosen("3 May", &here(), at(50)).unwrap();
    let mut menu = dated();
    assert!(!menu.answered(&older));
    assert_eq!(menu, dated());
}

#[test]
fn ticked_options_bring_the_button_that_sends_them_last() {
    let menu = checklist();
    let answer = |text| menu.chosen(text, &here(), at(50)).unwrap();
    assert_eq!(ids(&answer("3, 1")), ["f", "t", "order"]);
    assert_eq!(answer("3, 1").text.as_str(), "Fruit!, Tea!");
    assert_eq!(ids(&answer("2")), ["b", "order"]);
    assert_eq!(ids(&answer("4")), ["back"], "this sends nothing that was ticked");
}

#[test]
fn the_buttons_metadata_is_left_out_first_where_all_is_too_much() {
    let mut menu = checklist();
    menu.submit = Metadata::new(&external(&"o".repeat(940)));
    assert_eq!(menu.clone().bounded().unwrap().submit, menu.submit, "it could be sent alone");
    assert_eq!(ids(&menu.chosen("1, 2", &here(), at(50)).unwrap()), ["t", "b"]);
    menu.choices[0].metadata = None;
    assert_eq!(ids(&menu.chosen("1", &here(), at(50)).unwrap()).len(), 1);
    let big = external(&"x".repeat(600));
    menu.choices[0].metadata = Some(big.clone());
    menu.choices[1].metadata = Some(big);
    assert_eq!(menu.chosen("1, 2", &here(), at(50)).unwrap().metadata, None);
}

#[test]
fn debug_holds_no_text_and_no_metadata() {
    let mut secret = Menu { submit: Metadata::new(&external("secret")), ..dated() };
    secret.free_answer = Metadata::new(&external("secret")).map(|metadata| FreeAnswer { metadata });
    secret.choices = vec![choice(1, "secret", Some(external("secret")))];
    let chosen = secret.chosen("secret", &here(), at(50));
    let shown = format!("{secret:?} {chosen:?}");
    assert!(!shown.contains("secret"), "{shown}");
}
