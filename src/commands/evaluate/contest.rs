//! `redline evaluate --judge`: systems beside each other, or how good a judge is.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;
use redline::lab::Error;
use redline::lab::contest::{
    AlignerRun, BestOf, Contest, ContestOptions, JudgeQuality, Keep, LabelledPairs, Standing, judge_labelled,
    upstream_answers,
};
use redline::lab::correct::{Corrector, CorrectorOptions, WriteOptions};
use redline::lab::judge::local::{FlawScore, RewardScore, Score, ScoreJudge, SolutionScore};
use redline::lab::judge::record::{AnswerRecord, RecordLog, read_records};
use redline::lab::judge::{Dimension, Form, Judge, JudgementLog, LoggedJudge, RecordedJudge, Watch, Which};
use redline::lab::win_rate::{ResampleOptions, Rule};
use redline::model::Qac;
use redline::serve::{JudgeOptions, Prices, ServerJudge};
use serde_json::json;

use crate::cli::EvaluateArgs;
use crate::cli::judging::{JudgeSpec, JudgingArgs, SystemSpec};
use crate::cli::writes::{ANSWERS, JUDGEMENTS};
use crate::commands::evaluate::known::Known;
use crate::commands::evaluate::{shift, useless};
use crate::commands::serve::environment_key;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::outputs::clear_for_log;
use crate::{interrupt, models, output};

/// Judges systems, or the judge itself where the data say what people prefer.
pub fn run(args: &EvaluateArgs, json: bool) -> anyhow::Result<()> {
    match &args.data {
        Some(data) if is_labelled(data)? => {
            useless::refuse_for_pairs(args)?;
            quality(args, data, json)
        }
        _ => {
            useless::refuse_for_systems(args)?;
            contests(args, json)
        }
    }
}

/// Whether rows are pairs of outputs of which people said which is better.
fn is_labelled(path: &Path) -> anyhow::Result<bool> {
    let first = redline::model::qac::read_objects(path)?.into_iter().next();
    Ok(first.and_then(|row| row.fields.ok()).is_some_and(|fields| fields.has("output_1") && fields.has("output_2")))
}

/// How often each judge says what people say.
fn quality(args: &EvaluateArgs, data: &Path, json: bool) -> anyhow::Result<()> {
    let LabelledPairs { mut pairs, n_undecided } = LabelledPairs::read(data).map_err(Error::from)?;
    pairs.truncate(args.prompts);
    if n_undecided > 0 {
        output::note!(
            "{}: {} left out: people do not agree on them",
            data.display(),
            output::rows_in_words(n_undecided)
        );
    }
    let mut found = Vec::new();
    for spec in &args.judging.judge {
        let mut judge = judge(spec, args, None)?;
        let mut shown = Shown::default();
        let mut watch = Watch::new(&mut shown, "judging", 2 * pairs.len());
        let judged = judge_labelled(&mut *judge, &pairs, &mut watch).map_err(Error::from)?;
        watch.end();
        let (all, subsets) = (JudgeQuality::of(&pairs, &judged)?, JudgeQuality::by_subset(&pairs, &judged)?);
        found.push((judge.id().to_owned(), all, subsets));
    }
    if json {
        let judges = found.iter().map(|(judge, all, subsets)| {
            let subsets: serde_json::Map<_, _> = subsets.iter().map(|(name, of)| (name.clone(), json!(of))).collect();
            json!({ "judge": judge, "quality": all, "subsets": subsets })
        });
        let judges: Vec<_> = judges.collect();
        return output::json(
            &json!({ "schema": "redline.judge-quality.v1", "data": data, "n_undecided": n_undecided, "judges": judges }),
        );
    }
    let header = ["judge", "pairs", "no verdict", "right", "swapped", "agrees with itself", "first place", "kappa"];
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let row = |(judge, of, _): &(String, JudgeQuality, _)| {
        let kappa = output::number(of.kappa_first);
        let shares = [of.accuracy_first, of.accuracy_swapped, of.consistent, of.first_position_share].map(percent);
        [vec![judge.clone(), of.n.to_string(), of.n_errors.to_string()], shares.to_vec(), vec![kappa]].concat()
    };
    output::line(&output::table(&header, &found.iter().map(row).collect::<Vec<_>>()))
}

