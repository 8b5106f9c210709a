//! Keys and values of what was already read.
//!
//! A [`KvCache`] holds rows that advance together: they started from the same past and read the same number of tokens
//! a pass. [`KvCache::freeze`] turns one prefilled row into a [`SharedPrefix`], and [`SharedPrefix::branch`] continues
//! it in any number of rows without copying or recomputing: one prompt at many coefficients.

mod append;
mod chunk_kv;
mod lead_rows;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::memory::{check_memory, product};
use crate::{Error, ModelConfig, Result};

pub(crate) use append::{Append, ChunkLines};
pub(crate) use chunk_kv::ChunkKv;
use lead_rows::Alike;
pub(crate) use lead_rows::LeadRows;

/// Keys and values of a stretch of tokens, shared by all rows that continue it.
#[derive(Debug)]
struct Segment {
    layers: Vec<(Tensor, Tensor)>, // each (kv_heads, length, head_dim)
    length: usize,
}

/// A read-only past: the keys and values of one token sequence.
#[derive(Debug, Clone, Default)]
pub struct SharedPrefix {
    segments: Vec<Arc<Segment>>,
}

impl SharedPrefix {
    /// Number of positions.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Whether there is no past.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The first `len` positions, at most all.
    pub(crate) fn truncated(&self, len: usize) -> Result<Self> {
        let mut left = len;
        let mut segments = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            let length = segment.length.min(left);
            left -= length;
            if length == segment.length {
                segments.push(segment.clone());
            } else if length > 0 {
                let narrow = |x: &Tensor| x.narrow(1, 0, length);
                let layers = segment.layers.iter().map(|(k, v)| Ok((narrow(k)?, narrow(v)?))).collect::<Result<_>>()?;
                segments.push(Arc::new(Segment { layers, length }));
            }
        }
        Ok(Self { segments })
    }

    /// A cache of `rows` that continue this past, with room for `capacity` more tokens each.
    ///
    /// # Errors
    /// Out of memory, as the tensor library reports it.
    pub fn branch(&self, config: &ModelConfig, rows: Vec<usize>, capacity: usize, device: &Device) -> Result<KvCache> {
        let shape = (rows.len(), config.n_kv_heads, capacity.max(1), config.head_dim);
        if device.is_cpu() {
            let sizes = [shape.0, shape.1, shape.2, shape.3, 2 * config.n_layers, size_of::<f32>()];
            check_memory("keys and values of rows written together", product(&sizes))?;
        }
        let layers = (0..config.n_layers)
            .map(|_| Ok((Tensor::zeros(shape, DType::F32, device)?, Tensor::zeros(shape, DType::F32, device)?)))
            .collect::<Result<Vec<_>>>()?;
        let alike = Alike::new(rows.len(), config.n_layers);
        Ok(KvCache { shared: self.clone(), layers, rows, length: 0, capacity: capacity.max(1), alike })
    }
}

/// Preallocated keys and values of rows that advance together.
#[derive(Debug)]
pub struct KvCache {
    shared: SharedPrefix,
    layers: Vec<(Tensor, Tensor)>, // each (rows, kv_heads, capacity, head_dim)
    rows: Vec<usize>,
    length: usize,
    capacity: usize,
    alike: Alike,
}

impl KvCache {
    /// An empty cache of `rows` (the caller's row ids) with room for `capacity` tokens each.
    ///
    /// # Errors
    /// Out of memory, as the tensor library reports it.
    pub fn new(config: &ModelConfig, rows: Vec<usize>, capacity: usize, device: &Device) -> Result<Self> {
        SharedPrefix::default().branch(config, rows, capacity, device)
    }

    /// The row ids, in order.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Number of positions read so far, shared past included.
    pub fn len(&self) -> usize {
        self.shared.len() + self.length
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything from position `len` on: rejected draft tokens, for one.
    ///
    /// # Errors
    /// `len` lies inside the shared past or beyond what was read.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let shared = self.shared.len();
        if len < shared || len > self.len() {
            return Err(Error::Request {
                what: "cache length to truncate to",
                got: len.to_string(),
                expected: format!("{shared} to {}", self.len()),
            });
        }
        self.length = len - shared;
        Ok(())
    }

    /// Keeps only the rows at these indices; the others have finished.
    ///
    /// # Errors
    /// An index beyond the rows.
    pub fn keep(&mut self, indices: &[usize]) -> Result<()> {
        if let Some(&index) = indices.iter().find(|&&index| index >= self.rows.len()) {
            let expected = format!("below {}", self.rows.len());
            return Err(Error::Request { what: "row index to keep", got: index.to_string(), expected });
        }
        let kept: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        for (k, v) in &mut self.layers {
            let kept = Tensor::new(kept.as_slice(), k.device())?;
            *k = k.index_select(&kept, 0)?;
            *v = v.index_select(&kept, 0)?;
        }
        self.rows = indices.iter().map(|&index| self.rows[index]).collect();
        self.alike.keep(indices);
        Ok(())
    }

    /// Notes which rows no longer agree after these tokens, the same number for each.
    pub(crate) fn tell_apart(&mut self, tokens: &[u32]) {
        self.alike.tell_apart(tokens);
    }

