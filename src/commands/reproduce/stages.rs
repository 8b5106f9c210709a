//! The stages of the experiment. Each leaves its numbers in the folder and is skipped when they are there.

use std::collections::HashSet;

use redline::experiment::{
    ControlSlopes, ExtractionSettings, PropensitySlopes, SweepAnalysis, analyse, extract, propensity_slopes,
    random_slopes, scan_pair,
};
use redline::figures::{control_curves, heatmap, layer_profile, slope_plot, sweep_plot};
use redline::model::Qac;
use redline::model::sampling::SamplingOptions;
use redline::plot::{Control, ControlKind, SweepPlot, write_both};
use redline::probe::split::normalise;
use redline::probe::{LatScan, LayerReading, PairBuilder, PairDesign, Reading};
use redline::steer::control_file::{read_control_vector, write_control_vector};
use redline::steer::controls::{random_like, shuffled_like};
use redline::steer::{
    Arm, BootstrapOptions, CORRECTION, ControlVector, EditRatioVariant, NamedVector, Operator, Propensity,
    PropensityOptions, SweepLog, SweepOptions, SweepPrompt, SweepRow, arms, propensity, reading_control_vector,
};
use serde_json::json;

use super::folder::Folder;
use super::inputs::Inputs;
use crate::cli::ReproduceArgs;
use crate::commands::extract::report_skipped;
use crate::commands::scan::{scans_as_lines, title};
use crate::commands::sweep::{prompts, run_logged};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

/// Tokens from the first difference on that propensity is measured over.
const PROPENSITY_TOKENS: usize = 32;
/// Pairs whose texts part within as many tokens are measured first: tokens before that cost time and cancel out.
const PROPENSITY_LEAD: usize = 32;
/// What the prompting baseline asks for, and its name in results.
const INSTRUCTIONS: [(&str, &str); 2] = [
    ("prompt-copy", "Change as little as possible: copy the answer unless it is plainly wrong. "),
    ("prompt-edit", "Change as much as needed: rewrite the answer thoroughly. "),
];

/// What every stage works with.
pub struct Experiment<'a> {
    pub args: &'a ReproduceArgs,
    pub session: &'a Session,
    pub inputs: &'a Inputs,
    pub folder: &'a Folder,
    pub layers: &'a [usize],
}

/// The first stage: vector, layer report, scans, and the shuffled control.
pub struct ReadingStage {
    pub reading: Reading,
    pub report: Vec<LayerReading>,
    pub scans: Vec<LatScan>,
    pub control: ControlVector,
    pub shuffled: ControlVector,
}

/// The second stage: everything that was generated or scored.
pub struct SweepStage {
    pub rows: Vec<SweepRow>,
    pub control_rows: Vec<SweepRow>,
    pub clean_rows: Vec<SweepRow>,
    pub prompting_rows: Vec<SweepRow>,
    pub control_vectors: Vec<NamedVector>,
    pub control_prompts: Vec<usize>,
    pub propensities: Vec<Propensity>,
    pub propensity_vectors: Vec<NamedVector>,
    pub propensity_arms: Vec<Arm>,
}

/// The third stage: what the numbers say.
pub struct Results {
    pub analysis: SweepAnalysis,
    pub controls: Option<ControlSlopes>,
    pub clean: Option<SweepAnalysis>,
    pub prompting: Vec<(String, f64)>,
    pub propensity: PropensitySlopes,
}

/// Rows whose prompt leaves room for an output and whose correction differs from the answer.
pub fn usable_rows(session: &Session, inputs: &Inputs, args: &ReproduceArgs) -> anyhow::Result<Vec<usize>> {
    let config = session.model.decoder.config();
    let limit = args.pair.max_tokens.min(config.context).saturating_sub(inputs.max_new_tokens);
    let mut usable = Vec::new();
    let (mut too_long, mut copies) = (0, 0);
    // enough questions for what is asked, and no more: tokenising takes time
    let needed = 2 * (inputs.pairs + inputs.prompts);
    let mut questions = HashSet::new();
    for (row, qac) in inputs.triples.iter().enumerate() {
        if questions.len() >= needed {
            break;
        }
        if qac.answer.trim() == qac.correction.trim() {
            copies += 1;
        } else if session.prompt(&qac.question, &qac.answer)?.len() > limit
            || session.prompt(&qac.question, &qac.correction)?.len() > limit
        {
            too_long += 1;
        } else {
            usable.push(row);
            questions.insert(normalise(&qac.question));
        }
    }
    output::note!("data: {} usable rows looked at, {copies} copies and {too_long} too long left out", usable.len());
    Ok(usable)
}

