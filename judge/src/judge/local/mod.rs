//! Judges that are instruments of this program: they look at each output alone, and ask no model behind an address.

mod flaws;
mod phrases;
mod reward;
mod score;
mod solution;
mod traits;

pub use flaws::{FLAWS, FlawScore};
pub use phrases::{PHRASES, PhraseScore};
pub use reward::RewardScore;
pub use score::{Score, ScoreFn, ScoreJudge};
pub use solution::{ANSWER, SolutionScore};
pub use traits::{TRAIT, TraitScore, trait_shares};
