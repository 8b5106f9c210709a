//! What judges' verdicts come to: win rates, length control, strengths, and how far judges agree with people and themselves.
//!
//! Pure statistics on verdicts that are already there; nothing here asks a judge. Each file is one method and names its source.

mod agreement;
mod bradley_terry;
mod error;
mod files;
mod hint;
mod length_control;
mod linear;
mod outcome;
mod pair;
mod pearson;
mod position;
mod win_graph;

pub use agreement::{accuracy, cohen_kappa, fleiss_kappa, macro_f1};
pub use bradley_terry::{Battle, BradleyTerry, Strength, Style, StyleCoefficient};
pub use error::WinRateError;
pub use files::read_rows;
pub use length_control::{
    Annotation, Basis, Controlled, ControlledRate, FEWEST_ROWS, FEWEST_SYSTEMS, GamedRow, Instruction, JointDifficulty,
    LengthControl, Prediction, Regularisation, Slopes, SystemFit, SystemRows, Weights, WinRate, Withheld,
};
pub use outcome::{NetDifference, Outcome, PairScore, ResampleOptions, Rule, scores};
pub use pair::{Decision, JudgedPair, Said};
pub use pearson::pearson;
pub use position::{JudgeAccuracy, PositionConsistency};
