use super::super::{Choice, ChoiceError, ChoiceTable, Choices, RowScore, log_sum_exp};
use super::read;
use crate::win_rate::ResampleOptions;
use redline_data::observer::Observer;
use redline_model::{Error as ModelError, Result as ModelResult};

/// Rows whose choices are `a` and `bb`, the first of them true, all with questions of their own.
fn pairs(n: usize) -> Choices {
    let row = |i: usize| {
        format!("{{\"question\": \"Q{i}\", \"choices\": [\"a\", \"bb\"], \"answer\": 0, \"subset\": \"s{}\"}}\n", i % 2)
    };
    read("rows.jsonl", (0..n).map(row).collect::<String>()).unwrap()
}

/// The table where row after row has these log-probabilities.
fn table(choices: &Choices, values: &[&[Option<f64>]]) -> ChoiceTable {
    let mut rows = values.iter();
    let mut log_probs = |_: &[Choice<'_>]| Ok(rows.next().unwrap().to_vec());
    choices.measure(ResampleOptions::default(), &mut log_probs, &mut ()).unwrap()
}

fn some<const N: usize>(values: [f64; N]) -> [Option<f64>; N] {
    values.map(Some)
}

/// MC1 and MC2 of one row, summed and per character.
fn scores(row: &str, values: &[f64]) -> [[Option<f64>; 2]; 2] {
    let choices = read("row.jsonl", row).unwrap();
    let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    let RowScore { mc1, mc2, .. } = RowScore::of(&choices.rows[0], &values);
    [mc1, mc2].map(|own| own.map_or([None; 2], |own| [own.summed, own.per_character]))
}

fn near(got: Option<f64>, expected: f64) -> bool {
    got.is_some_and(|got| (got - expected).abs() < 1e-12)
}

const THREE: &str = r#"{"question": "Q", "choices": ["ab", "abcd", "a"], "answer": 0}"#;

#[test]
fn figures_are_those_of_the_formulas() {
    // p = 1/2, 1/4, 1/8: the true one has 4/7 of the mass
    let [mc1, mc2] = scores(THREE, &[0.5f64.ln(), 0.25f64.ln(), 0.125f64.ln()]);
    assert_eq!(mc1[0], Some(1.0));
    assert!(near(mc2[0], 4.0 / 7.0), "{mc2:?}");
    // per character ln p / 2, / 4, / 1: p = 2^−½, 2^−½, 2^−3, so the best is tied
    assert_eq!(mc1[1], Some(0.5));
    let half = 0.5f64.sqrt();
    assert!(near(mc2[1], half / (2.0 * half + 0.125)), "{mc2:?}");
}

#[test]
fn truthful_qa_has_choices_of_its_own_for_each_figure() {
    let row = r#"{"question": "Q", "mc1": {"best": 1, "x": 0}, "mc2": {"best": 1, "good": 1, "x": 0}}"#;
    // the likeliest is a true answer that MC1 does not look at; choices are best, x, good
    let [mc1, mc2] = scores(row, &[0.2f64.ln(), 0.1f64.ln(), 0.5f64.ln()]);
    assert_eq!(mc1[0], Some(1.0));
    assert!(near(mc2[0], 0.7 / 0.8), "{mc2:?}");
    assert_eq!(scores(row, &[-3.0, -2.0, -9.0])[0][0], Some(0.0));
}

#[test]
fn characters_and_not_bytes_are_counted() {
    let row = r#"{"question": "Q", "choices": ["éé", "abc"], "answer": 0}"#;
    // −2/2 against −3.3/3: by bytes, −2/4 would win all the more; −4/2 loses to −3.3/3 and by bytes −4/4 would win
    assert_eq!(scores(row, &[-2.0, -3.3])[0][1], Some(1.0));
    assert_eq!(scores(row, &[-4.0, -3.3])[0][1], Some(0.0));
}

#[test]
fn ties_are_worth_a_blind_pick() {
    assert_eq!(scores(THREE, &[-1.0, -1.0, -1.0])[0][0], Some(1.0 / 3.0));
    assert_eq!(scores(THREE, &[-1.0, -2.0, -1.0])[0][0], Some(0.5));
    assert_eq!(scores(THREE, &[-2.0, -1.0, -1.0])[0][0], Some(0.0), "others are tied");
    let choices = pairs(2);
    let found = table(&choices, &[&some([-1.0, -1.0]), &some([-1.0, -2.0])]).all.mc1.unwrap();
    assert_eq!((found.n_tied, found.summed.unwrap().value, found.chance), (1, 0.75, Some(0.5)));
}

#[test]
fn very_small_probabilities_are_safe() {
    assert_eq!(log_sum_exp(&[-1e4, -1e4]), -1e4 + 2f64.ln());
    assert_eq!(log_sum_exp(&[f64::NEG_INFINITY, -1e308]), -1e308);
    assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
    assert!(log_sum_exp(&[0.0, f64::NAN]).is_nan());
    let mass = |values: &[f64]| scores(THREE, values)[1][0];
    assert!(near(mass(&[-1e4, -1e4, -1e4 - 2f64.ln()]), 0.4));
    assert_eq!(mass(&[-1e4, -1.0, -1.0]), Some(0.0));
    assert_eq!(mass(&[-1.0, -1e4, -1e300]), Some(1.0));
    // where the authors' code halves sums until they do not underflow, this is still the definition's value
    assert!(near(mass(&[-1500.0, -1500.0, -1490.0]), 1.0 / (2.0 + 10f64.exp())));
    let inf = f64::NEG_INFINITY;
    assert_eq!((mass(&[inf, -1.0, -2.0]), mass(&[-1.0, inf, inf])), (Some(0.0), Some(1.0)));
    assert_eq!(scores(THREE, &[inf; 3]), [[None; 2]; 2], "nothing can be chosen");
}

#[test]
fn what_is_no_log_probability_is_not_computed() {
    for bad in [f64::NAN, f64::INFINITY, 0.5] {
        assert_eq!(scores(THREE, &[-1.0, bad, -3.0]), [[None; 2]; 2], "{bad}");
    }
    assert!(scores(THREE, &[1e-6, -1.0, -3.0])[0][0].is_some(), "rounding");
    let row = read("row.jsonl", THREE).unwrap().rows.remove(0);
    assert_eq!(RowScore::of(&row, &[Some(-1.0)]).mc1.unwrap().summed, None, "too few");
    assert_eq!(RowScore::of(&row, &[Some(-1.0), None, Some(-2.0)]).mc2.unwrap().summed, None);
}

#[test]
fn rows_that_are_not_scored_are_counted_and_said() {
    #[derive(Default)]
    struct Seen(Vec<String>);
    impl Observer for Seen {
        fn progress(&mut self, stage: &str, done: usize, total: usize) -> ModelResult<()> {
            self.0.push(format!("{stage} {done}/{total}"));
            Ok(())
        }
        fn end(&mut self, stage: &str) {
            self.0.push(format!("end of {stage}"));
        }
        fn note(&mut self, text: &str) {
            self.0.push(text.into());
        }
    }
    let choices = pairs(2);
    let (mut seen, mut asked) = (Seen::default(), 0);
    let mut log_probs = |choices: &[Choice<'_>]| {
        asked += 1;
        assert_eq!(choices[1].completion, "bb");
        Ok(if asked == 1 { vec![Some(-1.0), None] } else { vec![Some(-1.0), Some(-2.0)] })
    };
    let table = choices.measure(ResampleOptions::default(), &mut log_probs, &mut seen).unwrap();
    let mc1 = table.all.mc1.unwrap();
    assert_eq!((mc1.n, mc1.n_unscored, mc1.summed.unwrap().value), (1, 1, 1.0));
    assert_eq!(seen.0[..4], ["choices 0/2", "choices 1/2", "choices 2/2", "end of choices"]);
    assert!(seen.0[4].starts_with("1 of 2 rows are not scored"), "{}", seen.0[4]);
    assert_eq!(table.subsets[0].mc1.unwrap().summed, None);
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    let mut choices = pairs(3);
    let none = ResampleOptions { n_resamples: 0, seed: 0 };
    let measure = |choices: &Choices, options, give: ModelResult<Vec<Option<f64>>>| {
        let mut give = Some(give);
        choices.measure(options, &mut |_| give.take().unwrap(), &mut ()).unwrap_err()
    };
    assert!(matches!(measure(&choices, none, Ok(vec![])), ChoiceError::NoResamples));
    let options = ResampleOptions::default();
    assert!(matches!(measure(&choices, options, Ok(vec![None])), ChoiceError::Count { line: 1, got: 1, expected: 2 }));
    assert!(matches!(
        measure(&choices, options, Err(ModelError::Interrupted)),
        ChoiceError::Model(ModelError::Interrupted)
    ));
    choices.rows.clear();
    assert!(matches!(measure(&choices, options, Ok(vec![])), ChoiceError::NoRows));
}

#[test]
fn tables_have_subsets_and_survive_their_file() {
    let choices = pairs(20);
    // the even rows (s0) are right, the odd ones wrong
    let (right, wrong) = (some([-1.0, -3.0]), some([-3.0, -1.0]));
    let values: Vec<&[Option<f64>]> = (0..20).map(|i| if i % 2 == 0 { &right[..] } else { &wrong[..] }).collect();
    let found = table(&choices, &values);
    let shares: Vec<_> =
        found.subsets.iter().map(|own| (own.subset.as_deref(), own.mc1.unwrap().summed.unwrap().value)).collect();
    assert_eq!(shares, [(Some("s0"), 1.0), (Some("s1"), 0.0)]);
    let mc2 = found.all.mc2.unwrap();
    assert!(near(mc2.summed.map(|own| own.value), 0.5) && mc2.chance == Some(0.5));
    assert!(mc2.summed.unwrap().interval.unwrap().low < 0.5);
    assert_eq!(found.rows.len(), 20);
    let again: ChoiceTable = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(again, found);
    assert_eq!(found, table(&choices, &values), "the same seed gives the same intervals");
}

#[test]
fn the_text_is_a_table() {
    let choices = pairs(4);
    let (right, wrong) = (some([-1.0, -3.0]), some([-3.0, -1.0]));
    let text = format!("\n{}", table(&choices, &[&right, &wrong, &right, &[None, None]]));
    let expected = "
      rows  questions  unscored  tied  chance  summed                per character
MC1      3          3         1     0   0.500  0.667 [0.208, 0.939]  0.667 [0.208, 0.939]
  s0     2          2         0     0   0.500  1.000 [0.342, 1.000]  1.000 [0.342, 1.000]
  s1     1          1         1     0   0.500  0.000 [0.000, 0.793]  0.000 [0.000, 0.793]
MC2      3          3         1     0   0.500  0.627                 0.440
  s0     2          2         0     0   0.500  0.881                 0.622
  s1     1          1         1     0   0.500  0.119                 0.076
";
    assert!(text == expected, "{text}");
}
