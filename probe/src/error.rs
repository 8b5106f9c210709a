//! Everything that can be wrong with pairs, activations or a request to read them: one variant per violated rule.

use std::path::PathBuf;

use crate::layer_pairs::Pole;

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A violated rule, with the layer and pair it concerns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few values for a statistic.
    #[error("{what}: got {got}, need at least {needed}")]
    TooFew {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A file is not the part of a whole that it says, or parts do not belong together.
    #[error("{path}: {rule}", path = path.display())]
    Shards {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        rule: String,
    },
    /// A part has not all of its rows.
    #[error("{path}: {rule}", path = path.display())]
    ShardUnfinished {
        /// The file.
        path: PathBuf,
        /// What is missing.
        rule: String,
    },
    /// Parts of a whole are not there.
    #[error("{what} {list} of {of} {are} missing", what = if parts.len() == 1 { "part" } else { "parts" }, list = parts.join(", "), are = if parts.len() == 1 { "is" } else { "are" })]
    ShardsMissing {
        /// Their numbers, from 1.
        parts: Vec<String>,
        /// How many parts there are.
        of: usize,
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
    /// Values are not in ascending order.
    #[error("{what}: value {index} is {value}, which does not come after {previous}")]
    NotAscending {
        /// The sequence.
        what: &'static str,
        /// Place of the value, from 0.
        index: usize,
        /// The value before it.
        previous: f64,
        /// The value.
        value: f64,
    },
    /// A control vector stands where a reading vector is needed.
    #[error("{path}: a control vector (GGUF), which has no calibration to score by", path = path.display())]
    NotAReading {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The regression of a head that orders pairs did not end well.
    #[error("logistic regression of pairs: {problem}")]
    PairRegression {
        /// What the solver says.
        problem: String,
    },
    /// A logistic regression did not come to an end.
    #[error("layer {layer}: logistic regression: {problem}")]
    Regression {
        /// The layer.
        layer: usize,
        /// What the solver said.
        problem: String,
    },
    /// No layer was given.
    #[error("there are no layers to read")]
    NoLayers,
    /// A layer holds no pairs.
    #[error("layer {layer}: there are no pairs")]
    NoPairs {
        /// The layer.
        layer: usize,
    },
    /// The method cannot work on so few pairs.
    #[error("layer {layer}: {method} needs at least {needed} pairs, got {got}")]
    TooFewPairs {
        /// The layer.
        layer: usize,
        /// Name of the method.
        method: &'static str,
        /// Pairs given.
        got: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// A pair is asked for that is not there.
    #[error("layer {layer}: pair {index} is out of range; there are {n_pairs}")]
    PairOutOfRange {
        /// The layer.
        layer: usize,
        /// The index asked for.
        index: usize,
        /// Number of pairs.
        n_pairs: usize,
    },
    /// The two poles of a layer differ in shape.
    #[error("layer {layer}: the positive activations have shape {positive:?}, the negative ones {negative:?}")]
    PoleShapes {
        /// The layer.
        layer: usize,
        /// Pairs and hidden size of the positive pole.
        positive: Vec<usize>,
        /// Pairs and hidden size of the negative pole.
        negative: Vec<usize>,
    },
    /// An activation has no dimensions.
    #[error("layer {layer}: the activations have hidden size 0")]
    NoDimensions {
        /// The layer.
        layer: usize,
    },
    /// An activation is NaN or infinite.
    #[error("layer {layer}, pair {pair}: the {pole} activation holds {value} at dimension {dimension}")]
    ActivationNotFinite {
        /// The layer.
        layer: usize,
        /// Index of the pair.
        pair: usize,
        /// Which of its two activations.
        pole: Pole,
        /// First offending dimension.
        dimension: usize,
        /// The value there.
        value: f32,
    },
    /// In every pair both activations are the same, so there is nothing to tell apart.
    #[error("layer {layer}: in all {n_pairs} pairs the positive and the negative activation are identical")]
    IdenticalPairs {
        /// The layer.
        layer: usize,
        /// Number of pairs.
        n_pairs: usize,
    },
    /// The pairs differ, but the rows of the principal component analysis do not.
    #[error("layer {layer}: the {n_rows} rows that {method} analyses are all equal")]
    NoVariance {
        /// The layer.
        layer: usize,
        /// Name of the method.
        method: &'static str,
        /// Number of rows.
        n_rows: usize,
    },
    /// The mean of the positive activations equals the mean of the negative ones.
    #[error("layer {layer}: the mean difference of the {n_pairs} pairs is zero")]
    NoMeanDifference {
        /// The layer.
        layer: usize,
        /// Number of pairs.
        n_pairs: usize,
    },
    /// One list of flips must serve every pair.
    #[error("layer {layer}: got {got} flips for {expected} pairs")]
    FlipCount {
        /// The layer.
        layer: usize,
        /// Flips given.
        got: usize,
        /// Number of pairs.
        expected: usize,
    },
    /// An activation and a direction differ in size.
    #[error("layer {layer}: the activation has {got} values, the direction has {expected}")]
    HiddenSize {
        /// The layer.
        layer: usize,
        /// Values given.
        got: usize,
        /// Values the direction has.
        expected: usize,
    },
    /// A score is NaN or infinite, because the activation is.
    #[error("layer {layer}: the score of row {row} is {score}")]
    ScoreNotFinite {
        /// The layer.
        layer: usize,
        /// Index of the row.
        row: usize,
        /// The score.
        score: f64,
    },
    /// A reading vector, or the pairs it is to be tested on, belong to another layer.
    #[error("got pairs of layer {got} for the direction of layer {expected}")]
    LayerMismatch {
        /// The layer of the pairs.
        got: usize,
        /// The layer of the direction.
        expected: usize,
    },
    /// Two lists that go together differ in length.
    #[error("got {got} {what}, expected {expected}")]
    LayerCount {
        /// What is counted.
        what: &'static str,
        /// Number given.
        got: usize,
        /// Number expected.
        expected: usize,
    },
    /// A layer is given twice.
    #[error("layer {layer} is given twice")]
    DuplicateLayer {
        /// The layer.
        layer: usize,
    },
    /// The principal component analysis failed.
    #[error("layer {layer}: principal component analysis: {source}")]
    Pca {
        /// The layer.
        layer: usize,
        /// What the solver said.
        source: linfa_reduction::ReductionError,
    },
    /// The principal component analysis returned something that is no component.
    #[error("layer {layer}: the principal component analysis did not converge on {n_rows} rows of {hidden} values")]
    PcaDiverged {
        /// The layer.
        layer: usize,
        /// Number of rows.
        n_rows: usize,
        /// Values a row.
        hidden: usize,
    },
    /// A share of a split is not a positive finite number.
    #[error("share {part} of the split is {share}; shares must be above 0 and at most 1")]
    SplitShare {
        /// Position of the part, from 0.
        part: usize,
        /// The share given.
        share: f64,
    },
    /// The shares of a split are more than the whole.
    #[error("the shares of the split add up to {total}, more than 1")]
    SplitShares {
        /// Their sum, up to the part that is too much.
        total: f64,
    },
    /// The parts of a split are larger than the whole.
    #[error("the parts of the split ask for {asked} questions, but there are {available}")]
    SplitTooLarge {
        /// Questions asked for.
        asked: usize,
        /// Distinct questions there are.
        available: usize,
    },
    /// A part of a split would hold nothing.
    #[error("{available} distinct questions are too few to be split: part {} of the parts would be empty", part + 1)]
    SplitEmptyPart {
        /// Position of the part, from 0.
        part: usize,
        /// Distinct questions there are.
        available: usize,
    },
    /// A bootstrap without resamples.
    #[error("a bootstrap needs at least 1 resample, got 0")]
    NoResamples,
    /// A pair of identical texts has no contrast.
    #[error("row {row}: the correction equals the answer, so the pair has no contrast")]
    IdenticalTexts {
        /// Index of the triple, from 0.
        row: usize,
    },
    /// Nothing was decided before the last difference.
    #[error("row {row}: correction and answer differ in one place only, so nothing precedes the last difference")]
    OneDifference {
        /// Index of the triple, from 0.
        row: usize,
    },
    /// No triple gave a pair.
    #[error(
        "no triple gives a pair: {identical} corrections equal their answer, {one_difference} differ in one place only where two are needed, {too_long} prompts are too long"
    )]
    NoContrast {
        /// Triples that differ in one place only, of a design that needs two.
        one_difference: usize,
        /// Triples whose correction equals the answer.
        identical: usize,
        /// Triples whose prompt is too long.
        too_long: usize,
    },
    /// No text is long enough for the positions asked for.
    #[error("none of the {n_pairs} pairs is long enough to be read at `{read}`")]
    NothingToRead {
        /// The positions asked for.
        read: String,
        /// Number of pairs.
        n_pairs: usize,
    },
    /// Too few tokens to take a mean and a standard deviation from.
    #[error("calibration needs at least 2 tokens, got {got}")]
    TooFewCalibrationTokens {
        /// Tokens given.
        got: usize,
    },
    /// A scan needs the scores of calibration texts.
    #[error("the reading vector has no calibration, so a scan has no z-values")]
    NoCalibration,
    /// A reading vector of other dimensions than the model.
    #[error(
        "{path}: the vector is for {} blocks of width {}, the model has {} of width {}",
        got[0], got[1], expected[0], expected[1], path = path.display()
    )]
    VectorShape {
        /// The vector's file.
        path: PathBuf,
        /// Blocks and width of the vector.
        got: [usize; 2],
        /// Blocks and width of the model.
        expected: [usize; 2],
    },
    /// A reading vector made with other weights.
    #[error("{path}: the vector was made for another model (weights {vector:.12}, this model {model:.12})", path = path.display())]
    VectorModel {
        /// The vector's file.
        path: PathBuf,
        /// Hash of the weights it was made with.
        vector: String,
        /// Hash of this model's weights.
        model: String,
    },
    /// A name that is not one of a closed list.
    #[error(transparent)]
    Name(#[from] redline_model::UnknownName),
    /// The model or its files.
    #[error(transparent)]
    Model(#[from] redline_model::Error),
}

impl Error {
    /// The cure, in one line, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoPairs { .. } | Self::TooFewPairs { .. } => {
                "give more rows; some tens of pairs are the least that reads well"
            }
            Self::ActivationNotFinite { .. } | Self::ScoreNotFinite { .. } => {
                "the forward pass overflowed; run the model in f32, or leave this row out"
            }
            Self::IdenticalPairs { .. } => {
                "the answer and its correction are the same, or the positions read lie before their first difference"
            }
            Self::Shards { .. } => "give every part of one run, each once, as it was written",
            Self::ShardUnfinished { .. } => "run the part again with the same options: it goes on where it was stopped",
            Self::ShardsMissing { .. } => "run the missing parts with the same options, and give the files of all",
            Self::TooFew { .. } => "give more values",
            Self::LengthMismatch { .. } => "give both sequences the same length",
            Self::NotFinite { .. } => "leave out values that are NaN or infinite",
            Self::OutOfRange { .. } => "give a value in the range that is expected",
            Self::NotAscending { .. } => "sort the values, each once",
            Self::NotAReading { .. } => "give a reading vector: `redline extract --out vector.safetensors` writes one",
            Self::NoVariance { .. } => "use mirrored differences, or mean_diff",
            Self::NoMeanDifference { .. } => "use pca_diff or pca_center, or check which pole is which",
            Self::SplitShare { .. } | Self::SplitShares { .. } => "shares add up to at most 1, such as 0.7,0.15,0.15",
            Self::SplitTooLarge { .. } => "equal questions count once; ask for smaller parts or give more rows",
            Self::SplitEmptyPart { .. } => {
                "give more rows with other questions; some questions are kept apart to test on"
            }
            Self::IdenticalTexts { .. } => "choose a row whose correction differs from the answer",
            Self::OneDifference { .. } => "choose another row, or another --design",
            Self::NoContrast { .. } => {
                "pairs need triples whose correction differs from the answer; raise --max-tokens for long prompts"
            }
            Self::NoCalibration => "extract the vector with --calibration-pairs above 0",
            Self::NothingToRead { .. } => "read at an earlier position, or give longer outputs",
            Self::VectorShape { .. } => "extract a vector from this model with `redline extract`",
            Self::VectorModel { .. } => {
                "extract a vector from this model with `redline extract`, or accept this one with --any-model"
            }
            Self::Name(error) => error.hint(),
            Self::NoLayers | Self::DuplicateLayer { .. } => "give at least one layer, each once",
            Self::NoResamples => "give 1000 resamples, or at least 1",
            Self::TooFewCalibrationTokens { .. } => "raise --calibration-pairs, or give longer outputs",
            Self::PairRegression { .. } => "give more pairs",
            Self::Pca { .. } | Self::PcaDiverged { .. } | Self::Regression { .. } => {
                "use --method mean_diff, or give more pairs"
            }
            Self::PairOutOfRange { .. }
            | Self::PoleShapes { .. }
            | Self::NoDimensions { .. }
            | Self::FlipCount { .. }
            | Self::HiddenSize { .. }
            | Self::LayerMismatch { .. }
            | Self::LayerCount { .. } => "use activations and directions of one model, layer by layer",
            Self::Model(error) => return error.hint(),
        })
    }
}
