use redline_model::Qac;
use serde_json::Value;

use super::*;

/// Texts that would end the script, start another, or break out of a string.
const HOSTILE: [&str; 6] = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "\"quoted\" 'single' `back` ${x} \\u003c \\",
    "<img src=x onerror=alert(1)>",
    "line\u{2028}separators\u{2029}and \u{0} zero",
    "{{data}} {{script}} {{style}}",
];

/// The data of a page.
fn data(html: &str) -> Value {
    let start = "<script type=\"application/json\" id=\"data\">";
    let json = html.split_once(start).unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(json).unwrap()
}

/// What a page's script makes of edits.
fn applied(answer: &str, edits: &[Edit]) -> String {
    let units: Vec<u16> = answer.encode_utf16().collect();
    let mut at = 0;
    let mut text: Vec<u16> = Vec::new();
    for edit in edits {
        match edit {
            Edit::Units(n) => {
                let part = &units[at..at + n.unsigned_abs() as usize];
                at += part.len();
                text.extend(if *n > 0 { part } else { &[] });
            }
            Edit::Insert(inserted) => text.extend(inserted.encode_utf16()),
        }
    }
    assert_eq!(at, units.len(), "the edits go through the whole answer");
    String::from_utf16(&text).unwrap()
}

#[test]
fn edits_lead_from_the_answer_to_the_output() {
    let texts = ["", "Tea is hot.", "Teh tea, you fool, is hot!\n\nYes.", "日本 tea 🫖 is hot", "🫖🫖 a  b", "Tea"];
    for before in texts {
        for after in texts {
            assert_eq!(applied(before, &edits(before, after)), after, "{before:?}");
        }
    }
    assert_eq!(edits("same", "same"), [Edit::Units(4)]);
}

#[test]
fn changes_are_words_with_deletions_first() {
    let changes = word_changes("Teh tea is hot. Fool.", "The tea is hot.");
    let expected = [
        Change::Delete("Teh".into()),
        Change::Insert("The".into()),
        Change::Keep(" tea is hot.".into()),
        Change::Delete(" Fool.".into()),
    ];
    assert_eq!(changes, expected);
}

#[test]
fn hostile_texts_stay_data() {
    let clean = Report::new("", "").html().unwrap();
    let mut report = Report::new(HOSTILE[0], HOSTILE[1]);
    let example = |text: &&str| {
        let qac = Qac { question: (*text).into(), answer: (*text).into(), correction: format!("{text} {text}") };
        let mut example = Example::of_triple(0, &qac);
        example.outputs.push(Output::new(*text, text, "</script>"));
        example
    };
    report.examples = Examples::of("t", "n", HOSTILE.iter().map(example).collect());
    report.warnings = HOSTILE.map(str::to_owned).to_vec();
    report.settings.push(SettingsGroup::new("s", vec![(HOSTILE[2].into(), HOSTILE[3].into())]));
    let html = report.html().unwrap();
    for tag in ["<script", "</script", "<!--", "<img"] {
        assert_eq!(html.matches(tag).count(), clean.matches(tag).count(), "{tag}");
    }
    let data = data(&html);
    assert_eq!(data["title"], HOSTILE[0]);
    for (example, text) in data["examples"]["examples"].as_array().unwrap().iter().zip(HOSTILE) {
        assert_eq!(example["answer"], text);
    }
    // the heading of the browser's window is markup, and so escaped
    assert!(html.contains("<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
}

#[test]
fn a_page_takes_nothing_from_outside() {
    let html = Report::new("t", "l").html().unwrap();
    assert!(html.contains("default-src 'none'"), "the page itself forbids it");
    let lowercase = html.to_lowercase().replace("http://www.w3.org/2000/svg", "");
    for reference in
        ["http://", "https://", "src=", "@import", "url(", "fetch(", "xmlhttprequest", "innerhtml", "eval("]
    {
        assert!(!lowercase.contains(reference), "{reference}");
    }
    assert!(!html.contains("{{"), "every place is filled");
}

#[test]
fn many_prompts_are_cut_and_the_page_says_so() {
    let examples = (0..MOST_EXAMPLES + 5).map(|row| Example::new(row, "q", "a", None)).collect();
    let part = Examples::of("t", "n.", examples).unwrap();
    assert_eq!(part.examples.len(), MOST_EXAMPLES);
    assert_eq!(part.note, "n. The first 200 of 205 prompts are here.");
    assert!(Examples::of("t", "n", Vec::new()).is_none());
}

#[test]
fn a_report_replaces_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.html");
    Report::new("first", "").write(&path).unwrap();
    Report::new("second", "").write(&path).unwrap();
    assert_eq!(data(&std::fs::read_to_string(&path).unwrap())["title"], "second");
    assert!(std::fs::read_to_string(&path).unwrap()[..4096].contains(GENERATOR), "told by its first bytes");
}

#[test]
fn settings_are_flattened_by_their_keys() {
    let value = serde_json::json!({"a": {"b": {"c": null}}, "list": [{"x": 1}, {"x": 2}], "none": []});
    let rows: Vec<String> = flattened(&value).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(rows, ["a.b.c=–", "list.0.x=1", "list.1.x=2", "none="]);
}
