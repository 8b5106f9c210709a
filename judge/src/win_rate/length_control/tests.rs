use super::*;
use crate::files_for_tests::{data_json, data_rows};

struct Published {
    instructions: Vec<Instruction>,
    gamed: Vec<GamedRow>,
    /// Name, rows and leaderboard row.
    models: Vec<(String, Vec<Annotation>, serde_json::Value)>,
}

fn published() -> Option<Published> {
    let instructions = data_rows("alpaca_eval/instructions.jsonl.gz")?;
    let gamed = data_rows("alpaca_eval/gamed.jsonl.gz")?;
    let published = data_json("alpaca_eval/published.json")?;
    let with_rows = published["published"].as_object().unwrap().iter().filter(|(_, row)| row["C_inferred"].is_number());
    let models: Vec<_> = with_rows
        .filter_map(|(name, row)| {
            Some((name.clone(), data_rows(&format!("alpaca_eval/annotations-{name}.jsonl.gz"))?, row.clone()))
        })
        .collect();
    assert_eq!(models.len(), 5);
    Some(Published { instructions, gamed, models })
}

fn rate(found: &LengthControl) -> ControlledRate {
    match found.controlled {
        Controlled::Rate(rate) => rate,
        Controlled::Withheld(reason) => panic!("{reason}"),
    }
}

#[test]
fn published_raw_rates_come_out_exactly() {
    let Some(data) = published() else { return };
    for (name, rows, row) in &data.models {
        let raw = raw::win_rate(&Matched::of(rows, &data.instructions).unwrap()).unwrap();
        let found = [
            ("win_rate", raw.win_rate),
            ("standard_error", raw.standard_error.unwrap()),
            ("n_wins", raw.n_wins as f64),
            ("n_wins_base", raw.n_losses as f64),
            ("n_draws", raw.n_draws as f64),
            ("discrete_win_rate", raw.discrete_win_rate),
            // printed there without its decimals
            ("avg_length", raw.average_length.floor()),
        ];
        for (figure, value) in found {
            let expected = row[figure].as_f64().unwrap();
            assert!((value - expected).abs() < 1e-9, "{name} {figure}: {value}, published {expected}");
        }
        assert_eq!((raw.n, raw.n_left_out, raw.n_missing), (805, 0, 0));
    }
}

#[test]
fn published_controlled_rates_come_out() {
    let Some(data) = published() else { return };
    for (name, rows, row) in &data.models {
        let expected = row["length_controlled_winrate"].as_f64().unwrap();
        let published_c = row["C_inferred"].as_f64().unwrap();
        let of = |c| rate(&LengthControl::of(rows, &data.instructions, &data.gamed, c).unwrap());
        let given = of(Regularisation::Given(published_c));
        let off = given.prediction.win_rate - expected;
        assert!(off.abs() < 0.02, "{name}: {} at the published C, published {expected}", given.prediction.win_rate);
        let weights = [given.weights.length, given.weights.difficulty, given.weights.constant];
        for (found, published) in weights.iter().zip(row["weights"].as_array().unwrap()) {
            assert!((found - published.as_f64().unwrap()).abs() < 5e-3, "{name}: {weights:?}");
        }
        if let Some(error) = row["lc_standard_error"].as_f64() {
            assert!((given.prediction.standard_error.unwrap() - error).abs() < 1e-4, "{name}");
        }
        let chosen = of(Regularisation::CrossValidated);
        assert!((chosen.c / published_c - 1.0).abs() < 1e-6, "{name}: C {}, published {published_c}", chosen.c);
        let off = chosen.prediction.win_rate - expected;
        assert!(off.abs() < 0.02, "{name}: {} at C {}", chosen.prediction.win_rate, chosen.c);
        assert_eq!(chosen.basis, Basis::GamedBaselines { n: 2 });
        println!("{name}: published {expected}, found {}, C {}", chosen.prediction.win_rate, chosen.c);
    }
}