fn contests(args: &EvaluateArgs, json: bool) -> anyhow::Result<()> {
    let judging = &args.judging;
    let known = args.data.as_deref().map(|data| Known::read(data, args.prompts)).transpose()?;
    ready(args, known.as_ref())?;
    let baseline = against(judging);
    let answers = match (&judging.answers, &known) {
        (Some(path), _) => {
            let records = read_records::<AnswerRecord>(path).map_err(Error::from)?;
            records.note(path).into_iter().for_each(|note| output::note!("{note}"));
            match &known {
                Some(known) => of_rows(path, records.rows, &known.triples)?,
                None => records.rows,
            }
        }
        (None, Some(known)) => systems(args, known)?,
        (None, None) => return Err(hinted("there is nothing to judge", "give --data with --systems, or --answers")),
    };
    if let Some(stem) = &judging.score_shift {
        let [x, y] = &judging.judge[..] else {
            return Err(hinted(
                "--score-shift takes two judges",
                "give --judge reward=PATH twice: to the right, upwards",
            ));
        };
        let scores = [score(x, known.as_ref())?, score(y, known.as_ref())?];
        return shift::run(args, stem, &answers, scores, json);
    }
    let options = ContestOptions {
        dimensions: &judging.dimension,
        baseline: &baseline,
        rule: judging.rule,
        references: None,
        resamples: ResampleOptions::default(),
    };
    let mut found = Vec::new();
    for spec in &judging.judge {
        let mut judge = judge(spec, args, known.as_ref())?;
        let contest = Contest::run(&answers, &mut *judge, &options, &mut Shown::default()).map_err(Error::from)?;
        found.push(contest);
    }
    match json {
        true => output::json(&json!({ "schema": "redline.contest.v1", "contests": found })),
        false => found.iter().try_for_each(|contest| output::line(&as_text(contest))),
    }
}

/// The baseline by the name that the answers have: `aligner@1.0` is `aligner@1`.
fn against(judging: &JudgingArgs) -> String {
    judging.against.parse::<SystemSpec>().map_or_else(|_| judging.against.clone(), |system| system.to_string())
}

/// Finds out before anything is written or paid for whether all judges can be asked, and whether the baseline is among the systems.
fn ready(args: &EvaluateArgs, known: Option<&Known>) -> anyhow::Result<()> {
    let judging = &args.judging;
    let names: Vec<String> = judging.systems.iter().map(SystemSpec::to_string).collect();
    let baseline = against(judging);
    if !names.is_empty() && !names.contains(&baseline) && !args.out.as_ref().is_some_and(|out| out.exists()) {
        return Err(hinted(
            format!("--against {baseline}: no such system; there are {}", names.join(", ")),
            "add it to --systems, or give one of them",
        ));
    }
    let has_probabilities = |spec: &JudgeSpec| match spec {
        JudgeSpec::Server { .. } => judging.judge_form == Form::LogProb,
        _ => true,
    };
    if judging.rule == Some(Rule::LogProb) && !judging.judge.iter().all(has_probabilities) {
        return Err(hinted(
            "--rule logprob takes probabilities, and a server is asked for none",
            "give --judge-form logprob",
        ));
    }
    for spec in judging.judge.iter().chain(&judging.choose_by) {
        match spec {
            JudgeSpec::Recorded { file, judge } => drop(recorded(file, judge.as_deref())?),
            JudgeSpec::Server { url, model } => drop(server(url, model, args)?),
            // a model is loaded when its turn comes
            JudgeSpec::Reward(path) | JudgeSpec::Cost(path) if !path.exists() => {
                return Err(hinted(format!("{}: no such file or folder", path.display()), "check the path"));
            }
            JudgeSpec::Reward(_) | JudgeSpec::Cost(_) => {}
            JudgeSpec::Flaws | JudgeSpec::Answer => drop(score(spec, known)?),
        }
    }
    Ok(())
}

fn recorded(file: &Path, judge: Option<&str>) -> anyhow::Result<RecordedJudge> {
    Ok(RecordedJudge::open(file, Which { judge, ..Which::default() }).map_err(Error::from)?)
}

/// An instrument of this program.
fn score(spec: &JudgeSpec, known: Option<&Known>) -> anyhow::Result<Box<dyn Score>> {
    let needs = |what: &str| hinted(format!("{what} judges by the rows"), "give --data with rows that it can judge by");
    Ok(match spec {
        JudgeSpec::Flaws => {
            let flawed = known.and_then(|known| known.flawed.clone());
            Box::new(FlawScore::new(flawed.ok_or_else(|| needs("flaws"))?))
        }
        JudgeSpec::Answer => Box::new(SolutionScore::new(&known.ok_or_else(|| needs("answer"))?.triples)),
        JudgeSpec::Reward(folder) => Box::new(RewardScore::load(folder, false)?),
        JudgeSpec::Cost(folder) => Box::new(RewardScore::load(folder, true)?),
        JudgeSpec::Recorded { .. } | JudgeSpec::Server { .. } => {
            return Err(hinted(
                "--choose-by and --score-shift take instruments that score one text",
                "give flaws, answer, reward=DIR or cost=DIR",
            ));
        }
    })
}

