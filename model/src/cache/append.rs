//! New keys and values on their way into a cache.

use std::sync::Arc;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use redline_kernels::gradients::View;
use redline_kernels::heads::{HeadSizes, rotate_head};

use super::{ChunkKv, LeadRows};
use crate::Result;
use crate::layers::RotaryTables;

/// The lines of a chunk in the packed pass: `rows` times `t` from `start` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkLines {
    pub(crate) start: usize,
    pub(crate) rows: usize,
    pub(crate) t: usize,
}

/// New keys and values of a chunk on their way into (rows, kv_heads, capacity, head_dim).
#[derive(Clone, Copy)]
pub(crate) struct Append<'a> {
    pub(crate) lines: ChunkLines,
    pub(crate) sizes: HeadSizes,
    pub(crate) rotary: &'a RotaryTables,
    /// Where a row of the pass stands for several of the cache, which all get its keys and values.
    pub(crate) lead: Option<&'a Arc<LeadRows>>,
}

impl Append<'_> {
    /// Writes them from position `length` on: keys rotated, values as they are.
    pub(crate) fn write(&self, own: &(Tensor, Tensor), [k, v]: [&Tensor; 2], length: usize) -> Result<()> {
        own.0.inplace_op2(k, &AppendOp { append: self, length, is_rotated: true })?;
        own.1.inplace_op2(v, &AppendOp { append: self, length, is_rotated: false })?;
        Ok(())
    }

    /// Keys and values of a row that has no past and keeps none.
    pub(crate) fn alone(&self, [k, v]: [&Tensor; 2]) -> Result<ChunkKv> {
        let shape = (self.lines.rows, self.sizes.n_kv_heads, self.lines.t, self.sizes.head_dim);
        let own = (Tensor::zeros(shape, k.dtype(), k.device())?, Tensor::zeros(shape, v.dtype(), v.device())?);
        self.write(&own, [k, v], 0)?;
        Ok(ChunkKv::alone(own, self.lines.t))
    }
}

struct AppendOp<'a> {
    append: &'a Append<'a>,
    length: usize,
    is_rotated: bool,
}

impl InplaceOp2 for AppendOp<'_> {
    fn name(&self) -> &'static str {
        "append-to-cache"
    }

    fn cpu_fwd(&self, cache: &mut CpuStorage, cl: &Layout, x: &CpuStorage, xl: &Layout) -> candle_core::Result<()> {
        let Append { lines: ChunkLines { start, rows, t }, sizes, rotary, lead } = *self.append;
        let rows = lead.map_or(rows, |lead| lead.of_row.len());
        let HeadSizes { n_kv_heads, head_dim: dim, .. } = sizes;
        let (Some((first, end)), Some((x_first, x_end))) = (cl.contiguous_offsets(), xl.contiguous_offsets()) else {
            candle_core::bail!("a cache with gaps")
        };
        let CpuStorage::F32(cache) = cache else { candle_core::bail!("a cache of another type than f32") };
        let (cache, x) = (&mut cache[first..end], &x.as_slice::<f32>()?[x_first..x_end]);
        let (capacity, half) = (cl.shape().dims4()?.2, rotary.cos.dim(1)?);
        if self.length + t > capacity || rows * n_kv_heads * capacity * dim != cache.len() {
            candle_core::bail!("{t} more positions after {} do not fit a cache of {capacity}", self.length);
        }
        let (cos, sin) = (View::new(&rotary.cos), View::new(&rotary.sin));
        let (cos, sin) = (cos.values()?, sin.values()?);
        let row_of_pass = |row: usize| lead.map_or(row, |lead| lead.of_row[row]);
        let places = (0..rows).flat_map(|row| (0..t).map(move |i| (row, i)));
        for (row, i) in places {
            let (line, position) = (start + row_of_pass(row) * t + i, self.length + i);
            let heads = x[line * n_kv_heads * dim..][..n_kv_heads * dim].chunks_exact(dim);
            for (head, values) in heads.enumerate() {
                let target = &mut cache[((row * n_kv_heads + head) * capacity + position) * dim..][..dim];
                target.copy_from_slice(values);
                if self.is_rotated {
                    let tables = (&cos[line * half..][..half], &sin[line * half..][..half]);
                    rotate_head(target, tables, 1.0, 1.0);
                }
            }
        }
        Ok(())
    }
}