#[test]
fn without_gamed_rows_the_rate_is_near_and_says_so() {
    let Some(data) = published() else { return };
    for (name, rows, row) in &data.models {
        let found = LengthControl::of(rows, &data.instructions, &[], Regularisation::CrossValidated).unwrap();
        let expected = row["length_controlled_winrate"].as_f64().unwrap();
        println!("{name}: off {}", rate(&found).prediction.win_rate - expected);
        assert!((rate(&found).prediction.win_rate - expected).abs() < 3.0, "{name}");
        assert_eq!(rate(&found).basis, Basis::OwnRows);
    }
}

#[test]
fn difficulties_estimated_from_five_systems_serve() {
    let Some(data) = published() else { return };
    let systems: Vec<SystemRows> = data.models.iter().map(|(system, rows, _)| SystemRows { system, rows }).collect();
    let mean_off = |slopes| {
        let joint = JointDifficulty::estimate(&systems, &data.instructions, slopes).unwrap();
        let own = joint.with_difficulties(&data.instructions);
        let off = data.models.iter().map(|(name, rows, row)| {
            let found = LengthControl::of(rows, &own, &[], Regularisation::CrossValidated).unwrap();
            let off = found.win_rate().unwrap() - row["length_controlled_winrate"].as_f64().unwrap();
            println!("{slopes:?}, ρ {}: {name} is off by {off}", joint.ridge);
            off.abs()
        });
        off.sum::<f64>() / 5.0
    };
    let raw_off = data.models.iter().map(|(_, _, row)| {
        (row["win_rate"].as_f64().unwrap() - row["length_controlled_winrate"].as_f64().unwrap()).abs()
    });
    let raw_off = raw_off.sum::<f64>() / 5.0;
    let (common, per_system) = (mean_off(Slopes::Common), mean_off(Slopes::PerSystem));
    println!("mean: common {common}, per system {per_system}, raw {raw_off}");
    assert!(common < 1.5, "{common}");
    assert!(common < per_system && per_system < raw_off, "{common} {per_system} {raw_off}");
}

/// A made case: forty rows, one without a preference and two draws, and two gamed baselines.
fn made() -> (Vec<Annotation>, Vec<Instruction>, Vec<GamedRow>) {
    const N: u64 = 40;
    let difficulty = |i: u64| (((i * 29) % 40) as f64 - 19.5) / 15.0;
    let lengths = |i: u64| (400 + (i * 37) % 211, 300 + (i * 53) % 397);
    let instruction = |index: u64| Instruction {
        index,
        dataset: "made".to_string(),
        difficulty: Some(difficulty(index)),
        baseline_length: lengths(index).0,
    };
    let row = |index: u64| {
        let (baseline, length) = lengths(index);
        let noise = (((index * 17) % 11) as f64 - 5.0) / 2.0;
        let logit = 0.25 * difficulty(index) - (baseline as f64 - length as f64) / 160.0 + noise + 0.2;
        let preference = match index {
            3 => None,
            5 => Some(0.0),
            11 => Some(1.5),
            _ => Some(1.0 + sigmoid(logit)),
        };
        Annotation { index, length, preference }
    };
    let gamed = |model: &str, index: u64, tanh: f64| GamedRow {
        index,
        model: model.to_string(),
        tanh_std_delta_len: tanh,
        expected_preference: sigmoid(-1.5 * tanh + difficulty(index) / 2.0),
    };
    let longer = (0..N).map(|i| gamed("longer", i, -(((i * 13) % 40) as f64) / 50.0 - 0.1));
    let shorter = (0..N).map(|i| gamed("shorter", i, ((i * 19) % 40) as f64 / 50.0 + 0.1));
    ((0..N).map(row).collect(), (0..N).map(instruction).collect(), longer.chain(shorter).collect())
}

