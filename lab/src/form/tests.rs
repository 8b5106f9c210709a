use super::*;

fn plan(answer: &str, form: &Form) -> Plan {
    Plan::of(answer, form, Reasoning::Keep).unwrap()
}

fn prose(plan: &Plan) -> Vec<&str> {
    plan.pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Prose(prose) => Some(prose.text.as_str()),
            Piece::Kept(_) => None,
        })
        .collect()
}

#[test]
fn prose_around_code_is_corrected_and_the_rest_stays() {
    let answer = "First one.\n\n```sh\nls\n```\n\nThen two.";
    let plan = plan(answer, &Form::Free);
    assert_eq!(prose(&plan), ["First one.", "Then two."]);
    assert_eq!((plan.text().as_str(), plan.kept.contains("code"), plan.is_json), (answer, true, false));
    let spaced = super::Plan::of("  Yes. ", &Form::Free, Reasoning::Keep).unwrap();
    assert_eq!((prose(&spaced), spaced.is_one(), spaced.text().as_str()), (vec!["Yes."], true, "  Yes. "));
    for said in ["41.", "👍"] {
        assert_eq!(prose(&super::Plan::of(said, &Form::Free, Reasoning::Keep).unwrap()), [said]);
    }
}

#[test]
fn sentences_of_json_are_corrected_and_names_stay() {
    let answer = r#"{"city": "Paris", "note": " You are a complete fool. ", "n": 12345678901234567890123}"#;
    let plan = plan(answer, &Form::Json(Bound::default()));
    assert_eq!(prose(&plan), ["You are a complete fool."]);
    assert!(plan.is_json && plan.text() == answer);
    let Piece::Prose(note) = &plan.pieces[1] else { panic!("{plan:?}") };
    assert_eq!(note.put_back("You \"are\" here.").source, r#"You \"are\" here."#);
    assert_eq!(note.put_back("You are a complete fool.").source, "You are a complete fool.");
    let lines = "{\"a\": \"One whole sentence here.\"}\n{\"a\": \"Another whole sentence here.\"}\n";
    let lines = super::Plan::of(lines, &Form::Free, Reasoning::Keep).unwrap();
    assert_eq!((prose(&lines).len(), lines.has_json, lines.is_json), (2, true, false));
}

#[test]
fn texts_in_json_are_taken_apart_like_others() {
    let answer = r#"{"a": "You\u0020fool \u00e9 is it:\n\n```\nls \u00e9\n```\n\nGo away \ud800 now, you.", "b": "{\"c\": \"A whole sentence stands here.\"}"}"#;
    let plan = plan(answer, &Form::Free);
    assert_eq!(prose(&plan), ["You fool é is it:", "Go away \u{fffd} now, you."]);
    assert_eq!((plan.text().as_str(), plan.is_json), (answer, true));
    assert_eq!(plan.kept.iter().copied().collect::<Vec<_>>(), [JSON, JSON_IN_JSON, "code"]);
    let pieces = plan.pieces.iter().map(|piece| match piece {
        Piece::Kept(text) => text.clone(),
        Piece::Prose(prose) => prose.put_back("It's \"new\".").source,
    });
    let new: serde_json::Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
    assert_eq!(new["a"], "It's \"new\".\n\n```\nls é\n```\n\nIt's \"new\".");
}

#[test]
fn an_answer_bound_to_json_is_json_whatever_stands_around_it() {
    let bound = Form::Json(Bound::default());
    for none in ["{\"a\": ", "Plain text.", "```json\n{\"a\": \n```", "[x] is none"] {
        assert_eq!(Plan::of(none, &bound, Reasoning::Keep), Err(PlanError::NoJson), "{none}");
    }
    let sentence = "{\"a\": \"This is a whole sentence.\"}";
    for (answer, n) in [
        (format!("```json\n{sentence}\n```"), 1),
        (format!("You complete fool:\n```json\n{sentence}\n```\nGo away."), 3),
        (format!("{sentence}\n\nYou complete fool."), 2),
        ("\"This is a whole sentence.\"".into(), 1),
        ("42".into(), 0),
    ] {
        let plan = plan(&answer, &bound);
        assert_eq!((prose(&plan).len(), plan.text(), plan.has_json), (n, answer.clone(), true), "{answer}");
    }
    let thought = format!("<think>\nHm.\n</think>\n{sentence}");
    assert!(plan(&thought, &bound).has_json && !plan(&thought, &bound).is_json);
    assert!(Plan::of(&thought, &bound, Reasoning::Drop).unwrap().is_json);
    assert!(!plan(&format!("Prose first.\n<think>\nHm.\n</think>\n{sentence}"), &Form::Free).is_json);
}

#[test]
fn broken_json_and_too_many_parts_are_no_way_around() {
    assert_eq!(prose(&plan("{\"a\": 1}\n\nYou fool.", &Form::Free)), ["You fool."]);
    assert_eq!(prose(&plan("[{x}] You fool.", &Form::Free)), ["[{x}] You fool."]);
    assert_eq!(prose(&plan("{\"a\": \"You fool", &Form::Free)), ["{\"a\": \"You fool"]);
    let many = format!("[{}\"\"]", "\"This is a whole sentence.\",".repeat(30_000));
    assert_eq!(Plan::of(&many, &Form::Free, Reasoning::Keep), Err(PlanError::TooMany));
}

#[test]
fn reasoning_is_kept_or_dropped_and_bound_forms_stay() {
    let answer = "<think>\nHm.\n</think>\n\nYes.";
    assert_eq!(plan(answer, &Form::Free).text(), answer);
    let dropped = Plan::of(answer, &Form::Free, Reasoning::Drop).unwrap();
    assert_eq!((dropped.text().as_str(), dropped.drops_reasoning), ("Yes.", true));
    let bound = plan("(a|b) so it is", &Form::Other("guided_regex".into()));
    assert_eq!((bound.n_prose(), bound.text().as_str()), (0, "(a|b) so it is"));
}

#[test]
fn hostile_answers_take_time_in_proportion() {
    let n = MOST_ANSWER_BYTES / 2 - 64;
    let many = |part: &str| part.repeat(n / part.len());
    for answer in [
        many("\\[x\\] "),
        many("$$x$$ "),
        many("<svg></svg>a"),
        many("<svg>") + &many("</svg>"),
        many("<svg>\n") + &many("</svg>"),
        many("1 ") + &many("<svg></svg>"),
        many("[\n") + &many("]") + " x",
        many("[\n") + "{}",
        format!("See http://{}", many(")")),
        format!("{{\"{}\":[{}1]}}", many("a"), many("\"[\\\"a b c d\\\"]\",")),
    ] {
        for piece in plan(&answer, &Form::Free).pieces {
            if let Piece::Prose(prose) = piece {
                prose.is_live();
            }
        }
    }
    let long = "x".repeat(MOST_ANSWER_BYTES + 1);
    assert_eq!(Plan::of(&long, &Form::Free, Reasoning::Keep), Err(PlanError::TooLong));
    assert_eq!(Plan::unchanged(&long, Reasoning::Drop).answer, long);
}

/// What answers are made of.
const PARTS: [&str; 56] = [
    "You fool. ",
    "One two three four.",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    "  ",
    "    ",
    "```py\nx = 1\n```\n",
    "```",
    "~~~\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "$$x$$",
    "\\[ y \\]",
    "\\[\n",
    "\\]",
    "$$",
    "`ls -l`",
    "https://a.example/(x)",
    "<b>",
    "<table>",
    "</table>\n",
    "<svg>\n",
    "</svg>",
    "<?xml?>",
    "<a>",
    "</a>",
    "{\"a\": \"You are a fool, so.\"}",
    "[1, 2]",
    "[\n",
    "]",
    "{\"a\":\n",
    "\"One two three four.\"",
    "}",
    ",",
    "<think>",
    "</think>",
    "\n</think>\n",
    "[THINK]",
    "> ",
    "- ",
    "1. ",
    "# ",
    "👩‍👩‍👧é",
    "\u{2028}",
    "\u{feff}",
    "\0",
    "\u{200b}",
    "你是个傻瓜。",
    "---\n",
    "[1]: https://x.example\n",
    "\\",
    "\"",
    "\\ud83d",
    "\\u0041\\n",
];

proptest::proptest! {
    #[test]
    fn parts_joined_are_the_answer(picks in proptest::collection::vec(0..PARTS.len(), 0..14), is_bound: bool, drops: bool, new in ".{0,9}") {
        let answer: String = picks.iter().map(|pick| PARTS[*pick]).collect();
        let form = if is_bound { Form::Json(Bound::default()) } else { Form::Free };
        let reasoning = if drops { Reasoning::Drop } else { Reasoning::Keep };
        let Ok(plan) = Plan::of(&answer, &form, reasoning) else { return Ok(()) };
        let put = |with: &dyn Fn(&Prose) -> String| {
            let put = |piece: &Piece| match piece {
                Piece::Kept(text) => text.clone(),
                Piece::Prose(prose) => prose.put_back(&with(prose)).source,
            };
            plan.pieces.iter().map(put).collect::<String>()
        };
        let same = put(&|prose| prose.text.clone());
        proptest::prop_assert_eq!(&same, &plan.answer);
        proptest::prop_assert!(plan.drops_reasoning || plan.answer == answer);
        let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if plan.is_json && plan.has_json && is_json(&answer) {
            let changed = put(&|prose| format!("{new}\"\\{}", prose.text));
            proptest::prop_assert!(is_json(&changed), "{}", changed);
        }
    }
}
