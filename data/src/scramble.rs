//! Texts without meaning, to learn copying from: words of a corpus, and strings that are no words, in random order.
//!
//! A model from scratch learns to copy fastest where nothing but copying helps, and what it learns there holds for texts outside
//! its corpus too.

use std::collections::BTreeSet;

use redline_model::qac::{Qac, Question};

use super::error::DataError;
use redline_model::random::Random;

/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x05c4_a3b1;
/// Characters of strings that are no words.
const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`äöüéèßñçøåœ€°“”‘’–—…";
/// Bytes of a word at most: what is longer is a text without spaces, of which a few rows would fill the memory.
const MOST_WORD_BYTES: usize = 100;
/// One string in so many is no word.
const STRANGE_ONE_IN: usize = 6;

/// Rows whose correction is their answer: words of the texts in random order, but for very long ones. The same texts, seed and number give
/// the same rows.
///
/// # Errors
/// [`DataError::NoWords`] when the texts hold no word.
pub fn scrambled(texts: &[Question], seed: u64, n_rows: usize) -> Result<Vec<Qac>, DataError> {
    let words: BTreeSet<&str> =
        texts.iter().flat_map(|text| text.question.split_whitespace().chain(text.answer.split_whitespace())).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| word.len() <= MOST_WORD_BYTES).collect();
    let characters: Vec<char> = CHARACTERS.chars().collect();
    if words.is_empty() {
        return Err(DataError::NoWords);
    }
    let row = |row: usize| {
        let mut rng = Random::of_row(seed, STREAM, row as u64);
        let question = 3 + rng.below(6);
        let question = draw(&mut rng, &words, &characters, question);
        let answer = 6 + rng.below(30);
        let answer = draw(&mut rng, &words, &characters, answer);
        Qac { question, correction: answer.clone(), answer }
    };
    Ok((0..n_rows).map(row).collect())
}

fn draw(rng: &mut Random, words: &[&str], characters: &[char], n_words: usize) -> String {
    let mut drawn: Vec<String> = Vec::with_capacity(n_words);
    for _ in 0..n_words {
        drawn.push(match rng.chance(1, STRANGE_ONE_IN) {
            true => {
                let length = 1 + rng.below(8);
                (0..length).filter_map(|_| rng.pick(characters)).collect()
            }
            false => rng.pick(words).map_or_else(String::new, |word| (*word).to_owned()),
        });
    }
    drawn.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<Question> {
        vec![Question { question: "How hot is tea?".into(), answer: "Tea is brewed at 90 degrees.".into() }]
    }

    #[test]
    fn rows_are_copies_and_the_same_again() {
        let rows = scrambled(&texts(), 3, 50).unwrap();
        assert_eq!(rows, scrambled(&texts(), 3, 50).unwrap());
        assert_ne!(rows, scrambled(&texts(), 4, 50).unwrap());
        assert!(rows.iter().all(|row| row.answer == row.correction && row.answer.split(' ').count() >= 6));
        assert!(rows.iter().any(|row| row.answer.contains("brewed")));
        let strange = |row: &&Qac| row.answer.split(' ').any(|word| !texts()[0].answer.contains(word));
        assert!(rows.iter().filter(strange).count() > 40);
    }

    #[test]
    fn texts_without_spaces_are_no_words() {
        let long = "a".repeat(101);
        let mut all = texts();
        all.push(Question { question: long.clone(), answer: long.clone() });
        assert_eq!(scrambled(&all, 3, 50).unwrap(), scrambled(&texts(), 3, 50).unwrap());
        assert!(matches!(scrambled(&all[1..], 3, 1), Err(DataError::NoWords)));
    }

    #[test]
    fn texts_without_words_are_refused() {
        assert!(matches!(scrambled(&[], 0, 1), Err(DataError::NoWords)));
    }
}
