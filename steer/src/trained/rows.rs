//! What a vector is trained on: prompts, and for each the text that it shall lead to at a coefficient.

use redline_model::random::Random;
use redline_model::train::Example;
use redline_model::train::batch::epoch_batches;

/// A prompt with the outputs that a vector shall lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingRow {
    /// Tokens of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// Outputs, each at its coefficient; at least one.
    pub outputs: Vec<SteeredOutput>,
}

/// An output at a coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct SteeredOutput {
    /// The signed strength at which it shall be written.
    pub coefficient: f32,
    /// Its tokens, the end token included.
    pub tokens: Vec<u32>,
}

impl TrainingRow {
    /// Tokens of the longest text.
    pub(super) fn n_tokens(&self) -> usize {
        self.prompt.len() + self.outputs.iter().map(|output| output.tokens.len()).max().unwrap_or(0)
    }

    /// Prompt and one output, as row `row` of a pass.
    pub(super) fn example(&self, output: usize, row: usize) -> Example {
        let tokens = [self.prompt.as_slice(), &self.outputs[output].tokens].concat();
        Example { row, tokens, prompt_len: self.prompt.len() }
    }
}

/// Which rows every step reads, and which output of each: a pure function of seed and step.
pub(super) struct Batches<'a> {
    rows: &'a [TrainingRow],
    batch_rows: usize,
    seed: u64,
    lengths: Vec<usize>,
    /// Where each row's turn through its outputs begins.
    offsets: Vec<usize>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(rows: &'a [TrainingRow], batch_rows: usize, seed: u64) -> Self {
        let mut random = Random::named(&[seed], "outputs of rows");
        let offsets = rows.iter().map(|row| random.below(row.outputs.len().max(1))).collect();
        let lengths = rows.iter().map(TrainingRow::n_tokens).collect();
        Self { rows, batch_rows, seed, lengths, offsets }
    }

    /// The rows of a step, each with the place of its output: every row once an epoch, its outputs in turn.
    pub(super) fn of_step(&self, step: usize) -> Vec<(&'a TrainingRow, usize)> {
        let per_epoch = self.rows.len().div_ceil(self.batch_rows);
        let epoch = step / per_epoch;
        let batches = epoch_batches(&self.lengths, self.batch_rows, self.seed, epoch as u64);
        let output = |&row: &usize| (&self.rows[row], (self.offsets[row] + epoch) % self.rows[row].outputs.len());
        batches[step % per_epoch].iter().map(output).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_once_an_epoch_and_every_output_in_turn() {
        let output = |coefficient| SteeredOutput { coefficient, tokens: vec![1] };
        let row =
            |i: usize| TrainingRow { prompt: vec![0; i + 1], outputs: vec![output(-1.0), output(0.5), output(1.0)] };
        let rows: Vec<TrainingRow> = (0..10).map(row).collect();
        let batches = Batches::new(&rows, 4, 7);
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
        for step in 0..9 {
            for (row, output) in batches.of_step(step) {
                seen[row.prompt.len() - 1].push(output);
            }
        }
        for outputs in seen {
            assert_eq!(outputs.len(), 3);
            assert!((0..3).all(|output| outputs.contains(&output)), "{outputs:?}");
        }
        let first = |seed| {
            Batches::new(&rows, 4, seed).of_step(0).iter().map(|(row, o)| (row.prompt.len(), *o)).collect::<Vec<_>>()
        };
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}