impl Experiment<'_> {
    /// Extracts the vector and scans an example pair.
    pub fn read(&self, rows: &[usize], settings: &ExtractionSettings) -> anyhow::Result<ReadingStage> {
        let vector_file = self.folder.file("vector.safetensors");
        let shuffled_file = self.folder.file("shuffled.gguf");
        let control = |reading: &Reading| reading_control_vector(reading, self.layers, self.args.unit);
        if let (true, Some(report), Some(scans)) =
            (shuffled_file.exists(), self.folder.read_lines("layers.jsonl")?, self.folder.read_lines("scans.jsonl")?)
        {
            let reading = Reading::load(&vector_file)?;
            let shuffled = read_control_vector(&shuffled_file)?.vector;
            return Ok(ReadingStage { control: control(&reading)?, reading, report, scans, shuffled });
        }
        let triples: Vec<(usize, &Qac)> = rows.iter().map(|&row| (row, &self.inputs.triples[row])).collect();
        let mut progress = Progress::new("reading pairs", triples.len());
        let (model, template) = (&self.session.model, &self.session.template);
        let extracted = extract(model, template, &triples, settings, &mut |done, total| progress.set(done, total))?;
        progress.finish();
        for warning in &extracted.warnings {
            output::note!("warning: {warning}");
        }
        report_skipped(&extracted.skipped);
        let example = self.example_pair(extracted.held_out.first().map(|pair| pair.row))?;
        let scans = match example {
            Some(pair) => scan_pair(model, &extracted.reading, &pair, settings.scan_tokens)?.to_vec(),
            None => Vec::new(),
        };
        let control = control(&extracted.reading)?;
        let shuffled = shuffled_like(&control, &extracted.train, self.args.seed)?;

        let architecture = &model.decoder.config().architecture;
        extracted.reading.save(&vector_file)?;
        write_control_vector(&self.folder.file("vector.gguf"), &control, architecture)?;
        self.folder.write_lines("layers.jsonl", &extracted.report)?;
        self.folder.write("scans.jsonl", &scans_as_lines(&scans)?)?;
        // last: its presence says that the stage is complete
        write_control_vector(&shuffled_file, &shuffled, architecture)?;
        Ok(ReadingStage { reading: extracted.reading, report: extracted.report, scans, control, shuffled })
    }

    /// The forced pair of a triple, whatever design the vector was made with: only it has two outputs to scan.
    fn example_pair(&self, row: Option<usize>) -> anyhow::Result<Option<redline::probe::ContrastPair>> {
        let Some(row) = row else { return Ok(None) };
        Ok(Some(self.pair_builder()?.pair(row, &self.inputs.triples[row])?))
    }

    fn pair_builder(&self) -> anyhow::Result<PairBuilder<'_>> {
        let Session { model, template } = self.session;
        Ok(PairBuilder::new(model, template, PairDesign::Forced, self.args.pair.max_tokens)?)
    }

    /// Generates under all coefficients and controls, and measures propensity.
    pub fn sweep(&self, reading: &ReadingStage, rows: &[usize]) -> anyhow::Result<SweepStage> {
        let triples: Vec<(usize, &Qac)> = rows.iter().map(|&row| (row, &self.inputs.triples[row])).collect();
        let prompts_of =
            |triples: &[(usize, &Qac)]| prompts(self.session, triples, self.inputs.max_new_tokens, &self.inputs.name);
        let all_prompts = prompts_of(&triples)?;
        let correction = NamedVector { name: CORRECTION.into(), vector: reading.control.clone() };

        let all_arms = arms(1, &self.inputs.coefficients)?;
        let main = self.logged("sweep", &all_prompts, std::slice::from_ref(&correction), &all_arms)?;

        let control_prompts = &all_prompts[..self.inputs.control_prompts.min(all_prompts.len())];
        let control_vectors = self.control_vectors(reading, self.args.random_generated)?;
        let ends = self.end_coefficients();
        let control_arms: Vec<Arm> = (0..control_vectors.len())
            .flat_map(|vector| ends.iter().filter(|c| **c != 0.0).map(move |&coefficient| Arm { vector, coefficient }))
            .collect();
        let control_rows = match control_arms.is_empty() {
            true => Vec::new(),
            false => self.logged("controls", control_prompts, &control_vectors, &control_arms)?,
        };

        let clean_triples: Vec<Qac> = triples[..control_prompts.len()]
            .iter()
            .map(|(_, qac)| Qac { answer: qac.correction.clone(), ..(*qac).clone() })
            .collect();
        let clean: Vec<(usize, &Qac)> = triples.iter().map(|(row, _)| *row).zip(&clean_triples).collect();
        let clean_arms = arms(1, &ends)?;
        let clean_prompts = prompts_of(&clean)?;
        let clean_rows = self.logged("clean", &clean_prompts, std::slice::from_ref(&correction), &clean_arms)?;
        let prompting_rows = self.prompting(&triples[..control_prompts.len()], &correction)?;

        let mut propensity_vectors = vec![correction];
        propensity_vectors.extend(self.control_vectors(reading, self.args.random_propensity)?);
        let mut propensity_arms = all_arms;
        propensity_arms.extend((1..propensity_vectors.len()).flat_map(|vector| {
            self.far_coefficients()
                .into_iter()
                .filter(|c| *c != 0.0)
                .map(move |coefficient| Arm { vector, coefficient })
        }));
        let propensities = self.propensities(&triples, &propensity_vectors, &propensity_arms)?;
        Ok(SweepStage {
            rows: main,
            control_rows,
            clean_rows,
            prompting_rows,
            control_vectors,
            control_prompts: control_prompts.iter().map(|prompt| prompt.row).collect(),
            propensities,
            propensity_vectors,
            propensity_arms,
        })
    }

    /// One resumable sweep of the folder, `NAME.jsonl`.
    fn logged(
        &self,
        name: &str,
        prompts: &[SweepPrompt],
        vectors: &[NamedVector],
        arms: &[Arm],
    ) -> anyhow::Result<Vec<SweepRow>> {
        let settings =
            json!({ "unit": self.args.unit, "vectors": vectors.iter().map(|v| &v.name).collect::<Vec<_>>() });
        let mut log = SweepLog::open(&self.folder.file(&format!("{name}.jsonl")), &settings)?;
        let options = SweepOptions {
            operator: Operator::Add,
            range: self.inputs.range,
            max_new_tokens: self.inputs.max_new_tokens,
            sampling: SamplingOptions { seed: self.args.seed, ..SamplingOptions::default() },
            batch_rows: self.inputs.batch_rows,
        };
        run_logged(self.session, prompts, vectors, arms, &options, &mut log, name)?;
        Ok(log.rows().to_vec())
    }

    /// Unsteered outputs when the prompt itself asks for more or fewer changes; none where the template has no place
    /// for an instruction.
    fn prompting(&self, triples: &[(usize, &Qac)], vector: &NamedVector) -> anyhow::Result<Vec<SweepRow>> {
        let template = &self.session.template;
        if !template.takes_instruction() {
            return Ok(Vec::new());
        }
        let baseline = [Arm { vector: 0, coefficient: 0.0 }];
        let mut rows = Vec::new();
        for (name, instruction) in INSTRUCTIONS {
            let mut instructed = prompts(self.session, triples, self.inputs.max_new_tokens, &self.inputs.name)?;
            for (prompt, (_, qac)) in instructed.iter_mut().zip(triples) {
                let rendered = template.render_with_instruction(&qac.question, &qac.answer, instruction)?;
                prompt.tokens = self.session.tokenizer()?.encode_rendered(&rendered)?;
            }
            let named = [NamedVector { name: name.into(), vector: vector.vector.clone() }];
            rows.extend(self.logged(name, &instructed, &named, &baseline)?);
        }
        Ok(rows)
    }

    /// `n` random directions and the shuffled one.
    fn control_vectors(&self, reading: &ReadingStage, n: usize) -> anyhow::Result<Vec<NamedVector>> {
        let random = |i: usize| {
            let seed = self.args.seed.wrapping_mul(1_000_003).wrapping_add(i as u64);
            Ok(NamedVector { name: format!("random-{i}"), vector: random_like(&reading.control, seed)? })
        };
        let mut vectors = (0..n).map(random).collect::<anyhow::Result<Vec<_>>>()?;
        vectors.push(NamedVector { name: "shuffled".into(), vector: reading.shuffled.clone() });
        Ok(vectors)
    }

    /// The lowest coefficient, 0, and the highest: what controls run at.
    fn end_coefficients(&self) -> Vec<f32> {
        let all = &self.inputs.coefficients;
        let mut ends = vec![all[0], 0.0, all[all.len() - 1]];
        ends.dedup();
        ends
    }

    /// The coefficient farthest from 0, and 0, ascending: what random directions are compared at by propensity.
    fn far_coefficients(&self) -> Vec<f32> {
        let far = self.end_coefficients().into_iter().reduce(|far, c| if c.abs() > far.abs() { c } else { far });
        let mut both = vec![far.unwrap_or(0.0), 0.0];
        both.sort_by(f32::total_cmp);
        both
    }

    fn propensities(
        &self,
        triples: &[(usize, &Qac)],
        vectors: &[NamedVector],
        arms: &[Arm],
    ) -> anyhow::Result<Vec<Propensity>> {
        if let Some(found) = self.folder.read_lines("propensity.jsonl")? {
            return Ok(found);
        }
        let builder = self.pair_builder()?;
        let mut pairs = builder.pairs(triples.iter().copied())?.pairs;
        pairs.sort_by_key(|pair| pair.first_difference > PROPENSITY_LEAD);
        pairs.truncate(self.inputs.control_prompts.max(1));
        let plain: Vec<&ControlVector> = vectors.iter().map(|named| &named.vector).collect();
        let options =
            PropensityOptions { range: self.inputs.range, operator: Operator::Add, max_tokens: PROPENSITY_TOKENS };
        let mut progress = Progress::new("propensity", pairs.len());
        let values = propensity(&self.session.model.decoder, &pairs, &plain, arms, &options, &mut |done, total| {
            Ok(progress.set(done, total)?)
        })?;
        progress.finish();
        self.folder.write_lines("propensity.jsonl", &values)?;
        Ok(values)
    }

    /// Fits the line and the controls.
    pub fn analyse(&self, _reading: &ReadingStage, sweeps: &SweepStage) -> anyhow::Result<Results> {
        let bootstrap = BootstrapOptions { seed: self.args.seed, ..BootstrapOptions::default() };
        let variant = EditRatioVariant::Char;
        let bound = self.args.coherence_bound;
        let analysis = analyse(&sweeps.rows, CORRECTION, variant, bound, &bootstrap)?;
        let ends: Vec<f64> = self.end_coefficients().into_iter().map(f64::from).collect();
        let far: Vec<f64> = self.far_coefficients().into_iter().map(f64::from).collect();
        let mut rows = sweeps.rows.clone();
        rows.extend(sweeps.control_rows.iter().cloned());
        let controls = random_slopes(&rows, &sweeps.control_vectors, &sweeps.control_prompts, &ends, variant)?;
        let clean = analyse(&sweeps.clean_rows, CORRECTION, variant, bound, &bootstrap).ok();
        let prompting = INSTRUCTIONS.iter().filter_map(|(name, _)| {
            let ratios: Vec<f64> =
                sweeps.prompting_rows.iter().filter(|row| row.vector == *name).filter_map(|r| r.ratios.char).collect();
            (!ratios.is_empty()).then(|| ((*name).to_string(), ratios.iter().sum::<f64>() / ratios.len() as f64))
        });
        let propensity =
            propensity_slopes(&sweeps.propensities, &sweeps.propensity_vectors, &sweeps.propensity_arms, &far)?;
        Ok(Results { analysis, controls, clean, prompting: prompting.collect(), propensity })
    }

    /// Draws all figures; returns the sweep's, which the page shows too.
    pub fn draw(&self, reading: &ReadingStage, results: &Results) -> anyhow::Result<SweepPlot> {
        for scan in &reading.scans {
            write_both(&heatmap(scan, &title(scan)), &self.folder.file(&format!("scan-{}", scan.label)))?;
        }
        write_both(&layer_profile(&reading.report), &self.folder.file("layers"))?;
        let mut controls = results.controls.as_ref().map_or_else(Vec::new, control_curves);
        if let Some(clean) = &results.clean {
            let points = clean.coefficients.iter().map(|at| (at.coefficient, at.mean_edit_ratio)).collect();
            controls.push(Control { name: "clean answers".into(), kind: ControlKind::Clean, points });
        }
        let unit = self.args.unit.to_string();
        let figure = sweep_plot(&results.analysis, &unit, controls, results.prompting.clone());
        write_both(&figure, &self.folder.file("sweep"))?;
        if let Some(slopes) = slope_plot(&results.analysis, results.controls.as_ref()) {
            write_both(&slopes, &self.folder.file("slopes"))?;
        }
        Ok(figure)
    }
}
