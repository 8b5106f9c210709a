use proptest::prelude::*;

use super::super::align::CUT;
use super::*;
use redline_data::corrupt::{CorruptOptions, Corruptor, FlawKind, MAX_STRICTNESS, MIN_STRICTNESS};

const BEES: &str = "Bees collect nectar from flowers. They carry it home and pass it on to other bees. The water in it dries off \
    within 3 days. A single bee makes about 1 gram of honey in its life.";

/// A row from its clean text and flaws: kind, bytes of the clean text, and what stands there.
fn row(clean: &str, flaws: &[(FlawKind, usize, usize, &str)]) -> CorruptedRow {
    let flaw = |&(kind, start, end, text): &(FlawKind, usize, usize, &str)| Flaw {
        kind,
        severity: kind.severity(),
        start,
        end,
        text: text.into(),
    };
    let mut row = CorruptedRow {
        fact: None,
        question: "q".into(),
        answer: clean.into(),
        correction: String::new(),
        flaws: flaws.iter().map(flaw).collect(),
        strictness: 1,
        clean: clean.into(),
    };
    for flaw in row.flaws.iter().rev() {
        row.answer.replace_range(flaw.start..flaw.end, &flaw.text);
    }
    assert!(row.is_consistent());
    row
}

/// An insult before the second sentence, and a wrong number in it.
fn tea() -> FlawOracle {
    let flaws = [(FlawKind::Insult, 15, 15, "You fool, think. "), (FlawKind::WrongNumber, 19, 21, "40")];
    FlawOracle::new(&row("Tea is a leaf. Let 10 g steep.", &flaws)).unwrap()
}

fn fates(oracle: &FlawOracle, output: &str) -> Vec<Fate> {
    oracle.judge(output, false).unwrap().fates
}

#[test]
fn each_flaw_is_mended_kept_or_other() {
    use Fate::{Kept, Mended, Other};
    let oracle = tea();
    for (output, expected) in [
        ("Tea is a leaf. You fool, think. Let 40 g steep.", [Kept, Kept]),
        ("Tea is a leaf. Let 40 g steep.", [Mended, Kept]),
        ("Tea is a leaf. You fool, think. Let 10 g steep.", [Kept, Mended]),
        (" Tea is a leaf. Let 10 g steep.\n", [Mended, Mended]),
        // part of the insult, another insult, and something friendlier in its place
        ("Tea is a leaf. You fool. Let 10 g steep.", [Other, Mended]),
        ("Tea is a leaf. Are you dumb? Let 10 g steep.", [Other, Mended]),
        ("Tea is a leaf. Well. Let 10 g steep.", [Other, Mended]),
        // other numbers
        ("Tea is a leaf. Let 12 g steep.", [Mended, Other]),
        ("Tea is a leaf. Let 100 g steep.", [Mended, Other]),
        ("Tea is a leaf. Let 10.5 g steep.", [Mended, Other]),
        ("Tea is a leaf. Let 140 g steep.", [Mended, Other]),
        ("Tea is a leaf. Let some g steep.", [Mended, Other]),
        // words beside the number are another matter
        ("Tea is a leaf. Let about 10 or so g steep.", [Mended, Mended]),
        // what stands elsewhere
        ("Tea is a green leaf. Let 10 g steep. Enjoy!", [Mended, Mended]),
        ("", [Mended, Other]),
    ] {
        assert_eq!(fates(&oracle, output), expected, "{output:?}");
    }
}

#[test]
fn an_insertion_at_a_flaw_is_found_wherever_the_alignment_puts_it() {
    // the flaw's place lies between ". " and "C"; each of these can be read a few symbols to the left or right of it
    let oracle = FlawOracle::new(&row("A b. Cats sleep.", &[(FlawKind::Insult, 5, 5, "Only fools ask. ")])).unwrap();
    for inserted in ["Call. ", "Sit. ", "C. ", "bb. "] {
        assert_eq!(fates(&oracle, &format!("A b. {inserted}Cats sleep.")), [Fate::Other], "{inserted}");
    }
    for output in ["So: A b. Cats sleep.", "A b. Cats sleep. Cats sleep.", "A b. Cats sleep well."] {
        assert_eq!(fates(&oracle, output), [Fate::Mended], "{output}");
    }
    let unkept = "A b. Only fools ask. Now. Cats sleep.";
    assert_eq!(fates(&oracle, unkept), [Fate::Kept], "an insult stays one, whatever stands beside it");
}