/// The judge of a name, whose judgements are kept where that is asked for.
fn judge(spec: &JudgeSpec, args: &EvaluateArgs, known: Option<&Known>) -> anyhow::Result<Box<dyn Judge>> {
    let judging = &args.judging;
    let judge: Box<dyn Judge> = match spec {
        // it tells its notes itself
        JudgeSpec::Recorded { file, judge } => return Ok(Box::new(recorded(file, judge.as_deref())?)),
        JudgeSpec::Server { url, model } => Box::new(server(url, model, args)?),
        local => Box::new(ScoreJudge::new(score(local, known)?).map_err(Error::from)?),
    };
    let Some(path) = &judging.judgements else { return Ok(judge) };
    clear_for_log(path, JUDGEMENTS, args.force.force)?;
    let log = JudgementLog::open(path).map_err(Error::from)?;
    log.notes().iter().for_each(|note| output::note!("{note}"));
    Ok(Box::new(LoggedJudge::new(judge, log).map_err(Error::from)?))
}

fn server(url: &str, model: &str, args: &EvaluateArgs) -> anyhow::Result<ServerJudge> {
    let judging = &args.judging;
    let key = judging.judge_key_env.as_deref().map(environment_key).transpose()?;
    let prices = judging.judge_prompt_price.zip(judging.judge_completion_price);
    let options = JudgeOptions {
        n_workers: usize::from(judging.judge_workers),
        prices: prices.map(|(prompt, completion)| Prices { prompt, completion }),
        most_per_minute: None::<NonZeroU32>,
        ..JudgeOptions::default()
    };
    let judge = ServerJudge::new(url, model, judging.judge_form, key.as_deref(), options).map_err(Error::from)?;
    Ok(judge.with_check(|| Ok(interrupt::check()?)))
}

/// What the systems answer; in the file of --out where there is one, which is continued.
fn systems(args: &EvaluateArgs, known: &Known) -> anyhow::Result<Vec<AnswerRecord>> {
    if args.judging.systems.is_empty() {
        return Err(hinted("--judge is given, and no systems", "give --systems upstream,aligner, or --answers FILE"));
    }
    let (mut log, mut answers) = match &args.out {
        None => (None, Vec::new()),
        Some(path) => {
            clear_for_log(path, ANSWERS, args.force.force)?;
            let (log, records) = RecordLog::<AnswerRecord>::open(path).map_err(Error::from)?;
            records.note(path).into_iter().for_each(|note| output::note!("{note}"));
            let n_all = records.rows.len();
            let answers = of_rows(path, records.rows, &known.triples)?;
            if n_all > 0 {
                output::note!(
                    "{}: {} of its {n_all} outputs are used and not written again, whatever model, vector and settings they were made with",
                    path.display(),
                    answers.len()
                );
            }
            (Some(log), answers)
        }
    };
    for system in &args.judging.systems {
        let name = system.to_string();
        let is_there =
            |row: usize, answers: &[AnswerRecord]| answers.iter().any(|there| there.row == row && there.name() == name);
        let open: Vec<(usize, &Qac)> =
            known.triples.iter().enumerate().filter(|(row, _)| !is_there(*row, &answers)).collect();
        let mut keep = |record: AnswerRecord| {
            log.as_mut().map_or(Ok(0), |log| log.append(&record)).map_err(Error::from)?;
            answers.push(record);
            Ok(())
        };
        match system {
            _ if open.is_empty() => {}
            SystemSpec::Upstream => {
                let is_open = |record: &AnswerRecord| open.iter().any(|(row, _)| *row == record.row);
                upstream_answers(&known.triples).into_iter().filter(is_open).try_for_each(&mut keep)?;
            }
            SystemSpec::Aligner(coefficient) => {
                let mut corrector = aligner(args, coefficient.map(|coefficient| coefficient as f32))?;
                let mut run = AlignerRun {
                    corrector: &mut corrector,
                    coefficient: *coefficient,
                    batch_rows: args.batch_rows,
                    check: interrupt::check,
                };
                run.answer(&open, &mut keep, &mut Shown::default())?;
            }
            SystemSpec::BestOf(n) => best_of(args, known, *n, &open, &mut keep)?,
        }
    }
    Ok(answers)
}

