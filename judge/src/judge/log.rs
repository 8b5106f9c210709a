//! The file that judgements are written to as they come, and a judge that asks nothing twice.
//!
//! A judgement without a verdict is one, too: at temperature 0 the same reply would come again. To ask again, remove its line.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::Result;
use super::error::JudgeError;
use super::index::JudgementIndex;
use super::judge::{Comparison, Judge, JudgeObserver, Judged, check_id, keys};
use super::order::Orders;
use super::record::{JudgementRecord, RecordLog};

/// A file of judgements open for more. It is only ever written at its end, and may hold several judges.
#[derive(Debug)]
pub struct JudgementLog {
    file: RecordLog<JudgementRecord>,
    index: JudgementIndex,
    notes: Vec<String>,
}

impl JudgementLog {
    /// Starts a file, or continues one.
    ///
    /// # Errors
    /// Those of [`RecordLog::open`]; [`JudgeError::Conflict`].
    pub fn open(path: &Path) -> Result<Self> {
        let (file, records) = RecordLog::open(path)?;
        let torn = records.note(path);
        let index = JudgementIndex::new(path, records)?;
        let notes = torn.into_iter().chain(index.note(path)).collect();
        Ok(Self { file, index, notes })
    }

    /// What people should know of the file: a line that was cut, lines that stand there twice.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The judgements there are.
    pub fn index(&self) -> &JudgementIndex {
        &self.index
    }

    /// Appends a judgement, which is on disk when this returns. One whose key is there already is not written again.
    ///
    /// # Errors
    /// Those of [`RecordLog::append`]; [`JudgeError::Conflict`] where the key has another verdict, and nothing is written.
    pub fn append(&mut self, record: JudgementRecord) -> Result<()> {
        match self.index.get(&record.key) {
            Some(known) if known.verdict == record.verdict => Ok(()),
            Some(_) => self.index.insert(self.file.path(), self.file.n_lines() + 1, record),
            None => {
                let line = self.file.append(&record)?;
                self.index.insert(self.file.path(), line, record)
            }
        }
    }
}

/// A judge whose judgements a file keeps: what is there is not asked again.
pub struct LoggedJudge<J> {
    judge: J,
    log: JudgementLog,
    is_noted: bool,
}

impl<J: Judge> LoggedJudge<J> {
    /// Puts a log before a judge.
    ///
    /// # Errors
    /// [`JudgeError::JudgeId`].
    pub fn new(judge: J, log: JudgementLog) -> Result<Self> {
        check_id(judge.id())?;
        Ok(Self { judge, log, is_noted: false })
    }

    /// The log.
    pub fn log(&self) -> &JudgementLog {
        &self.log
    }

    /// The judge behind the log.
    pub fn inner(&self) -> &J {
        &self.judge
    }

    /// Asks what is not in the log: each key once, whoever wrote the texts.
    fn ask(&mut self, comparisons: &[Comparison<'_>], keys: &[String], observer: &mut dyn JudgeObserver) -> Result<()> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let (mut asked, mut askers): (Vec<Comparison<'_>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        for (index, key) in keys.iter().enumerate().filter(|(_, key)| self.log.index.get(key).is_none()) {
            let place = *places.entry(key).or_insert(asked.len());
            if place == asked.len() {
                asked.push(comparisons[index]);
                askers.push(Vec::new());
            }
            askers[place].push(index);
        }
        if asked.is_empty() {
            return Ok(());
        }
        let (judge, template) = (self.judge.id().to_owned(), self.judge.template().to_owned());
        let is_written = vec![false; asked.len()];
        let (log, asked, askers) = (&mut self.log, &asked[..], &askers[..]);
        let mut writer = Writer { judge, template, log, asked, askers, is_written, observer };
        let returned = self.judge.judge(asked, &mut writer)?;
        writer.finish(&returned)
    }
}

impl<J: Judge> Judge for LoggedJudge<J> {
    fn id(&self) -> &str {
        self.judge.id()
    }

    fn template(&self) -> &str {
        self.judge.template()
    }

    fn orders(&self) -> Orders {
        self.judge.orders()
    }

    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.log.notes.iter().for_each(|note| observer.note(note));
        }
        let keys = keys(self.judge.id(), self.judge.template(), comparisons);
        let mut judged: Vec<Option<Judged>> = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let known = self.log.index.get(key).map(JudgementRecord::judged);
            known.as_ref().map_or(Ok(()), |known| observer.judged(index, known))?;
            judged.push(known);
        }
        let n_known = judged.iter().flatten().count();
        if n_known > 0 {
            observer.note(&format!("{}: {n_known} of {} judgements are there already", self.judge.id(), keys.len()));
        }
        self.ask(comparisons, &keys, observer)?;
        let (mut seen, mut all) = (HashSet::new(), Vec::with_capacity(keys.len()));
        for (key, known) in keys.iter().zip(judged) {
            // who asks for the same texts again has it from the file, and it cost nothing more
            let is_recorded = known.is_some() || !seen.insert(key);
            let found = known.or_else(|| self.log.index.get(key).map(JudgementRecord::judged));
            all.extend(found.map(|judged| Judged { is_recorded, ..judged }));
        }
        Ok(all)
    }
}

