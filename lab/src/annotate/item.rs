//! Questions with their answers, whatever rows these come from.

use std::collections::HashMap;

/// An answer, with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The answer.
    pub text: String,
    /// Who gave it, as far as the row says: a system or model, or the field it stands in.
    pub source: String,
    /// The line it was read from, from 1.
    pub line: usize,
}

/// A question with all its answers, each text once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What was asked.
    pub question: String,
    /// The answers in the order of the file.
    pub answers: Vec<Candidate>,
}

/// Puts answers to the same question together, in the order in which questions were met. Gives how many texts stood there again, too.
pub fn gather(answers: impl IntoIterator<Item = (String, Candidate)>) -> (Vec<Item>, usize) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let (mut items, mut n_repeated): (Vec<Item>, usize) = (Vec::new(), 0);
    for (question, candidate) in answers {
        let place = *places.entry(question.clone()).or_insert_with(|| {
            items.push(Item { question, answers: Vec::new() });
            items.len() - 1
        });
        let answers = &mut items[place].answers;
        match answers.iter().any(|known| known.text == candidate.text) {
            true => n_repeated += 1,
            false => answers.push(candidate),
        }
    }
    (items, n_repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_question_come_together_and_each_text_once() {
        let answer = |question: &str, text: &str, line| {
            (question.to_owned(), Candidate { text: text.into(), source: "s".into(), line })
        };
        let rows = [answer("q", "a", 1), answer("r", "b", 2), answer("q", "c", 3), answer("q", "a", 4)];
        let (items, n_repeated) = gather(rows);
        let texts = |item: &Item| item.answers.iter().map(|answer| answer.text.clone()).collect::<Vec<_>>();
        assert_eq!((texts(&items[0]), texts(&items[1])), (vec!["a".to_owned(), "c".into()], vec!["b".to_owned()]));
        assert_eq!((items.len(), n_repeated), (2, 1));
    }
}
