use super::*;
use crate::{
    id::ProviderMessageId,
    message::{LinkButton, OutboundContent, RichMessage, ShownChoice},
};
use connector_message::{MessageText, code::Code, rich_content::Link};

pub(super) fn message(content: OutboundContent) -> OutboundMessage {
    let to = ChannelUserId::new("+4915209988771").unwrap();
    OutboundMessage { to, reference: "5d0c41f7".to_owned(), content }
}

fn say(text: &str) -> OutboundMessage {
    message(OutboundContent::Text { text: MessageText::new(text) })
}

fn rich(messages: Vec<RichMessage>) -> OutboundMessage {
    message(OutboundContent::Rich { messages })
}

fn some(text: &str) -> Option<MessageText> {
    Some(MessageText::new(text))
}

fn picture() -> Option<Link> {
    Some(Link::parse("https://shop.example/boots.jpg").unwrap())
}

fn choices(titles: &[&str]) -> Vec<ShownChoice> {
    let choice = |(index, &title)| ShownChoice { id: format!("5d0c.{index}"), title: MessageText::new(title) };
    titles.iter().enumerate().map(choice).collect()
}

fn link() -> Vec<LinkButton> {
    vec![LinkButton {
        title: MessageText::new("Track it"),
        link: Link::parse("https://shop.example/t?n=1&x=ü").unwrap(),
    }]
}

/// The bodies of all calls, in order.
fn bodies(message: &OutboundMessage) -> Vec<Value> {
    let line = line();
    let (mut done, mut bodies) = (Vec::new(), Vec::new());
    while let Some(call) = line.next_call(message, &done).unwrap() {
        assert!(call.file.is_none());
        assert_eq!(call.call.method, Method::POST);
        assert_eq!(call.call.url.as_str(), "https://graph.facebook.com/v26.0/118240097715334/messages");
        bodies.push(serde_json::from_slice(&call.call.body).unwrap());
        done.push(Receipt { provider_id: Some(format!("wamid.{}", done.len())), is_message: true });
    }
    bodies
}

#[test]
fn a_text_is_one_authorized_post() {
    let call = line().next_call(&say("Guten Tag 🌞"), &[]).unwrap().unwrap().call;
    let authorization = call.headers.get("authorization").unwrap();
    assert_eq!(authorization, "Bearer EAAtok3n");
    assert!(authorization.is_sensitive());
    assert_eq!(call.headers.get("content-type").unwrap(), "application/json");
    assert_eq!(format!("{call:?}"), "HttpCall(WhatsApp send POST graph.facebook.com)");
    snapshot("text", &bodies(&say("Guten Tag 🌞")));
}

#[test]
fn a_consumer_without_a_number_is_addressed_by_the_user_id() {
    let mut message = say("Hello");
    message.to = ChannelUserId::new("DE.5520017734981").unwrap();
    snapshot("text_to_user_id", &bodies(&message));
}

#[test]
fn a_long_text_is_several_posts_in_order_and_nothing_is_lost() {
    let text = "All work and no play 👩‍🚀 ".repeat(400);
    let bodies = bodies(&say(&text));
    let said: Vec<_> = bodies.iter().map(|body| body["text"]["body"].as_str().unwrap()).collect();
    assert_eq!(said.concat(), text);
    assert!(said.iter().all(|piece| piece.chars().count() <= LONGEST_TEXT) && said.len() == 3, "{}", said.len());
    for (number, body) in bodies.iter().enumerate() {
        assert_eq!(body["biz_opaque_callback_data"], format!("5d0c41f7.{number}"));
    }
}

#[test]
fn a_blank_text_is_no_post() {
    assert_eq!(bodies(&say(" \n ")), [] as [Value; 0]);
    assert_eq!(bodies(&say("")), [] as [Value; 0]);
}

#[test]
fn the_same_message_gives_the_same_calls() {
    let message =
        rich(vec![RichMessage { text: some("Boots?"), choices: choices(&["Yes", "No"]), ..RichMessage::default() }]);
    assert_eq!(bodies(&message), bodies(&message));
}

#[test]
fn buttons_are_below_a_picture_and_a_text() {
    let card = RichMessage {
        picture: picture(),
        text: some("Boots, 79 €"),
        choices: choices(&["Buy", "Later", "No"]),
        ..RichMessage::default()
    };
    snapshot("buttons_with_picture", &bodies(&rich(vec![card])));
}

#[test]
fn a_list_is_below_its_text_and_its_picture_is_sent_before() {
    let card = RichMessage {
        picture: picture(),
        text: some("Which size?"),
        choices: choices(&["38", "39", "40", "41"]),
        as_list: true,
        ..RichMessage::default()
    };
    snapshot("list_with_picture", &bodies(&rich(vec![card.clone()])));
    let mut settings = settings();
    settings["list_button"] = json!("Auswählen");
    let call = WhatsApp
        .line(&settings)
        .unwrap()
        .next_call(&rich(vec![card]), &[Receipt { provider_id: None, is_message: true }]);
    let body: Value = serde_json::from_slice(&call.unwrap().unwrap().call.body).unwrap();
    assert_eq!(body["interactive"]["action"]["button"], "Auswählen");
}

