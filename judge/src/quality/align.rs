//! Aligning an output with a chain of [pieces](super::lattice): the cheapest edits that turn some way through the chain into the output.
//!
//! For a row with k flaws the chain has 2ᵏ ways, and the output is compared with all of them in one table of (symbols of the chain) ×
//! (symbols of the output).
//!
//! # What edits cost
//! One for each symbol deleted or inserted, and a price for each run of edits (affine gaps; Gotoh 1982). Without that price, and with
//! replacements at the price of one, unlike sentences are matched letter by letter wherever letters happen to come in the same order,
//! and a flaw that stands untouched beside a deleted sentence seems to be half of each. An edit inside a flaw's text costs a little more, once a
//! flaw, so that `10` between two words that were changed is still seen.
//!
//! # Which of several cheapest alignments
//! At a flaw a whole text before one that is cut into, and the flawed text before the clean one, so that no mend is claimed which another reading
//! of the same cost denies; elsewhere, read from the end, a match before an edit, and within a run insertions before deletions. So the
//! alignment is a function of the texts.
//!
//! A cut output ends at the row of the chain where it costs least, the first of several. Where less than half of it is found there it is noise or a
//! loop, and is aligned with the whole chain.

use super::error::QualityError;
use super::lattice::Piece;

/// Most cells of the table: two texts of 7,000 characters.
pub const MOST_CELLS: usize = 50_000_000;
/// The price of a run of edits in characters: inside text that is replaced, four letters in a row are a match, fewer are chance.
pub(super) const RUN: u64 = 6;

/// The price of cutting into a flaw: below that of a run, above what a run saves around a single digit.
pub(super) const CUT: u64 = 5;
/// One edit.
const EDIT: u64 = 1;
/// The cost of what cannot be.
const NEVER: u64 = u64::MAX / 4;

/// Which of a flaw's two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Clean,
    Flawed,
}

/// Where a symbol of the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Common,
    /// In one of the texts of the flaw with this number.
    Flaw(usize, Side),
}

/// What happens to a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Match,
    Delete,
    Insert,
}

/// A step of the alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One symbol is compared, deleted or inserted. An inserted one has the place that was read before it.
    Symbol { edit: Edit, place: Place },
    /// A flaw is passed; its steps, if any, end here.
    Passed { flaw: usize, side: Side, is_whole: bool },
}

/// How far the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// To the end of the chain.
    Whole,
    /// The output was cut: it is aligned with the beginning of the chain that costs least.
    Cut,
}

/// An alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alignment {
    /// Steps from the beginning to the end.
    pub steps: Vec<Step>,
    /// What the edits cost.
    pub cost: u64,
    /// How many symbols of each piece were reached, of the common text or of the two of a flaw (of which the way taken counts).
    pub reached: Vec<Reached>,
}

/// How much of a piece lies before the end of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    Whole,
    /// So many symbols; of a flaw on this side, and nothing of the other.
    Part(usize, Side),
}

/// The costs of a row: after a match (or nothing), and inside a run of edits.
#[derive(Debug, Clone)]
struct Costs {
    matched: Vec<u64>,
    edited: Vec<u64>,
}

impl Costs {
    fn least(&self, at: usize) -> u64 {
        self.matched[at].min(self.edited[at])
    }
}

/// What can lead to a cell at its cost, in the order in which it is taken: the lower half after a match, the upper half in a run of edits.
mod ways {
    /// After a match, by one symbol or by a flaw's whole text; the last but one state was after a match, or in a run.
    pub const FLAWED_MATCHED: u16 = 1;
    pub const FLAWED_EDITED: u16 = 1 << 1;
    pub const CLEAN_MATCHED: u16 = 1 << 2;
    pub const CLEAN_EDITED: u16 = 1 << 3;
    pub const CUT_FLAWED: u16 = 1 << 4;
    pub const CUT_CLEAN: u16 = 1 << 5;
    /// One symbol matched (in rows of symbols, where there are no flaws).
    pub const AFTER_MATCH: u16 = 1;
    pub const AFTER_EDIT: u16 = 1 << 1;
    /// In a run: the ways past a flaw as above, then edits.
    pub const RUN_FLAWED: u16 = 1 << 8;
    pub const RUN_CLEAN: u16 = 1 << 9;
    pub const RUN_CUT_FLAWED: u16 = 1 << 10;
    pub const RUN_CUT_CLEAN: u16 = 1 << 11;
    pub const INSERT: u16 = 1 << 12;
    pub const INSERT_FIRST: u16 = 1 << 13;
    pub const DELETE: u16 = 1 << 14;
    pub const DELETE_FIRST: u16 = 1 << 15;
    pub const MATCHED: u16 = 0x00ff;
}

