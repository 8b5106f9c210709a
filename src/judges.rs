//! Instruments that score one text, by their names on the command line.

use redline::data::traits::Trait;
use redline::lab::judge::local::{FlawScore, PhraseScore, RewardScore, Score, SolutionScore, TraitScore};

use crate::cli::judging::JudgeSpec;
use crate::failure::hinted;
use crate::known::Known;

/// The instrument of a name; `known` are the rows that it judges by, where it does.
pub fn score(spec: &JudgeSpec, known: Option<&Known>) -> anyhow::Result<Box<dyn Score>> {
    let needs = |what: &str| hinted(format!("{what} judges by the rows"), "give --data with rows that it can judge by");
    Ok(match spec {
        JudgeSpec::Flaws => {
            let flawed = known.and_then(|known| known.flawed.clone());
            Box::new(FlawScore::new(flawed.ok_or_else(|| needs("flaws"))?))
        }
        JudgeSpec::Phrases => Box::new(PhraseScore::new(known.map(Known::references).unwrap_or_default())?),
        JudgeSpec::Answer => Box::new(SolutionScore::new(&known.ok_or_else(|| needs("answer"))?.triples)),
        JudgeSpec::Trait => Box::new(TraitScore::new(Trait::Empathy)?),
        JudgeSpec::Reward(folder) => Box::new(RewardScore::load(folder, false)?),
        JudgeSpec::Cost(folder) => Box::new(RewardScore::load(folder, true)?),
        JudgeSpec::Recorded { .. } | JudgeSpec::Server { .. } => {
            return Err(hinted(
                "--choose-by, --score-shift and --reward take instruments that score one text",
                "give flaws, phrases, answer, trait, reward=DIR or cost=DIR",
            ));
        }
    })
}
