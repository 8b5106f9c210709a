//! `redline evaluate --judge`: systems beside each other, or how good a judge is.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use redline::data::LeftOutRows;
use redline::data::traits::{Trait, TraitShare};
use redline::lab::Error;
use redline::lab::contest::{Contest, ContestOptions, Standing};
use redline::lab::judge::local::{ScoreJudge, trait_shares};
use redline::lab::judge::{Form, Judge, JudgementLog, LoggedJudge, RecordedJudge, Watch, Which};
use redline::lab::judge_quality::{JudgeQuality, LabelledPairs, judge_labelled};
use redline::lab::win_rate::{ResampleOptions, Rule};
use redline::serve::{JudgeOptions, Prices, ServerJudge};
use serde_json::json;

use crate::cli::EvaluateArgs;
use crate::cli::judging::{JudgeSpec, JudgingArgs};
use crate::cli::systems::SystemSpec;
use crate::cli::writes::JUDGEMENTS;
use crate::commands::evaluate::{joined, shift, systems, useless};
use crate::failure::hinted;
use crate::judges::score;
use crate::keys::environment_key;
use crate::known::Known;
use crate::observer::Shown;
use crate::outputs::clear_for_log;
use crate::{interrupt, output, rows};

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
    let (LabelledPairs { mut pairs, n_undecided }, left_out) = match rows::is_strict() {
        true => (LabelledPairs::read(data).map_err(Error::from)?, Vec::new()),
        false => LabelledPairs::read_usable(data).map_err(Error::from)?,
    };
    for LeftOutRows { n_rows, first, .. } in &left_out {
        output::note!("note: {} left out, the first: {first}", output::rows_in_words(*n_rows));
    }
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
            &json!({ "schema": "redline.judge-quality.v1", "data": data, "n_undecided": n_undecided, "left_out": left_out, "judges": judges }),
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
    if known.as_ref().is_some_and(Known::has_instructions) {
        output::note!(
            "note: the rows hold an `instruction` each, which no system is told; `redline feedback` compares instructions"
        );
    }
    let baseline = against(judging);
    let answers = match (&judging.answers[..], &known) {
        (paths @ [first, ..], _) => {
            let answers = joined::read(paths, &baseline)?;
            match &known {
                Some(known) => systems::of_questions(first, answers, &known.triples)?,
                None => answers,
            }
        }
        ([], Some(known)) => systems::answers(args, known, &args.judging.systems)?,
        ([], None) => return Err(hinted("there is nothing to judge", "give --data with --systems, or --answers")),
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
    let references = judging.show_references.then(|| references(known.as_ref())).transpose()?;
    let options = ContestOptions {
        dimensions: &judging.dimension,
        baseline: &baseline,
        rule: judging.rule,
        references: references.as_ref(),
        resamples: ResampleOptions::default(),
    };
    let mut found = Vec::new();
    for spec in &judging.judge {
        let mut judge = judge(spec, args, known.as_ref())?;
        let contest = Contest::run(&answers, &mut *judge, &options, &mut Shown::default()).map_err(Error::from)?;
        found.push(contest);
    }
    let traits =
        judging.judge.contains(&JudgeSpec::Trait).then(|| trait_shares(&answers, Trait::Empathy)).transpose()?;
    if json {
        let mut value = json!({ "schema": "redline.contest.v1", "contests": found });
        traits.iter().for_each(|traits| value["traits"] = json!(traits));
        return output::json(&value);
    }
    found.iter().try_for_each(|contest| output::line(&as_text(contest)))?;
    traits.iter().try_for_each(|traits| output::line(&traits_in_words(traits)))
}

/// Which share of each system's outputs has the trait.
fn traits_in_words(traits: &BTreeMap<String, TraitShare>) -> String {
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let row = |(system, share): (&String, &TraitShare)| {
        vec![system.clone(), share.n.to_string(), percent(share.any), percent(share.exact)]
    };
    output::table(
        &["system", "n", "acknowledge", "in words of the generator"],
        &traits.iter().map(row).collect::<Vec<_>>(),
    )
}

/// The corrections of the rows, as right answers.
fn references(known: Option<&Known>) -> anyhow::Result<BTreeMap<usize, String>> {
    let known = known.ok_or_else(|| hinted("--show-references shows the corrections of --data", "give --data"))?;
    Ok(known.triples.iter().map(|row| row.correction.clone()).enumerate().collect())
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
        JudgeSpec::Server { .. } => judging.form() == Form::LogProb,
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
            JudgeSpec::Flaws | JudgeSpec::Phrases | JudgeSpec::Answer | JudgeSpec::Trait => drop(score(spec, known)?),
        }
    }
    Ok(())
}

fn recorded(file: &Path, judge: Option<&str>) -> anyhow::Result<RecordedJudge> {
    Ok(RecordedJudge::open(file, Which { judge, ..Which::default() }).map_err(Error::from)?)
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
        n_workers: judging.judge_workers.map_or(JudgeOptions::default().n_workers, usize::from),
        prices: prices.map(|(prompt, completion)| Prices { prompt, completion }),
        most_per_minute: judging.judge_per_minute.and_then(NonZeroU32::new),
        ..JudgeOptions::default()
    };
    let judge = ServerJudge::new(url, model, judging.form(), key.as_deref(), options).map_err(Error::from)?;
    Ok(judge.with_check(|| Ok(interrupt::check()?)))
}

fn as_text(contest: &Contest) -> String {
    let header = ["system", "dimension", "n", "win", "tie", "loss", "net [95 %]", "win rate", "p", "length", "agrees"];
    let rows: Vec<Vec<String>> = contest.standings.iter().map(cells).collect();
    let judging = contest.judging;
    let unread = contest.standings.iter().filter(|standing| standing.n_unread > 0).map(|Standing { system, dimension, n_unread, .. }| {
        format!("\n{system}, {dimension}: {n_unread} answers are those of upstream, since no feedback on them could be read")
    });
    let unread: String = unread.collect();
    format!(
        "{} judges against {}: {} comparisons, {} without a verdict, {} pairs the same\n{}{unread}",
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
            cells.extend([outcome.n, outcome.n_wins, outcome.n_ties, outcome.n_losses].map(|n| n.to_string()));
            cells.push(output::estimate(outcome.net, outcome.net_interval.as_ref()));
            cells.push(format!("{:.1} %", 100.0 * outcome.win_rate));
            cells.push(format!("{:.2e}", outcome.sign_test.p));
        }
    }
    cells.push(format!("{:.0}", standing.means.length));
    cells.push(standing.consistency.map_or_else(|| "–".into(), |found| format!("{:.0} %", 100.0 * found.consistent)));
    cells
}
