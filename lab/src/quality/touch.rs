//! What was written directly at a flaw's place: it is part of what became of the flaw, though it belongs to neither of its texts.

use std::ops::Range;

use super::align::{Edit, Place, Step};

/// How far an insertion is moved along the text it repeats: the end of a word, a stop, a blank and the beginning of the next.
///
/// `X ` before `Cats` and ` X` behind a full stop and a blank are the same insertion, and `Call. ` before `Cats` can be read as `all. C`
/// behind the `C`. A longer move would call the repetition of a whole sentence an edit of what lies on its other side.
const FARTHEST_MOVE: usize = 8;

/// A symbol of the output or of the way through the chain, and how many of each come before it.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    edit: Edit,
    is_common: bool,
    read: usize,
    way: usize,
}

/// A run of symbols inserted outside of the flaws' texts.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Where it stands in the output.
    start: usize,
    end: usize,
    /// Where it can stand on the way at the same cost.
    least: usize,
    way: usize,
    most: usize,
}

/// A flaw that was passed: its text in the output and on the way.
#[derive(Debug, Clone)]
struct Passed {
    flaw: usize,
    read: Range<usize>,
    way: Range<usize>,
}

/// The flaws at whose place something more was written: next to an empty text anything, next to a word what makes it another word.
pub(super) fn touched(steps: &[Step], output: &[char]) -> Vec<usize> {
    let (symbols, passed) = walk(steps);
    let mut runs = runs(&symbols, output);
    runs.retain(|run| !repeats(run, output));
    let is_touched = |flaw: &&Passed| {
        runs.iter().any(|run| match flaw.way.is_empty() {
            true => (run.least..=run.most).contains(&flaw.way.start),
            false => goes_on(run, flaw, output),
        })
    };
    passed.iter().filter(is_touched).map(|flaw| flaw.flaw).collect()
}

/// The steps with their places, symbols and flaws apart.
fn walk(steps: &[Step]) -> (Vec<Symbol>, Vec<Passed>) {
    let (mut symbols, mut passed): (Vec<Symbol>, Vec<Passed>) = (Vec::new(), Vec::new());
    let (mut read, mut way) = (0, 0);
    let mut begin = None;
    for step in steps {
        match *step {
            Step::Symbol { edit, place } => {
                let is_common = place == Place::Common;
                if !is_common {
                    begin.get_or_insert((read, way));
                }
                symbols.push(Symbol { edit, is_common, read, way });
                read += usize::from(edit != Edit::Delete);
                way += usize::from(edit != Edit::Insert);
            }
            Step::Passed { flaw, .. } => {
                let (first_read, first_way) = begin.take().unwrap_or((read, way));
                passed.push(Passed { flaw, read: first_read..read, way: first_way..way });
            }
        }
    }
    (symbols, passed)
}

/// The runs of insertions outside of flaws.
fn runs(symbols: &[Symbol], output: &[char]) -> Vec<Run> {
    let is_inserted = |symbol: &Symbol| symbol.is_common && symbol.edit == Edit::Insert;
    let groups = symbols.chunk_by(|a, b| is_inserted(a) == is_inserted(b));
    let mut at = 0;
    let mut found = Vec::new();
    for group in groups {
        let (first, behind) = (at, at + group.len());
        at = behind;
        let Some(Symbol { read: start, way, .. }) = group.first().copied().filter(is_inserted) else { continue };
        let length = group.len();
        let is_match = |symbol: &&Symbol| symbol.edit == Edit::Match;
        let left = symbols[..first].iter().rev().take(FARTHEST_MOVE).take_while(is_match);
        let left = left.take_while(|symbol| output[symbol.read] == output[symbol.read + length]).count();
        let right = symbols[behind..].iter().take(FARTHEST_MOVE).take_while(is_match);
        let right = right.take_while(|symbol| output[symbol.read] == output[symbol.read - length]).count();
        found.push(Run { start, end: start + length, least: way - left, way, most: way + right });
    }
    found
}

/// Whether the run says again what stands directly before or behind it: such a repetition has nothing to do with a flaw between the two.
fn repeats(run: &Run, output: &[char]) -> bool {
    let inserted = &output[run.start..run.end];
    inserted.len() > FARTHEST_MOVE
        && (output[run.end..].starts_with(inserted) || output[..run.start].ends_with(inserted))
}

/// Whether the run makes the flaw's text part of a longer word or number.
fn goes_on(run: &Run, flaw: &Passed, output: &[char]) -> bool {
    let text = &output[flaw.read.clone()];
    let inserted = &output[run.start..run.end];
    let is_word = |symbol: Option<&char>| symbol.is_some_and(|symbol| symbol.is_alphanumeric());
    let before = run.way == flaw.way.start && run.end == flaw.read.start;
    let behind = run.way == flaw.way.end && run.start == flaw.read.end;
    before && is_word(text.first()) && is_part_of_word(inserted.iter().rev().copied())
        || behind && is_word(text.last()) && is_part_of_word(inserted.iter().copied())
}

/// Whether a word goes on with these symbols: a letter or digit, or one of `.,'’-` with a letter or digit behind it.
fn is_part_of_word(mut symbols: impl Iterator<Item = char>) -> bool {
    match symbols.next() {
        Some(symbol) if symbol.is_alphanumeric() => true,
        Some('.' | ',' | '\'' | '’' | '-') => symbols.next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}
