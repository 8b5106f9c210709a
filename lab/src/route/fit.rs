//! Fits a router on part of the questions, and compares it with the best single candidate on the others.

use ndarray::Array2;
use redline_probe::router::{Router, best_candidate};
use redline_probe::split::{PartSizes, split_by_question};
use redline_probe::stats::{Estimate, estimate};

use super::candidates::{Material, question_numbers};
use super::{Candidate, Route, RouteTest, SCHEMA, SITE};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::prompt_read::{PromptPlaces, PromptRead};
use crate::quality::{USUAL, Utility};
use crate::rows::Rows;
use crate::tune::PastSweep;

/// Fewest held-out questions.
const FEWEST: usize = 10;
const STAGE: &str = "reading prompts";

/// How a router is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteOptions {
    /// Block that is read; the middle one where none is given.
    pub layer: Option<usize>,
    /// What mending and damaging are worth, for rows that carry their flaws.
    pub utility: Option<Utility>,
    /// Share of the questions that is held out.
    pub held_out: f64,
    /// Resamples of the questions.
    pub n_resamples: usize,
    /// Seed of split, folds and intervals.
    pub seed: u64,
}

/// Fits a router between the arms of sweeps of one Aligner over the same rows.
///
/// # Errors
/// Sweeps of another model, template or rows, fewer than two candidates or too few questions, a layer that the model lacks, a utility for rows
/// without flaws, or the observer ends the work.
pub fn fit_route(
    aligner: &Aligner,
    sweeps: &[PastSweep],
    rows: &Rows,
    options: &RouteOptions,
    observer: &mut dyn Observer,
) -> Result<Route> {
    let n_layers = aligner.model.decoder.config().n_layers;
    let layer = options.layer.unwrap_or(n_layers / 2);
    if layer >= n_layers {
        return Err(redline_steer::Error::NoSuchLayer { layer, n_layers }.into());
    }
    if options.utility.is_some() && rows.flawed.is_none() {
        return Err(Error::option(
            format!("--for is given, but the rows of {} carry no flaws", rows.name.display()),
            "leave --for out: likeness to the correction decides; or make rows with `redline data corrupt`",
        ));
    }
    let utility = rows.flawed.as_ref().map(|_| options.utility.unwrap_or(USUAL));
    let Material { candidates, rows: chosen, worth } = Material::of(aligner, sweeps, rows, utility)?;
    let activations = read(aligner, rows, &chosen, layer, observer)?;
    let (router, tested) = test(&activations, &worth, rows, &chosen, options)?;
    say(&candidates, &tested, observer);
    Ok(Route {
        schema: SCHEMA.into(),
        model: aligner.model.fingerprint.clone(),
        template: aligner.template.source(),
        layer,
        candidates,
        router,
        tested,
        sweeps: sweeps.iter().map(|sweep| sweep.path.clone()).collect(),
        data: rows.name.clone(),
        utility,
        seed: options.seed,
        made_with: concat!("redline ", env!("CARGO_PKG_VERSION")).into(),
    })
}

/// The mean activation of each prompt, (rows, hidden).
fn read(
    aligner: &Aligner,
    rows: &Rows,
    chosen: &[usize],
    layer: usize,
    observer: &mut dyn Observer,
) -> Result<Array2<f64>> {
    let places = PromptPlaces { last: None, mean: Some((SITE, layer)) };
    let hidden = aligner.model.decoder.config().hidden_size;
    let mut activations = Array2::zeros((chosen.len(), hidden));
    for (done, &row) in chosen.iter().enumerate() {
        let qac = &rows.triples[row];
        let prompt = aligner.prompt(&qac.question, &qac.answer)?;
        let read = PromptRead::new(&aligner.model.decoder, &prompt, &places)?;
        activations.row_mut(done).iter_mut().zip(&read.mean).for_each(|(to, from)| *to = f64::from(*from));
        observer.progress(STAGE, done + 1, chosen.len())?;
    }
    observer.end(STAGE);
    Ok(activations)
}

