//! Answers to the question alone, and the best of several.

use super::*;

#[test]
fn an_answer_anew_sees_the_question_alone_and_keeps_its_form() {
    let mut writer = scripted(|_, asked, _| {
        assert_eq!(asked.len(), 1);
        match asked[0].content.as_str() {
            "question0?" => Ok("<think>x</think>\n```\ncode\n```\n".into()),
            "question1?" => Ok(String::new()),
            _ => Ok("Corrected answer:\nhalf CUT".into()),
        }
    });
    let (records, counts, _) = answered("answer", 3, 3, &mut writer).unwrap();
    let expected = ["```\ncode\n```", "", "Corrected answer:\nhalf CUT"];
    assert_eq!(outputs(&records), expected, "nothing before it that could be kept, nothing taken off");
    assert_eq!(counts, Counts { n_answered: 3, n_cut: 1, ..Counts::default() });
}

/// The best of draws by a choice, of two rows whose draws are `draw 5` and so on.
fn best_of(n: usize, temperature: f64, choose: Choose<'_>) -> Result<(Vec<AnswerRecord>, Counts)> {
    let (qacs, mut records) = (rows(2), Vec::new());
    let numbered: Vec<(usize, &Qac)> = qacs.iter().enumerate().collect();
    let mut writer = scripted(|_, asked, how| match how.seed == 7 && is_of(asked, 1) {
        true => Err("no reply".into()),
        false => Ok(format!("draw {}", how.seed)),
    });
    let mut draws = AnswerBestOf { n, temperature, choose };
    let mut run = run(&mut writer, &draws.name("answer"), 1);
    let keep = &mut |record| {
        records.push(record);
        Ok(())
    };
    let counts = draws.answer(&mut run, &numbered, keep, &mut ())?;
    assert!(writer.stages.iter().all(|(_, how)| how.temperature == temperature));
    let seeds: Vec<u64> = writer.stages.iter().map(|(_, how)| how.seed).collect();
    let draws: Vec<u64> = (5..5 + n as u64).collect();
    assert!(draws.repeat(2).starts_with(&seeds), "each chunk draws alike: {seeds:?}");
    Ok((records, counts))
}

#[test]
fn the_best_of_draws_is_chosen_and_the_first_of_equals() {
    let (records, counts) = best_of(2, 1.0, &mut |_, _, text| Ok(Some(text.len() as f64))).unwrap();
    assert_eq!((outputs(&records), counts.n_answered), (vec!["draw 5", "draw 5"], 2));
    assert_eq!((records[0].system.as_str(), records[0].passes, records[0].n_tokens), ("answer-best-of-2", 2, Some(4)));
    let by_last = &mut |_: usize, question: &str, text: &str| {
        assert!(question.starts_with("question"));
        Ok(text.chars().last().and_then(|digit| digit.to_digit(10)).map(f64::from))
    };
    assert_eq!(outputs(&best_of(2, 0.5, by_last).unwrap().0), ["draw 6", "draw 6"]);
    for nothing in [None, Some(f64::NAN)] {
        assert_eq!(outputs(&best_of(2, 1.0, &mut |_, _, _| Ok(nothing)).unwrap().0), ["draw 5", "draw 5"]);
    }
    for nothing in [None, Some(f64::NAN)] {
        let second = &mut |_: usize, _: &str, text: &str| Ok(if text == "draw 5" { nothing } else { Some(-1.0) });
        assert_eq!(outputs(&best_of(2, 1.0, second).unwrap().0), ["draw 6", "draw 6"]);
    }
}

#[test]
fn draws_that_fail_and_choices_that_fail_are_told() {
    let choose = &mut |row: usize, _: &str, _: &str| {
        assert_eq!(row, 0, "nothing is chosen of a row that failed");
        Ok(Some(0.0))
    };
    let (records, counts) = best_of(4, 1.0, choose).unwrap();
    assert_eq!((records.len(), counts.n_failed, counts.reason.as_deref()), (1, 1, Some("no reply")));
    assert_eq!(records[0].passes, 4);
    assert!(best_of(2, 1.0, &mut |_, _, _| Err(ModelError::Interrupted.into())).is_err());
    assert!(best_of(0, 1.0, &mut |_, _, _| Ok(None)).unwrap_err().to_string().contains("best of 0"));
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = best_of(2, temperature, &mut |_, _, _| Ok(None)).unwrap_err();
        assert!(error.to_string().contains("finite temperature above 0"), "{error}");
    }
}