#[test]
fn what_is_left_of_one_flaw_is_not_held_against_its_neighbours() {
    let clean = "China uses one single time.";
    let end = clean.len();
    let flaws = [
        (FlawKind::OffTopic, end, end, " Golf is more fun than it looks."),
        (FlawKind::Insult, end, end, " Grow up, you pathetic person."),
        (FlawKind::Contradiction, end, end, " Still, that is only a legend."),
    ];
    let oracle = FlawOracle::new(&row(clean, &flaws)).unwrap();
    let left = format!("{clean} Grow up, youYou,");
    assert_eq!(fates(&oracle, &left), [Fate::Mended, Fate::Other, Fate::Mended]);
    // the alignment may not take letters of a sentence that is gone for letters of the insult, which stands
    let kept = format!("{} Grow up, you pathetic person.", "China uses time.");
    assert_eq!(fates(&oracle, &kept), [Fate::Mended, Fate::Kept, Fate::Mended]);
}

#[test]
fn a_repeated_sentence_is_mended_when_one_of_two_neighbours_is_gone() {
    let repeated = FlawOracle::new(&row("A b. C d.", &[(FlawKind::RepeatedSentence, 5, 5, "A b. ")])).unwrap();
    assert_eq!(fates(&repeated, "A b. C d."), [Fate::Mended]);
    assert_eq!(fates(&repeated, "A b. A b. C d."), [Fate::Kept]);
    let apart = FlawOracle::new(&row("Ab cd. Ef gh.", &[(FlawKind::RepeatedSentence, 13, 13, " Ab cd.")])).unwrap();
    let first_gone = apart.judge("Ef gh. Ab cd.", false).unwrap();
    assert_eq!((first_gone.fates, first_gone.damage), (vec![Fate::Mended], Some(7.0 / 13.0)));
    assert_eq!(fates(&apart, "Ab cd. Ef. Ab cd."), [Fate::Kept]);
}

/// Each of these was judged wrongly by the fewest edits of single characters.
#[test]
fn unlike_sentences_are_not_matched_letter_by_letter() {
    let clean = "A visit of 2 days is fine. Book tickets before the trip, since queues are long. Go for a walk along the river.";
    let book = "Book tickets before the trip, since queues are long. ";
    let end = clean.len();
    let twice = [
        (FlawKind::RepeatedSentence, 80, 80, book),
        (FlawKind::Insult, end, end, " What a silly thing to ask, you idiot."),
    ];
    let oracle = FlawOracle::new(&row(clean, &twice)).unwrap();
    // the sentence behind the repeated one is gone
    let gone = format!("A visit of 2 days is fine. {book}{}", book.trim());
    assert_eq!(fates(&oracle, &gone), [Fate::Kept, Fate::Mended]);
    // it stands there three times, where the insult was
    let thrice = [(FlawKind::RepeatedSentence, end, end, " Go for a walk along the river."), twice[1]];
    let oracle = FlawOracle::new(&row(clean, &thrice)).unwrap();
    assert_eq!(
        fates(&oracle, &format!("{clean}{}", " Go for a walk along the river.".repeat(2))),
        [Fate::Kept, Fate::Mended]
    );
    assert_eq!(
        fates(&oracle, &format!("{clean} Go for a walk.")),
        [Fate::Other, Fate::Mended],
        "part of the first of the two"
    );
}

#[test]
fn gain_and_damage_are_what_the_definitions_say() {
    let oracle = tea();
    let judge = |output: &str| oracle.judge(output, false).unwrap();
    // the answer is 17 + 1 edits from the clean text; what both share has 28 of its 30 characters
    let mended = judge("Tea is a leaf. Let 40 g steep.");
    assert_eq!((mended.gain, mended.damage), (Some(1.0 - 1.0 / 18.0), Some(0.0)));
    let deleted = judge("Tea is a leaf. 10 g steep.");
    assert_eq!((deleted.damage, deleted.added), (Some(4.0 / 28.0), Some(0.0)));
    let added = judge("Tea is a leaf. Let 10 g of it steep.");
    assert_eq!((added.damage, added.added), (Some(0.0), Some(6.0 / 28.0)));
    assert_eq!((judge("").damage, judge("").stray, judge("").shortfall), (Some(1.0), 1.0, Some(1.0)));
    assert_eq!((mended.stray, mended.shortfall), (0.0, Some(0.0)));
    assert_eq!((deleted.stray, deleted.shortfall), (4.0 / 30.0, Some(1.0 - 26.0 / 30.0)));
    assert_eq!(judge("").net_deletion, Some(1.0));
    let worse = judge(&format!("Tea is a leaf. You fool, think. Let 40 g steep.{}", " no".repeat(12)));
    assert_eq!(worse.gain, Some(-2.0));
    let length = "Tea is a leaf. You fool, think. Let 40 g steep.".len() as f64;
    assert_eq!(worse.length_ratio, Some((length + 36.0) / length));
}