/// A row of the table, after one symbol of the chain or behind a flaw.
#[derive(Debug, Clone, Copy)]
enum Row {
    Start,
    Symbol { before: usize, piece: usize, offset: usize, place: Place },
    Behind { flaw: usize, before: usize, clean: usize, flawed: usize, lengths: [usize; 2] },
}

/// The table while it grows.
struct Table<'a, T> {
    output: &'a [T],
    /// The price of a run.
    run: u64,
    rows: Vec<Row>,
    /// (rows, output + 1): what leads to each cell.
    from: Vec<u16>,
    /// The least cost of the whole output in any row, the first row with it, and whether a match is last there.
    nearest: (u64, usize, bool),
}

impl<'a, T: Copy + PartialEq> Table<'a, T> {
    /// The table with its first row, and the costs of that.
    fn new(output: &'a [T], run: u64) -> (Self, Costs) {
        let edited: Vec<u64> =
            (0..=output.len() as u64).map(|at| if at == 0 { NEVER } else { at * EDIT + run }).collect();
        let matched = (0..=output.len()).map(|at| if at == 0 { 0 } else { NEVER }).collect();
        let from = (0..=output.len()).map(|at| match at {
            0 => 0,
            1 => ways::INSERT_FIRST,
            _ => ways::INSERT,
        });
        let costs = Costs { matched, edited };
        let nearest = (costs.least(output.len()), 0, output.is_empty());
        (Self { output, run, rows: vec![Row::Start], from: from.collect(), nearest }, costs)
    }

    /// Reads one symbol of the chain: the number of its row and its costs, from those of the row before.
    fn symbol(&mut self, symbol: T, costs: &Costs, row: Row) -> (usize, Costs) {
        let n = self.output.len() + 1;
        let mut next = Costs { matched: Vec::with_capacity(n), edited: Vec::with_capacity(n) };
        for at in 0..n {
            let is_match = at > 0 && self.output[at - 1] == symbol;
            let (matched, match_ways) = match is_match {
                true => least([(costs.matched[at - 1], ways::AFTER_MATCH), (costs.edited[at - 1], ways::AFTER_EDIT)]),
                false => (NEVER, 0),
            };
            let inserted = match at {
                0 => [(NEVER, 0), (NEVER, 0)],
                _ => self.inserted(next.matched[at - 1], next.edited[at - 1]),
            };
            let (edited, edit_ways) = least([
                inserted[0],
                inserted[1],
                (costs.edited[at] + EDIT, ways::DELETE),
                (costs.matched[at] + self.run + EDIT, ways::DELETE_FIRST),
            ]);
            next.matched.push(matched);
            next.edited.push(edited);
            self.from.push(match_ways | edit_ways);
        }
        let number = self.rows.len();
        self.rows.push(row);
        let cost = next.least(n - 1);
        if cost < self.nearest.0 {
            self.nearest = (cost, number, next.matched[n - 1] == cost);
        }
        (number, next)
    }

    /// The two ways to insert a symbol, from the costs of the cell to the left.
    fn inserted(&self, matched: u64, edited: u64) -> [(u64, u16); 2] {
        [(edited + EDIT, ways::INSERT), (matched + self.run + EDIT, ways::INSERT_FIRST)]
    }

    /// Reads a text of the chain behind a row: the last row's number and costs.
    fn text(&mut self, text: &[T], first: (usize, Costs), piece: usize, place: Place) -> (usize, Costs) {
        text.iter().enumerate().fold(first, |(before, costs), (offset, &symbol)| {
            self.symbol(symbol, &costs, Row::Symbol { before, piece, offset, place })
        })
    }

