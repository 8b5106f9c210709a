//! A row with flaws as a chain of pieces: what the clean text and the answer share, and, at each flaw, the two texts that may stand there.
//!
//! Every correction of some of the flaws is a way through the chain, so aligning an output with the chain compares it with all of them.

use redline_data::DataError;
use redline_data::corrupt::{CorruptedRow, Flaw};

/// A piece of the chain; `T` is a character, or a word's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<T> {
    /// What stands in both texts.
    Common(Vec<T>),
    /// A flaw: what the clean text has there, and what the answer has. Either may be empty.
    Flaw { clean: Vec<T>, flawed: Vec<T> },
}

/// The pieces of a row, in the order of its flaws. White space at the ends is left out, as the edit ratio leaves it out; what of it
/// stands between the end and a flaw belongs to the flaw.
///
/// # Errors
/// [`DataError::FlawRange`] when a flaw does not fit the clean text.
pub(super) fn pieces(row: &CorruptedRow) -> Result<Vec<Piece<char>>, DataError> {
    let clean = row.clean.as_str();
    let mut found = Vec::with_capacity(2 * row.flaws.len() + 1);
    let mut at = 0;
    for (place, Flaw { start, end, text, .. }) in row.flaws.iter().enumerate() {
        let (Some(before), Some(replaced)) = (clean.get(at..*start), clean.get(*start..*end)) else {
            return Err(DataError::FlawRange { flaw: place, start: *start, end: *end, length: clean.len() });
        };
        found.push(Piece::Common(before.chars().collect()));
        found.push(Piece::Flaw { clean: replaced.chars().collect(), flawed: text.chars().collect() });
        at = *end;
    }
    found.push(Piece::Common(clean[at..].chars().collect()));
    trim_start(&mut found);
    backwards(&mut found);
    trim_start(&mut found);
    backwards(&mut found);
    Ok(found)
}

/// Takes white space from the beginning of the clean text, and from that of the answer.
fn trim_start(pieces: &mut [Piece<char>]) {
    let n_blank = |text: &[char]| text.iter().take_while(|symbol| symbol.is_whitespace()).count();
    let mut last_flaw: Option<usize> = None;
    let mut answer_has_begun = false;
    for place in 0..pieces.len() {
        match &mut pieces[place] {
            Piece::Common(text) => {
                let blank: Vec<char> = text.drain(..n_blank(text)).collect();
                let has_more = !text.is_empty();
                if let Some(Piece::Flaw { flawed, .. }) = last_flaw.map(|flaw| &mut pieces[flaw])
                    && answer_has_begun
                {
                    flawed.extend(blank);
                }
                if has_more {
                    return;
                }
            }
            Piece::Flaw { clean, flawed } => {
                if !answer_has_begun {
                    flawed.drain(..n_blank(flawed));
                }
                clean.drain(..n_blank(clean));
                answer_has_begun |= !flawed.is_empty();
                if !clean.is_empty() {
                    return;
                }
                last_flaw = Some(place);
            }
        }
    }
}

/// The chain read from its end.
fn backwards(pieces: &mut [Piece<char>]) {
    pieces.reverse();
    for piece in pieces {
        match piece {
            Piece::Common(text) => text.reverse(),
            Piece::Flaw { clean, flawed } => {
                clean.reverse();
                flawed.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redline_data::corrupt::FlawKind;

    fn row(clean: &str, flaws: &[(usize, usize, &str)]) -> CorruptedRow {
        let flaw = |&(start, end, text): &(usize, usize, &str)| Flaw {
            kind: FlawKind::Boilerplate,
            severity: 2,
            start,
            end,
            text: text.to_owned(),
        };
        CorruptedRow {
            fact: None,
            question: "q".into(),
            answer: String::new(),
            correction: String::new(),
            flaws: flaws.iter().map(flaw).collect(),
            strictness: 1,
            clean: clean.into(),
        }
    }

    /// The clean text and the answer that the pieces spell.
    fn spelt(pieces: &[Piece<char>]) -> (String, String) {
        let part = |of: fn(&Piece<char>) -> &[char]| pieces.iter().flat_map(of).collect();
        let clean = part(|piece| match piece {
            Piece::Common(text) | Piece::Flaw { clean: text, .. } => text,
        });
        let answer = part(|piece| match piece {
            Piece::Common(text) | Piece::Flaw { flawed: text, .. } => text,
        });
        (clean, answer)
    }

    #[test]
    fn both_texts_are_ways_through_the_pieces() {
        let pieces = pieces(&row("Ü 3 eggs.", &[(0, 0, "Fool. "), (3, 4, "9")])).unwrap();
        assert_eq!(pieces.len(), 5);
        assert_eq!(spelt(&pieces), ("Ü 3 eggs.".into(), "Fool. Ü 9 eggs.".into()));
    }

    #[test]
    fn white_space_at_the_ends_belongs_to_no_text() {
        for (flaws, answer) in [
            (vec![], "A b."),
            (vec![(1, 1, "X. ")], "X. A b."),
            (vec![(0, 0, " X.")], "X. A b."),
            (vec![(5, 5, " X. ")], "A b. X."),
            (vec![(6, 6, "X. ")], "A b. X."),
            (vec![(0, 0, " "), (1, 2, " a"), (6, 6, "\n")], "a b."),
        ] {
            let pieces = pieces(&row(" A b. ", &flaws)).unwrap();
            assert_eq!(spelt(&pieces), ("A b.".into(), answer.into()), "{flaws:?}");
        }
    }

    #[test]
    fn a_flaw_of_another_text_is_refused() {
        assert!(matches!(pieces(&row("é", &[(1, 2, "x")])), Err(DataError::FlawRange { flaw: 0, .. })));
        assert!(matches!(pieces(&row("abc", &[(2, 3, ""), (1, 3, "")])), Err(DataError::FlawRange { flaw: 1, .. })));
    }
}
