//! Several answers taken apart together, so that their parts can be corrected in one batch.

use super::{Form, Piece, Plan, PlanError, Reasoning};

/// Answers, each with its parts.
#[derive(Debug, Clone)]
pub struct Apart(Vec<Result<Plan, PlanError>>);

/// A correction of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCorrection {
    /// What the Aligner wrote.
    pub text: String,
    /// Whether a limit cut it off.
    pub truncated: bool,
}

/// An answer put together again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The text.
    pub text: String,
    /// Whether a limit cut off a part of it.
    pub truncated: bool,
    /// What stayed as it is, by its kinds.
    pub kept: Vec<&'static str>,
}

impl Apart {
    /// Takes answers of any form apart.
    pub fn of<'a>(answers: impl IntoIterator<Item = &'a str>) -> Self {
        Self(answers.into_iter().map(|answer| Plan::of(answer, &Form::Free, Reasoning::Keep)).collect())
    }

    /// What is to be corrected, in order: the place of the answer, and the text.
    pub fn parts(&self) -> Vec<(usize, &str)> {
        let mut parts = Vec::new();
        for (place, plan) in self.0.iter().enumerate() {
            for piece in plan.iter().flat_map(|plan| &plan.pieces) {
                if let Piece::Prose(prose) = piece {
                    parts.push((place, prose.text.as_str()));
                }
            }
        }
        parts
    }

    /// The answers with these corrections, one for each of [`Apart::parts`] in their order. An answer whose parts cannot all be
    /// corrected has the first reason.
    pub fn joined(&self, corrections: Vec<Result<PartCorrection, String>>) -> Vec<Result<Joined, String>> {
        let mut corrections = corrections.into_iter();
        self.0.iter().map(|plan| joined(plan.as_ref(), &mut corrections)).collect()
    }
}

fn joined(
    plan: Result<&Plan, &PlanError>,
    corrections: &mut impl Iterator<Item = Result<PartCorrection, String>>,
) -> Result<Joined, String> {
    let plan = plan.map_err(ToString::to_string)?;
    // all of an answer's corrections are taken, so that the next answer gets its own
    let own: Vec<_> = corrections.take(plan.n_prose()).collect();
    let mut own = own.into_iter();
    let mut whole = Joined { text: String::new(), truncated: false, kept: plan.kept.iter().copied().collect() };
    for piece in &plan.pieces {
        match piece {
            Piece::Kept(text) => whole.text.push_str(text),
            Piece::Prose(prose) => {
                let correction = own.next().ok_or("a part of the answer has no correction")??;
                if prose.is_json && correction.truncated {
                    return Err(
                        "the correction of a text in the JSON document was cut off; give --max-new-tokens more".into(),
                    );
                }
                whole.truncated |= correction.truncated;
                whole.text.push_str(&prose.put_back(&correction.text).source);
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<PartCorrection, String> {
        Ok(PartCorrection { text: text.into(), truncated: false })
    }

    #[test]
    fn parts_come_back_in_their_places() {
        let answers =
            ["One.\n\n```\nls\n```\n\nTwo.", "{\"a\": \"A whole sentence is here.\"}", "| a |\n|---|\n", "Three."];
        let apart = Apart::of(answers);
        let parts = apart.parts();
        assert_eq!(parts, [(0, "One."), (0, "Two."), (1, "A whole sentence is here."), (3, "Three.")]);
        let joined = apart.joined(vec![said("1"), said("2"), said("say \"3\""), Err("too long".into())]);
        let texts: Vec<Result<&str, &str>> =
            joined.iter().map(|one| one.as_ref().map(|one| one.text.as_str()).map_err(String::as_str)).collect();
        assert_eq!(
            texts,
            [Ok("1\n\n```\nls\n```\n\n2"), Ok("{\"a\": \"say \\\"3\\\"\"}"), Ok(answers[2]), Err("too long")]
        );
        assert_eq!(joined[0].as_ref().unwrap().kept, ["code"]);
        let failed = apart.joined(vec![Err("no".into()), said("2"), said("3"), said("4")]);
        assert_eq!((failed[0].as_ref().unwrap_err().as_str(), failed[3].as_ref().unwrap().text.as_str()), ("no", "4"));
        let cut = PartCorrection { text: "A who".into(), truncated: true };
        assert!(Apart::of([answers[1]]).joined(vec![Ok(cut)])[0].is_err(), "no document is written in part");
    }
}