fn of(rows: &[Annotation], instructions: &[Instruction], gamed: &[GamedRow]) -> Result<LengthControl, WinRateError> {
    LengthControl::of(rows, instructions, gamed, Regularisation::CrossValidated)
}

/// Figures of the made case by scikit-learn 1.9.1: liblinear with tolerance 1e-13, folds of GroupKFold.
#[test]
fn the_made_case_is_that_of_scikit_learn() {
    let (rows, instructions, gamed) = made();
    let found = of(&rows, &instructions, &gamed).unwrap();
    let raw = found.raw;
    assert_eq!((raw.n, raw.n_wins, raw.n_losses, raw.n_draws, raw.n_left_out, raw.n_missing), (39, 19, 18, 2, 1, 0));
    let near = |found: f64, expected: f64, tolerance: f64| {
        assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
    };
    near(raw.win_rate, 48.582_966_698_921_74, 1e-9);
    near(raw.standard_error.unwrap(), 4.823_783_546_754_571, 1e-9);
    near(raw.average_length, 479.95, 1e-12);
    near(raw.discrete_win_rate, 100.0 * 20.0 / 39.0, 1e-12);
    let rate = rate(&found);
    near(rate.c, 2.782_559_402_207_126, 1e-12);
    near(rate.weights.length, -0.760_546_76, 1e-6);
    near(rate.weights.difficulty, -0.127_566_08, 1e-6);
    near(rate.weights.constant, 0.013_153_27, 1e-6);
    near(rate.prediction.win_rate, 50.328_037_044_910_97, 1e-5);
    near(rate.prediction.standard_error.unwrap(), 0.392_410_123_387_884_34, 1e-5);
    let strong = LengthControl::of(&rows, &instructions, &gamed, Regularisation::Given(0.3)).unwrap();
    let Controlled::Rate(strong) = strong.controlled else { panic!("withheld") };
    near(strong.weights.length, -0.185_546_83, 1e-6);
    assert_eq!((strong.weights.difficulty, strong.weights.constant), (0.0, 0.0), "the penalty holds these at 0");
}

#[test]
fn the_order_of_rows_and_instructions_says_nothing() {
    let (mut rows, mut instructions, gamed) = made();
    let found = of(&rows, &instructions, &gamed).unwrap();
    rows.reverse();
    instructions.rotate_left(17);
    assert_eq!(of(&rows, &instructions, &gamed).unwrap(), found);
    // nor does it matter which indices are used, or that some instructions were not answered
    let shift = |index: u64| 7 * index + 1_000_000;
    rows.iter_mut().for_each(|row| row.index = shift(row.index));
    instructions.iter_mut().for_each(|row| row.index = shift(row.index));
    let mut shifted = gamed.clone();
    shifted.iter_mut().for_each(|row| row.index = shift(row.index));
    assert_eq!(of(&rows, &instructions, &shifted).unwrap(), found);
    rows.truncate(30);
    let fewer = of(&rows, &instructions, &shifted).unwrap();
    assert_eq!((fewer.raw.n + fewer.raw.n_left_out, fewer.raw.n_missing), (30, 10));
}

#[test]
fn rows_that_cannot_be_matched_are_refused_by_index() {
    let (rows, instructions, gamed) = made();
    let with = |change: fn(&mut Vec<Annotation>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        of(&rows, &instructions, &gamed)
    };
    assert!(matches!(with(|rows| rows[4].index = 40), Err(WinRateError::NoInstruction { what: "row", index: 40 })));
    assert!(matches!(with(|rows| rows[4].index = 9), Err(WinRateError::Duplicate { what: "row", index: 9 })));
    for preference in [3.0, 0.5, -1.0, 2.000_1, f64::INFINITY, f64::NEG_INFINITY] {
        let mut rows = rows.clone();
        rows[4].preference = Some(preference);
        let refused = of(&rows, &instructions, &gamed);
        assert!(matches!(refused, Err(WinRateError::Preference { index: 4, .. })), "{refused:?}");
    }
    let nan = with(|rows| rows[4].preference = Some(f64::NAN)).unwrap();
    assert_eq!((nan.raw.n, nan.raw.n_left_out), (38, 2));
    assert!(matches!(with(Vec::clear), Err(WinRateError::NoPreferences { n_left_out: 0 })));
    let none = with(|rows| rows.iter_mut().for_each(|row| row.preference = None));
    assert!(matches!(none, Err(WinRateError::NoPreferences { n_left_out: 40 })));
}

