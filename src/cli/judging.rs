//! Who judges outputs, and what about.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use redline::lab::judge::{Dimension, Form};
use redline::lab::win_rate::Rule;

use super::numbers::{MOST_FACTOR, number};

/// A judge as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JudgeSpec {
    /// The flaws that were put into the rows.
    Flaws,
    /// Results of solutions.
    Answer,
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

impl FromStr for JudgeSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "give flaws, answer, reward=DIR, cost=DIR, recorded=FILE (recorded=FILE#JUDGE where it holds several) or URL#MODEL";
        let path = |path: &str| if path.is_empty() { Err(FORMS.to_owned()) } else { Ok(PathBuf::from(path)) };
        match (text, text.split_once('='), text.rsplit_once('#')) {
            ("flaws", ..) => Ok(Self::Flaws),
            ("answer", ..) => Ok(Self::Answer),
            (_, Some(("reward", folder)), _) => path(folder).map(Self::Reward),
            (_, Some(("cost", folder)), _) => path(folder).map(Self::Cost),
            (_, Some(("recorded", file)), _) => path(file).map(recorded),
            (_, _, Some((url, model))) if url.contains("://") && !model.is_empty() => {
                Ok(Self::Server { url: url.into(), model: model.into() })
            }
            _ => Err(FORMS.into()),
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

/// Draws of a row at most.
const MOST_DRAWS: usize = 100;

/// A system as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SystemSpec {
    /// The answers as they are.
    Upstream,
    /// The Aligner, at a coefficient where one is given.
    Aligner(Option<f64>),
    /// The best of so many sampled corrections.
    BestOf(usize),
}

impl FromStr for SystemSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "give upstream, aligner, aligner@COEFFICIENT such as aligner@0.5, or best-of-N";
        if let Some(n) = text.strip_prefix("best-of-") {
            let n = n.parse().ok().filter(|n| (2..=MOST_DRAWS).contains(n));
            return n.map(Self::BestOf).ok_or_else(|| format!("best-of-N: give N from 2 to {MOST_DRAWS}"));
        }
        match (text, text.strip_prefix("aligner@")) {
            ("upstream", _) => Ok(Self::Upstream),
            ("aligner", _) => Ok(Self::Aligner(None)),
            (_, Some(coefficient)) => {
                // as the model computes with it, -0 is 0
                let number = coefficient.parse::<f64>().ok().filter(|number| (*number as f32).is_finite());
                number.map(|coefficient| Self::Aligner(Some(coefficient + 0.0))).ok_or_else(|| FORMS.to_owned())
            }
            _ => Err(FORMS.into()),
        }
    }
}

impl fmt::Display for SystemSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str("upstream"),
            Self::Aligner(None) => f.write_str("aligner"),
            Self::BestOf(n) => write!(f, "best-of-{n}"),
            Self::Aligner(Some(coefficient)) => write!(f, "aligner@{coefficient}"),
        }
    }
}

/// Systems beside each other, in the eyes of judges.
#[derive(Args, Clone)]
#[command(next_help_heading = "Systems and judges")]
pub struct JudgingArgs {
    /// Who judges; may be repeated: flaws (rows that carry their flaws), answer (results of solutions), reward=DIR or cost=DIR (a model with a
    /// scalar head), recorded=FILE (judgements; recorded=FILE#JUDGE where it holds several), URL#MODEL (any OpenAI-compatible server). Rows of --data with output_1, output_2 and a label tell
    /// how good the judge is
    #[arg(long, value_name = "JUDGE")]
    pub judge: Vec<JudgeSpec>,
    /// Systems whose outputs are judged: upstream (the answers as they are), aligner, aligner@COEFFICIENT, best-of-N (the best of N sampled
    /// corrections, by --choose-by)
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "judge")]
    pub systems: Vec<SystemSpec>,
    /// Who chooses the best of N: flaws, answer, reward=DIR or cost=DIR; better somebody else than who judges
    #[arg(long, value_name = "JUDGE", requires = "systems")]
    pub choose_by: Option<JudgeSpec>,
    /// Temperature of the draws of best-of-N
    #[arg(long, default_value_t = 1.0, value_parser = number(0.01, 100.0))]
    pub draw_temperature: f64,
    /// Outputs of systems that are there already (redline.answers.v1)
    #[arg(long, value_name = "FILE", requires = "judge", conflicts_with = "systems")]
    pub answers: Option<PathBuf>,
    /// By what outputs are compared: helpful, harmless, honest, overall
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "overall", requires = "judge")]
    pub dimension: Vec<Dimension>,
    /// The system that the others are compared with
    #[arg(long, value_name = "NAME", default_value = "upstream", requires = "judge")]
    pub against: String,
    /// How verdicts in both orders become one: both (a win only where they agree), mean, arena, logprob [default: what suits the judge]
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub rule: Option<Rule>,
    /// Keep the judgements in this file; one that is there is continued, and nothing in it is asked again
    #[arg(long, value_name = "FILE", requires = "judge", conflicts_with = "score_shift")]
    pub judgements: Option<PathBuf>,
    /// How a server is asked: letter, five, logprob, score
    #[arg(long, value_name = "NAME", default_value = "letter")]
    pub judge_form: Form,
    /// Variable that holds the judge's key
    #[arg(long, value_name = "NAME")]
    pub judge_key_env: Option<String>,
    /// Requests to the judge at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub judge_workers: u16,
    /// Price of a million prompt tokens of the judge
    #[arg(long, value_name = "PRICE", requires = "judge_completion_price", value_parser = number(0.0, MOST_FACTOR))]
    pub judge_prompt_price: Option<f64>,
    /// Price of a million tokens that the judge writes
    #[arg(long, value_name = "PRICE", requires = "judge_prompt_price", value_parser = number(0.0, MOST_FACTOR))]
    pub judge_completion_price: Option<f64>,
    /// Draw what systems do to two scores instead, as STEM.png and .svg: two judges reward=PATH or cost=PATH, the first to the right, the second upwards
    #[arg(long, value_name = "STEM", requires = "judge")]
    pub score_shift: Option<PathBuf>,
    /// Preferences of a judge that are there already, one a line: index, length, preference (1 the baseline … 2 the system), as AlpacaEval's;
    /// prints the raw and the length-controlled win rate
    #[arg(long, value_name = "FILE", requires = "instructions", conflicts_with_all = ["judge", "data"])]
    pub preferences: Option<PathBuf>,
    /// The instructions of --preferences: index, difficulty, baseline_length
    #[arg(long, value_name = "FILE", requires = "preferences")]
    pub instructions: Option<PathBuf>,
    /// Rows of gamed baselines, which the length-controlled rate is regularised with: index, model, tanh_std_delta_len, expected_preference
    #[arg(long, value_name = "FILE", requires = "preferences")]
    pub gamed: Option<PathBuf>,
}