    /// Reads a flaw: either of its texts, whole or cut into.
    fn flaw(&mut self, number: usize, piece: usize, texts: [&[T]; 2], before: (usize, Costs)) -> (usize, Costs) {
        let [clean, flawed] = texts;
        let read = |table: &mut Self, text, side| table.text(text, before.clone(), piece, Place::Flaw(number, side));
        let (clean_row, clean_costs) = read(self, clean, Side::Clean);
        let (flawed_row, flawed_costs) = read(self, flawed, Side::Flawed);
        let n = self.output.len() + 1;
        let mut next = Costs { matched: Vec::with_capacity(n), edited: Vec::with_capacity(n) };
        for at in 0..n {
            // where a whole text begins; an empty one leaves the state as it is
            let whole = |text: &[T]| at.checked_sub(text.len()).filter(|&start| self.output[start..at] == *text);
            let matched_by = |text: &[T]| match whole(text) {
                Some(start) if text.is_empty() => (before.1.matched[start], NEVER),
                Some(start) => (before.1.matched[start], before.1.edited[start]),
                None => (NEVER, NEVER),
            };
            let run_over = |text: &[T]| if text.is_empty() { before.1.edited[at] } else { NEVER };
            let ((flawed_a, flawed_b), (clean_a, clean_b)) = (matched_by(flawed), matched_by(clean));
            let (matched, match_ways) = least([
                (flawed_a, ways::FLAWED_MATCHED),
                (flawed_b, ways::FLAWED_EDITED),
                (clean_a, ways::CLEAN_MATCHED),
                (clean_b, ways::CLEAN_EDITED),
                (flawed_costs.matched[at] + CUT, ways::CUT_FLAWED),
                (clean_costs.matched[at] + CUT, ways::CUT_CLEAN),
            ]);
            let inserted = match at {
                0 => [(NEVER, 0), (NEVER, 0)],
                _ => self.inserted(next.matched[at - 1], next.edited[at - 1]),
            };
            let (edited, edit_ways) = least([
                (run_over(flawed), ways::RUN_FLAWED),
                (run_over(clean), ways::RUN_CLEAN),
                (flawed_costs.edited[at] + CUT, ways::RUN_CUT_FLAWED),
                (clean_costs.edited[at] + CUT, ways::RUN_CUT_CLEAN),
                inserted[0],
                inserted[1],
            ]);
            next.matched.push(matched);
            next.edited.push(edited);
            self.from.push(match_ways | edit_ways);
        }
        let lengths = [clean.len(), flawed.len()];
        self.rows.push(Row::Behind { flaw: number, before: before.0, clean: clean_row, flawed: flawed_row, lengths });
        (self.rows.len() - 1, next)
    }

    /// The steps that lead to the end of the output in a row.
    fn trace(&self, mut row: usize, mut is_matched: bool) -> Vec<Step> {
        let width = self.output.len() + 1;
        let mut at = self.output.len();
        let mut steps = Vec::with_capacity(2 * width);
        while !matches!(self.rows[row], Row::Start) || at > 0 {
            let open = self.from[row * width + at] & if is_matched { ways::MATCHED } else { !ways::MATCHED };
            let way = open & open.wrapping_neg();
            let place = match self.rows[row] {
                Row::Symbol { place, .. } => place,
                Row::Start | Row::Behind { .. } => Place::Common,
            };
            match (self.rows[row], way) {
                (_, ways::INSERT | ways::INSERT_FIRST) => {
                    steps.push(Step::Symbol { edit: Edit::Insert, place });
                    at -= 1;
                    is_matched = way == ways::INSERT_FIRST;
                }
                (Row::Symbol { before, .. }, ways::DELETE | ways::DELETE_FIRST) => {
                    steps.push(Step::Symbol { edit: Edit::Delete, place });
                    row = before;
                    is_matched = way == ways::DELETE_FIRST;
                }
                (Row::Symbol { before, .. }, _) => {
                    steps.push(Step::Symbol { edit: Edit::Match, place });
                    row = before;
                    at -= 1;
                    is_matched = way == ways::AFTER_MATCH;
                }
                (Row::Behind { flaw, before, clean, flawed, lengths }, _) => {
                    let (side, is_whole) = past(way);
                    steps.push(Step::Passed { flaw, side, is_whole });
                    row = match (is_whole, side) {
                        (true, _) => before,
                        (false, Side::Clean) => clean,
                        (false, Side::Flawed) => flawed,
                    };
                    if is_whole {
                        let length = lengths[usize::from(side == Side::Flawed)];
                        let step = Step::Symbol { edit: Edit::Match, place: Place::Flaw(flaw, side) };
                        steps.extend(std::iter::repeat_n(step, length));
                        at -= length;
                        is_matched &= !matches!(way, ways::FLAWED_EDITED | ways::CLEAN_EDITED);
                    }
                }
                (Row::Start, _) => break,
            }
        }
        steps.reverse();
        steps
    }

