//! Which choice an answer means.

use std::collections::HashSet;

use super::Choice;

/// The zeros of the decimal digits that phones write: ASCII, full-width, Arabic, Persian, Devanagari and Bengali.
const ZEROS: &[char] = &['0', '\u{FF10}', '\u{0660}', '\u{06F0}', '\u{0966}', '\u{09E6}'];

/// Signs around a number: `2.`, `(2)`, `#2`, and the two characters that make an emoji of a digit.
const AROUND: &[char] =
    &['.', ')', '(', ':', ',', '#', '\u{FF0E}', '\u{FF09}', '\u{FF08}', '\u{3002}', '\u{3001}', '\u{FE0F}', '\u{20E3}'];

/// What stands between several answers.
const BETWEEN: &[char] = &[',', ';', '+', '&', '/', '\n', '\u{FF0C}', '\u{3001}', '\u{060C}'];

/// The choice that an answer means: by its number (`2`, `2.`, `2)`, in any digits) if that was shown, by its title in any case,
/// or by what it publishes.
///
/// `None` for anything else, and for a title that several choices have which do not mean the same.
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
        return only_meaning(&titled);
    }
    // Titles that are numbers are found in any digits, too.
    if let Some(value) = number(&text) {
        let valued: Vec<_> = choices.iter().filter(|choice| number(choice.title.as_str()) == Some(value)).collect();
        if !valued.is_empty() {
            return only_meaning(&valued);
        }
    }
    let publishing: Vec<_> = choices
        .iter()
        .filter(|choice| choice.publish.as_ref().is_some_and(|publish| same(publish.as_str(), &text)))
        .collect();
    only_meaning(&publishing)
}

/// The choices that an answer means: one, as [`match_answer`] finds it, or several that may be chosen together.
///
/// Several are `1, 3`, `1 3` or `1 + 3`, and titles with commas between them. They come in the order in which they were given,
/// none twice. Empty if any part of the answer is no such choice.
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
    let parts = |blanks: bool| {
        text.split(move |c: char| BETWEEN.contains(&c) || (blanks && c.is_whitespace()))
            .filter(|part| !part.trim().is_empty())
            .collect()
    };
    // Titles may hold spaces: those part answers only where commas alone give none.
    given(parts(false)).or_else(|| given(parts(true))).unwrap_or_default()
}

/// What choosing these publishes as one text: LiveEngage joins ticked options by commas. A choice that publishes nothing is said
/// by its title.
pub fn published(choices: &[&Choice]) -> String {
    let texts: Vec<_> =
        choices.iter().map(|choice| choice.publish.as_ref().unwrap_or(&choice.title).as_str().trim()).collect();
    texts.join(", ")
}

/// Whether the choices are shown with numbers and answered by them.
///
/// Not if a title is the number of another choice (grades from 0 to 10 are such titles): nobody could tell which was meant.
/// Titles that occur twice would be worse, since then nothing tells the choices apart.
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

/// Reads a whole number as people write it into a message.
pub(crate) fn number(text: &str) -> Option<u32> {
    let digits = text.trim().trim_matches(|c: char| AROUND.contains(&c) || c.is_whitespace());
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0_u32, |number, c| number.checked_mul(10)?.checked_add(digit(c)?))
}

fn digit(c: char) -> Option<u32> {
    ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(u32::from(*zero)).filter(|digit| *digit < 10))
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

fn same(text: &str, folded_answer: &str) -> bool {
    !folded_answer.is_empty() && folded(text) == folded_answer
}

/// The first of these if all of them publish the same and tell LiveEngage the same.
fn only_meaning<'a>(choices: &[&'a Choice]) -> Option<&'a Choice> {
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
    use crate::domain::message::MessageText;

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
    fn a_number_is_read_as_people_write_it() {
        let choices = choices(&[("Yes", Some("yep")), ("No", None), ("Later", None)]);
        for text in ["2", " 2\n", "2.", "2)", "(2)", "#2", "02", "２", "２．", "٢", "2️⃣", "2。"] {
            assert_eq!(found(text, &choices), Some(2), "{text:?}");
        }
        for text in ["0", "4", "2.5", "22", "-2", "two", "", " ", ".", "99999999999", "2 please"] {
            assert_eq!(found(text, &choices), None, "{text:?}");
        }
    }

    #[test]
    fn a_title_or_what_it_publishes_is_found_in_any_case() {
        let choices = choices(&[("Ja, ÜBERALL", Some("everywhere")), ("No", Some("Ja, überall nicht"))]);
        assert_eq!(found("  ja, überall ", &choices), Some(1));
        assert_eq!(found("EVERYWHERE", &choices), Some(1));
        assert_eq!(found("ja, überall nicht", &choices), Some(2));
        assert_eq!(found("ja", &choices), None);
    }

    #[test]
    fn a_title_is_stronger_than_what_another_choice_publishes() {
        let choices = choices(&[("Yes", Some("No")), ("No", Some("Yes"))]);
        assert_eq!((found("yes", &choices), found("no", &choices)), (Some(1), Some(2)));
    }

    #[test]
    fn a_title_of_several_choices_means_none_unless_all_mean_the_same() {
        let mut choices = choices(&[("Buy", Some("buy lamp")), ("Buy", Some("buy desk")), ("Buy now", Some("buy"))]);
        assert_eq!(found("buy", &choices), None);
        assert_eq!(found("2", &choices), Some(2));
        choices[1] = Choice { number: 2, ..choices[0].clone() };
        assert_eq!(found("buy", &choices), Some(1));
    }

    #[test]
    fn grades_are_answered_by_what_they_say() {
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
    fn with_the_same_number_twice_the_places_count() {
        let twice = choices(&[("2", Some("a")), ("2", Some("b"))]);
        assert_eq!((found("1", &twice), found("2", &twice)), (Some(1), Some(2)));
    }

    #[test]
    fn nobody_means_a_button_by_a_number_that_was_not_shown() {
        let mut choices = choices(&[("Skip", None), ("4", Some("four")), ("Cancel", None)]);
        for button in &mut choices[..2] {
            button.as_button = true;
        }
        assert_eq!((found("1", &choices), found("2", &choices)), (None, None));
        assert_eq!((found("skip", &choices), found("4", &choices)), (Some(1), Some(2)), "titles are shown on buttons");
        assert_eq!(found("3", &choices), Some(3), "this one has its number before it");
    }

    #[test]
    fn several_options_are_given_in_one_answer() {
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
        fn no_answer_makes_it_panic(text in "\\PC{0,40}", titles in prop::collection::vec("[0-9a-c]{0,2}", 0..6)) {
            let titles: Vec<_> = titles.iter().map(|title| (title.as_str(), None)).collect();
            let choices = choices(&titles);
            match_answer(&text, &choices);
            match_answers(&text, &choices);
        }

        #[test]
        fn every_choice_with_a_title_of_its_own_is_found(titles in prop::collection::hash_set("[a-z0-9]{1,2}", 1..14)) {
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
