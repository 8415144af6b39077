use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::{prelude::*, sample::Index};

use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz").join(name)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("seeds").join(target)).unwrap();
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

/// One way to corrupt a valid input.
#[derive(Debug, Clone)]
enum Spoiling {
    Flip(Index, u8),
    Cut(Index),
    CutOff(Index),
    Double,
    Insert(Index, Vec<u8>),
    Replace(Index, Index, Vec<u8>),
    Splice(Index, Index, Index),
}

fn spoiling() -> impl Strategy<Value = Spoiling> {
    let token = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..6),
        prop::sample::select(vec![
            "null",
            "{}",
            "[]",
            "\"\"",
            "-1",
            "1e308",
            "99999999999999999999",
            "\\ud83d",
            "\\u0000",
            "\u{ffff}",
            "%23",
            "#",
            "\n",
            ".",
            "+",
            "😀",
            "true",
            "[[[[",
            "\u{202e}",
            "\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), any::<u8>()).prop_map(|(at, bit)| Spoiling::Flip(at, bit)),
        1 => index().prop_map(Spoiling::Cut),
        1 => index().prop_map(Spoiling::CutOff),
        1 => Just(Spoiling::Double),
        3 => (index(), token.clone()).prop_map(|(at, token)| Spoiling::Insert(at, token)),
        3 => (index(), index(), token).prop_map(|(from, to, token)| Spoiling::Replace(from, to, token)),
        2 => (index(), index(), index()).prop_map(|(other, from, to)| Spoiling::Splice(other, from, to)),
    ]
}

fn spoiled(data: &[u8], spoiling: &Spoiling, seeds: &[Vec<u8>]) -> Vec<u8> {
    let at = |index: &Index| index.index(data.len() + 1);
    match spoiling {
        Spoiling::Flip(index, bit) => {
            let mut flipped = data.to_vec();
            if let Some(byte) = flipped.get_mut(at(index)) {
                *byte ^= 1 << (bit % 8);
            }
            flipped
        }
        Spoiling::Cut(index) => data[..at(index)].to_vec(),
        Spoiling::CutOff(index) => data[at(index)..].to_vec(),
        Spoiling::Double => [data, data].concat(),
        Spoiling::Insert(index, token) => [&data[..at(index)], token, &data[at(index)..]].concat(),
        Spoiling::Replace(from, length, token) => {
            let from = at(from);
            let to = data.len().min(from + length.index(8));
            [&data[..from], token, &data[to..]].concat()
        }
        Spoiling::Splice(other, from, to) => {
            let other = other.get(seeds);
            [&data[..at(from)], &other[to.index(other.len() + 1)..]].concat()
        }
    }
}

fn holds(target: &str, cases: u32) {
    let (_, body) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let seeds = seeds(target);
    assert!(seeds.len() >= 2, "{target} has too few seeds");
    seeds.iter().for_each(|seed| body(seed));

    // Add a failing input to the seeds by hand. The message shows the input.
    let config = || ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let bytes = prop::collection::vec(any::<u8>(), 0..400);
    proptest!(config(), |(data in bytes)| body(&data));
    let spoilings = (any::<Index>(), prop::collection::vec(spoiling(), 1..4));
    proptest!(config(), |((seed, spoilings) in spoilings)| {
        let valid = seed.get(&seeds).clone();
        let data = spoilings.iter().fold(valid, |data, spoiling| spoiled(&data, spoiling, &seeds));
        body(&data);
    });
}

macro_rules! hold {
    ($($test:ident: $target:ident, $cases:literal;)+) => {
        $(#[test]
        fn $test() {
            holds(stringify!($target), $cases);
        })+

        #[test]
        fn every_fuzz_target_has_its_file_its_seeds_and_its_test() {
            let mut tested = vec![$(stringify!($target)),+];
            tested.sort_unstable();
            assert_eq!(TARGETS.map(|(name, _)| name).to_vec(), tested);
            assert_eq!(names(&folder("targets")), tested);
            assert_eq!(names(&folder("seeds")), tested);
            let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
            for name in tested {
                let target = fs::read_to_string(folder("targets").join(name).with_extension("rs")).unwrap();
                assert!(target.contains(&format!("connector_testing::fuzz::{name}")), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

hold! {
    a_liveengage_webhook_is_accepted_only_by_its_own_signature: liveengage_signature, 384;
    a_gateways_request_is_accepted_only_by_its_own_signature_and_time: sms_request, 768;
    a_whatsapp_request_is_accepted_only_by_its_own_signature_or_token: whatsapp_request, 512;
    only_what_is_signed_reaches_a_queue: http_functions, 96;
    a_notification_is_read_or_refused_without_its_words: liveengage_notification, 512;
    an_answer_of_a_channel_is_judged_without_its_words: channel_answer, 768;
    structured_content_is_shown_within_what_a_channel_can_show: structured_content, 384;
    a_text_goes_whole_and_within_what_a_channel_takes: outbound_text, 24;
    a_files_path_leads_to_itself_at_its_own_host: hosted_file, 1024;
    a_key_that_is_read_is_built_back_into_the_same_text: table_key, 768;
    a_task_that_is_read_is_written_back_as_itself: queue_task, 768;
    errors_of_settings_do_not_show_their_values: settings, 512;
}