    /// How much of each piece lies before the end of a row.
    fn reached(&self, row: usize, n_pieces: usize) -> Vec<Reached> {
        let nothing = Reached::Part(0, Side::Clean);
        let (piece, part) = match self.rows[row] {
            Row::Start => return vec![nothing; n_pieces],
            Row::Symbol { piece, offset, place: Place::Flaw(_, side), .. } => (piece, Reached::Part(offset + 1, side)),
            Row::Symbol { piece, offset, .. } => (piece, Reached::Part(offset + 1, Side::Clean)),
            Row::Behind { .. } => return vec![Reached::Whole; n_pieces],
        };
        let of = |other: usize| match other.cmp(&piece) {
            std::cmp::Ordering::Less => Reached::Whole,
            std::cmp::Ordering::Equal => part,
            std::cmp::Ordering::Greater => nothing,
        };
        (0..n_pieces).map(of).collect()
    }
}

/// Which of a flaw's texts a way takes, and whether it leaves it whole.
fn past(way: u16) -> (Side, bool) {
    match way {
        ways::FLAWED_MATCHED | ways::FLAWED_EDITED | ways::RUN_FLAWED => (Side::Flawed, true),
        ways::CLEAN_MATCHED | ways::CLEAN_EDITED | ways::RUN_CLEAN => (Side::Clean, true),
        ways::CUT_FLAWED | ways::RUN_CUT_FLAWED => (Side::Flawed, false),
        _ => (Side::Clean, false),
    }
}

/// Aligns an output with a chain; `run` is the price of a run of edits.
///
/// # Errors
/// [`QualityError::TooLong`] beyond [`MOST_CELLS`].
pub(super) fn align<T: Copy + PartialEq>(
    pieces: &[Piece<T>],
    output: &[T],
    end: End,
    run: u64,
) -> Result<Alignment, QualityError> {
    let n_symbols: usize = pieces.iter().map(n_rows).sum();
    if (n_symbols + 1).saturating_mul(output.len() + 1) > MOST_CELLS {
        return Err(QualityError::TooLong { reference: n_symbols, output: output.len() });
    }
    let (mut table, costs) = Table::new(output, run);
    let mut last = (0, costs);
    let mut n_flaws = 0;
    for (number, piece) in pieces.iter().enumerate() {
        last = match piece {
            Piece::Common(text) => table.text(text, last, number, Place::Common),
            Piece::Flaw { clean, flawed } => {
                n_flaws += 1;
                table.flaw(n_flaws - 1, number, [clean, flawed], last)
            }
        };
    }
    let (cost, row, is_matched) = table.nearest;
    if end == End::Cut && row != last.0 {
        let steps = table.trace(row, is_matched);
        let n_found = steps.iter().filter(|step| matches!(step, Step::Symbol { edit: Edit::Match, .. })).count();
        if 2 * n_found >= output.len() {
            return Ok(Alignment { steps, cost, reached: table.reached(row, pieces.len()) });
        }
    }
    let is_matched = last.1.matched[output.len()] <= last.1.edited[output.len()];
    let cost = last.1.least(output.len());
    Ok(Alignment { steps: table.trace(last.0, is_matched), cost, reached: vec![Reached::Whole; pieces.len()] })
}

/// The least cost and every way to it.
fn least<const N: usize>(ways: [(u64, u16); N]) -> (u64, u16) {
    let cost = ways.iter().fold(NEVER, |least, (cost, _)| least.min(*cost));
    if cost >= NEVER {
        return (NEVER, 0);
    }
    (cost, ways.iter().filter(|(other, _)| *other == cost).fold(0, |bits, (_, way)| bits | way))
}

fn n_rows<T>(piece: &Piece<T>) -> usize {
    match piece {
        Piece::Common(text) => text.len(),
        Piece::Flaw { clean, flawed } => clean.len() + flawed.len() + 1,
    }
}
