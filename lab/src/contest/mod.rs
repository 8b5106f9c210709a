//! Systems against a baseline: who is better, by what measure, in the eyes of one judge.
//!
//! Each system's output is compared with the baseline's for the same row, in each dimension, and every row is one unit of all
//! intervals. A row without an answer of the system or the baseline is left out for that system, and counted; a pair without a verdict
//! is counted, too, and is never a tie. What is reported of a system in a dimension is its [`Standing`]; [`Strengths`] put all systems
//! of a dimension on one scale, at equal style.
//!
//! The coefficients of a sweep are systems, such as `aligner@0.5` ([`by_coefficient`]). Several judges are several contests. Not for
//! systems that are to be compared with each other directly: all of them meet the baseline only.

mod attempt;
mod best_of;
mod control;
mod error;
mod field;
mod options;
mod scored;
mod shift;
mod standing;
mod strengths;
mod style;
mod systems;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::judge::record::AnswerRecord;
use crate::judge::{Judge, Judged, Pair, Plan, Shown, Watch};
use crate::observer::Observer;
use crate::win_rate::Rule;
use field::{Field, System};

pub use attempt::Attempt;
pub use best_of::BestOf;
pub use error::ContestError;
pub use options::ContestOptions;
pub use scored::{ScoredPairs, scored_pairs};
pub use shift::{Ellipse, HeldOutAccuracy, Quadrants, ScoreShift, ShiftError};
pub use standing::{AnswerMeans, Standing};
pub use strengths::Strengths;
pub use style::TextStyle;
pub use systems::{ALIGNER, AlignerRun, Keep, UPSTREAM, upstream_answers};

/// Result with [`ContestError`].
pub type Result<T> = std::result::Result<T, ContestError>;

/// What came out of a contest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contest {
    /// Who judged.
    pub judge: String,
    /// What its verdicts depend on beside the texts.
    pub template: String,
    /// The system that all others are compared with.
    pub baseline: String,
    /// How verdicts in both orders became one.
    pub rule: Rule,
    /// The systems without the baseline, in the order of their first answers.
    pub systems: Vec<String>,
    /// Rows that some system answered.
    pub n_rows: usize,
    /// What was asked of the judge.
    pub judging: Judging,
    /// Dimension by dimension, the systems in their order.
    pub standings: Vec<Standing>,
    /// All systems on one scale, a dimension each.
    pub strengths: Vec<Strengths>,
}

/// What was asked of a judge, all pairs together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    /// Comparisons asked, each order for itself.
    pub n_asked: usize,
    /// Of these, those that a file answered.
    pub n_recorded: usize,
    /// Of these, those without a verdict.
    pub n_no_verdict: usize,
    /// Pairs not asked about, as their outputs are identical.
    pub n_identical: usize,
    /// Seconds that the judge took, without what a file answered.
    pub seconds: f64,
    /// What it cost, in the currency of the price list, without what a file answered; none where a price is not known.
    pub cost: Option<f64>,
}

