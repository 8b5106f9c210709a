//! Everything that can be wrong with a request to steer or to measure steering: one variant per violated rule.

use std::path::PathBuf;

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A violated rule, with the numbers it concerns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few values for what was asked.
    #[error("{what}: got {got}, need at least {needed}")]
    TooFew {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A result belongs to a row that the data does not have.
    #[error("row {row}: the data has {n_rows} rows")]
    NoSuchRow {
        /// The row, from 0.
        row: usize,
        /// Rows there are.
        n_rows: usize,
    },
    /// Two sequences that belong together differ in length.
    #[error("{what}: got {got} values, expected {expected}")]
    LengthMismatch {
        /// The sequence.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The length of the sequence it goes with.
        expected: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what}: value {index} is {value}")]
    NotFinite {
        /// The sequence.
        what: &'static str,
        /// Place of the first offending value, from 0.
        index: usize,
        /// The value there.
        value: f64,
    },
    /// A network has no direction.
    #[error("{what} needs a direction, and an Aligner inside a model has none: what it adds depends on the activation")]
    NoDirection {
        /// What needs one.
        what: &'static str,
    },
    /// A network can only be added.
    #[error("an Aligner inside a model is added to activations; it cannot meet them by `{operator}`")]
    NetworkOnlyAdded {
        /// The operator asked for.
        operator: String,
    },
    /// A file breaks a rule of Aligners inside a model.
    #[error("{path}: not an Aligner inside a model: {rule}", path = path.display())]
    NotAnInside {
        /// The file.
        path: PathBuf,
        /// The broken rule.
        rule: String,
    },
    /// Training a vector led to values that are not finite.
    #[error("the training of the vector diverged at step {step} with a learning rate of {learning_rate}")]
    TrainingDiverged {
        /// The step, from 0.
        step: usize,
        /// The highest rate of the training.
        learning_rate: f64,
    },
    /// A training cannot go on from what is kept of it.
    #[error("{path}: this training cannot go on from it: {reason}")]
    TrainingNotContinued {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value lies outside what is allowed.
    #[error("{what}: got {got}, expected {expected}")]
    OutOfRange {
        /// The argument.
        what: &'static str,
        /// What was given.
        got: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A prompt of a sweep lacks ratios, or has too many.
    #[error("prompt {prompt}: got {got} ratios for {expected} coefficients")]
    PromptLength {
        /// The prompt, from 0.
        prompt: usize,
        /// Number of its ratios.
        got: usize,
        /// Number of coefficients.
        expected: usize,
    },
    /// A ratio of a sweep is NaN or infinite.
    #[error("prompt {prompt}: the ratio at coefficient {coefficient} is {value}")]
    RatioNotFinite {
        /// The prompt, from 0.
        prompt: usize,
        /// The coefficient.
        coefficient: f64,
        /// The value there.
        value: f64,
    },
    /// A line through points that share one x has no slope.
    #[error("no line fits: all {n} x values are {value}")]
    ConstantX {
        /// Number of points.
        n: usize,
        /// The value they share.
        value: f64,
    },
    /// The values are so large that the fit overflowed.
    #[error("the fitted line is not finite: slope {slope}, intercept {intercept}")]
    FitOverflow {
        /// Fitted slope.
        slope: f64,
        /// Fitted intercept.
        intercept: f64,
    },
    /// Values that must be sorted are not.
    #[error("{what}: value {index} is {value}, which does not come after {previous}")]
    NotAscending {
        /// The sequence.
        what: &'static str,
        /// Place of the first value out of order, from 0.
        index: usize,
        /// The value before it.
        previous: f64,
        /// The value.
        value: f64,
    },
    /// Coefficient 0 is not among the coefficients.
    #[error("coefficient 0, the baseline, is not among the {n} coefficients")]
    NoBaseline {
        /// Number of coefficients given.
        n: usize,
    },
    /// The baseline was not measured.
    #[error("the value at coefficient 0 (index {index}) is missing")]
    BaselineMissing {
        /// Place of coefficient 0.
        index: usize,
    },
    /// A first-order slope of an operator that is not addition.
    #[error("propensity to first order is for the operator `add`, not `{operator}`")]
    OperatorNotLinear {
        /// The operator.
        operator: String,
    },
    /// A vector without layers, or a range of layers that holds none of it.
    #[error("the control vector has no layer to inject")]
    NoLayers,
    /// A layer's vector has another size than the others, or than the model.
    #[error("the vector of layer {layer} has {got} values, expected {expected}")]
    VectorSize {
        /// The layer.
        layer: usize,
        /// Values it has.
        got: usize,
        /// Values expected.
        expected: usize,
    },
    /// A value of a control vector is NaN or infinite.
    #[error("the vector of layer {layer} holds {value} at {index}")]
    VectorNotFinite {
        /// The layer.
        layer: usize,
        /// Place of the first offending value.
        index: usize,
        /// The value there.
        value: f32,
    },
    /// The model has fewer layers than the vector.
    #[error("the vector steers layer {layer}, but the model has layers 0 to {}", n_layers - 1)]
    LayerBeyondModel {
        /// The layer.
        layer: usize,
        /// Number of layers of the model.
        n_layers: usize,
    },
    /// A layer is asked for that the model does not have.
    #[error("layer {layer} is asked for, but the model has layers 0 to {}", n_layers - 1)]
    NoSuchLayer {
        /// The layer.
        layer: usize,
        /// Number of layers of the model.
        n_layers: usize,
    },
    /// A layer shall be injected that the vector does not have.
    #[error("layer {layer} is not in the vector")]
    LayerNotRead {
        /// The layer.
        layer: usize,
    },
    /// A coefficient is NaN or infinite.
    #[error("the coefficient is {coefficient}, but must be finite")]
    CoefficientNotFinite {
        /// The coefficient.
        coefficient: f32,
    },
    /// A coefficient is beyond all use.
    #[error("coefficient {coefficient} is not within ±{most}")]
    CoefficientTooLarge {
        /// The coefficient.
        coefficient: f32,
        /// The largest.
        most: f32,
    },
    /// A coefficient stands in the list twice.
    #[error("coefficient {coefficient} is given twice")]
    CoefficientTwice {
        /// The coefficient.
        coefficient: f32,
    },
    /// An empty list of coefficients.
    #[error("no coefficients are given")]
    NoCoefficients,
    /// A row names a vector that is not there.
    #[error("vector {got} of {n_vectors}")]
    VectorIndex {
        /// Index asked for.
        got: usize,
        /// Number of vectors.
        n_vectors: usize,
    },
    /// A name that is not a token range.
    #[error("`{name}` is not a token range; known: output, all, prompt, last-prompt-token, generated, START..END")]
    UnknownTokenRange {
        /// The name given.
        name: String,
    },
    /// A vector for a place that cannot be changed.
    #[error("activations at `{site}` cannot be steered")]
    SiteNotSteered {
        /// The site.
        site: String,
    },
    /// A vector for another place than block outputs, which a format cannot say.
    #[error("the vector is for `{site}`, but control vectors in GGUF are added to block outputs")]
    SiteNotWritten {
        /// The site.
        site: String,
    },
    /// A gate that decides later than the first layer it decides about.
    #[error("the gate reads layer {gate}, but layer {layer} is steered before it")]
    GateAfterLayer {
        /// The gate's layer.
        gate: usize,
        /// First steered layer.
        layer: usize,
    },
    /// A steered run changed no activation.
    #[error("the control vector touched nothing: no position lies in token range `{range}`, or the vector is zero")]
    NoEffect {
        /// The token range.
        range: String,
    },
    /// A control vector file breaks a rule of its format.
    #[error("{path}: not a control vector: {rule}", path = path.display())]
    NotAControlVector {
        /// The file.
        path: PathBuf,
        /// The broken rule.
        rule: String,
    },
    /// No prompt of a sweep has all its coefficients.
    #[error("no prompt has a ratio at every coefficient of `{vector}`")]
    NoCompletePrompt {
        /// Name of the vector.
        vector: String,
    },
    /// A line that may be level leads from no ratio to a coefficient.
    #[error(
        "the slope is {slope:.4} with a 95 % interval from {low:.4} to {high:.4}, which holds 0: no coefficient follows from it"
    )]
    SlopeUncertain {
        /// Slope of the line.
        slope: f64,
        /// Lower end of its interval.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A target ratio lies beyond what the line reaches within the coherent range.
    #[error(
        "edit ratio {target:.4} is out of reach: within the coherent range the line goes from {lowest:.4} to {highest:.4}; \
         the nearest is {nearest:.4}, at coefficient {coefficient}"
    )]
    OutOfReach {
        /// What was asked for.
        target: f64,
        /// The lowest ratio of the line on its coefficients.
        lowest: f64,
        /// The highest.
        highest: f64,
        /// The one nearest to the target.
        nearest: f64,
        /// The coefficient that has it.
        coefficient: f64,
    },
    /// A file to continue is not a sweep.
    #[error("{path}: not a sweep file (its first line has no schema redline.sweep.v1)", path = path.display())]
    NotASweep {
        /// The file.
        path: PathBuf,
    },
    /// A file to continue was made with other settings.
    #[error("{path}: made with other settings ({difference})", path = path.display())]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// First setting that differs.
        difference: String,
    },
    /// A result cannot be written as JSON.
    #[error("the result cannot be written as JSON: {source}")]
    Serialize {
        /// What the serialiser said.
        source: serde_json::Error,
    },
    /// A vector of block 0 cannot move one block earlier.
    #[error("the vector steers block 0, so it cannot be moved one block earlier")]
    ShiftBelowZero,
    /// Reading activations failed.
    #[error(transparent)]
    Probe(Box<redline_probe::Error>),
    /// The least-squares solver failed.
    #[error("least squares: {0}")]
    LeastSquares(#[from] linfa_linear::LinearError<f64>),
    /// A name that is not one of a closed list.
    #[error(transparent)]
    Name(#[from] redline_model::UnknownName),
    /// The model could not be loaded or run.
    #[error(transparent)]
    Model(#[from] redline_model::Error),
}

impl Error {
    /// The cure, in one line, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::ConstantX { .. } => "a line needs at least two different coefficients",
            Self::NotAscending { .. } => "sort the values, each coefficient once",
            Self::NoSuchRow { .. } => "give the file of rows that the sweep was run on",
            Self::NoBaseline { .. } => "add 0 to the coefficients",
            Self::BaselineMissing { .. } => "coherence is judged against coefficient 0; measure it there",
            Self::RatioNotFinite { .. } => "leave out prompts whose original answer is empty: their ratio is undefined",
            Self::VectorSize { .. } | Self::LayerBeyondModel { .. } => {
                "the vector belongs to another model; extract one from this model with `redline extract`"
            }
            Self::VectorNotFinite { .. } => "the file is damaged; extract or export the vector again",
            Self::NoLayers | Self::NoSuchLayer { .. } => "choose other --layers",
            Self::LayerNotRead { .. } => "extract the layer too, or choose other --layers",
            Self::CoefficientNotFinite { .. } => "give finite numbers, such as -1,-0.5,0,0.5",
            Self::CoefficientTooLarge { .. } => "give small numbers, such as -1,-0.5,0,0.5",
            Self::NoEffect { .. } => "choose another --range, or layers whose gap is not zero",
            Self::GateAfterLayer { .. } => "read an earlier layer, or steer later ones",
            Self::SiteNotSteered { .. } => "give a vector for resid_post, attn_out, mlp_out or attn.hook_z",
            Self::SiteNotWritten { .. } => "keep it as .safetensors, or extract at resid_post",
            Self::NotAControlVector { .. } => "give a GGUF file with general.architecture = controlvector",
            Self::SlopeUncertain { .. } => {
                "sweep more prompts or wider --coefficients, or find a vector that steers (`redline compare`)"
            }
            Self::OutOfReach { .. } => "ask for a ratio within reach, or sweep wider --coefficients",
            Self::NotASweep { .. } => "give a file that `redline sweep` wrote, or name another output",
            Self::OtherSettings { .. } => "name another output, or remove the old one",
            Self::NoDirection { .. } => "give a reading vector or a control vector",
            Self::NetworkOnlyAdded { .. } => "leave the operator out, or give `add`",
            Self::NotAnInside { .. } => "give a file that `redline extract --method inside` wrote",
            Self::TrainingDiverged { .. } => "give a lower --learning-rate, such as 0.1",
            Self::TrainingNotContinued { .. } => {
                "give the options and data that it began with, or --force (or remove the file) to begin anew"
            }
            Self::NoCompletePrompt { .. } => "let the sweep finish a prompt; the same command continues it",
            Self::Probe(source) => return source.hint(),
            Self::Model(source) => return source.hint(),
            Self::OperatorNotLinear { .. } => "measure its propensity at several coefficients instead",
            Self::OutOfRange { .. } => "give a value in the range that is expected",
            Self::CoefficientTwice { .. } => "give each coefficient once",
            Self::NoCoefficients => "give coefficients, such as -1,-0.5,0,0.5",
            Self::Name(error) => error.hint(),
            Self::UnknownTokenRange { .. } => "choose one of those known",
            Self::ShiftBelowZero => "leave --from-llama-cpp-generator out: that generator never writes block 0",
            Self::FitOverflow { .. } | Self::LeastSquares(_) => {
                "use smaller coefficients, or leave out prompts whose ratio is far off"
            }
            Self::LengthMismatch { .. } | Self::PromptLength { .. } => {
                "give every list as many values as there are coefficients"
            }
            Self::TooFew { .. } => "give more prompts or coefficients",
            Self::NotFinite { .. } => "leave out values that are NaN or infinite",
            Self::VectorIndex { .. } => "choose a vector that was given, counted from 0",
            Self::Serialize { .. } => "this is a defect of the program; report it with the command that was run",
        })
    }
}

impl From<redline_probe::Error> for Error {
    /// Errors of the model and of lists of numbers keep their own variant.
    fn from(error: redline_probe::Error) -> Self {
        use redline_probe::Error as Probe;
        match error {
            Probe::Model(error) => Self::Model(error),
            Probe::TooFew { what, got, needed } => Self::TooFew { what, got, needed },
            Probe::LengthMismatch { what, got, expected } => Self::LengthMismatch { what, got, expected },
            Probe::NotFinite { what, index, value } => Self::NotFinite { what, index, value },
            Probe::OutOfRange { what, got, expected } => Self::OutOfRange { what, got, expected },
            Probe::NotAscending { what, index, previous, value } => Self::NotAscending { what, index, previous, value },
            error => Self::Probe(Box::new(error)),
        }
    }
}