#[test]
fn a_clean_answer_is_kept_or_not() {
    let oracle = FlawOracle::new(&row("Tea is a leaf.", &[])).unwrap();
    let kept = oracle.judge("Tea is a leaf. ", false).unwrap();
    assert_eq!((kept.clean_kept, kept.gain, kept.damage, kept.closest), (Some(true), None, Some(0.0), None));
    let changed = oracle.judge("Tea is a loaf.", false).unwrap();
    assert_eq!((changed.clean_kept, changed.damage), (Some(false), Some(1.0 / 14.0)));
    assert_eq!(oracle.judge("Tea is a leaf.", true).unwrap().clean_kept, Some(false));
}

#[test]
fn the_nearest_possible_correction_is_found() {
    let oracle = tea();
    let closest = |output: &str| oracle.judge(output, false).unwrap().closest.unwrap();
    let severe_only = closest("Tea is a leaf. Let 40 g steep.");
    assert_eq!((severe_only.exact, severe_only.similarity, severe_only.gain), (true, 1.0, 1.0 - 1.0 / 18.0));
    // the insult kept and the number mended is no correction of any strictness
    let mixed = closest("Tea is a leaf. You fool, think. Let 10 g steep.");
    assert!(!mixed.exact && mixed.similarity < 1.0);
    assert_eq!(closest("Tea is a leaf. Let 10 g steep.").gain, 1.0);
}

#[test]
fn a_cut_output_is_judged_as_far_as_it_goes() {
    let oracle = tea();
    let judge = |output: &str| oracle.judge(output, true).unwrap();
    let before = judge("Tea is a le");
    assert_eq!(before.fates, [Fate::Unreached; 2]);
    assert_eq!((before.gain, before.damage, before.length_ratio, before.closest), (None, Some(0.0), Some(1.0), None));
    let within = judge("Tea is a leaf. You fo");
    assert_eq!((within.fates, within.gain), (vec![Fate::Unreached; 2], Some(0.0)));
    let behind = judge("Tea is a leaf. Let 40 g st");
    assert_eq!((behind.fates, behind.gain), (vec![Fate::Mended, Fate::Kept], Some(1.0 - 1.0 / 18.0)));
    assert_eq!(behind.damage, Some(0.0));
    let complete = judge("Tea is a leaf. Let 10 g steep.");
    assert_eq!((complete.fates, complete.gain), (vec![Fate::Mended; 2], Some(1.0)));
    // a loop until the limit is no copy of a beginning
    let looping = judge(&"Let 10 g steep. ".repeat(20));
    assert!(looping.gain.unwrap() < -10.0 && looping.length_ratio.unwrap() > 5.0, "{looping:?}");
    let noise = judge(&"#".repeat(50));
    assert_eq!(noise.damage, Some(1.0));
}

#[test]
fn rows_that_say_nothing_are_refused() {
    let mut other = row("Tea is a leaf.", &[(FlawKind::Insult, 0, 0, "Fool. ")]);
    other.answer.push('!');
    assert!(matches!(FlawOracle::new(&other), Err(QualityError::Inconsistent { .. })));
    let same = row("Tea is a leaf.", &[(FlawKind::Misspelling, 0, 3, "Tea")]);
    assert!(matches!(FlawOracle::new(&same), Err(QualityError::NoFlaw { flaw: 0, .. })));
    let long = FlawOracle::new(&row(&"a".repeat(20_000), &[])).unwrap();
    let error = long.judge(&"b".repeat(20_000), false).unwrap_err();
    assert!(matches!(error, QualityError::TooLong { reference: 20_000, output: 20_000 }), "{error}");
}

/// Every correction of some of the flaws, with which were mended.
fn ways(row: &CorruptedRow) -> Vec<(Vec<bool>, String)> {
    let ways = 0..1_u32 << row.flaws.len();
    let way = |mask: u32| {
        let mended: Vec<bool> = (0..row.flaws.len()).map(|flaw| mask >> flaw & 1 == 1).collect();
        let mut text = row.clean.clone();
        for (flaw, _) in row.flaws.iter().zip(&mended).rev().filter(|(_, mended)| !**mended) {
            text.replace_range(flaw.start..flaw.end, &flaw.text);
        }
        (mended, text)
    };
    ways.map(way).collect()
}

