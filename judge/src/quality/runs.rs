//! Runs of edits: what an output adds, and what was written directly at a flaw's place, which is part of what became of the flaw though it
//! belongs to neither of its texts.

use std::ops::Range;

use redline_steer::levenshtein_distance;

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

/// A run of edits.
#[derive(Debug, Clone)]
struct Run {
    /// What it inserts, in the output.
    read: Range<usize>,
    /// Where it stands on the way: what it deletes, and as far as it can stand to either side at the same cost.
    way: Range<usize>,
    least: usize,
    most: usize,
    /// Whether it edits a flaw's text too.
    is_in_flaw: bool,
    /// Symbols deleted and inserted outside of flaws.
    deleted: usize,
    inserted: usize,
}

/// A flaw that was passed: its text in the output and on the way.
#[derive(Debug, Clone)]
struct Passed {
    flaw: usize,
    read: Range<usize>,
    way: Range<usize>,
}

/// Symbols that the output has beyond all texts: of each run, by how much it inserts more than it deletes outside of flaws.
pub(super) fn added(steps: &[Step]) -> usize {
    let (symbols, _) = walk(steps);
    runs(&symbols, &[]).iter().map(|run| run.inserted.saturating_sub(run.deleted)).sum()
}

/// The flaws at whose place something more was written: next to an empty text anything, next to a word what makes it another word. Of several
/// empty ones at one place it is the flaw whose text (`flawed`, in their order) is nearest to what was written.
pub(super) fn touched(steps: &[Step], output: &[char], flawed: &[&str]) -> Vec<usize> {
    let (symbols, passed) = walk(steps);
    let mut runs = runs(&symbols, output);
    // what belongs to another flaw, replaces sound text, or says again what stands beside it has nothing to do with a flaw there
    runs.retain(|run| !run.is_in_flaw && run.inserted > 2 * run.deleted && !repeats(run, output));
    let of_run = |run: &Run| {
        let inserted: String = output[run.read.clone()].iter().collect();
        let is_at = |flaw: &&Passed| flaw.way.is_empty() && (run.least..=run.most).contains(&flaw.way.start);
        let distance = |flaw: &&Passed| levenshtein_distance(flawed.get(flaw.flaw).copied().unwrap_or(""), &inserted);
        let nearest = passed.iter().filter(is_at).min_by_key(distance);
        let words = passed.iter().filter(|flaw| !flaw.way.is_empty() && goes_on(run, flaw, output));
        nearest.into_iter().chain(words).map(|flaw| flaw.flaw).collect::<Vec<usize>>()
    };
    runs.iter().flat_map(of_run).collect()
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

/// The runs of edits. Without the output they are not moved.
fn runs(symbols: &[Symbol], output: &[char]) -> Vec<Run> {
    let is_match = |symbol: &Symbol| symbol.edit == Edit::Match;
    let mut behind = 0;
    let mut found = Vec::new();
    for group in symbols.chunk_by(|a, b| is_match(a) == is_match(b)) {
        let first = behind;
        behind += group.len();
        let (Some(start), Some(end)) = (group.first().filter(|start| !is_match(start)), group.last()) else { continue };
        let n = |edit: Edit| group.iter().filter(|symbol| symbol.edit == edit && symbol.is_common).count();
        let (deleted, inserted) = (n(Edit::Delete), n(Edit::Insert));
        let read = start.read..end.read + usize::from(end.edit == Edit::Insert);
        let way = start.way..end.way + usize::from(end.edit == Edit::Delete);
        let (mut least, mut most) = (way.start, way.end);
        if inserted == group.len() {
            let is_alike = |a: usize, b: usize| output.get(a).is_some_and(|symbol| output.get(b) == Some(symbol));
            let left = symbols[..first].iter().rev().take(FARTHEST_MOVE).take_while(|symbol| is_match(symbol));
            least -= left.take_while(|symbol| is_alike(symbol.read, symbol.read + inserted)).count();
            let right = symbols[behind..].iter().take(FARTHEST_MOVE).take_while(|symbol| is_match(symbol));
            most += right.take_while(|symbol| is_alike(symbol.read, symbol.read - inserted)).count();
        }
        let is_in_flaw = group.iter().any(|symbol| !symbol.is_common);
        found.push(Run { read, way, least, most, is_in_flaw, deleted, inserted });
    }
    found
}

/// Whether the run says again what stands directly before or behind it.
fn repeats(run: &Run, output: &[char]) -> bool {
    let inserted = &output[run.read.clone()];
    inserted.len() > FARTHEST_MOVE
        && (output[run.read.end..].starts_with(inserted) || output[..run.read.start].ends_with(inserted))
}

/// Whether the run makes the flaw's text part of a longer word or number.
fn goes_on(run: &Run, flaw: &Passed, output: &[char]) -> bool {
    let text = &output[flaw.read.clone()];
    let inserted = &output[run.read.clone()];
    let is_word = |symbol: Option<&char>| symbol.is_some_and(|symbol| symbol.is_alphanumeric());
    let before = run.way.end == flaw.way.start && run.read.end == flaw.read.start;
    let behind = run.way.start == flaw.way.end && run.read.start == flaw.read.end;
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
