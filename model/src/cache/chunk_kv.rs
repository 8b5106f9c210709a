//! What a chunk attends to.

use std::sync::Arc;

use candle_core::Tensor;

use super::LeadRows;

/// Keys and values one chunk attends to at one layer.
pub(crate) struct ChunkKv {
    /// Shared by all rows: each (kv_heads, length, head_dim).
    pub(crate) shared: Vec<(Tensor, Tensor)>,
    /// Of each row, new tokens included and perhaps room behind them: (rows, kv_heads, capacity, head_dim).
    pub(crate) own: (Tensor, Tensor),
    /// Own positions that are filled.
    pub(crate) own_len: usize,
    /// Where only some rows run: those.
    pub(crate) lead: Option<Arc<LeadRows>>,
}

impl ChunkKv {
    /// Those of rows without a past.
    pub(crate) fn alone(own: (Tensor, Tensor), own_len: usize) -> Self {
        Self { shared: Vec::new(), own, own_len, lead: None }
    }
}
