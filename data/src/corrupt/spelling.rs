//! Misspelling a word as people and hurried fingers do.

use std::ops::Range;

use redline_model::random::Random;

/// Shortest word that is misspelt, in letters.
const MIN_LETTERS: usize = 5;

/// What is commonly written for what, inside a word.
const CONFUSED: [(&str, &str); 24] = [
    ("ie", "ei"),
    ("ei", "ie"),
    ("ough", "uff"),
    ("tion", "shun"),
    ("ence", "ance"),
    ("ance", "ence"),
    ("able", "ible"),
    ("ph", "f"),
    ("ck", "k"),
    ("mm", "m"),
    ("ss", "s"),
    ("ll", "l"),
    ("tt", "t"),
    ("pp", "p"),
    ("rr", "r"),
    ("ff", "f"),
    ("ea", "ee"),
    ("ee", "ea"),
    ("ai", "ia"),
    ("ou", "uo"),
    ("er", "re"),
    ("le", "el"),
    ("wh", "w"),
    ("qu", "kw"),
];

/// The byte ranges of words that can be misspelt: five or more plain lower-case letters (the first may be a capital).
pub(super) fn words(sentence: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, symbol) in sentence.char_indices().chain([(sentence.len(), ' ')]) {
        match (symbol.is_alphanumeric() || "'’-_".contains(symbol), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                let word = &sentence[start..at];
                if word.len() >= MIN_LETTERS
                    && word.bytes().all(|b| b.is_ascii_alphabetic())
                    && word.bytes().skip(1).all(|b| b.is_ascii_lowercase())
                {
                    found.push(start..at);
                }
                from = None;
            }
            _ => {}
        }
    }
    found
}

/// The word spelt wrongly: two letters swapped, one dropped, doubled or replaced, or a common confusion. The first letter stays.
/// For a word of [`words`] the result differs from the word.
pub(super) fn misspelt(word: &str, rng: &mut Random) -> String {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return format!("{word}{word}");
    }
    let confused: Vec<(usize, &str, &str)> = CONFUSED
        .iter()
        .flat_map(|&(right, wrong)| word.match_indices(right).map(move |(at, _)| (at, right, wrong)))
        .filter(|(at, ..)| *at > 0)
        .collect();
    if rng.chance(1, 3)
        && let Some(&(at, right, wrong)) = rng.pick(&confused)
    {
        return format!("{}{wrong}{}", &word[..at], &word[at + right.len()..]);
    }
    let place = 1 + rng.below(letters.len() - 2);
    let mut wrong = letters.clone();
    match rng.below(5) {
        0 | 1 if letters[place] != letters[place + 1] => wrong.swap(place, place + 1),
        0..=2 => drop(wrong.remove(place)),
        3 => wrong.insert(place, letters[place]),
        _ => wrong[place] = replacement(letters[place], rng),
    }
    wrong.into_iter().collect()
}

/// A vowel for another vowel, otherwise a letter that lies beside it on the keyboard.
fn replacement(letter: char, rng: &mut Random) -> char {
    const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    if let Some(place) = VOWELS.iter().position(|&vowel| vowel == letter) {
        return VOWELS[(place + 1 + rng.below(4)) % 5];
    }
    let beside = ROWS.iter().find_map(|row| {
        let at = row.find(letter)?;
        row[at + 1..].chars().next().or_else(|| row[..at].chars().next_back())
    });
    beside.unwrap_or('e')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_chosen() {
        let text = "Water can't freeze at B12345 McDonald's, naïve well-known Paris houses.";
        let found: Vec<&str> = words(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["Water", "freeze", "Paris", "houses"]);
    }

    #[test]
    fn a_misspelt_word_differs_and_keeps_its_first_letter() {
        for word in ["water", "Queen", "aaaaa", "believe", "mississippi", "eeeee", "rhythm", "through"] {
            for row in 0..500 {
                let wrong = misspelt(word, &mut Random::of_row(3, 4, row));
                assert_ne!(wrong, word);
                assert_eq!(wrong[..1], word[..1]);
                assert!(wrong.len().abs_diff(word.len()) <= 2);
            }
        }
    }
}
