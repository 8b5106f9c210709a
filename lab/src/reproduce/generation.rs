//! The second stage: everything that is generated or scored.

use redline_model::Qac;
use redline_model::sampling::SamplingOptions;
use redline_probe::ContrastPair;
use redline_steer::controls::random_like;
use redline_steer::{
    Arm, CORRECTION, ControlVector, NamedVector, Operator, Propensity, PropensityOptions, SweepLog, SweepOptions,
    SweepPrompt, SweepRow, arms, propensity,
};
use serde_json::json;

use super::reading::ReadingStage;
use super::{INSTRUCTIONS, Run};
use crate::error::Result;
use crate::experiment::{Swept, sweep_logged, sweep_prompts};
use crate::observer::Observer;

/// Tokens from the first difference on that propensity is measured over.
pub(super) const PROPENSITY_TOKENS: usize = 32;
/// Pairs whose texts part within as many tokens are measured first: tokens before that cost time and cancel out.
const PROPENSITY_LEAD: usize = 32;

/// What the second stage wrote and scored.
pub struct SweepStage {
    /// Outputs along the direction.
    pub rows: Vec<SweepRow>,
    /// Outputs along random and shuffled directions.
    pub control_rows: Vec<SweepRow>,
    /// Outputs for answers that are clean already.
    pub clean_rows: Vec<SweepRow>,
    /// Unsteered outputs with an instruction in the prompt.
    pub prompting_rows: Vec<SweepRow>,
    /// The random and shuffled directions that generated.
    pub control_vectors: Vec<NamedVector>,
    /// The triples they generated on.
    pub control_prompts: Vec<usize>,
    /// log p(correction) − log p(answer), by pair, vector and coefficient.
    pub propensities: Vec<Propensity>,
    /// The vectors of the propensities; the first is the direction.
    pub propensity_vectors: Vec<NamedVector>,
    /// Under which they were measured.
    pub propensity_arms: Vec<Arm>,
}