/// The answers of an earlier run that are to the rows of this one; to other questions under the same numbers they are an error.
fn of_rows(path: &Path, answers: Vec<AnswerRecord>, rows: &[Qac]) -> anyhow::Result<Vec<AnswerRecord>> {
    let is_other = |record: &&AnswerRecord| {
        rows.get(record.row).is_some_and(|row| row.question != record.question || row.answer != record.answer)
    };
    if let Some(other) = answers.iter().find(is_other) {
        return Err(hinted(
            format!("{}: row {} has another question or answer than --data", path.display(), other.row),
            "give the same --data, or another --out",
        ));
    }
    Ok(answers.into_iter().filter(|record| record.row < rows.len()).collect())
}

/// The best of several draws of the unsteered Aligner.
fn best_of(args: &EvaluateArgs, known: &Known, n: usize, open: &[(usize, &Qac)], keep: Keep<'_>) -> anyhow::Result<()> {
    let judging = &args.judging;
    let chooser = judging.choose_by.as_ref();
    let chooser = chooser.ok_or_else(|| hinted("best-of-N is given, and nobody to choose", "give --choose-by"))?;
    let mut score = score(chooser, Some(known))?;
    let mut corrector = aligner(args, None)?;
    corrector.draw_at(judging.draw_temperature);
    let dimension = judging.dimension.first().copied().unwrap_or(Dimension::Overall);
    let mut best = BestOf { n, chooser: &mut *score, dimension, seed: 0 };
    output::note!("{}: at most {:.3} nats of KL divergence from one draw", best.name(), best.divergence_bound());
    if judging.judge.contains(chooser) {
        output::note!("warning: {} is chosen by a score that judges it too, so that its rate says little", best.name());
    }
    let (batch_rows, check) = (args.batch_rows, interrupt::check as redline::lab::correct::Check);
    let mut run = AlignerRun { corrector: &mut corrector, coefficient: None, batch_rows, check };
    Ok(best.answer(&mut run, open, keep, &mut Shown::default())?)
}

fn aligner(args: &EvaluateArgs, coefficient: Option<f32>) -> anyhow::Result<Corrector> {
    let steering = args.steering.steering()?;
    if coefficient.is_some_and(|coefficient| coefficient != 0.0) && steering.is_none() {
        return Err(hinted("aligner@COEFFICIENT is given, and no vector", "give --vector or --profile"));
    }
    let options = CorrectorOptions {
        steering: steering.filter(|_| coefficient.is_some()),
        coefficient,
        writing: WriteOptions { max_new_tokens: args.max_new_tokens, ..WriteOptions::default() },
        ..CorrectorOptions::default()
    };
    Corrector::new(models::open(&args.model)?, options).context("the Aligner")
}

fn as_text(contest: &Contest) -> String {
    let header = ["system", "dimension", "n", "win", "tie", "loss", "net [95 %]", "win rate", "p", "length", "agrees"];
    let rows: Vec<Vec<String>> = contest.standings.iter().map(cells).collect();
    let judging = contest.judging;
    format!(
        "{} judges against {}: {} comparisons, {} without a verdict, {} pairs the same\n{}",
        contest.judge,
        contest.baseline,
        judging.n_asked,
        judging.n_no_verdict,
        judging.n_identical,
        output::table(&header, &rows)
    )
}

fn cells(standing: &Standing) -> Vec<String> {
    let mut cells = vec![standing.system.clone(), standing.dimension.to_string()];
    match standing.outcome.found() {
        None => cells.extend(vec!["–".to_owned(); 7]),
        Some(outcome) => {
            let interval =
                outcome.net_interval.map_or_else(String::new, |at| format!(" [{:.3}, {:.3}]", at.low, at.high));
            cells.extend([outcome.n, outcome.n_wins, outcome.n_ties, outcome.n_losses].map(|n| n.to_string()));
            cells.push(format!("{:.3}{interval}", outcome.net));
            cells.push(format!("{:.1} %", 100.0 * outcome.win_rate));
            cells.push(format!("{:.2e}", outcome.sign_test.p));
        }
    }
    cells.push(format!("{:.0}", standing.means.length));
    cells.push(standing.consistency.map_or_else(|| "–".into(), |found| format!("{:.0} %", 100.0 * found.consistent)));
    cells
}