#[test]
fn instructions_and_gamed_rows_are_checked() {
    let (rows, instructions, gamed) = made();
    let with = |change: fn(&mut Vec<Instruction>, &mut Vec<GamedRow>)| {
        let (mut instructions, mut gamed) = (instructions.clone(), gamed.clone());
        change(&mut instructions, &mut gamed);
        of(&rows, &instructions, &gamed)
    };
    let refused = with(|instructions, _| instructions[4].index = 9);
    assert!(matches!(refused, Err(WinRateError::Duplicate { what: "instruction", index: 9 })), "{refused:?}");
    let refused = with(|instructions, _| instructions[4].difficulty = Some(f64::NAN));
    assert!(matches!(refused, Err(WinRateError::Difficulty { index: 4, .. })), "{refused:?}");
    let refused = with(|instructions, _| instructions[4].difficulty = None);
    assert!(matches!(refused, Err(WinRateError::MissingDifficulty { index: 4 })), "{refused:?}");
    let refused = with(|instructions, gamed| {
        let extra = Instruction { index: 50, difficulty: None, ..instructions[0].clone() };
        instructions.push(extra);
        gamed.truncate(1);
        gamed[0].index = 50;
    });
    assert!(matches!(refused, Err(WinRateError::MissingDifficulty { index: 50 })), "{refused:?}");
    let refused = with(|_, gamed| gamed[4].index = 77);
    assert!(matches!(refused, Err(WinRateError::NoInstruction { what: "gamed row", index: 77 })), "{refused:?}");
    let refused = with(|_, gamed| gamed[4].index = 9);
    assert!(matches!(refused, Err(WinRateError::Duplicate { what: "gamed row", index: 9 })), "{refused:?}");
    let refused = with(|_, gamed| gamed[4].tanh_std_delta_len = -1.5);
    assert!(matches!(refused, Err(WinRateError::Gamed { what: "tanh_std_delta_len", index: 4, .. })), "{refused:?}");
    let refused = with(|_, gamed| gamed[4].expected_preference = f64::NAN);
    assert!(matches!(refused, Err(WinRateError::Gamed { what: "expected_preference", .. })), "{refused:?}");
    for c in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = LengthControl::of(&rows, &instructions, &gamed, Regularisation::Given(c));
        assert!(matches!(refused, Err(WinRateError::Regularisation { .. })), "{refused:?}");
    }
}

#[test]
fn a_rate_is_withheld_where_it_would_mislead() {
    let (rows, instructions, gamed) = made();
    let reason =
        |rows: &[Annotation], instructions: &[Instruction]| match of(rows, instructions, &gamed).unwrap().controlled {
            Controlled::Rate(rate) => panic!("{rate:?}"),
            Controlled::Withheld(reason) => reason,
        };
    let mut bare = instructions.clone();
    bare.iter_mut().for_each(|own| own.difficulty = None);
    assert_eq!(reason(&rows, &bare), Withheld::NoDifficulties);
    assert_eq!(reason(&rows[..1], &instructions), Withheld::TooFewRows { n: 1 });
    assert_eq!(reason(&rows[..5], &instructions), Withheld::TooFewRows { n: 4 });
    let mut alike = rows.clone();
    alike.iter_mut().zip(&instructions).for_each(|(row, own)| row.length = own.baseline_length - 100);
    assert_eq!(reason(&alike, &instructions), Withheld::ConstantLength);
    let one = of(&rows[..1], &instructions, &gamed).unwrap().raw;
    assert_eq!((one.n, one.standard_error, one.n_missing), (1, None, 39));
    assert!(Withheld::TooFewRows { n: 4 }.to_string().contains("needs 5"));
}