impl Run<'_> {
    /// Generates under all coefficients and controls, and measures propensity.
    pub(super) fn generate(
        &self,
        reading: &ReadingStage,
        rows: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<SweepStage> {
        let triples = self.rows.at(rows);
        let all_prompts = self.prompts(&triples)?;
        let correction = [NamedVector { name: CORRECTION.into(), vector: reading.control.clone() }];
        let all_arms = arms(1, &self.options.coefficients)?;
        let main = self.logged("sweep", &all_prompts, &correction, &all_arms, observer)?;

        let n_control = self.options.control_prompts.min(rows.len());
        let control_vectors = self.control_vectors(reading, self.options.random_generated)?;
        let ends = self.options.end_coefficients();
        let control_arms = unsteered_once(0..control_vectors.len(), &ends);
        let control_rows = match control_arms.is_empty() {
            true => Vec::new(),
            false => self.logged("controls", &all_prompts[..n_control], &control_vectors, &control_arms, observer)?,
        };

        let clean_triples = self.rows.clean_at(&rows[..n_control]);
        let clean: Vec<(usize, &Qac)> = rows.iter().copied().zip(&clean_triples).collect();
        let clean_rows = self.logged("clean", &self.prompts(&clean)?, &correction, &all_arms, observer)?;
        let prompting_rows = self.prompting(&triples[..n_control], &reading.control, observer)?;

        let [correction] = correction;
        let mut propensity_vectors = vec![correction];
        propensity_vectors.extend(self.control_vectors(reading, self.options.random_propensity)?);
        let mut propensity_arms = all_arms;
        propensity_arms.extend(unsteered_once(1..propensity_vectors.len(), &self.options.far_coefficients()));
        let propensities = self.propensities(&triples, &propensity_vectors, &propensity_arms, observer)?;
        Ok(SweepStage {
            rows: main,
            control_rows,
            clean_rows,
            prompting_rows,
            control_vectors,
            control_prompts: rows[..n_control].to_vec(),
            propensities,
            propensity_vectors,
            propensity_arms,
        })
    }

    fn prompts(&self, triples: &[(usize, &Qac)]) -> Result<Vec<SweepPrompt>> {
        sweep_prompts(self.aligner, triples, self.options.max_new_tokens, &self.rows.name)
    }

    /// One resumable sweep of the folder, `NAME.jsonl`.
    fn logged(
        &self,
        name: &str,
        prompts: &[SweepPrompt],
        vectors: &[NamedVector],
        arms: &[Arm],
        observer: &mut dyn Observer,
    ) -> Result<Vec<SweepRow>> {
        let names: Vec<&String> = vectors.iter().map(|vector| &vector.name).collect();
        let settings = json!({ "unit": self.options.unit, "vectors": names });
        let mut log = SweepLog::open(&self.folder.file(&format!("{name}.jsonl")), &settings)?;
        let options = &SweepOptions {
            operator: Operator::Add,
            range: self.options.range,
            copy_bias: 0.0,
            max_new_tokens: self.options.max_new_tokens,
            sampling: SamplingOptions { seed: self.options.seed, ..SamplingOptions::default() },
            batch_rows: self.options.batch_rows,
        };
        sweep_logged(self.aligner, &Swept { prompts, vectors, arms, options }, &mut log, name, observer)?;
        Ok(log.rows().to_vec())
    }

    /// Unsteered outputs when the prompt itself asks for more or fewer changes; none where the template has no place
    /// for an instruction.
    fn prompting(
        &self,
        triples: &[(usize, &Qac)],
        vector: &ControlVector,
        observer: &mut dyn Observer,
    ) -> Result<Vec<SweepRow>> {
        let template = &self.aligner.template;
        if !template.takes_instruction() {
            return Ok(Vec::new());
        }
        let baseline = [Arm { vector: 0, coefficient: 0.0 }];
        let mut rows = Vec::new();
        for (name, instruction) in INSTRUCTIONS {
            let mut instructed = self.prompts(triples)?;
            for (prompt, (_, qac)) in instructed.iter_mut().zip(triples) {
                let rendered = template.render_with_instruction(&qac.question, &qac.answer, instruction)?;
                prompt.tokens = self.aligner.tokenizer()?.encode_rendered(&rendered)?;
            }
            let named = [NamedVector { name: name.into(), vector: vector.clone() }];
            rows.extend(self.logged(name, &instructed, &named, &baseline, observer)?);
        }
        Ok(rows)
    }

    /// `n` random directions and the shuffled ones.
    fn control_vectors(&self, reading: &ReadingStage, n: usize) -> Result<Vec<NamedVector>> {
        let random = |i: usize| {
            let vector = random_like(&reading.control, self.options.null_seed(i))?;
            Ok(NamedVector { name: format!("random-{i}"), vector })
        };
        let mut vectors = (0..n).map(random).collect::<Result<Vec<_>>>()?;
        let shuffled = reading.shuffled.iter().enumerate();
        vectors
            .extend(shuffled.map(|(i, vector)| NamedVector { name: format!("shuffled-{i}"), vector: vector.clone() }));
        Ok(vectors)
    }

    /// The pairs that propensity is measured on: those whose texts part early first.
    pub(super) fn propensity_pairs(&self, triples: &[(usize, &Qac)]) -> Result<Vec<ContrastPair>> {
        let mut pairs = self.pair_builder()?.pairs(triples.iter().copied())?.pairs;
        pairs.sort_by_key(|pair| pair.first_difference > PROPENSITY_LEAD);
        pairs.truncate(self.options.control_prompts.max(1));
        Ok(pairs)
    }

    fn propensities(
        &self,
        triples: &[(usize, &Qac)],
        vectors: &[NamedVector],
        arms: &[Arm],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Propensity>> {
        if let Some(found) = self.folder.read_lines("propensity.jsonl")? {
            return Ok(found);
        }
        let pairs = self.propensity_pairs(triples)?;
        let plain: Vec<&ControlVector> = vectors.iter().map(|named| &named.vector).collect();
        let options =
            PropensityOptions { range: self.options.range, operator: Operator::Add, max_tokens: PROPENSITY_TOKENS };
        let decoder = &self.aligner.model.decoder;
        let values = propensity(decoder, &pairs, &plain, arms, &options, &mut |done, total| {
            Ok(observer.progress("propensity", done, total)?)
        })?;
        observer.end("propensity");
        self.folder.write_lines("propensity.jsonl", &values)?;
        Ok(values)
    }
}

/// Every vector at every coefficient but 0, which needs none.
fn unsteered_once(vectors: std::ops::Range<usize>, coefficients: &[f32]) -> Vec<Arm> {
    let steered = || coefficients.iter().copied().filter(|coefficient| *coefficient != 0.0);
    vectors.flat_map(|vector| steered().map(move |coefficient| Arm { vector, coefficient })).collect()
}
