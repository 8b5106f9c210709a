//! A file of judgements is a judge: it says again what was said, without network.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::Result;
use super::error::JudgeError;
use super::form::Form;
use super::index::JudgementIndex;
use super::judge::{Comparison, Judge, JudgeObserver, Judged};
use super::key::key;
use super::order::{Order, Orders};
use super::record::{JudgementRecord, read_records};
use super::verdict::Verdict;

/// Which judge of a file is meant, where it holds several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which<'a> {
    /// Its name; none for whoever is there.
    pub judge: Option<&'a str>,
    /// Its template; none for whichever is there.
    pub template: Option<&'a str>,
}

/// A judge that reads its judgements from a file.
#[derive(Debug, Clone)]
pub struct RecordedJudge {
    path: PathBuf,
    id: String,
    template: String,
    orders: Orders,
    index: JudgementIndex,
    notes: Vec<String>,
}

impl RecordedJudge {
    /// Reads a file of judgements, also a compressed one.
    ///
    /// # Errors
    /// Those of [`read_records`]; [`JudgeError::Conflict`]; [`JudgeError::NoJudgements`], [`JudgeError::NoSuchJudge`], and
    /// [`JudgeError::SeveralJudges`] where `which` does not say which.
    pub fn open(path: &Path, which: Which<'_>) -> Result<Self> {
        let records = read_records::<JudgementRecord>(path)?;
        let torn = records.note(path);
        let mut index = JudgementIndex::new(path, records)?;
        let notes = torn.into_iter().chain(index.note(path)).collect();
        let (id, template) = one_judge(path, &index, which)?;
        index.retain(|record| record.judge == id && record.template == template);
        let orders = match Form::of_template(&template) {
            Some(form) => form.orders(),
            None => orders_of(&index),
        };
        Ok(Self { path: path.into(), id, template, orders, index, notes })
    }

    /// What people should know of the file: a line that was cut, lines that stand there twice.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The judgements.
    pub fn index(&self) -> &JudgementIndex {
        &self.index
    }
}

impl Judge for RecordedJudge {
    fn id(&self) -> &str {
        &self.id
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn orders(&self) -> Orders {
        self.orders
    }

    /// # Errors
    /// [`JudgeError::NotRecorded`] where a single one is missing, before any is reported.
    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        self.notes.drain(..).for_each(|note| observer.note(&note));
        let found: Vec<Option<Judged>> = comparisons.iter().map(|comparison| self.found(comparison)).collect();
        let missing: Vec<&Comparison<'_>> =
            found.iter().zip(comparisons).filter(|(found, _)| found.is_none()).map(|(_, asked)| asked).collect();
        if let Some(first) = missing.first() {
            let (path, missing, asked) = (self.path.clone(), missing.len(), comparisons.len());
            let Comparison { row, dimension, .. } = **first;
            return Err(JudgeError::NotRecorded { path, missing, asked, row, dimension });
        }
        let judged: Vec<Judged> = found.into_iter().flatten().collect();
        judged.iter().enumerate().try_for_each(|(index, judged)| observer.judged(index, judged))?;
        Ok(judged)
    }
}

impl RecordedJudge {
    /// What was said of a comparison; of an instrument that looks at each output alone also what follows from the swapped one.
    fn found(&self, comparison: &Comparison<'_>) -> Option<Judged> {
        let of =
            |asked: &Comparison<'_>| self.index.get(&key(&self.id, &self.template, asked)).map(JudgementRecord::judged);
        of(comparison).or_else(|| {
            let swapped = Comparison { first: comparison.second, second: comparison.first, ..*comparison };
            let judged = of(&swapped).filter(|_| self.orders == Orders::AsGiven)?;
            Some(Judged { verdict: judged.verdict.map(Verdict::swapped), ..judged })
        })
    }
}