#[test]
fn a_link_is_a_button_that_opens_a_page() {
    let card = |picture| RichMessage { picture, text: some("On its way"), links: link(), ..RichMessage::default() };
    snapshot("link_button", &bodies(&rich(vec![card(None), card(picture())])));
}

#[test]
fn the_text_of_a_picture_is_its_caption_if_it_fits() {
    let card = |text: Option<MessageText>| RichMessage { picture: picture(), text, ..RichMessage::default() };
    snapshot("pictures", &bodies(&rich(vec![card(None), card(some("Boots"))])));
    let long = "b".repeat(LONGEST_CAPTION + 1);
    let bodies = bodies(&rich(vec![card(some(&long))]));
    assert_eq!((&bodies[0]["type"], bodies[0]["image"].get("caption")), (&json!("image"), None));
    assert_eq!((&bodies[1]["type"], &bodies[1]["text"]["body"]), (&json!("text"), &json!(long)));
}

#[test]
fn a_text_that_is_too_long_for_buttons_is_sent_before_them() {
    let text = "word ".repeat(500);
    let card =
        RichMessage { picture: picture(), text: some(&text), choices: choices(&["Ok"]), ..RichMessage::default() };
    let bodies = bodies(&rich(vec![card]));
    let kinds: Vec<_> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["image", "text", "text", "interactive"]);
    let said = [&bodies[1]["text"]["body"], &bodies[2]["text"]["body"], &bodies[3]["interactive"]["body"]["text"]];
    assert_eq!(said.map(|piece| piece.as_str().unwrap()).concat(), text);
    assert!(said.iter().all(|piece| piece.as_str().unwrap().chars().count() <= LONGEST_INTERACTIVE_TEXT));
    assert_eq!(bodies[3]["interactive"].get("header"), None);
}

#[test]
fn several_rich_messages_follow_each_other() {
    let text = RichMessage { text: some("First"), ..RichMessage::default() };
    let buttons = RichMessage { text: some("Second"), choices: choices(&["Ok"]), ..RichMessage::default() };
    let bodies = bodies(&rich(vec![text, buttons, RichMessage::default()]));
    let kinds: Vec<_> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "interactive"]);
    assert_eq!(bodies[1]["biz_opaque_callback_data"], "5d0c41f7.1");
}

#[test]
fn what_whatsapp_cannot_show_is_refused_before_anything_is_sent() {
    let first = RichMessage { text: some("fine"), ..RichMessage::default() };
    let card = |titles: &[&str], as_list: bool| RichMessage {
        text: some("?"),
        choices: choices(titles),
        as_list,
        ..RichMessage::default()
    };
    let long = "x".repeat(25);
    for (bad, expected) in [
        (card(&["1", "2", "3", "4"], false), "too_many_choices"),
        (card(&["1"; 11], true), "too_many_choices"),
        (card(&[&long[..21]], false), "title_length"),
        (card(&[&long], true), "title_length"),
        (card(&[" "], false), "title_length"),
        (RichMessage { text: None, ..card(&["1"], false) }, "choices_without_text"),
        (RichMessage { links: link(), ..card(&["1"], false) }, "choices_with_link"),
        (
            RichMessage {
                text: some("?"),
                links: link().into_iter().map(|link| LinkButton { title: MessageText::new(&*long), ..link }).collect(),
                ..RichMessage::default()
            },
            "title_length",
        ),
    ] {
        let failure = line().next_call(&rich(vec![first.clone(), bad]), &[]).unwrap_err();
        assert_eq!(failure, SendFailure::Refused { status: 0, code: Code::internal(expected) });
    }
}

#[test]
fn indications_are_about_the_consumers_message() {
    let to = ChannelUserId::new("+4915209988771").unwrap();
    let message = ProviderMessageId::new("wamid.IN1").unwrap();
    let indications = [
        Indication::Read { message: message.clone() },
        Indication::Typing { typing: true, last_message: Some(message.clone()) },
    ];
    let bodies: Vec<Value> = indications
        .iter()
        .map(|indication| {
            let call = line().indicate(&to, indication).unwrap();
            assert!(call.headers.get("authorization").unwrap().is_sensitive());
            assert_eq!(call.url.path(), "/v26.0/118240097715334/messages");
            serde_json::from_slice(&call.body).unwrap()
        })
        .collect();
    snapshot("indications", &bodies);
    for nothing in [(false, Some(message)), (false, None), (true, None)] {
        let (typing, last_message) = nothing;
        assert!(line().indicate(&to, &Indication::Typing { typing, last_message }).is_none());
    }
}
