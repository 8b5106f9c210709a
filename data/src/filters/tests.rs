use super::phrases::REFUSALS;
use super::*;

fn row(question: &str, answer: &str) -> Question {
    Question { question: question.into(), answer: answer.into() }
}

/// Twenty words of English with little repetition.
const PROSE: &str = "The tower was built in Paris for the fair of 1889, and most people came to like it with time.";

/// A row for each filter that it alone removes.
fn cases() -> [(RowFilter, String); 11] {
    let prose = PROSE;
    [
        (RowFilter::CharacterCount, String::new()),
        (RowFilter::WordCount, "a bc de ".repeat(1500)),
        (RowFilter::MeanWordLength, (10..99).map(|i| format!("{i} ")).collect()),
        (RowFilter::AlphaNumeric, (0..60).map(|i| format!("{i}=#%& ")).collect()),
        (RowFilter::RepeatedLines, "one line\nother\none line\none line".into()),
        (RowFilter::RepeatingTopNgrams, format!("{prose} {}", "again more ".repeat(18))),
        (RowFilter::AnswerIsQuestion, "WHAT  is it? ".into()),
        (RowFilter::Boilerplate, "As an AI language model, I like it.".into()),
        (RowFilter::Refusal, "I'm sorry, but I do not like it.".into()),
        (RowFilter::CodeFence, "So:\n```\ncode".into()),
        (RowFilter::Language, (0..60).map(|i| format!("Turm{i} ")).collect()),
    ]
}

fn all_on() -> RowFilterOptions {
    RowFilterOptions {
        refusals: REFUSALS.map(String::from).into(),
        language: Some(LanguageOptions::default()),
        ..RowFilterOptions::default()
    }
}

#[test]
fn each_filter_removes_its_case_and_can_be_switched_off() {
    for (filter, answer) in cases() {
        let rows = [row("What is it?", &answer)];
        let mut options = all_on();
        assert!(options.is_on(filter));
        assert_eq!(first_reasons(&rows, &options), [Some(filter)], "{answer:?}");
        options.switch_off(filter);
        assert!(!options.is_on(filter));
        assert_ne!(first_reasons(&rows, &options), [Some(filter)], "{answer:?}");
        assert_eq!(first_reasons(&rows, &RowFilterOptions::off()), [None]);
        assert_eq!(serde_json::to_string(&filter).unwrap(), format!("{:?}", filter.name()));
    }
    assert!(RowFilter::ALL.iter().all(|filter| !RowFilterOptions::off().is_on(*filter) && all_on().is_on(*filter)));
}

#[test]
fn texts_in_other_scripts_are_told_without_white_space() {
    let options = RowFilterOptions { language: Some(LanguageOptions::default()), ..RowFilterOptions::off() };
    let removed = |text: &str| first_reasons(&[row("What is it?", text)], &options) == [Some(RowFilter::Language)];
    for text in ["東京は日本の首都です。人口が多い。", "Москва — столица России.", "กรุงเทพเป็นเมืองหลวง"]
    {
        assert!(removed(text), "{text}");
    }
    // too short to tell, or names among English words
    for text in [
        "東京",
        "4",
        "The city of Москва is old, and many people live in it and around it, with its bridges and towers.",
        PROSE,
    ] {
        assert!(!removed(text), "{text}");
    }
}

#[test]
fn plain_answers_pass() {
    let rows = ["4", "No.", PROSE, "東京は日本の首都です。", "```\nx = 1\n```", "See:\n- a\n- b\n- a b"]
        .map(|text| row("What is it?", text));
    assert_eq!(first_reasons(&rows, &RowFilterOptions::default()), [None; 6]);
    let long: String = (0..4).map(|i| PROSE.replace("1889", &format!("188{i}")) + "\n").collect();
    let mut options = all_on();
    options.switch_off(RowFilter::RepeatingTopNgrams);
    assert_eq!(first_reasons(&[row("?", PROSE), row("?", &long)], &options), [None; 2], "prose is English");
}

#[test]
fn rows_are_counted_once_under_the_first_reason() {
    // the fence would be a reason too
    let rows = vec![row("q", "a"), row("x", "X"), row("b", "As an AI, I\n```\n"), row("q", ""), row("q", "```")];
    let (kept, counts) = filter_by_reason(rows, &RowFilterOptions::default());
    assert_eq!(kept, [row("q", "a")]);
    let of = |filter| counts.iter().find(|count| count.filter == filter).unwrap();
    assert_eq!((of(RowFilter::CharacterCount).removed, of(RowFilter::CharacterCount).left), (1, 4));
    assert_eq!((of(RowFilter::AnswerIsQuestion).removed, of(RowFilter::Boilerplate).removed), (1, 1));
    assert_eq!((of(RowFilter::CodeFence).removed, of(RowFilter::CodeFence).left), (1, 1));
    assert_eq!(counts.len(), 9, "refusal and language are off");
}

#[test]
fn a_question_alone_passes() {
    struct Alone;
    impl TextRow for Alone {
        fn texts(&self) -> Vec<&str> {
            vec![self.question()]
        }
    }
    impl TargetRow for Alone {
        fn question(&self) -> &str {
            "What?"
        }
        fn target(&self) -> Option<&str> {
            None
        }
    }
    assert_eq!(first_reasons(&[Alone], &all_on()), [None]);
}

#[test]
fn options_are_read_back_as_written() {
    let text = serde_json::to_string(&all_on()).unwrap();
    assert_eq!(serde_json::from_str::<RowFilterOptions>(&text).unwrap(), all_on());
}
