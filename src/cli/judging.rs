//! Who judges outputs, and what about.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use redline::lab::judge::{Dimension, Form};
use redline::lab::win_rate::Rule;

use super::numbers::{MOST_FACTOR, number};
use super::systems::{SystemList, SystemSpec, WriterSpec};

/// A judge as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JudgeSpec {
    /// The flaws that were put into the rows.
    Flaws,
    /// Known flaws, and words in common with the correction.
    Phrases,
    /// Results of solutions.
    Answer,
    /// Whether outputs acknowledge what their asker tells of.
    Trait,
    /// A reward model.
    Reward(PathBuf),
    /// A cost model.
    Cost(PathBuf),
    /// A file of judgements.
    Recorded {
        /// Where it is.
        file: PathBuf,
        /// Which judge of several.
        judge: Option<String>,
    },
    /// A model behind an address.
    Server {
        /// Its URL.
        url: String,
        /// What the server calls it.
        model: String,
    },
}

/// The two parts of `URL#MODEL`.
pub fn url_and_model(text: &str) -> Option<(String, String)> {
    let (url, model) = text.rsplit_once('#')?;
    (url.contains("://") && !model.is_empty()).then(|| (url.to_owned(), model.to_owned()))
}

impl FromStr for JudgeSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "give flaws, phrases, answer, trait, reward=DIR, cost=DIR, recorded=FILE (recorded=FILE#JUDGE where it holds several) or URL#MODEL";
        let path = |path: &str| if path.is_empty() { Err(FORMS.to_owned()) } else { Ok(PathBuf::from(path)) };
        match (text, text.split_once('=')) {
            ("flaws", ..) => Ok(Self::Flaws),
            ("phrases", ..) => Ok(Self::Phrases),
            ("answer", ..) => Ok(Self::Answer),
            ("trait", ..) => Ok(Self::Trait),
            (_, Some(("reward", folder))) => path(folder).map(Self::Reward),
            (_, Some(("cost", folder))) => path(folder).map(Self::Cost),
            (_, Some(("recorded", file))) => path(file).map(recorded),
            _ => match url_and_model(text) {
                Some((url, model)) => Ok(Self::Server { url, model }),
                None => Err(FORMS.into()),
            },
        }
    }
}

impl fmt::Display for JudgeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flaws => f.write_str("flaws"),
            Self::Phrases => f.write_str("phrases"),
            Self::Answer => f.write_str("answer"),
            Self::Trait => f.write_str("trait"),
            Self::Reward(path) => write!(f, "reward={}", path.display()),
            Self::Cost(path) => write!(f, "cost={}", path.display()),
            Self::Recorded { file, judge: None } => write!(f, "recorded={}", file.display()),
            Self::Recorded { file, judge: Some(judge) } => write!(f, "recorded={}#{judge}", file.display()),
            Self::Server { url, model } => write!(f, "{url}#{model}"),
        }
    }
}

/// A file of judgements; what stands behind a # that is not in its name says which judge.
fn recorded(file: PathBuf) -> JudgeSpec {
    let text = file.to_string_lossy().into_owned();
    match text.split_once('#') {
        Some((name, judge)) if !file.exists() && !name.is_empty() && !judge.is_empty() => {
            JudgeSpec::Recorded { file: name.into(), judge: Some(judge.into()) }
        }
        _ => JudgeSpec::Recorded { file, judge: None },
    }
}

