//! Finding numbers in a text and making them wrong.

use std::ops::Range;

use redline_model::random::Random;

const WORDS: [&str; 11] = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// The byte ranges of numbers: digits (with inner `.` and `,`) and number words from two up. Markers of lists are left out.
pub(super) fn numbers(sentence: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, symbol) in sentence.char_indices().chain([(sentence.len(), ' ')]) {
        let is_part = symbol.is_alphanumeric() || (".,".contains(symbol) && joins_digits(sentence, at));
        match (is_part, from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                let word = &sentence[start..at];
                let rest = &sentence[at..];
                let is_marker = start == 0 && (rest.starts_with(". ") || rest.starts_with(") "));
                let is_compound = rest.starts_with('-') || sentence[..start].ends_with('-');
                let is_digits = word.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
                if !is_marker && (is_digits || WORDS.contains(&word) && !is_compound) {
                    found.push(start..at);
                }
                from = None;
            }
            _ => {}
        }
    }
    found
}

fn joins_digits(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_digit());
    before && text[at + 1..].chars().next().is_some_and(|c| c.is_ascii_digit())
}

/// Another number in the same spelling.
pub(super) fn wrong_number(number: &str, rng: &mut Random) -> String {
    if let Some(place) = WORDS.iter().position(|word| *word == number) {
        // a word nearby, but never the same
        let step = 1 + rng.below(3);
        let up = rng.chance(1, 2) && place + step < WORDS.len() || place < step;
        let other = if up { place + step } else { place - step };
        return WORDS.get(other).or(WORDS.first()).map_or_else(String::new, |word| (*word).to_owned());
    }
    match number.parse::<u64>() {
        Ok(value) if number.len() <= 9 && (!number.starts_with('0') || number == "0") => wrong_integer(value, rng),
        _ => wrong_digit(number, rng),
    }
}

fn wrong_integer(value: u64, rng: &mut Random) -> String {
    let reach = match value {
        0..=9 => 3,
        10..=99 => 9,
        1000..=2100 => 60,
        _ => (value / 3) as usize,
    };
    let step = match rng.chance(1, 4) && value >= 10 {
        true if value.is_multiple_of(10) => value,
        _ => 1 + rng.below(reach.max(1)) as u64,
    };
    let down = rng.chance(1, 2) && step < value;
    (if down { value - step } else { value + step }).to_string()
}

/// Changes one digit, not the first, so that no number begins with 0; of a single digit, that one.
fn wrong_digit(number: &str, rng: &mut Random) -> String {
    let places: Vec<usize> = number.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    let inner = if places.len() > 1 { &places[1..] } else { &places[..] };
    let chosen = rng.pick(inner).copied();
    let shift = 1 + rng.below(8) as u32;
    let change = |(at, c): (usize, char)| match c.to_digit(10) {
        Some(digit) if Some(at) == chosen => char::from_digit((digit + shift) % 10, 10).unwrap_or(c),
        _ => c,
    };
    number.char_indices().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        numbers(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn numbers_are_found_whole() {
        assert_eq!(found("In 1969, 3.5 m or 1,000 feet, seven times."), ["1969", "3.5", "1,000", "seven"]);
        assert_eq!(found("The B12 and 2nd one often, twenty-two."), [""; 0]);
        assert_eq!(found("2. Boil 12 eggs."), ["12"]);
        assert_eq!(found("24."), ["24"]);
        assert_eq!(found("12"), ["12"]);
    }

    #[test]
    fn a_wrong_number_is_never_the_right_one() {
        for number in
            ["0", "1", "9", "10", "60", "1945", "100000", "3.5", "1,000", "007", "99999999999999", "two", "twelve"]
        {
            for row in 0..300 {
                let wrong = wrong_number(number, &mut Random::of_row(1, 2, row));
                assert_ne!(wrong, number);
                assert!(!wrong.is_empty());
                assert_eq!(number.parse::<f64>().is_ok(), wrong.parse::<f64>().is_ok(), "{number} {wrong}");
            }
        }
    }
}