fn corrupted(seed: u64, number: u64, clean: &str) -> Option<CorruptedRow> {
    let corruptor = Corruptor::new(CorruptOptions { seed, clean_share: 0.1 }).unwrap();
    corruptor.corrupt(number, "q", clean).ok()
}

#[test]
fn copy_clean_text_and_every_correction_are_judged_right() {
    for number in 0..300 {
        let row = corrupted(3, number, BEES).unwrap();
        let oracle = FlawOracle::new(&row).unwrap();
        let copied = oracle.unchanged().unwrap();
        assert!(copied.fates.iter().all(|&fate| fate == Fate::Kept), "{row:?}");
        assert_eq!((copied.gain, copied.damage), ((!row.is_clean()).then_some(0.0), Some(0.0)));
        let clean = oracle.judge(&row.clean, false).unwrap();
        assert!(clean.fates.iter().all(|&fate| fate == Fate::Mended), "{row:?}");
        assert_eq!((clean.gain, clean.damage), ((!row.is_clean()).then_some(1.0), Some(0.0)));
        for strictness in MIN_STRICTNESS..=MAX_STRICTNESS {
            let judged = oracle.judge(&row.correction_at(strictness).unwrap(), false).unwrap();
            for (flaw, fate) in row.flaws.iter().zip(&judged.fates) {
                let expected = if flaw.severity >= strictness { Fate::Mended } else { Fate::Kept };
                assert_eq!(*fate, expected, "strictness {strictness}: {flaw:?} in {row:?}");
            }
            assert_eq!(judged.damage, Some(0.0));
            assert!(row.is_clean() || judged.closest.unwrap().exact);
        }
        for (mended, text) in ways(&row) {
            let judged = oracle.judge(&text, false).unwrap();
            let said: Vec<bool> = judged.fates.iter().map(|&fate| fate == Fate::Mended).collect();
            assert_eq!((said, judged.damage, judged.stray), (mended, Some(0.0), 0.0), "{text}\n{row:?}");
        }
    }
}

/// A part of a text that is matched as a whole, or a single symbol that may be deleted.
struct Atom {
    text: Vec<char>,
    can_go: bool,
}

/// Every way to read a row: at each flaw either text, as one atom or symbol by symbol at the price of a cut.
fn readings(pieces: &[Piece<char>]) -> Vec<(u64, Vec<Atom>)> {
    let symbols =
        |text: &[char]| text.iter().map(|&symbol| Atom { text: vec![symbol], can_go: true }).collect::<Vec<_>>();
    let n_flaws = pieces.iter().filter(|piece| matches!(piece, Piece::Flaw { .. })).count() as u32;
    let reading = |mut choice: usize| {
        let (mut price, mut atoms) = (0, Vec::new());
        for piece in pieces {
            match piece {
                Piece::Common(text) => atoms.extend(symbols(text)),
                Piece::Flaw { clean, flawed } => {
                    let text = if choice & 1 == 0 { clean } else { flawed };
                    if choice & 2 == 0 {
                        atoms.push(Atom { text: text.clone(), can_go: false });
                    } else {
                        price += CUT;
                        atoms.extend(symbols(text));
                    }
                    choice >>= 2;
                }
            }
        }
        (price, atoms)
    };
    (0..4_usize.pow(n_flaws)).map(reading).collect()
}

/// The cost of turning atoms into an output, by the recurrence as it is written down: from `atoms[i..]` and `output[j..]`, in a run or not.
fn plain_cost(atoms: &[Atom], output: &[char]) -> u64 {
    const NEVER: u64 = 1 << 40;
    let mut cost = vec![vec![[NEVER; 2]; output.len() + 1]; atoms.len() + 1];
    for i in (0..=atoms.len()).rev() {
        for j in (0..=output.len()).rev() {
            for in_run in [0, 1] {
                let open = if in_run == 1 { 0 } else { RUN };
                let atom = atoms.get(i);
                let end = (i == atoms.len() && j == output.len()).then_some(0);
                let deleted = atom.filter(|atom| atom.can_go).map(|_| 1 + open + cost[i + 1][j][1]);
                let inserted = (j < output.len()).then(|| 1 + open + cost[i][j + 1][1]);
                let matched = atom.filter(|atom| output[j..].starts_with(&atom.text)).map(|atom| {
                    let after = if atom.text.is_empty() { in_run } else { 0 };
                    cost[i + 1][j + atom.text.len()][after]
                });
                let least = [end, deleted, inserted, matched].into_iter().flatten().min();
                cost[i][j][in_run] = least.unwrap_or(NEVER);
            }
        }
    }
    cost[0][0][0]
}

