//! The hook that keeps activations: selected positions only, summed straight into their destination.

use std::collections::HashMap;

use candle_core::Tensor;
use redline_model::hook::{HookPoint, Site, TokenLayout};
use redline_model::{Error as ModelError, Hook};

/// Keeps the mean activation of chosen positions, for chosen layers, at one site.
///
/// Each row asks for *slots*; a slot is one position or the mean of several. Memory is
/// `rows · slots · layers · hidden`, whatever the length of the texts.
pub struct Capture {
    site: Site,
    layers: Vec<usize>,
    rows: HashMap<usize, RowSlots>,
}

struct RowSlots {
    /// (position, slot), ascending by position.
    targets: Vec<(usize, usize)>,
    n_slots: usize,
    /// Sums, then means: [slot][layer][hidden]; empty until the first activation shows the width.
    values: Vec<f32>,
    counts: Vec<usize>,
}

impl Capture {
    /// A hook for one site of these layers.
    pub fn new(site: Site, layers: Vec<usize>) -> Self {
        Self { site, layers, rows: HashMap::new() }
    }

    /// Asks for the mean over each slot's positions in row `row`. A slot may be empty.
    pub fn request(&mut self, row: usize, slots: &[std::ops::Range<usize>]) {
        let mut targets: Vec<(usize, usize)> =
            slots.iter().enumerate().flat_map(|(slot, positions)| positions.clone().map(move |p| (p, slot))).collect();
        targets.sort_unstable();
        let counts = slots.iter().map(ExactSizeIterator::len).collect();
        self.rows.insert(row, RowSlots { targets, n_slots: slots.len(), values: Vec::new(), counts });
    }

    /// Takes the means of a row, slot after slot: for each, `[layer][hidden]`; `None` for an empty slot.
    pub fn take(&mut self, row: usize) -> Vec<Option<Vec<f32>>> {
        let Some(slots) = self.rows.remove(&row) else { return Vec::new() };
        if slots.values.is_empty() {
            return vec![None; slots.n_slots];
        }
        let width = slots.values.len() / slots.n_slots;
        let mean = |(sum, &count): (&[f32], &usize)| {
            (count > 0).then(|| sum.iter().map(|value| value / count as f32).collect())
        };
        slots.values.chunks(width).zip(&slots.counts).map(mean).collect()
    }
}

impl Hook for Capture {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Block { layer, site } if site == self.site && self.layers.contains(&layer))
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> redline_model::Result<Option<Tensor>> {
        let HookPoint::Block { layer, .. } = point else { return Ok(None) };
        let Some(layer_index) = self.layers.iter().position(|&l| l == layer) else { return Ok(None) };
        let n_layers = self.layers.len();
        let width = x.elem_count() / layout.n_tokens().max(1);
        for span in &layout.spans {
            let Some(slots) = self.rows.get_mut(&span.row) else { continue };
            let seen = span.position..span.position + span.len;
            let targets: Vec<(usize, usize)> =
                slots.targets.iter().copied().filter(|(p, _)| seen.contains(p)).collect();
            if targets.is_empty() {
                continue;
            }
            let lines: Vec<u32> = targets.iter().map(|(p, _)| (span.start + p - span.position) as u32).collect();
            let picked: Vec<f32> = x.index_select(&Tensor::new(lines, x.device())?, 0)?.flatten_all()?.to_vec1()?;
            slots.values.resize(slots.n_slots * n_layers * width, 0.0);
            for ((_, slot), line) in targets.iter().zip(picked.chunks(width)) {
                let start = (slot * n_layers + layer_index) * width;
                let sum = slots.values.get_mut(start..start + width).ok_or_else(|| ModelError::HookShape {
                    point: point.to_string(),
                    got: x.dims().to_vec(),
                    expected: vec![layout.n_tokens(), slots.counts.len()],
                })?;
                sum.iter_mut().zip(line).for_each(|(sum, value)| *sum += value);
            }
        }
        Ok(None)
    }

    fn last_layer(&self) -> Option<usize> {
        self.layers.iter().copied().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use redline_model::hook::TokenSpan;

    #[test]
    fn means_of_positions_across_passes() {
        let mut capture = Capture::new(Site::ResidPost, vec![1]);
        capture.request(7, &[2..5, 3..4, 9..9]);
        // row 7 sees positions 0..3 in one pass and 3..5 in the next, beside another row
        let line = |p: f32| [p, 10.0 * p];
        let first = Tensor::new(&[line(0.), line(1.), line(2.)], &Device::Cpu).unwrap();
        let second = Tensor::new(&[line(99.), line(3.), line(4.)], &Device::Cpu).unwrap();
        let span = |row, start, len, position| TokenSpan { row, start, len, position };
        let point = HookPoint::resid_post(1);
        capture.on(point, &first, &TokenLayout { spans: vec![span(7, 0, 3, 0)] }).unwrap();
        capture.on(point, &second, &TokenLayout { spans: vec![span(3, 0, 1, 0), span(7, 1, 2, 3)] }).unwrap();
        assert_eq!(capture.take(7), [Some(vec![3.0, 30.0]), Some(vec![3.0, 30.0]), None]);
    }
}
