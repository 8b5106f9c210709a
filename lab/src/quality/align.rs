//! Aligning an output with a chain of [pieces](super::lattice): the fewest single edits that turn some way through the chain into the output.
//!
//! For a row with k flaws the chain has 2ᵏ ways, and the distance is the least Levenshtein distance of the output to any of them. The
//! work is one table of (symbols of the chain) × (symbols of the output), as for a single text.
//!
//! # Which of several best alignments
//! Fewest edits come first; among those, the one in which fewest flaws are cut into (an edit inside a flaw's text); among those, at a flaw
//! the flawed text before the clean one, so that no mend is claimed which another reading of the same cost denies; elsewhere, read from the
//! end, what goes on with a run of insertions or of deletions, then a match or substitution, a deletion, an insertion. So the alignment is a
//! function of the texts.
//!
//! A cut output ends where the chain is nearest to it: at the first such place if half of the output is found there, otherwise at
//! the last, so that noise does not count as the beginning of a text.

use super::error::QualityError;
use super::lattice::Piece;

/// Most cells of the table: two texts of 10,000 characters.
pub const MOST_CELLS: usize = 100_000_000;

/// One edit, in units of the first part of a cost.
const EDIT: u64 = 1 << 20;
/// One flaw that is cut into.
const CUT: u64 = 1;

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
    Substitute,
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
    /// The output was cut: it is aligned with the beginning of the chain that it is nearest to.
    Cut,
}

/// An alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alignment {
    /// Steps from the beginning to the end.
    pub steps: Vec<Step>,
    /// Edits, all in all.
    pub distance: usize,
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

/// What can lead to a cell at its cost: bits, in the order in which they are taken.
const WHOLE_FLAWED: u8 = 1;
const WHOLE_CLEAN: u8 = 2;
const CUT_FLAWED: u8 = 4;
const CUT_CLEAN: u8 = 8;
const DIAGONAL: u8 = 16;
const DELETE: u8 = 32;
const INSERT: u8 = 64;

/// A row of the table, after one symbol of the chain or behind a flaw.
#[derive(Debug, Clone, Copy)]
enum Row<T> {
    Start,
    Symbol { symbol: T, before: usize, piece: usize, offset: usize, place: Place },
    Behind { flaw: usize, before: usize, clean: usize, flawed: usize, lengths: [usize; 2] },
}

/// The table while it grows.
struct Table<'a, T> {
    output: &'a [T],
    rows: Vec<Row<T>>,
    /// (rows, output + 1): what leads to each cell.
    from: Vec<u8>,
    /// The least distance of the whole output in any row, and the first and the last row with it.
    nearest: (u64, usize, usize),
}

impl<'a, T: Copy + PartialEq> Table<'a, T> {
    /// The table with its first row, and the costs of that.
    fn new(output: &'a [T]) -> (Self, Vec<u64>) {
        let costs: Vec<u64> = (0..=output.len() as u64).map(|at| at * EDIT).collect();
        let mut from = vec![INSERT; costs.len()];
        from[0] = 0;
        (Self { output, rows: vec![Row::Start], from, nearest: (output.len() as u64, 0, 0) }, costs)
    }

    /// Reads one symbol of the chain: the number of its row and its costs, from those of the row before.
    fn symbol(&mut self, symbol: T, costs: &[u64], row: Row<T>) -> (usize, Vec<u64>) {
        let mut next = Vec::with_capacity(costs.len());
        next.push(costs[0] + EDIT);
        self.from.push(DELETE);
        for (at, &read) in self.output.iter().enumerate() {
            let diagonal = costs[at] + if read == symbol { 0 } else { EDIT };
            let (cost, ways) = least([(diagonal, DIAGONAL), (costs[at + 1] + EDIT, DELETE), (next[at] + EDIT, INSERT)]);
            next.push(cost);
            self.from.push(ways);
        }
        let number = self.rows.len();
        self.rows.push(row);
        let distance = next[self.output.len()] / EDIT;
        if distance < self.nearest.0 {
            self.nearest = (distance, number, number);
        } else if distance == self.nearest.0 {
            self.nearest.2 = number;
        }
        (number, next)
    }

    /// Reads a text of the chain behind a row: the last row's number and costs.
    fn text(&mut self, text: &[T], first: (usize, Vec<u64>), piece: usize, place: Place) -> (usize, Vec<u64>) {
        text.iter().enumerate().fold(first, |(before, costs), (offset, &symbol)| {
            self.symbol(symbol, &costs, Row::Symbol { symbol, before, piece, offset, place })
        })
    }

