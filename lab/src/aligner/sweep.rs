//! What the dial does: corrections at several coefficients, and the line through them.

use redline_model::sampling::SamplingOptions;
use redline_model::{Qac, Result as ModelResult};
use redline_steer::{
    BootstrapOptions, CORRECTION, ControlVector, EditRatioVariant, Error, NamedVector, Operator, Result, SweepObserver,
    SweepOptions, SweepPrompt, SweepRow, TokenRange, Tuned, arms, sweep,
};

use super::Aligner;
use crate::experiment::{DEFAULT_COHERENCE_BOUND, SweepAnalysis, analyse};

/// The coefficients of the published figure.
const COEFFICIENTS: [f32; 7] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5];

/// How a sweep runs; greedy, 128 new tokens, steered from the last prompt token on, unless told otherwise.
pub struct SweepRun<'a> {
    aligner: &'a Aligner,
    vector: &'a ControlVector,
    coefficients: Vec<f32>,
    options: SweepOptions,
}

/// The outputs of a sweep, measured.
///
/// # Example
/// ```no_run
/// use redline_lab::aligner::Aligner;
/// use redline_model::Qac;
/// use redline_steer::ControlVector;
///
/// fn coefficient(aligner: &Aligner, vector: &ControlVector, prompts: &[Qac]) -> redline_steer::Result<f64> {
///     let sweep = aligner.sweep(vector).coefficients(&[-1.0, 0.0, 1.0]).run(prompts)?;
///     Ok(sweep.tune(0.25)?.coefficient)
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// One output each.
    pub rows: Vec<SweepRow>,
}

impl<'a> SweepRun<'a> {
    pub(super) fn new(aligner: &'a Aligner, vector: &'a ControlVector) -> Self {
        let options = SweepOptions {
            range: TokenRange::default(),
            operator: Operator::Add,
            copy_bias: 0.0,
            max_new_tokens: 128,
            sampling: SamplingOptions::default(),
            batch_rows: 48,
        };
        Self { aligner, vector, coefficients: COEFFICIENTS.into(), options }
    }

    /// The coefficients; 0 is the baseline and should be among them.
    pub fn coefficients(mut self, coefficients: &[f32]) -> Self {
        self.coefficients = coefficients.into();
        self
    }

    /// Which positions are steered.
    pub fn range(mut self, range: TokenRange) -> Self {
        self.options.range = range;
        self
    }

    /// Longest output, in tokens.
    pub fn max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.options.max_new_tokens = max_new_tokens;
        self
    }

    /// How tokens are chosen.
    pub fn sampling(mut self, sampling: SamplingOptions) -> Self {
        self.options.sampling = sampling;
        self
    }

    /// Rows decoded together; fewer need less memory.
    pub fn batch_rows(mut self, batch_rows: usize) -> Self {
        self.options.batch_rows = batch_rows;
        self
    }

    /// Corrects every answer at every coefficient. The triples must not be those that the vector was made from; see
    /// [`shared_questions`](super::shared_questions).
    ///
    /// # Errors
    /// Coefficients that are not finite or given twice, a vector that does not fit the model or touches nothing, or a prompt that
    /// leaves no room for the output.
    pub fn run(&self, triples: &[Qac]) -> Result<Sweep> {
        let arms = arms(1, &self.coefficients)?;
        let prompt = |(row, qac): (usize, &Qac)| {
            Ok(SweepPrompt {
                row,
                tokens: self.aligner.prompt(&qac.question, &qac.answer)?,
                answer: qac.answer.clone(),
                correction: Some(qac.correction.clone()),
            })
        };
        let prompts = triples.iter().enumerate().map(prompt).collect::<Result<Vec<_>>>()?;
        let vectors = [NamedVector { name: CORRECTION.into(), vector: self.vector.clone() }];
        let mut rows = Collect(Vec::new());
        let model = &self.aligner.model;
        sweep(&model.decoder, model.tokenizer()?, &prompts, &vectors, &arms, &self.options, &mut rows)?;
        Ok(Sweep { rows: rows.0 })
    }
}

struct Collect(Vec<SweepRow>);

impl SweepObserver for Collect {
    fn on_token(&mut self) -> ModelResult<()> {
        Ok(())
    }

    fn on_rows(&mut self, rows: &[SweepRow]) -> Result<()> {
        self.0.extend_from_slice(rows);
        Ok(())
    }
}

impl Sweep {
    /// Means by coefficient with coherence, the coherent range, and the line within it, by the default measures: the edit ratio in
    /// characters, half a nat of coherence, 2000 resamples of seed 0. [`analyse`] takes others.
    ///
    /// # Errors
    /// No prompt has a ratio at every coefficient.
    pub fn analyse(&self) -> Result<SweepAnalysis> {
        let bootstrap = BootstrapOptions::default();
        analyse(&self.rows, CORRECTION, EditRatioVariant::default(), DEFAULT_COHERENCE_BOUND, &bootstrap)
    }

    /// The coefficient for a mean edit ratio, from the line within the coherent range.
    ///
    /// # Errors
    /// Those of [`tune`](redline_steer::tune), or no line: fewer than three coherent coefficients or two prompts.
    pub fn tune(&self, target: f64) -> Result<Tuned> {
        self.analyse()?.tune(target)
    }
}

impl SweepAnalysis {
    /// The coefficient for a mean edit ratio, from the line within the coherent range.
    ///
    /// # Errors
    /// Those of [`tune`](redline_steer::tune), or no line: fewer than three coherent coefficients or two prompts.
    pub fn tune(&self, target: f64) -> Result<Tuned> {
        let (Some(range), Some(fit)) = (&self.coherent_range, &self.fit) else {
            let got = self.coherent_range.as_ref().map_or(0, |range| range.indices().count());
            return Err(Error::TooFew { what: "coefficients within the coherent range", got, needed: 3 });
        };
        let within: Vec<Vec<f64>> = self.per_prompt.iter().map(|ratios| ratios[range.indices()].to_vec()).collect();
        redline_steer::tune(fit, &within, target)
    }
}
