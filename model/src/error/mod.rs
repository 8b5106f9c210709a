//! Everything that can be wrong with a model, its files or a request to run it: one variant per violated rule.

mod hint;

use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A violated rule, with the file, line or tensor it concerns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that was named does not exist.
    #[error("{path}: no such file or folder", path = path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// The operating system refused to read or write.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What a path leads to is read by its name only where it is a file.
    #[error("{path}: is {kind}, not a file", path = path.display())]
    NotAFile {
        /// What was asked for.
        path: PathBuf,
        /// What it is: `a folder`, `a named pipe`, `a device`, `a socket`.
        kind: &'static str,
    },
    /// A file is larger than any of its kind.
    #[error("{path}: larger than {limit}, the most that is read of such a file", path = path.display(), limit = size(*limit))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes.
        limit: u64,
    },
    /// A file is no UTF-8 text.
    #[error("{path}: not UTF-8 from byte {at} on", path = path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// First byte that is part of no character, from 1.
        at: usize,
    },
    /// A file became shorter while it was read.
    #[error("{path}: cut short while it was read: {what} needs {needed} bytes", path = path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// What was read.
        what: String,
        /// Bytes that the file had for it.
        needed: u64,
    },
    /// There is no memory for a part of a file.
    #[error("{path}: {needed} bytes for {what} do not fit in memory", path = path.display())]
    NoMemory {
        /// The file.
        path: PathBuf,
        /// What was to be read.
        what: String,
        /// Bytes asked for.
        needed: u64,
    },
    /// A folder holds no file that weights can be read from.
    #[error("{path}: no model.safetensors, model.safetensors.index.json or .gguf file in this folder", path = path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A file is shorter than its own header says.
    #[error("{path}: truncated: {what} needs {needed} bytes, {available} are left", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The part of the file that does not fit.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        available: u64,
    },
    /// A file breaks a rule of its format.
    #[error("{path}: not a valid {format} file: {rule}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
        /// The rule that is broken, with the place.
        rule: String,
    },
    /// A device is not there, or the program was not built for it.
    #[error("device `{name}`: {problem}")]
    Device {
        /// The name asked for.
        name: String,
        /// What the tensor library said.
        problem: String,
    },
    /// The model family is not one the decoder knows.
    #[error("{path}: unsupported architecture `{got}`; supported: {supported}", path = path.display())]
    UnsupportedArchitecture {
        /// The file that names it.
        path: PathBuf,
        /// The name found.
        got: String,
        /// The names that are known.
        supported: String,
    },
    /// A tensor is stored in a type that cannot be read.
    #[error("{path}: tensor `{tensor}` has unsupported type {got}", path = path.display())]
    UnsupportedType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Name or number of the type.
        got: String,
    },
    /// A configuration value is missing, of the wrong kind or impossible.
    #[error("{path}: `{field}` {problem}", path = path.display())]
    ConfigField {
        /// The file.
        path: PathBuf,
        /// The key.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A configuration asks for something that changes numbers and is not built in.
    #[error("{path}: `{field}` is {got} ({meaning}), which is not supported; supported: {supported}", path = path.display())]
    UnsupportedSetting {
        /// The file.
        path: PathBuf,
        /// The key.
        field: String,
        /// Its value.
        got: String,
        /// What that asks for.
        meaning: &'static str,
        /// The values that change nothing.
        supported: String,
    },
    /// A GGUF file is one of several that make a model.
    #[error("{path}: is part {part} of a model that is split into {parts} files", path = path.display())]
    SplitFile {
        /// The file.
        path: PathBuf,
        /// Which part, from 1.
        part: u64,
        /// How many there are.
        parts: u64,
    },
    /// A file holds the place where Git LFS keeps the real one.
    #[error("{path}: is a Git LFS pointer: the file itself was not downloaded", path = path.display())]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// The configuration asks for a tensor that the file lacks.
    #[error("{path}: tensor `{tensor}` is missing", path = path.display())]
    TensorMissing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A file holds a tensor that changes numbers and that the family's decoder does not have.
    #[error("{path}: tensor `{tensor}` is nothing that this family's layers have, and would change numbers", path = path.display())]
    TensorUnsupported {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The configuration and the file disagree about a tensor.
    #[error("{path}: tensor `{tensor}` has shape {got:?}, but the configuration asks for {expected:?}", path = path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape the configuration implies.
        expected: Vec<usize>,
    },
    /// A weight is NaN or infinite.
    #[error("{path}: tensor `{tensor}` holds {value} at flat index {index}", path = path.display())]
    TensorNotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// First offending flat index.
        index: usize,
        /// The value there.
        value: f32,
    },
    /// A line of a JSON Lines file is not JSON.
    #[error("{path}:{line}: not valid JSON: {}", without_line(source), path = path.display())]
    MalformedLine {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A line of a JSON Lines file holds no row.
    #[error("{path}:{line}: {fault}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What is wrong.
        fault: crate::qac::LineFault,
    },
    /// A row lacks a field.
    #[error("{path}:{line}: field `{field}` is missing", path = path.display())]
    MissingField {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// The JSON key.
        field: String,
    },
    /// A field that must hold text does not.
    #[error("{path}:{line}: field `{field}` must be text, but is {got}", path = path.display())]
    FieldType {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// The JSON key.
        field: String,
        /// Kind of JSON value found.
        got: &'static str,
    },
    /// A field that must hold text is empty.
    #[error("{path}:{line}: field `{field}` is empty", path = path.display())]
    EmptyField {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// The JSON key.
        field: String,
    },
    /// A data file holds no rows.
    #[error("{path}: no rows", path = path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The tokenizer file cannot be used.
    #[error("{path}: tokenizer: {problem}", path = path.display())]
    Tokenizer {
        /// The file it comes from.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A prompt template breaks a rule.
    #[error("template `{name}`: {problem}")]
    Template {
        /// Name or file of the template.
        name: String,
        /// The broken rule.
        problem: String,
    },
    /// More tokens than the model can attend to.
    #[error("{what} needs {tokens} tokens, but only {context} fit")]
    ContextExceeded {
        /// What is too long: a prompt, a prompt with its output.
        what: String,
        /// Tokens needed.
        tokens: usize,
        /// Tokens the model supports.
        context: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocab_size}")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A request is empty or its parts disagree.
    #[error("{what}: got {got}, expected {expected}")]
    Request {
        /// The argument.
        what: &'static str,
        /// What was given.
        got: String,
        /// What is allowed.
        expected: String,
    },
    /// A hook point's name does not parse.
    #[error("`{name}` is not a hook point")]
    UnknownHookPoint {
        /// The name.
        name: String,
    },
    /// A hook returned a tensor of another shape.
    #[error("the hook at {point} returned shape {got:?}, expected {expected:?}")]
    HookShape {
        /// The hook point.
        point: String,
        /// Shape returned.
        got: Vec<usize>,
        /// Shape expected.
        expected: Vec<usize>,
    },
    /// The network produced NaN or infinity.
    #[error("row {row}: the logits after {position} tokens are not finite")]
    LogitsNotFinite {
        /// The caller's row id.
        row: usize,
        /// Tokens read so far.
        position: usize,
    },
    /// A training option is out of range.
    #[error("training option `{option}`: got {got}, expected {expected}")]
    TrainOption {
        /// The option.
        option: &'static str,
        /// What was given.
        got: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// No row is left to train or evaluate on.
    #[error("no {what} rows: {given} given, {over_long} of them longer than {max_tokens} tokens")]
    NoRows {
        /// Which rows.
        what: &'static str,
        /// Rows given.
        given: usize,
        /// Rows left out for their length.
        over_long: usize,
        /// The longest prompt with output that is kept.
        max_tokens: usize,
    },
    /// The loss or its gradient is not finite, or far worse than guessing.
    #[error(
        "training diverged at step {step}: loss {loss}, gradient norm {gradient_norm}; rows of the batch: {rows:?}"
    )]
    TrainingDiverged {
        /// The step, from 0.
        step: usize,
        /// The batch's loss.
        loss: f64,
        /// Norm of its gradient.
        gradient_norm: f64,
        /// The batch's rows, by their index in the data.
        rows: Vec<usize>,
    },
    /// A checkpoint belongs to another run.
    #[error("{path}: the checkpoint is of another run: `{field}` is {got} there, but {expected} here", path = path.display())]
    CheckpointMismatch {
        /// The checkpoint.
        path: PathBuf,
        /// The first setting that differs.
        field: String,
        /// Its value in the checkpoint.
        got: String,
        /// Its value in this run.
        expected: String,
    },
    /// An adapter does not fit the model, or uses a feature that is not supported.
    #[error("{path}: adapter: {problem}", path = path.display())]
    Adapter {
        /// The file of the adapter.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// More memory is asked for than there is.
    #[error("{what}: {} GiB of memory are needed, {} GiB are free", bytes >> 30, available >> 30)]
    Memory {
        /// What needs it.
        what: &'static str,
        /// Bytes needed.
        bytes: u64,
        /// Bytes that can be had.
        available: u64,
    },
    /// An adapter asks for more than plain LoRA.
    #[error("{path}: adapter: `{field}` {problem}", path = path.display())]
    AdapterSetting {
        /// The file of the adapter.
        path: PathBuf,
        /// The key.
        field: String,
        /// What it asks for.
        problem: String,
    },
    /// An adapter's weights lie in a pickle only.
    #[error("{path}: adapter: its weights are in adapter_model.bin only, a pickle, which can run code and is not read", path = path.display())]
    AdapterPickle {
        /// The adapter's folder.
        path: PathBuf,
    },
    /// A text is longer than any context, and would take much memory to be cut into tokens.
    #[error("a text of {got} bytes is too long; at most {} MiB are cut into tokens", most >> 20)]
    TextTooLong {
        /// Its bytes.
        got: usize,
        /// The most that are taken.
        most: usize,
    },
    /// Another run writes to the file, under this or another of its names.
    #[error("{path}: another run is writing to it", path = path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// The run was interrupted; what was written so far is complete.
    #[error("interrupted")]
    Interrupted,
    /// A name that is not one of a closed list.
    #[error(transparent)]
    Name(#[from] crate::UnknownName),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// Wraps an I/O error with its path; a missing file becomes [`Error::NotFound`].
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            _ if crate::files::is_interruption(&source) => Self::Interrupted,
            std::io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, source },
        }
    }
}

/// What is wrong and at which column: the parser saw one line, so its own line number is always 1.
pub(crate) fn without_line(source: &serde_json::Error) -> String {
    let text = source.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    format!("{problem} at column {}", source.column())
}

/// Bytes in the largest unit that they fill.
fn size(bytes: u64) -> String {
    [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes >> shift > 0)
        .map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}