impl Contest {
    /// Judges all systems against the baseline.
    ///
    /// # Errors
    /// Before anything is judged: [`ContestError::NoDimensions`], [`ContestError::DimensionTwice`], [`ContestError::OneOrder`] for a rule
    /// that the judge's orders cannot serve, [`ContestError::Twice`] and [`ContestError::SameName`] for duplicate systems,
    /// [`ContestError::OtherQuestion`], [`ContestError::UnknownBaseline`], [`ContestError::OnlyBaseline`],
    /// [`ContestError::NoCommonRows`]. Then what the judge and the observer say, and [`ContestError::WinRate`] for verdicts that the rule
    /// cannot join.
    ///
    /// # Example
    /// ```
    /// use redline_lab::contest::{Contest, ContestOptions};
    /// use redline_lab::judge::local::{ScoreFn, ScoreJudge};
    /// use redline_lab::judge::record::AnswerRecord;
    ///
    /// let answer = |system: &str, row: usize, output: &str| AnswerRecord {
    ///     row, system: system.into(), coefficient: None, question: "Why?".into(), answer: "So.".into(), output: output.into(),
    ///     n_tokens: Some(2), passes: 1, context: 9, seconds: 0.1, made_by: String::new(), is_unread: false,
    /// };
    /// let answers = [answer("upstream", 0, "So."), answer("aligner", 0, "Since it is so."), answer("upstream", 1, "No."),
    ///     answer("aligner", 1, "No.")];
    /// let longer = ScoreFn::new("longer", "1", |_, _, output: &str, _| Ok(Some(output.len() as f64)));
    /// let mut judge = ScoreJudge::new(longer).unwrap();
    /// let contest = Contest::run(&answers, &mut judge, &ContestOptions::default(), &mut ()).unwrap();
    /// let outcome = contest.standings[0].outcome.found().unwrap();
    /// assert_eq!((outcome.n_wins, outcome.n_identical, outcome.net), (1, 1, 0.5));
    /// ```
    pub fn run(
        answers: &[AnswerRecord],
        judge: &mut dyn Judge,
        options: &ContestOptions<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let rule = options.checked_rule(judge)?;
        let field = Field::of(answers, options.baseline)?;
        let (pairs, sizes) = pairs(&field, options);
        let plan = Plan::new(&pairs, &*judge);
        field.note_missing(observer);
        let mut watch = Watch::new(observer, "judging", plan.comparisons().len());
        let judged = judge.judge(plan.comparisons(), &mut watch)?;
        watch.end();
        let judgements = plan.judgements(&judged)?;
        let verdicts = standing::verdicts(&judgements, &sizes, judge.orders(), rule)?;
        let seen = standing::Seen { judge: &*judge, rule, resamples: options.resamples, field: &field };
        let (mut standings, mut strengths) = (Vec::new(), Vec::new());
        for (&dimension, verdicts) in options.dimensions.iter().zip(verdicts.chunks(field.systems.len())) {
            standings.extend(seen.standings(dimension, verdicts)?);
            strengths.push(Strengths::of(dimension, &field, verdicts));
        }
        Ok(Self {
            judge: judge.id().into(),
            template: judge.template().into(),
            baseline: field.baseline.name.clone(),
            rule,
            systems: field.systems.iter().map(|own| own.name.clone()).collect(),
            n_rows: field.n_rows,
            judging: Judging::of(&judged, plan.n_identical()),
            standings,
            strengths,
        })
    }
}

/// The standings of systems with a coefficient, by coefficient and then in their order: for win rates against the coefficient. A contest
/// in several dimensions, or of several families of systems, has one for each.
pub fn by_coefficient(contest: &Contest) -> Vec<(f64, &Standing)> {
    let mut found: Vec<(f64, &Standing)> =
        contest.standings.iter().filter_map(|own| Some((own.coefficient?, own))).collect();
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    found
}

impl Judging {
    fn of(judged: &[Judged], n_identical: usize) -> Self {
        let new = || judged.iter().filter(|own| !own.is_recorded);
        Self {
            n_asked: judged.len(),
            n_recorded: judged.len() - new().count(),
            n_no_verdict: judged.iter().filter(|own| own.verdict.is_err()).count(),
            n_identical,
            // the sum of nothing is −0
            seconds: new().map(|own| own.seconds).sum::<f64>() + 0.0,
            cost: new().map(|own| own.cost).sum::<Option<f64>>().map(|cost| cost + 0.0),
        }
    }
}

/// What is to be compared, dimension by dimension and system by system, and how many pairs each of these has.
fn pairs<'a>(field: &'a Field<'a>, options: &ContestOptions<'a>) -> (Vec<Pair<'a>>, Vec<usize>) {
    let (mut pairs, mut sizes) = (Vec::new(), Vec::new());
    for &dimension in options.dimensions {
        for system in &field.systems {
            let shown = |own: &'a System<'a>, output| Shown { system: &own.name, output };
            let common = field.common(system).map(|(row, own, baseline)| Pair {
                row,
                question: &own.record.question,
                a: shown(system, &own.record.output),
                b: shown(&field.baseline, &baseline.record.output),
                dimension,
                reference: options.references.and_then(|all| all.get(&row)).map(String::as_str),
            });
            let start = pairs.len();
            pairs.extend(common);
            sizes.push(pairs.len() - start);
        }
    }
    (pairs, sizes)
}
