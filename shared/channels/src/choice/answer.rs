//! Matches the text of an answer to choices.

use std::collections::HashSet;

use super::Choice;

/// The zeros of the decimal digits that phones can enter: ASCII, full-width, Arabic, Persian, Devanagari and Bengali.
const ZEROS: &[char] = &['0', '\u{FF10}', '\u{0660}', '\u{06F0}', '\u{0966}', '\u{09E6}'];

/// Characters around a number: `2.`, `(2)`, `#2`, and the two characters that turn a digit into an emoji.
const AROUND_NUMBER: &[char] =
    &['.', ')', '(', ':', ',', '#', '\u{FF0E}', '\u{FF09}', '\u{FF08}', '\u{3002}', '\u{3001}', '\u{FE0F}', '\u{20E3}'];

/// Characters between several answers.
const SEPARATORS: &[char] = &[',', ';', '+', '&', '/', '\n', '\u{FF0C}', '\u{3001}', '\u{060C}'];

/// Returns the choice that an answer means: by its number (`2`, `2.`, `2)`, in any digits) if that was shown, by its title in any case, or
/// by the text that it publishes.
///
/// `None` for any other answer, and for a title of several choices with different meanings.
pub fn match_answer<'a>(text: &str, choices: &'a [Choice]) -> Option<&'a Choice> {
    if numbers_count(choices)
        && let Some(number) = number(text)
        && let Some(choice) = choices.iter().find(|choice| choice.number == number && !choice.as_button)
    {
        return Some(choice);
    }
    let text = folded(text);
    let titled: Vec<_> = choices.iter().filter(|choice| same(choice.title.as_str(), &text)).collect();
    if !titled.is_empty() {
        return first_if_equal(&titled);
    }
    // A title that is a number matches in any digits.
    if let Some(value) = number(&text) {
        let valued: Vec<_> = choices.iter().filter(|choice| number(choice.title.as_str()) == Some(value)).collect();
        if !valued.is_empty() {
            return first_if_equal(&valued);
        }
    }
    let publishing: Vec<_> = choices
        .iter()
        .filter(|choice| choice.publish.as_ref().is_some_and(|publish| same(publish.as_str(), &text)))
        .collect();
    first_if_equal(&publishing)
}

/// Returns the choices that an answer means: one, as in [`match_answer`], or several that can be chosen together.
///
/// Examples of several are `1, 3`, `1 3` and `1 + 3`, and titles separated by commas. The result has the order of the answer, without
/// repetitions. It is empty if any part of the answer is not such a choice.
pub fn match_answers<'a>(text: &str, choices: &'a [Choice]) -> Vec<&'a Choice> {
    if let Some(choice) = match_answer(text, choices) {
        return vec![choice];
    }
    let given = |parts: Vec<&str>| -> Option<Vec<&'a Choice>> {
        let mut chosen: Vec<&Choice> = Vec::new();
        for part in parts {
            let choice = match_answer(part, choices).filter(|choice| choice.several)?;
            if chosen.iter().all(|other| other.number != choice.number) {
                chosen.push(choice);
            }
        }
        Some(chosen)
    };
    let parts = |at_spaces: bool| {
        text.split(move |c: char| SEPARATORS.contains(&c) || (at_spaces && c.is_whitespace()))
            .filter(|part| !part.trim().is_empty())
            .collect()
    };
    // Titles may contain spaces: spaces separate answers only if the other separators give no result.
    given(parts(false)).or_else(|| given(parts(true))).unwrap_or_default()
}

/// The text that choosing these publishes. LiveEngage joins checked options by commas. For a choice that publishes nothing, its title is
/// used.
pub fn published(choices: &[&Choice]) -> String {
    let texts: Vec<_> =
        choices.iter().map(|choice| choice.publish.as_ref().unwrap_or(&choice.title).as_str().trim()).collect();
    texts.join(", ")
}

