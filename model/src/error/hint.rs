//! The cure of each error, in one line.

use super::Error;

impl Error {
    /// The cure, in one line, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound { .. } => "check the path",
            Self::Io { .. } => "check that the path is right and that it can be read or written",
            Self::NotAFile { kind: "a folder", .. } => "name a file",
            Self::NotAFile { .. } => {
                "give a file; rows are also read from the standard input, `-`, and from `<(command)`"
            }
            Self::TooLarge { .. } => "check that it is the file you mean",
            Self::NotText { .. } => "save it as UTF-8",
            Self::CutShort { .. } => "another program changed the file; run the command again when it is whole",
            Self::NoMemory { .. } => "check that it is the file you mean, or take a machine with more memory",
            Self::Malformed { .. } => "the file is damaged or of another kind; check that it is the one you mean",
            Self::ConfigField { .. } => {
                "the configuration is damaged or of a variant that is not supported; take all files from one release"
            }
            Self::Memory { .. } => "lower the sizes: fewer rows together, fewer new tokens, a smaller model",
            Self::UnsupportedSetting { .. } | Self::TensorUnsupported { .. } => {
                "this variant computes other numbers; choose a model without it, or run it with the program it was made for"
            }
            Self::SplitFile { .. } => "make one file of its parts: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf",
            Self::LfsPointer { .. } => "run `git lfs pull` in the repository, or download the file itself",
            Self::Tokenizer { .. } => "the model needs its own tokenizer; take all files from one release",
            Self::NoWeights { .. } => {
                "give a Hugging Face folder (config.json, tokenizer.json, model.safetensors) or a .gguf file"
            }
            Self::Truncated { .. } => "the download or copy was cut short; fetch the file again",
            Self::Device { .. } => {
                "run on --device cpu; for another, build the program with --features cuda or --features metal where there is one"
            }
            Self::UnsupportedArchitecture { .. } => "convert or choose a model of a supported family",
            Self::UnsupportedType { .. } => {
                "requantise the file to F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or a K-quant"
            }
            Self::TensorMissing { .. } | Self::TensorShape { .. } => {
                "the configuration and the weights belong to different models; take both from one release"
            }
            Self::TensorNotFinite { .. } => {
                "the weights are damaged, or a training run diverged; fetch or train them again"
            }
            Self::MalformedLine { .. } | Self::Line { .. } => "each line must be one JSON object; is this JSON Lines?",
            Self::MissingField { .. } | Self::FieldType { .. } | Self::EmptyField { .. } => {
                "each row needs non-empty text in `question`, `answer` and `correction`"
            }
            Self::EmptyFile { .. } => {
                "the file needs at least one row, such as a line with `question`, `answer` and `correction`"
            }
            Self::Template { .. } => "give a built-in name, or a file that holds {question} and {answer} once each",
            Self::UnknownHookPoint { .. } => {
                "sites are resid_pre, resid_mid, resid_post, attn_out, mlp_out, attn.hook_z and, to be read only, attn.hook_pattern"
            }
            Self::ContextExceeded { .. } => "shorten the text, lower the output limit, or leave the row out",
            Self::TrainingDiverged { .. } => "lower the learning rate, or look at the rows named",
            Self::CheckpointMismatch { .. } => "resume with the settings the run began with, or begin a new run",
            Self::LogitsNotFinite { .. } => "the steering coefficient is far too large, or the weights are damaged",
            Self::TokenOutOfRange { .. } => {
                "tokenizer and weights belong to different models; take both from one release"
            }
            Self::Request { .. } | Self::TrainOption { .. } => "change the option, or leave it out for its default",
            Self::NoRows { .. } => "give rows of question, answer and correction, or raise --max-tokens",
            Self::Adapter { .. } => "give the folder that PEFT wrote for this very model",
            Self::AdapterSetting { .. } => {
                "merge it with PEFT (merge_and_unload) and give the merged folder as --model"
            }
            Self::AdapterPickle { .. } => {
                "load it with PEFT and save it again: save_pretrained writes adapter_model.safetensors"
            }
            Self::TextTooLong { .. } => "shorten the text, or give it in parts",
            Self::Held { .. } => "wait until it ends, or name another output",
            Self::HookShape { .. } => "a hook gives back what it was given, in the same shape",
            Self::Name(error) => error.hint(),
            Self::Candle(_) => {
                "memory may have run out: lower --batch-rows; otherwise report it with the command that was run"
            }
            Self::Interrupted => return None,
        })
    }
}
