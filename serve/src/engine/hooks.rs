//! What happens at the hook points of a batch: scans read, vectors are added.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Tensor;
use redline_model::hook::{HookPoint, TokenLayout};
use redline_model::{Decoder, Hook, Result};
use redline_steer::{Inject, LayerEffect, RowSteering};

use super::scan::Scans;
use crate::dial::{ReadyVector, Steering};

/// The hook of a batch.
#[derive(Default)]
pub(super) struct BatchHooks {
    pub(super) scans: Scans,
    injections: Vec<Injection>,
}

/// One vector with the rows that it steers.
struct Injection {
    vector: Arc<ReadyVector>,
    inject: Inject,
    rows: Vec<usize>,
}

impl BatchHooks {
    /// Steers a row.
    pub(super) fn steer(
        &mut self,
        decoder: &Decoder,
        row: usize,
        prompt_len: usize,
        steering: &Steering,
    ) -> redline_steer::Result<()> {
        let found = self.injections.iter().position(|other| Arc::ptr_eq(&other.vector, &steering.vector));
        let index = match found {
            Some(index) => index,
            None => {
                let ReadyVector { vector, range } = &*steering.vector;
                let inject = Inject::new(&[vector], *range, decoder.config())?;
                self.injections.push(Injection { vector: steering.vector.clone(), inject, rows: Vec::new() });
                self.injections.len() - 1
            }
        };
        let injection = &mut self.injections[index];
        let term = RowSteering::new(0, steering.coefficient, prompt_len).by(steering.operator);
        injection.inject.steer(row, term)?;
        injection.rows.push(row);
        Ok(())
    }

    /// Forgets a row; what steering did to it, per layer.
    pub(super) fn remove(&mut self, row: usize) -> BTreeMap<usize, LayerEffect> {
        self.scans.remove(row);
        let mut effect = BTreeMap::new();
        for injection in &mut self.injections {
            if injection.rows.contains(&row) {
                injection.rows.retain(|other| *other != row);
                effect = injection.inject.row_effect(row);
                injection.inject.clear_row(row);
            }
        }
        self.injections.retain(|injection| !injection.rows.is_empty());
        effect
    }
}

impl Hook for BatchHooks {
    fn wants(&self, point: HookPoint) -> bool {
        self.scans.wants(point) || self.injections.iter().any(|injection| injection.inject.wants(point))
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        self.scans.on(point, x, layout)?;
        let mut changed = None;
        for Injection { inject, .. } in &mut self.injections {
            if inject.wants(point) {
                changed = inject.on(point, changed.as_ref().unwrap_or(x), layout)?.or(changed);
            }
        }
        Ok(changed)
    }
}