/// Writes judgements as a judge reports them.
struct Writer<'a> {
    judge: String,
    template: String,
    log: &'a mut JudgementLog,
    asked: &'a [Comparison<'a>],
    /// Which of the comparisons ask for each.
    askers: &'a [Vec<usize>],
    is_written: Vec<bool>,
    observer: &'a mut dyn JudgeObserver,
}

impl Writer<'_> {
    /// Writes what a judge returned and did not report.
    fn finish(mut self, returned: &[Judged]) -> Result<()> {
        if returned.len() != self.asked.len() {
            let (asked, got) = (self.asked.len(), returned.len());
            return Err(JudgeError::Count { judge: self.judge, asked, got });
        }
        returned.iter().enumerate().try_for_each(|(index, judged)| self.judged(index, judged))
    }
}

impl JudgeObserver for Writer<'_> {
    fn judged(&mut self, index: usize, judged: &Judged) -> Result<()> {
        let Some(comparison) = self.asked.get(index) else {
            return Err(JudgeError::Unasked { judge: self.judge.clone(), asked: self.asked.len(), index });
        };
        if std::mem::replace(&mut self.is_written[index], true) {
            return Ok(());
        }
        self.log.append(JudgementRecord::new(&self.judge, &self.template, comparison, judged))?;
        let again = Judged { is_recorded: true, ..judged.clone() };
        let each = self.askers[index].iter().zip(std::iter::once(judged).chain(std::iter::repeat(&again)));
        each.into_iter().try_for_each(|(asker, judged)| self.observer.judged(*asker, judged))
    }

    fn note(&mut self, text: &str) {
        self.observer.note(text);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::record::read_records;
    use super::super::scripted::{Scripted, comparison, stop_after};
    use super::super::verdict::{NoVerdict, Verdict};
    use super::*;

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judgements.jsonl");
        (folder, path)
    }

    fn longer(asked: &Comparison<'_>) -> std::result::Result<Verdict, NoVerdict> {
        match asked.first.output.len().cmp(&asked.second.output.len()) {
            std::cmp::Ordering::Greater => Ok(Verdict::First),
            std::cmp::Ordering::Less => Ok(Verdict::Second),
            std::cmp::Ordering::Equal => Err(NoVerdict::NoToken),
        }
    }

    fn logged(path: &Path) -> LoggedJudge<Scripted> {
        LoggedJudge::new(Scripted::new(longer), JudgementLog::open(path).unwrap()).unwrap()
    }

    const ASKED: [(usize, &str, &str); 4] = [(0, "aa", "b"), (1, "a", "b"), (2, "a", "bb"), (3, "aaa", "b")];

    fn asked() -> Vec<Comparison<'static>> {
        ASKED.iter().map(|&(row, a, b)| comparison(row, "q", a, b)).collect()
    }

    #[test]
    fn a_run_that_was_killed_half_way_asks_the_other_half_only() {
        let (_folder, path) = in_folder();
        let mut judge = logged(&path);
        let error = judge.judge(&asked(), &mut stop_after(2)).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        drop(judge);
        // the third one was being written
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 3);
        bytes.extend(b"{\"key\":\"12");
        std::fs::write(&path, bytes).unwrap();

        let mut judge = logged(&path);
        assert!(
            judge.log().notes()[0].contains(":4: the last line was cut short (10 bytes"),
            "{:?}",
            judge.log().notes()
        );
        let judged = judge.judge(&asked(), &mut ()).unwrap();
        assert_eq!(judge.inner().n_asked(), 2, "rows 2 and 3");
        let verdicts: Vec<_> = judged.iter().map(|judged| judged.verdict).collect();
        assert_eq!(verdicts, [Ok(Verdict::First), Err(NoVerdict::NoToken), Ok(Verdict::Second), Ok(Verdict::First)]);
        assert_eq!(judged.iter().map(|judged| judged.is_recorded).collect::<Vec<_>>(), [true, true, false, false]);
        drop(judge);

        let before = std::fs::read(&path).unwrap();
        let mut judge = logged(&path);
        let again = judge.judge(&asked(), &mut ()).unwrap();
        assert_eq!(judge.inner().n_asked(), 0, "a reply that names nothing is not asked again either");
        assert_eq!(again.iter().map(|judged| judged.verdict).collect::<Vec<_>>(), verdicts);
        assert!(again.iter().all(|judged| judged.is_recorded));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn the_same_texts_are_asked_once_and_every_asker_hears() {
        let (_folder, path) = in_folder();
        let mut judge = logged(&path);
        let asked = [comparison(0, "q", "aa", "b"), comparison(5, "q", "aa", "b"), comparison(0, "q", "b", "aa")];
        let mut heard = Heard::default();
        let judged = judge.judge(&asked, &mut heard).unwrap();
        assert_eq!(judge.inner().n_asked(), 2);
        assert_eq!(
            (judged[0].verdict, judged[1].verdict, judged[2].verdict),
            (Ok(Verdict::First), Ok(Verdict::First), Ok(Verdict::Second))
        );
        assert_eq!(
            judged.iter().map(|judged| judged.is_recorded).collect::<Vec<_>>(),
            [false, true, false],
            "paid for once"
        );
        heard.0.sort();
        assert_eq!(heard.0, [0, 1, 2]);
        assert_eq!(read_records::<JudgementRecord>(&path).unwrap().rows.len(), 2);
    }

    #[derive(Default)]
    struct Heard(Vec<usize>);

    impl JudgeObserver for Heard {
        fn judged(&mut self, index: usize, _: &Judged) -> Result<()> {
            self.0.push(index);
            Ok(())
        }

        fn note(&mut self, _: &str) {}
    }

    #[test]
    fn another_template_is_asked_anew_into_the_same_file() {
        let (_folder, path) = in_folder();
        logged(&path).judge(&asked(), &mut ()).unwrap();
        let other = Scripted::new(longer).with_template("another");
        let mut judge = LoggedJudge::new(other, JudgementLog::open(&path).unwrap()).unwrap();
        judge.judge(&asked(), &mut ()).unwrap();
        assert_eq!(judge.inner().n_asked(), 4);
        assert_eq!(read_records::<JudgementRecord>(&path).unwrap().rows.len(), 8);
    }

    #[test]
    fn judges_that_break_their_contract_are_named() {
        let (_folder, path) = in_folder();
        let fewer = Scripted::new(longer).that_returns(3);
        let mut judge = LoggedJudge::new(fewer, JudgementLog::open(&path).unwrap()).unwrap();
        assert!(matches!(judge.judge(&asked(), &mut ()), Err(JudgeError::Count { asked: 4, got: 3, .. })));
        drop(judge);
        let (_folder, path) = in_folder();
        let silent = Scripted::new(longer).that_reports_nothing();
        let mut judge = LoggedJudge::new(silent, JudgementLog::open(&path).unwrap()).unwrap();
        assert_eq!(judge.judge(&asked(), &mut ()).unwrap().len(), 4);
        assert_eq!(read_records::<JudgementRecord>(&path).unwrap().rows.len(), 4, "what is returned is written");
        let named = Scripted::new(longer).with_id("https://me:secret@host/v1#m");
        drop(judge);
        assert!(matches!(LoggedJudge::new(named, JudgementLog::open(&path).unwrap()), Err(JudgeError::JudgeId { .. })));
    }

    #[test]
    fn a_verdict_that_is_no_number_ends_the_run_and_is_not_written() {
        let (_folder, path) = in_folder();
        let broken = Scripted::new(|asked| match asked.row {
            2 => Ok(Verdict::Soft(f64::NAN)),
            _ => Ok(Verdict::Soft(0.5)),
        });
        let mut judge = LoggedJudge::new(broken, JudgementLog::open(&path).unwrap()).unwrap();
        let error = judge.judge(&asked(), &mut ()).unwrap_err();
        assert!(error.to_string().ends_with(":4: `p` must be a number from 0 to 1, got NaN"), "{error}");
        assert_eq!(read_records::<JudgementRecord>(&path).unwrap().rows.len(), 2);
    }

    #[test]
    fn a_file_of_another_kind_or_with_a_conflict_is_refused_and_kept() {
        let (_folder, path) = in_folder();
        std::fs::write(&path, "{\"schema\":\"redline.answers.v1\"}\n").unwrap();
        assert!(matches!(JudgementLog::open(&path), Err(JudgeError::Schema { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"schema\":\"redline.answers.v1\"}\n");
        std::fs::remove_file(&path).unwrap();
        logged(&path).judge(&asked(), &mut ()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let second = text.lines().nth(1).unwrap().to_owned();
        std::fs::write(&path, format!("{text}{second}\n")).unwrap();
        let log = JudgementLog::open(&path).unwrap();
        assert_eq!((log.index().len(), log.index().n_repeated()), (4, 1));
        assert!(log.notes()[0].ends_with("1 judgements stand there more than once and are used once"));
        drop(log);
        std::fs::write(&path, format!("{text}{}\n", second.replace("\"first\",\"seconds\"", "\"tie\",\"seconds\"")))
            .unwrap();
        assert!(matches!(JudgementLog::open(&path), Err(JudgeError::Conflict { first: 2, second: 6, .. })));
    }
}