    /// Reads a flaw: either of its texts, whole or cut into.
    fn flaw(&mut self, number: usize, piece: usize, texts: [&[T]; 2], before: (usize, Vec<u64>)) -> (usize, Vec<u64>) {
        let [clean, flawed] = texts;
        let read = |table: &mut Self, text, side| table.text(text, before.clone(), piece, Place::Flaw(number, side));
        let (clean_row, clean_costs) = read(self, clean, Side::Clean);
        let (flawed_row, flawed_costs) = read(self, flawed, Side::Flawed);
        let mut next: Vec<u64> = Vec::with_capacity(self.output.len() + 1);
        for at in 0..=self.output.len() {
            let whole = |text: &[T]| match at.checked_sub(text.len()) {
                Some(start) if self.output[start..at] == *text => before.1[start],
                _ => u64::MAX,
            };
            let (cost, ways) = least([
                (whole(flawed), WHOLE_FLAWED),
                (whole(clean), WHOLE_CLEAN),
                (flawed_costs[at] + CUT, CUT_FLAWED),
                (clean_costs[at] + CUT, CUT_CLEAN),
                (at.checked_sub(1).map_or(u64::MAX, |left| next[left] + EDIT), INSERT),
            ]);
            next.push(cost);
            self.from.push(ways);
        }
        let lengths = [clean.len(), flawed.len()];
        self.rows.push(Row::Behind { flaw: number, before: before.0, clean: clean_row, flawed: flawed_row, lengths });
        (self.rows.len() - 1, next)
    }

    /// The steps that lead to the end of the output in a row.
    fn trace(&self, mut row: usize) -> Vec<Step> {
        let width = self.output.len() + 1;
        let mut at = self.output.len();
        let mut steps = Vec::with_capacity(2 * width);
        let mut run = 0;
        loop {
            let ways = self.from[row * width + at];
            let way = if ways & run != 0 { run } else { ways & ways.wrapping_neg() };
            run = way & (INSERT | DELETE);
            match self.rows[row] {
                Row::Symbol { symbol, before, place, .. } if way != INSERT => {
                    let edit = match way {
                        DELETE => Edit::Delete,
                        _ if self.output[at - 1] == symbol => Edit::Match,
                        _ => Edit::Substitute,
                    };
                    at -= usize::from(way != DELETE);
                    steps.push(Step::Symbol { edit, place });
                    row = before;
                }
                Row::Behind { flaw, before, clean, flawed, lengths } if way != INSERT => {
                    let side = if matches!(way, WHOLE_CLEAN | CUT_CLEAN) { Side::Clean } else { Side::Flawed };
                    let is_whole = matches!(way, WHOLE_CLEAN | WHOLE_FLAWED);
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
                    }
                }
                _ if at == 0 => break,
                in_row => {
                    let place = if let Row::Symbol { place, .. } = in_row { place } else { Place::Common };
                    steps.push(Step::Symbol { edit: Edit::Insert, place });
                    at -= 1;
                }
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

/// Aligns an output with a chain.
///
/// # Errors
/// [`QualityError::TooLong`] beyond [`MOST_CELLS`].
pub(super) fn align<T: Copy + PartialEq>(
    pieces: &[Piece<T>],
    output: &[T],
    end: End,
) -> Result<Alignment, QualityError> {
    let n_symbols: usize = pieces.iter().map(n_rows).sum();
    if (n_symbols + 1).saturating_mul(output.len() + 1) > MOST_CELLS {
        return Err(QualityError::TooLong { reference: n_symbols, output: output.len() });
    }
    let (mut table, costs) = Table::new(output);
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
    let (distance, row) = match (end, table.nearest) {
        (End::Whole, _) => (last.1[output.len()] / EDIT, last.0),
        (End::Cut, (distance, first, _)) if 2 * distance <= output.len() as u64 => (distance, first),
        (End::Cut, (distance, _, last)) => (distance, last),
    };
    let reached = match row == last.0 {
        true => vec![Reached::Whole; pieces.len()],
        false => table.reached(row, pieces.len()),
    };
    Ok(Alignment { steps: table.trace(row), distance: distance as usize, reached })
}

/// The least cost and every way to it.
fn least<const N: usize>(ways: [(u64, u8); N]) -> (u64, u8) {
    let cost = ways.iter().fold(u64::MAX, |least, (cost, _)| least.min(*cost));
    (cost, ways.iter().filter(|(other, _)| *other == cost).fold(0, |bits, (_, way)| bits | way))
}

fn n_rows<T>(piece: &Piece<T>) -> usize {
    match piece {
        Piece::Common(text) => text.len(),
        Piece::Flaw { clean, flawed } => clean.len() + flawed.len() + 1,
    }
}