pub(super) fn test(
    activations: &Array2<f64>,
    worth: &[Vec<f64>],
    rows: &Rows,
    chosen: &[usize],
    options: &RouteOptions,
) -> Result<(Router, RouteTest)> {
    let questions: Vec<&str> = chosen.iter().map(|&row| rows.triples[row].question.as_str()).collect();
    let numbers = question_numbers(rows, chosen);
    let n_questions = numbers.iter().max().map_or(0, |most| most + 1);
    let held_out = options.held_out;
    if !(held_out > 0.0 && held_out < 1.0) {
        return Err(Error::option(format!("--held-out is {held_out}"), "give a share between 0 and 1, such as 0.5"));
    }
    if (n_questions as f64 * held_out.min(1.0 - held_out)) < FEWEST as f64 {
        return Err(Error::option(
            format!(
                "the sweeps have {n_questions} questions in common, of which {FEWEST} must be held out and {FEWEST} kept"
            ),
            "sweep more prompts, the same ones in each sweep",
        ));
    }
    let parts = split_by_question(&questions, &PartSizes::Shares(vec![1.0 - held_out, held_out]), options.seed)?;
    let [fitted, tested] = <[Vec<usize>; 2]>::try_from(parts).unwrap_or_default();
    let of = |part: &[usize]| -> (Vec<Vec<f64>>, Vec<usize>) {
        (part.iter().map(|&row| worth[row].clone()).collect(), part.iter().map(|&row| numbers[row]).collect())
    };
    let (fit_worth, fit_numbers) = of(&fitted);
    let router =
        Router::fit(activations.select(ndarray::Axis(0), &fitted).view(), &fit_worth, &fit_numbers, options.seed)?;
    let single = best_candidate(worth, &fitted);
    let n_candidates = worth.first().map_or(0, Vec::len);
    let mut n_chosen = vec![0; n_candidates];
    // routed, single, random, hindsight
    let mut values: Vec<[f64; 4]> = Vec::with_capacity(tested.len());
    for &row in &tested {
        let activation: Vec<f32> = activations.row(row).iter().map(|x| *x as f32).collect();
        let choice = router.choose(&activation)?;
        n_chosen[choice] += 1;
        let own = &worth[row];
        let random = own.iter().sum::<f64>() / n_candidates as f64;
        let best = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        values.push([own[choice], own[single], random, best]);
    }
    let test = compared(&values, &of(&tested).1, options)?;
    let [routed_worth, single_worth, random_worth, oracle_worth] =
        std::array::from_fn(|place| values.iter().map(|row| row[place]).sum::<f64>() / values.len() as f64);
    let [over_single, over_random, headroom] = test;
    let (n_fit, n_test) = (fitted.len(), tested.len());
    Ok((
        router,
        RouteTest {
            n_fit,
            n_test,
            single,
            routed_worth,
            single_worth,
            random_worth,
            oracle_worth,
            over_single,
            over_random,
            headroom,
            n_chosen,
        },
    ))
}

/// Paired differences with intervals over questions.
fn compared(values: &[[f64; 4]], questions: &[usize], options: &RouteOptions) -> Result<[Estimate; 3]> {
    let mut names = questions.to_vec();
    names.sort_unstable();
    names.dedup();
    let places: Vec<usize> = questions.iter().map(|name| names.binary_search(name).unwrap_or(0)).collect();
    let found = estimate(names.len(), options.n_resamples, options.seed, |counts| {
        let mean = |a: usize, b: usize| {
            let weighted = values.iter().zip(&places).map(|(row, place)| {
                let weight = f64::from(counts[*place]);
                (weight * (row[a] - row[b]), weight)
            });
            let (sum, weight) = weighted.fold((0.0, 0.0), |(sum, all), (value, weight)| (sum + value, all + weight));
            (weight > 0.0).then(|| sum / weight)
        };
        [mean(0, 1), mean(0, 2), mean(3, 1)]
    });
    let none = || Error::option("there are no held-out rows", "sweep more prompts");
    let [over_single, over_random, headroom] = found;
    Ok([over_single.ok_or_else(none)?, over_random.ok_or_else(none)?, headroom.ok_or_else(none)?])
}

fn say(candidates: &[Candidate], tested: &RouteTest, observer: &mut dyn Observer) {
    if !tested.is_better() {
        let single = candidates.get(tested.single).map_or_else(String::new, Candidate::name);
        observer.note(&format!(
            "warning: the router is not better than {single} alone on the held-out rows; serve that one instead"
        ));
    }
}