/// Whether the choices are shown with numbers, and an answer can be a number.
///
/// False if a title is the number of another choice (as for grades from 0 to 10), because an answer would be ambiguous. True anyway if a
/// title occurs twice, because only the numbers distinguish the choices then.
pub(crate) fn numbers_count(choices: &[Choice]) -> bool {
    let most = u32::try_from(choices.len()).unwrap_or(u32::MAX);
    let misleading = choices.iter().any(|choice| {
        number(choice.title.as_str()).is_some_and(|title| title != choice.number && (1..=most).contains(&title))
    });
    if !misleading {
        return true;
    }
    let mut titles = HashSet::new();
    !choices.iter().all(|choice| titles.insert(folded(choice.title.as_str())))
}

/// Reads a whole number in the forms that consumers write.
pub(crate) fn number(text: &str) -> Option<u32> {
    let digits = text.trim().trim_matches(|c: char| AROUND_NUMBER.contains(&c) || c.is_whitespace());
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0_u32, |number, c| number.checked_mul(10)?.checked_add(digit(c)?))
}

fn digit(c: char) -> Option<u32> {
    ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(u32::from(*zero)).filter(|digit| *digit < 10))
}

/// A text for comparisons: trimmed and in lower case.
fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

fn same(text: &str, folded_answer: &str) -> bool {
    !folded_answer.is_empty() && folded(text) == folded_answer
}

