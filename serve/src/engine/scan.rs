//! Live LAT scans: the score of every output token at every layer, as it is read.
//!
//! Tokens are those of [`redline_probe::LatScan`]: the activation at output token k itself, known once the pass after it has
//! read it. Steering shows: a layer is read before its own addition, after those of the layers below.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::Tensor;
use redline_model::hook::{HookPoint, TokenLayout};
use redline_model::{Result, Site};
use redline_probe::Reading;
use serde::Serialize;

/// Output tokens of a row that are scanned, at most.
pub const MOST_COLUMNS: usize = 1024;

/// The scores of one output token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanColumn {
    /// Place in the output, from 0.
    pub token: usize,
    /// The token, readable.
    pub text: String,
    /// z-value of the calibration at each layer of the vector, not clipped.
    pub z: Vec<f32>,
}

/// Rows that are scanned.
#[derive(Default)]
pub(super) struct Scans {
    rows: HashMap<usize, ScanRow>,
}

struct ScanRow {
    reading: Arc<Reading>,
    site: Site,
    prompt_len: usize,
    /// Output token → layer.
    z: Vec<Vec<f32>>,
    n_sent: usize,
}

impl Scans {
    /// Scans the output of a row.
    pub(super) fn add(&mut self, row: usize, reading: Arc<Reading>, prompt_len: usize) -> Result<()> {
        let site = reading.provenance.site.parse()?;
        self.rows.insert(row, ScanRow { reading, site, prompt_len, z: Vec::new(), n_sent: 0 });
        Ok(())
    }

    pub(super) fn remove(&mut self, row: usize) {
        self.rows.remove(&row);
    }

    /// The scores of output tokens before `n_known` that were not handed out yet.
    pub(super) fn take(&mut self, row: usize, n_known: usize) -> Vec<(usize, Vec<f32>)> {
        let Some(row) = self.rows.get_mut(&row) else { return Vec::new() };
        let first = row.n_sent;
        row.n_sent = n_known.min(row.z.len()).max(first);
        (first..row.n_sent).map(|token| (token, row.z[token].clone())).collect()
    }

    pub(super) fn wants(&self, point: HookPoint) -> bool {
        self.rows.values().any(|row| row.layer(point).is_some())
    }

    pub(super) fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<()> {
        for span in &layout.spans {
            let Some(row) = self.rows.get_mut(&span.row) else { continue };
            let Some(layer) = row.layer(point) else { continue };
            let end = (span.position + span.len).min(row.prompt_len + MOST_COLUMNS);
            for position in span.position.max(row.prompt_len)..end {
                let line = x.narrow(0, span.start + position - span.position, 1)?.flatten_all()?;
                row.read(layer, position - row.prompt_len, &line.to_vec1()?);
            }
        }
        Ok(())
    }
}

impl ScanRow {
    /// Index of the vector's layer that is read at this point.
    fn layer(&self, point: HookPoint) -> Option<usize> {
        let HookPoint::Block { layer, site } = point else { return None };
        let mut layers = self.reading.layers.iter();
        if site == self.site { layers.position(|vector| vector.layer == layer) } else { None }
    }

    /// A token read again, after a rejected draft, replaces what stood there.
    fn read(&mut self, layer: usize, token: usize, activation: &[f32]) {
        let n_layers = self.reading.layers.len();
        if self.z.len() <= token {
            self.z.resize(token + 1, vec![0.0; n_layers]);
        }
        let Some(calibration) = &self.reading.calibration else { return };
        let (mean, std) = (calibration.mean[layer], calibration.std[layer]);
        // an activation that is not finite has no score, and the row ends at its logits anyway
        let score = self.reading.layers[layer].score(activation).unwrap_or(mean);
        self.z[token][layer] = if std > 0.0 { ((score - mean) / std) as f32 } else { 0.0 };
    }
}