/// Edits and runs of edits of an alignment.
fn cost_of(steps: &[Step]) -> u64 {
    let edits: Vec<bool> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Symbol { edit, .. } => Some(*edit != Edit::Match),
            Step::Passed { .. } => None,
        })
        .collect();
    let runs = edits.chunk_by(|a, b| a == b).filter(|group| group[0]);
    let n_cut = steps.iter().filter(|step| matches!(step, Step::Passed { is_whole: false, .. })).count();
    runs.map(|run| run.len() as u64 + RUN).sum::<u64>() + CUT * n_cut as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// One table for all readings against a table for each.
    #[test]
    fn the_cost_is_the_least_over_all_readings(
        number in any::<u64>(),
        clean in "[a-c][a-e ,]{0,30}\\. [A-C][a-e ]{0,20}[.!]",
        output in "[a-eA-C .,!Ü]{0,60}",
        from in any::<prop::sample::Index>(),
        n_new in 0usize..12,
    ) {
        let Some(row) = corrupted(1, number, &clean) else { return Ok(()) };
        prop_assume!(row.flaws.len() <= 4);
        let oracle = FlawOracle::new(&row).unwrap();
        let ways = ways(&row);
        // an output that has something to do with the row
        let mut near: Vec<char> = ways[from.index(ways.len())].1.chars().collect();
        let at = from.index(near.len());
        let cut = (at + n_new / 2).min(near.len());
        near.splice(at..cut, output.chars().take(n_new));
        let near: String = near.into_iter().collect();
        for text in [&output, &near] {
            let symbols: Vec<char> = text.trim().chars().collect();
            let alignment = align(&oracle.pieces, &symbols, End::Whole, RUN).unwrap();
            let readings = readings(&oracle.pieces);
            let least = readings.iter().map(|(price, atoms)| price + plain_cost(atoms, &symbols)).min().unwrap();
            prop_assert_eq!(alignment.cost, least);
            prop_assert_eq!(cost_of(&alignment.steps), least, "the steps cost what they are said to");
            let n_passed = alignment.steps.iter().filter(|step| matches!(step, Step::Passed { .. })).count();
            prop_assert_eq!(n_passed, row.flaws.len());
            let judged = oracle.judge(text, false).unwrap();
            prop_assert!(judged.damage.is_none_or(|damage| (0.0..=1.0).contains(&damage)));
            prop_assert!((0.0..=1.0).contains(&judged.stray));
            prop_assert_eq!(&oracle.judge(text, false).unwrap(), &judged, "the same texts are judged the same");
        }
    }

    /// A cut output is at least as near to what it reaches as to the whole.
    #[test]
    fn the_beginning_of_a_correction_has_no_edits(number in any::<u64>(), share in 0.0f64..1.0) {
        let row = corrupted(2, number, BEES).unwrap();
        let oracle = FlawOracle::new(&row).unwrap();
        for (mended, text) in ways(&row) {
            let n = (text.chars().count() as f64 * share) as usize;
            let beginning: String = text.chars().take(n).collect();
            let judged = oracle.judge(&beginning, true).unwrap();
            prop_assert!(judged.damage.is_none_or(|damage| damage == 0.0), "{}", beginning);
            for (fate, mended) in judged.fates.iter().zip(&mended) {
                let expected = if *mended { Fate::Mended } else { Fate::Kept };
                prop_assert!(*fate == expected || *fate == Fate::Unreached, "{:?} {}", judged.fates, beginning);
            }
        }
    }

    #[test]
    fn any_text_is_judged(clean in "\\PC{1,60}", number in any::<u64>(), output in "\\PC{0,60}", cut in any::<bool>()) {
        let Some(row) = corrupted(1, number, &clean) else { return Ok(()) };
        let oracle = FlawOracle::new(&row).unwrap();
        let judged = oracle.judge(&output, cut).unwrap();
        prop_assert_eq!(judged.fates.len(), row.flaws.len());
        prop_assert!(judged.gain.is_none_or(|gain| gain <= 1.0));
        let copied = oracle.unchanged().unwrap();
        prop_assert!(copied.fates.iter().all(|&fate| fate == Fate::Kept));
        prop_assert!(oracle.judge(&row.clean, false).unwrap().fates.iter().all(|&fate| fate == Fate::Mended));
    }
}