#[test]
fn extremes_have_finite_rates() {
    let (rows, instructions, gamed) = made();
    let with = |change: fn(&mut Annotation), gamed: &[GamedRow]| {
        let mut rows = rows.clone();
        rows.iter_mut().for_each(change);
        of(&rows, &instructions, gamed).unwrap()
    };
    let ties = with(|row| row.preference = Some(0.0), &[]);
    assert_eq!((ties.raw.n_draws, ties.raw.win_rate, ties.raw.standard_error), (40, 50.0, Some(0.0)));
    assert_eq!(ties.win_rate(), Some(50.0));
    for (preference, raw) in [(2.0, 100.0), (1.0, 0.0)] {
        let change = if preference == 2.0 {
            |row: &mut Annotation| row.preference = Some(2.0)
        } else {
            |row: &mut Annotation| row.preference = Some(1.0)
        };
        for gamed in [&gamed[..], &[]] {
            let all = with(change, gamed);
            assert_eq!(all.raw.win_rate, raw);
            assert!((all.win_rate().unwrap() - raw).abs() < 5.0, "{all:?}");
        }
    }
    let empty = with(|row| row.length %= 2, &gamed);
    assert!(empty.win_rate().is_some_and(f64::is_finite));
    let huge = with(|row| row.length = u64::MAX - row.length * 1_000_000_000_000_000, &gamed);
    assert!(huge.win_rate().is_some_and(f64::is_finite) && huge.raw.average_length.is_finite());
}

#[test]
fn rates_between_systems_are_antisymmetric_and_transitive() {
    let (a, b) = (
        Weights { length: -2.0, difficulty: 1.0, constant: -1.9 },
        Weights { length: -1.1, difficulty: 0.7, constant: 0.9 },
    );
    let difficulties = [-2.0, 0.3, 1.7];
    let against = |a: &Weights, b: &Weights, on: &[f64]| a.against(b, on).unwrap().win_rate;
    assert!((against(&a, &b, &difficulties) + against(&b, &a, &difficulties) - 100.0).abs() < 1e-12);
    // on one instruction, logits add up
    let logit = |percent: f64| (percent / (100.0 - percent)).ln();
    let zero = Weights::default();
    let (ab, bz, az) = (against(&a, &b, &[0.3]), against(&b, &zero, &[0.3]), against(&a, &zero, &[0.3]));
    assert!((logit(ab) + logit(bz) - logit(az)).abs() < 1e-12);
    assert_eq!((against(&zero, &zero, &difficulties), a.against(&b, &[0.3]).unwrap().standard_error), (50.0, None));
    assert!(matches!(a.against(&b, &[]), Err(WinRateError::TooFew { .. })));
    assert!(matches!(a.against(&b, &[f64::NAN]), Err(WinRateError::NotFinite { index: 0, .. })));
}

#[test]
fn records_read_as_they_are_written() {
    let (rows, instructions, gamed) = made();
    let found = of(&rows, &instructions, &gamed).unwrap();
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<LengthControl>(&text).unwrap(), found);
    let row: Annotation = serde_json::from_str(r#"{"index": 1, "length": 0, "preference": null}"#).unwrap();
    assert_eq!(row, Annotation { index: 1, length: 0, preference: None });
    assert!(serde_json::from_str::<Annotation>(r#"{"index": 1, "length": -4, "preference": 1}"#).is_err());
    let bare: Instruction = serde_json::from_str(r#"{"index": 1, "baseline_length": 4}"#).unwrap();
    assert_eq!((bare.difficulty, bare.dataset.as_str()), (None, ""));
}