/// Returns the first choice if all of them have the same title, text and metadata.
fn first_if_equal<'a>(choices: &[&'a Choice]) -> Option<&'a Choice> {
    let (first, others) = choices.split_first()?;
    others
        .iter()
        .all(|other| other.publish == first.publish && other.metadata == first.metadata && other.title == first.title)
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use connector_message::MessageText;

    fn choices(titles: &[(&str, Option<&str>)]) -> Vec<Choice> {
        titles
            .iter()
            .zip(1..)
            .map(|((title, publish), number)| Choice {
                number,
                title: MessageText::new(*title),
                publish: publish.map(MessageText::new),
                metadata: Some(json!([{"id": number}])),
                several: false,
                as_button: false,
            })
            .collect()
    }

    fn found(text: &str, choices: &[Choice]) -> Option<u32> {
        match_answer(text, choices).map(|choice| choice.number)
    }

    fn all_found(text: &str, choices: &[Choice]) -> Vec<u32> {
        match_answers(text, choices).into_iter().map(|choice| choice.number).collect()
    }

    #[test]
    fn a_number_is_read_in_every_form() {
        let choices = choices(&[("Yes", Some("yep")), ("No", None), ("Later", None)]);
        for text in ["2", " 2\n", "2.", "2)", "(2)", "#2", "02", "２", "２．", "٢", "2️⃣", "2。"] {
            assert_eq!(found(text, &choices), Some(2), "{text:?}");
        }
        for text in ["0", "4", "2.5", "22", "-2", "two", "", " ", ".", "99999999999", "2 please"] {
            assert_eq!(found(text, &choices), None, "{text:?}");
        }
    }

    #[test]
    fn a_title_or_published_text_matches_in_any_case() {
        let choices = choices(&[("Ja, ÜBERALL", Some("everywhere")), ("No", Some("Ja, überall nicht"))]);
        assert_eq!(found("  ja, überall ", &choices), Some(1));
        assert_eq!(found("EVERYWHERE", &choices), Some(1));
        assert_eq!(found("ja, überall nicht", &choices), Some(2));
        assert_eq!(found("ja", &choices), None);
    }

    #[test]
    fn a_title_has_priority_over_the_text_of_another_choice() {
        let choices = choices(&[("Yes", Some("No")), ("No", Some("Yes"))]);
        assert_eq!((found("yes", &choices), found("no", &choices)), (Some(1), Some(2)));
    }

    #[test]
    fn a_title_of_several_choices_matches_only_if_all_are_equal() {
        let mut choices = choices(&[("Buy", Some("buy lamp")), ("Buy", Some("buy desk")), ("Buy now", Some("buy"))]);
        assert_eq!(found("buy", &choices), None);
        assert_eq!(found("2", &choices), Some(2));
        choices[1] = Choice { number: 2, ..choices[0].clone() };
        assert_eq!(found("buy", &choices), Some(1));
    }

    #[test]
    fn grades_are_answered_by_their_titles() {
        let titles: Vec<String> = (0..=10).map(|grade| grade.to_string()).chain(["Skip".to_owned()]).collect();
        let titles: Vec<_> = titles.iter().map(|title| (title.as_str(), None)).collect();
        let grades = choices(&titles);
        let title = |text| match_answer(text, &grades).map(|choice| choice.title.as_str());
        assert_eq!((title("0"), title("1"), title("10")), (Some("0"), Some("1"), Some("10")));
        assert_eq!((title("skip"), title("11"), title("12")), (Some("Skip"), None, None));
        assert_eq!((title("７"), title("7.")), (Some("7"), Some("7")));
        let stars = choices(&titles[1..=5]);
        assert!(numbers_count(&stars));
        assert_eq!(found("4", &stars), Some(4));
    }

    #[test]
    fn repeated_titles_are_answered_by_their_numbers() {
        let twice = choices(&[("2", Some("a")), ("2", Some("b"))]);
        assert_eq!((found("1", &twice), found("2", &twice)), (Some(1), Some(2)));
    }

    #[test]
    fn a_button_is_not_matched_by_its_number() {
        let mut choices = choices(&[("Skip", None), ("4", Some("four")), ("Cancel", None)]);
        for button in &mut choices[..2] {
            button.as_button = true;
        }
        assert_eq!((found("1", &choices), found("2", &choices)), (None, None));
        assert_eq!((found("skip", &choices), found("4", &choices)), (Some(1), Some(2)), "titles are shown on buttons");
        assert_eq!(found("3", &choices), Some(3), "this one has its number before it");
    }

    #[test]
    fn several_options_are_matched_in_one_answer() {
        let mut choices = choices(&[("Phone", Some("by phone")), ("E mail", None), ("Letter", None), ("Back", None)]);
        for option in &mut choices[..3] {
            option.several = true;
        }
        for text in ["1,3", "1, 3", "1 3", "1 + 3", "1;3", "1.\n3.", "phone, letter", "1, Letter, 1", "１、３"] {
            assert_eq!(all_found(text, &choices), [1, 3], "{text:?}");
        }
        assert_eq!(all_found("3 1", &choices), [3, 1]);
        assert_eq!(all_found("e mail, phone", &choices), [2, 1]);
        assert_eq!(all_found("4", &choices), [4]);
        for text in ["1, 4", "1, 9", "1, hello", "hello", "", ",", "13"] {
            assert!(all_found(text, &choices).is_empty(), "{text:?}");
        }
        assert_eq!(published(&match_answers("2, 1", &choices)), "E mail, by phone");
    }

    proptest! {
        #[test]
        fn no_answer_causes_a_panic(text in "\\PC{0,40}", titles in prop::collection::vec("[0-9a-c]{0,2}", 0..6)) {
            let titles: Vec<_> = titles.iter().map(|title| (title.as_str(), None)).collect();
            let choices = choices(&titles);
            match_answer(&text, &choices);
            match_answers(&text, &choices);
        }

        #[test]
        fn every_choice_with_a_unique_title_is_found(titles in prop::collection::hash_set("[a-z0-9]{1,2}", 1..14)) {
            let titles: Vec<_> = titles.iter().map(|title| (title.as_str(), None)).collect();
            let choices = choices(&titles);
            let numbered = numbers_count(&choices);
            for choice in &choices {
                if numbered {
                    prop_assert_eq!(found(&choice.number.to_string(), &choices), Some(choice.number));
                }
                prop_assert_eq!(found(choice.title.as_str(), &choices), Some(choice.number));
            }
        }
    }
}