/// The judge of a file and its template.
fn one_judge(path: &Path, index: &JudgementIndex, which: Which<'_>) -> Result<(String, String)> {
    let all: BTreeSet<(&str, &str)> = index.records().map(|record| (&*record.judge, &*record.template)).collect();
    let is_meant = |asked: Option<&str>, name: &str| asked.is_none_or(|asked| asked == name);
    let meant =
        all.iter().filter(|(judge, template)| is_meant(which.judge, judge) && is_meant(which.template, template));
    let meant: Vec<(&str, &str)> = meant.copied().collect();
    let listed =
        |judges: &[(&str, &str)]| judges.iter().map(|(judge, template)| format!("{judge} ({template})")).collect();
    let path = path.to_path_buf();
    match meant[..] {
        [(judge, template)] => Ok((judge.into(), template.into())),
        [] if all.is_empty() => Err(JudgeError::NoJudgements { path }),
        [] => {
            let asked = [which.judge, which.template].into_iter().flatten().collect::<Vec<_>>().join(", ");
            Err(JudgeError::NoSuchJudge { path, asked, judges: listed(&all.into_iter().collect::<Vec<_>>()) })
        }
        _ => Err(JudgeError::SeveralJudges { path, judges: listed(&meant) }),
    }
}

/// In which orders a judge was asked that is none of the forms: in both where some pair was shown in both; as given where no pair was
/// swapped.
fn orders_of(index: &JudgementIndex) -> Orders {
    let place = |record: &JudgementRecord| match record.order {
        Order::Ab => (record.row, record.dimension, record.first.clone(), record.second.clone()),
        Order::Ba => (record.row, record.dimension, record.second.clone(), record.first.clone()),
    };
    let of = |order: Order| index.records().filter(move |record| record.order == order).map(place);
    let swapped: HashSet<_> = of(Order::Ba).collect();
    match () {
        () if of(Order::Ab).any(|place| swapped.contains(&place)) => Orders::Both,
        () if swapped.is_empty() => Orders::AsGiven,
        () => Orders::Drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{JudgementLog, LoggedJudge};
    use super::super::order::{Pair, Plan};
    use super::super::scripted::{Scripted, comparison, pair};
    use super::super::verdict::{NoVerdict, Verdict};
    use super::*;

    const PAIRS: [(usize, &str, &str); 3] = [(0, "aa", "b"), (1, "a", "b"), (2, "a", "bb")];

    fn pairs() -> Vec<Pair<'static>> {
        PAIRS.iter().map(|&(row, a, b)| pair(row, "q", a, b)).collect()
    }

    /// Always the first, but for row 1, where it names nothing.
    fn first(asked: &Comparison<'_>) -> std::result::Result<Verdict, NoVerdict> {
        if asked.row == 1 { Err(NoVerdict::NoToken) } else { Ok(Verdict::First) }
    }

    fn write(path: &Path, judge: Scripted) -> Vec<Judged> {
        let mut judge = LoggedJudge::new(judge, JudgementLog::open(path).unwrap()).unwrap();
        let plan = Plan::new(&pairs(), &judge);
        judge.judge(plan.comparisons(), &mut ()).unwrap()
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judgements.jsonl");
        (folder, path)
    }

    #[test]
    fn a_file_says_again_what_the_judge_said() {
        let (_folder, path) = in_folder();
        let live = write(&path, Scripted::new(first));
        let mut recorded = RecordedJudge::open(&path, Which::default()).unwrap();
        assert_eq!((recorded.id(), recorded.template()), ("scripted", "script-1"));
        assert_eq!(recorded.orders(), Orders::Both);
        let plan = Plan::new(&pairs(), &recorded);
        let again = recorded.judge(plan.comparisons(), &mut ()).unwrap();
        assert_eq!(again.len(), 6);
        for (live, again) in live.iter().zip(&again) {
            assert_eq!(again, &Judged { is_recorded: true, ..live.clone() });
        }
    }

    #[test]
    fn an_instrument_answers_the_swapped_pair_too_and_who_was_asked_in_both_orders_does_not() {
        let (_folder, path) = in_folder();
        let mut judge = LoggedJudge::new(Scripted::new(first), JudgementLog::open(&path).unwrap()).unwrap();
        let asked = comparison(0, "q", "aa", "b");
        judge.judge(&[asked], &mut ()).unwrap();
        let mut recorded = RecordedJudge::open(&path, Which::default()).unwrap();
        assert_eq!(recorded.orders(), Orders::AsGiven);
        let swapped = Comparison { first: asked.second, second: asked.first, ..asked };
        let verdicts: Vec<_> =
            recorded.judge(&[asked, swapped], &mut ()).unwrap().iter().map(|own| own.verdict).collect();
        assert_eq!(verdicts, [Ok(Verdict::First), Ok(Verdict::Second)]);

        let (_folder, path) = in_folder();
        write(&path, Scripted::new(first));
        let mut recorded = RecordedJudge::open(&path, Which::default()).unwrap();
        assert!(recorded.judge(&[comparison(9, "q", "b", "other")], &mut ()).is_err());
    }

    #[test]
    fn what_is_missing_is_counted_and_the_first_is_named() {
        let (_folder, path) = in_folder();
        write(&path, Scripted::new(first));
        let mut recorded = RecordedJudge::open(&path, Which::default()).unwrap();
        let asked = [comparison(0, "q", "aa", "b"), comparison(4, "q", "other", "b"), comparison(9, "q", "b", "other")];
        let error = recorded.judge(&asked, &mut ()).unwrap_err();
        let message = format!("{}: 2 of 3 judgements are missing, the first: row 4, helpful", path.display());
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }

    #[test]
    fn of_several_judges_one_must_be_meant() {
        let (_folder, path) = in_folder();
        write(&path, Scripted::new(first));
        write(&path, Scripted::new(|_| Ok(Verdict::Second)).with_id("other"));
        let error = RecordedJudge::open(&path, Which::default()).unwrap_err();
        assert!(error.to_string().ends_with("several judges: other (script-1), scripted (script-1)"), "{error}");
        let other = Which { judge: Some("other"), ..Which::default() };
        let mut judge = RecordedJudge::open(&path, other).unwrap();
        assert_eq!(judge.index().len(), 6);
        assert_eq!(judge.judge(&[comparison(0, "q", "aa", "b")], &mut ()).unwrap()[0].verdict, Ok(Verdict::Second));
        let nobody = Which { judge: Some("nobody"), template: None };
        assert!(matches!(RecordedJudge::open(&path, nobody), Err(JudgeError::NoSuchJudge { .. })));
    }

    #[test]
    fn repeated_lines_are_said_and_contradictions_name_both() {
        let (_folder, path) = in_folder();
        write(&path, Scripted::new(first));
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().nth(1).unwrap();
        std::fs::write(&path, format!("{text}{line}\n{line}\n")).unwrap();
        let recorded = RecordedJudge::open(&path, Which::default()).unwrap();
        assert_eq!((recorded.index().len(), recorded.index().n_repeated()), (6, 2));
        assert!(recorded.notes()[0].ends_with(": 2 judgements stand there more than once and are used once"));
        let other = line.replace("\"verdict\":\"first\"", "\"verdict\":\"second\"");
        assert_ne!(other, line);
        std::fs::write(&path, format!("{text}{other}\n")).unwrap();
        let error = RecordedJudge::open(&path, Which::default()).unwrap_err();
        assert!(error.to_string().ends_with(": lines 2 and 8 have the same key and different verdicts"), "{error}");
    }

    #[test]
    fn an_empty_file_is_no_judge() {
        let (_folder, path) = in_folder();
        std::fs::write(&path, "{\"schema\":\"redline.judgement.v1\"}\n").unwrap();
        assert!(matches!(RecordedJudge::open(&path, Which::default()), Err(JudgeError::NoJudgements { .. })));
    }

    #[test]
    fn the_orders_of_an_unknown_template_are_those_of_the_file() {
        for orders in [Orders::Both, Orders::Drawn, Orders::AsGiven] {
            let (_folder, path) = in_folder();
            let long = "a".repeat(42);
            // enough pairs that a drawn order is not the same for all
            let pairs: Vec<Pair<'_>> = (0..40).map(|row| pair(row, ["q", "r"][row % 2], &long[row..], "b")).collect();
            let mut judge =
                LoggedJudge::new(Scripted::new(first).with_orders(orders), JudgementLog::open(&path).unwrap()).unwrap();
            let plan = Plan::new(&pairs, &judge);
            judge.judge(plan.comparisons(), &mut ()).unwrap();
            let mut recorded = RecordedJudge::open(&path, Which::default()).unwrap();
            assert_eq!(recorded.orders(), orders);
            let plan = Plan::new(&pairs, &recorded);
            assert!(recorded.judge(plan.comparisons(), &mut ()).is_ok(), "what was asked is asked again");
        }
    }
}