/// Systems beside each other, in the eyes of judges.
#[derive(Args, Clone)]
#[command(next_help_heading = "Systems and judges")]
pub struct JudgingArgs {
    /// Judges; may be repeated: flaws (for rows that carry their flaws), phrases (known flaws in any text, and words
    /// in common with the correction), answer (results of solutions), trait (whether outputs acknowledge the asker's
    /// situation), reward=DIR or cost=DIR (a model with a scalar head), recorded=FILE (judgements;
    /// recorded=FILE#JUDGE if it holds several judges), URL#MODEL (any OpenAI-compatible server). Rows of --data with
    /// output_1, output_2 and a label test how good the judge is
    #[arg(long, value_name = "JUDGE")]
    pub judge: Vec<JudgeSpec>,
    /// Systems to judge: upstream (the answers as they are), aligner, aligner@COEFFICIENT, stack-N and
    /// stack-N@COEFFICIENT (N passes, each over the output of the one before), beam-N (the Aligner with N beams),
    /// best-of-N (the best of N sampled corrections, by --choose-by), NAME=MODEL (a model's own answers, such as
    /// sft=DIR), and those that --writer writes: prompt, prompt-copy, prompt-edit, critique, constitutional,
    /// self-refine, answer, answer-best-of-N. May be repeated; put a path with a comma in double quotes
    #[arg(id = "systems", long = "systems", value_name = "LIST|NAME=MODEL", requires = "judge")]
    pub lists: Vec<SystemList>,
    /// The systems of all lists
    #[arg(skip)]
    pub systems: Vec<SystemSpec>,
    /// Model that writes the systems made by asking: folder, GGUF file, or URL#MODEL (any OpenAI-compatible server)
    #[arg(long, value_name = "MODEL", requires = "systems")]
    pub writer: Option<WriterSpec>,
    /// Model that writes the upstream answers anew, instead of those in --data: folder, GGUF file, or URL#MODEL
    #[arg(long, value_name = "MODEL", requires = "systems")]
    pub upstream: Option<WriterSpec>,
    /// Variable that holds the key of --writer and --upstream
    #[arg(long, value_name = "NAME", requires = "systems")]
    pub writer_key_env: Option<String>,
    /// Show judges behind a server the corrections of --data as right answers, for rows that have one
    #[arg(long, requires = "judge")]
    pub show_references: bool,
    /// Judge that chooses the best of N: flaws, answer, trait, reward=DIR or cost=DIR; preferably not one of --judge
    #[arg(long, value_name = "JUDGE", requires = "systems")]
    pub choose_by: Option<JudgeSpec>,
    /// Temperature of the draws of best-of-N and answer-best-of-N
    #[arg(long, default_value_t = 1.0, value_parser = number(0.01, 100.0))]
    pub draw_temperature: f64,
    /// Existing outputs of systems (redline.answers.v1); - is standard input. May be repeated, for example for the
    /// checkpoints of a run: systems that share a name are then named by their files, and --score-shift draws a panel
    /// for each
    #[arg(long, value_name = "FILE", requires = "judge", conflicts_with = "systems")]
    pub answers: Vec<PathBuf>,
    /// Dimensions to compare outputs by: helpful, harmless, honest, overall
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "overall", requires = "judge")]
    pub dimension: Vec<Dimension>,
    /// The system that the others are compared with
    #[arg(long, value_name = "NAME", default_value = "upstream", requires = "judge")]
    pub against: String,
    /// How verdicts in both orders become one: both (a win only if they agree), mean, arena, logprob [default: what
    /// suits the judge]
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub rule: Option<Rule>,
    /// Keep the judgements in this file; an existing file is continued, and nothing in it is asked again
    #[arg(long, value_name = "FILE", requires = "judge", conflicts_with = "score_shift")]
    pub judgements: Option<PathBuf>,
    /// How a server is asked: letter, five, logprob, score [default: letter]
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub judge_form: Option<Form>,
    /// Variable that holds the judge's key
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub judge_key_env: Option<String>,
    /// Requests to the judge at the same time [default: 4]
    #[arg(long, value_name = "N", requires = "judge", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub judge_workers: Option<u16>,
    /// Most requests to the judge per minute [default: no limit]
    #[arg(long, value_name = "N", requires = "judge", value_parser = clap::value_parser!(u32).range(1..))]
    pub judge_per_minute: Option<u32>,
    /// Price of a million prompt tokens for the judge
    #[arg(long, value_name = "PRICE", requires = "judge_completion_price", value_parser = number(0.0, MOST_FACTOR))]
    pub judge_prompt_price: Option<f64>,
    /// Price of a million tokens that the judge writes
    #[arg(long, value_name = "PRICE", requires = "judge_prompt_price", value_parser = number(0.0, MOST_FACTOR))]
    pub judge_completion_price: Option<f64>,
    /// Instead, draw how systems shift two scores, as STEM.png and .svg; takes two judges reward=PATH or cost=PATH,
    /// the first to the right, the second upwards
    #[arg(long, value_name = "STEM", requires = "judge")]
    pub score_shift: Option<PathBuf>,
    /// Existing preferences of a judge, one per line: index, length, preference (1 the baseline … 2 the system), as
    /// in AlpacaEval; prints the raw and the length-controlled win rate
    #[arg(long, value_name = "FILE", requires = "instructions", conflicts_with_all = ["judge", "data"])]
    pub preferences: Option<PathBuf>,
    /// The instructions of --preferences: index, difficulty, baseline_length
    #[arg(long, value_name = "FILE", requires = "preferences")]
    pub instructions: Option<PathBuf>,
    /// Rows of gamed baselines, which regularise the length-controlled rate: index, model, tanh_std_delta_len,
    /// expected_preference
    #[arg(long, value_name = "FILE", requires = "preferences")]
    pub gamed: Option<PathBuf>,
}

impl JudgingArgs {
    /// Joins the lists of systems.
    pub fn join_lists(&mut self) {
        self.systems = self.lists.iter().flat_map(|SystemList(systems)| systems.clone()).collect();
    }

    /// How a server is asked.
    pub fn form(&self) -> Form {
        self.judge_form.unwrap_or(Form::Letter)
    }
}
