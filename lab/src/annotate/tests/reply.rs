//! Replies in all their dress, and those that say nothing.

use super::super::aspect::Aspect;
use super::super::reply::read;

const BOTH: [Aspect; 2] = [Aspect::InstructionFollowing, Aspect::Honesty];

/// Scores of two answers, or the reason why there are none.
fn scores(reply: &str) -> Result<Vec<Vec<u32>>, String> {
    let ratings = read(reply, 2, &BOTH).map_err(|fault| format!("{}: {}", fault.reason, fault.message))?;
    Ok(ratings.iter().map(|of| of.values().map(|rating| rating.score).collect()).collect())
}

/// A reply whose first score is written so.
fn with(score: &str) -> String {
    format!(
        "Answer 1\nInstruction following: {score}\nHonesty: 2 (h1)\n\nAnswer 2\nInstruction following: 3 (i2)\nHonesty: 4 (h2)\n"
    )
}

#[test]
fn the_form_that_is_asked_for_is_read_with_its_reasons() {
    let ratings = read(&with("1 (it misses (nearly) all)"), 2, &BOTH).unwrap();
    assert_eq!(ratings[0][&Aspect::InstructionFollowing].rationale, "it misses (nearly) all");
    assert_eq!(ratings[1][&Aspect::Honesty].rationale, "h2");
    assert_eq!(scores(&with("1 (i1)")), Ok(vec![vec![1, 2], vec![3, 4]]));
}

#[test]
fn scores_are_read_however_they_are_dressed() {
    for score in [
        "4",
        "4/5",
        "4 / 5 (good)",
        "4 out of 5",
        "**4** (good)",
        "[4]",
        "4 – good",
        "4, mostly",
        "4. Fine",
        "4 because",
    ] {
        assert_eq!(scores(&with(score)), Ok(vec![vec![4, 2], vec![3, 4]]), "{score}");
    }
    let dressed = with("1 (i1)").replace("Answer", "### Answer").replace("Honesty:", "- **Honesty**:");
    assert_eq!(scores(&dressed), Ok(vec![vec![1, 2], vec![3, 4]]));
    let dressed = with("1 (i1)")
        .replace("Answer 1", "**Answer 1:**")
        .replace("Instruction following:", "1. *instruction_following* =");
    assert_eq!(scores(&format!("```\n{dressed}```")), Ok(vec![vec![1, 2], vec![3, 4]]));
    let table = "Answer 1\n| Aspect | Score |\n|---|---|\n| Instruction following | 1 | i |\n| Honesty | 2/5 | h |\n\
                 Answer 2\n| Instruction following | 3 | i |\n| Honesty | 4 | h |";
    assert_eq!(scores(table), Ok(vec![vec![1, 2], vec![3, 4]]));
    let thought = format!("<think>Answer 1\nHonesty: 5\nAnswer 7</think>{}", with("1 (i1)"));
    assert_eq!(scores(&thought), Ok(vec![vec![1, 2], vec![3, 4]]));
}

#[test]
fn titles_with_ratings_below_them_are_read() {
    let part = |number: usize, first: u32, second: u32| {
        format!(
            "## Answer {number}\n\n#### Instruction Following\nRating: {first}\nRationale: It does\nmost of it.\n\n#### Honesty\nRating: [{second}]\nRationale: Sure.\n"
        )
    };
    let reply = part(1, 1, 2) + &part(2, 3, 4);
    assert_eq!(scores(&reply), Ok(vec![vec![1, 2], vec![3, 4]]));
    let ratings = read(&reply, 2, &BOTH).unwrap();
    assert_eq!(ratings[0][&Aspect::InstructionFollowing].rationale, "It does most of it.");
}

#[test]
fn what_is_no_score_is_a_fault() {
    for score in [
        "",
        "good",
        "0",
        "6",
        "45",
        "4.5",
        "4,5",
        "1-5",
        "3 to 5",
        "4 or 5",
        "4/10",
        "8 out of 10",
        "-",
        "-3",
        "\u{2013} 2",
        "**-4**",
        "2 errors",
        "N/A",
    ] {
        let fault = scores(&with(score)).unwrap_err();
        assert!(fault.starts_with("no_score: answer 1"), "{score}: {fault}");
    }
    for reply in ["", "They are all fine. 5/5", "Answer 1\nHonesty: 5", "Instruction following: 5\nHonesty: 5", "\u{0}"]
    {
        assert!(scores(reply).unwrap_err().starts_with("no_score"), "{reply}");
    }
    let only_one = with("1 (i1)").split("\n\n").next().unwrap().to_owned();
    assert!(scores(&only_one).unwrap_err().contains("answer 2 has no score of instruction_following"));
}

#[test]
fn two_scores_and_unknown_answers_are_faults_and_the_same_score_again_is_none() {
    let twice = with("1 (i1)") + "Honesty: 4\n";
    assert_eq!(scores(&twice), Ok(vec![vec![1, 2], vec![3, 4]]));
    let other = with("1 (i1)") + "Honesty: 5\n";
    assert!(scores(&other).unwrap_err().starts_with("two_scores: answer 2 has two scores of honesty: 4 and 5"));
    for number in ["0", "3", "99999999999999999999"] {
        let fault = scores(&with("1 (i1)").replace("Answer 2", &format!("Answer {number}"))).unwrap_err();
        assert!(fault.starts_with("unknown_answer"), "{fault}");
    }
}

#[test]
fn a_single_answer_needs_no_number_and_other_aspects_are_left_out() {
    let ratings = read("Honesty: 3 (h)\nHelpfulness: 4 (u)\nOverall: 5", 1, &[Aspect::Honesty]).unwrap();
    assert_eq!(ratings[0].len(), 1);
    assert_eq!(ratings[0][&Aspect::Honesty].score, 3);
    let prose = "Answer 1 is short.\nHonesty is what counts here.\nHonesty: 3 (h)";
    assert_eq!(read(prose, 1, &[Aspect::Honesty]).unwrap()[0][&Aspect::Honesty].score, 3);
}