    /// Blocks that agree in rows that have read the same, after a pass in which a hook leaves the first `n_blocks` alone.
    pub(crate) fn agree_at_most(&mut self, n_blocks: usize) -> usize {
        self.alike.n_blocks = self.alike.n_blocks.min(n_blocks);
        self.alike.n_blocks
    }

    /// One row for all that agree in the first `n_blocks` blocks; `None` where none agree.
    pub(crate) fn lead_rows(&self, n_blocks: usize) -> Option<LeadRows> {
        self.alike.lead_rows(n_blocks)
    }

    /// A copy of what the row at this index has read.
    pub(crate) fn row(&self, index: usize) -> Result<SharedPrefix> {
        self.past_of(index, |own| own.force_contiguous())
    }

    /// Ends writing and makes the past of a single row shareable.
    ///
    /// # Errors
    /// The cache holds another number of rows than one.
    pub fn freeze(self) -> Result<SharedPrefix> {
        if self.rows.len() != 1 {
            return Err(Error::Request {
                what: "rows of a cache to freeze",
                got: self.rows.len().to_string(),
                expected: "1".into(),
            });
        }
        self.past_of(0, Ok)
    }

    /// The shared past and a row's own keys and values, each through `own`.
    fn past_of(&self, index: usize, own: impl Fn(Tensor) -> candle_core::Result<Tensor>) -> Result<SharedPrefix> {
        let mut shared = self.shared.clone();
        if self.length > 0 {
            let own = |x: &Tensor| own(x.get(index)?.narrow(1, 0, self.length)?);
            let layers = self.layers.iter().map(|(k, v)| Ok((own(k)?, own(v)?))).collect::<Result<_>>()?;
            shared.segments.push(Arc::new(Segment { layers, length: self.length }));
        }
        Ok(shared)
    }

    /// Makes room for `t` more tokens, doubling where the preallocated room is used up.
    pub(crate) fn reserve(&mut self, t: usize) -> Result<()> {
        let needed = self.length + t;
        if needed <= self.capacity {
            return Ok(());
        }
        let capacity = needed.max(2 * self.capacity);
        for (k, v) in &mut self.layers {
            *k = k.pad_with_zeros(2, 0, capacity - self.capacity)?;
            *v = v.pad_with_zeros(2, 0, capacity - self.capacity)?;
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Writes the new keys and values of a layer, each (rows, kv_heads, t, head_dim), and returns all that the chunk
    /// attends to. [`KvCache::advance`] follows once all layers are done.
    pub(crate) fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<ChunkKv> {
        let length = self.length + k.dim(2)?;
        let (own_k, own_v) = &self.layers[layer];
        own_k.slice_set(k, 2, self.length)?;
        own_v.slice_set(v, 2, self.length)?;
        Ok(self.layer(layer, length))
    }

    /// [`KvCache::append`] on the CPU, from lines of a packed pass: (n_tokens, kv_heads · head_dim) each, keys unrotated.
    pub(crate) fn append_packed(&mut self, layer: usize, kv: [&Tensor; 2], append: Append<'_>) -> Result<ChunkKv> {
        append.write(&self.layers[layer], kv, self.length)?;
        Ok(ChunkKv { lead: append.lead.cloned(), ..self.layer(layer, self.length + append.lines.t) })
    }

    /// Keys and values of a layer, `own_len` positions of the rows' own.
    fn layer(&self, layer: usize, own_len: usize) -> ChunkKv {
        let shared = self.shared.segments.iter().map(|segment| segment.layers[layer].clone()).collect();
        ChunkKv { shared, own: self.layers[layer].clone(), own_len, lead: None }
    }

    pub(crate) fn advance(&mut self, t: usize) {
        self.length += t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lead_those_that_have_read_the_same() {
        let alike = Alike::new(5, 3);
        let rows = (0..5).collect();
        let mut cache =
            KvCache { shared: SharedPrefix::default(), layers: Vec::new(), rows, length: 0, capacity: 9, alike };
        let lead = |cache: &KvCache| cache.lead_rows(2).map(|lead| (lead.places, lead.of_row));
        assert_eq!(lead(&cache), Some((vec![0], vec![0; 5])));
        cache.tell_apart(&[7, 8, 7, 8, 7, 9, 7, 9, 7, 8]);
        assert_eq!(lead(&cache), Some((vec![0, 2], vec![0, 0, 1, 1, 0])));
        cache.keep(&[1, 3, 4]).unwrap();
        assert_eq!(lead(&cache), Some((vec![0, 1], vec![0, 1, 0])));
        cache.tell_apart(&[1, 1, 1]);
        assert_eq!(lead(&cache), Some((vec![0, 1], vec![0, 1, 0])), "rows that have parted stay apart");
        assert_eq!(cache.agree_at_most(1), 1);
        assert_eq!(lead(&cache), None, "a hook changed the second block");
        assert_eq!(cache.agree_at_most(2), 1);
        cache.tell_apart(&[1, 2, 3]);
        assert!(cache.lead_rows(1).is_none());
    }
}
