//! Causal grouped-query attention over a packed pass in one kernel, for inference on the CPU.
//!
//! Queries are rotated and scaled as they are gathered, keys as they enter the cache. A task is one key head and some queries that
//! attend to the same keys: all rows of a chunk that reads one token, or a block of one row's tokens, which then stops at
//! the last key that the block may see. Keys that rows share are multiplied with the queries of all of them at once.

use candle_core::Tensor;
use rayon::prelude::*;
use redline_kernels::exp::softmax;
use redline_kernels::gradients::View;
use redline_kernels::heads::{HeadSizes, rotate_head};
use redline_kernels::packed::{WeightedRows, dot_products};

use super::RotaryTables;
use crate::Result;
use crate::cache::{ChunkKv, ChunkLines};

/// Queries of one task that reads many tokens of a row.
const BLOCK_QUERIES: usize = 64;
/// Multiplications below which threads cost more than they bring.
const SERIAL_WORK: usize = 1 << 17;

/// Keys and values of one key head, one after the other.
#[derive(Clone, Copy)]
struct Positions<'a> {
    k: &'a [f32],
    v: &'a [f32],
    len: usize,
}

/// One kernel call's inputs.
struct Pass<'a> {
    sizes: HeadSizes,
    /// (n_tokens, n_heads · head_dim), unrotated.
    q: &'a [f32],
    /// (n_tokens, rotary_dim / 2)
    cos: &'a [f32],
    sin: &'a [f32],
    /// rotary_dim / 2
    half: usize,
    /// Positions a query attends to, its own included.
    window: usize,
}

struct Task<'a> {
    lines: ChunkLines,
    kv_head: usize,
    rows: std::ops::Range<usize>,
    queries: std::ops::Range<usize>,
    shared: Vec<Positions<'a>>,
    /// One a row of `rows`, as far as the last query sees.
    own: Vec<Positions<'a>>,
}

/// z (n_tokens, n_heads · head_dim) of unrotated queries of the same shape.
pub(crate) fn attend_cached(
    q: &Tensor,
    rotary: &RotaryTables,
    chunks: &[(ChunkLines, ChunkKv)],
    sizes: HeadSizes,
    window: Option<usize>,
) -> Result<Tensor> {
    let views = [q, &rotary.cos, &rotary.sin].map(View::new);
    let pass = Pass {
        sizes,
        q: views[0].values()?,
        cos: views[1].values()?,
        sin: views[2].values()?,
        half: views[1].length(1),
        window: window.unwrap_or(usize::MAX),
    };
    let past: Vec<PastViews<'_>> = chunks.iter().map(|(_, past)| PastViews::new(past)).collect();
    let mut tasks = Vec::new();
    for ((lines, _), past) in chunks.iter().zip(&past) {
        past.tasks(*lines, sizes, &mut tasks)?;
    }
    let work: usize = tasks.iter().map(|task| task.n_lines(sizes) * task.n_keys() * sizes.head_dim).sum();
    let run = |task: &Task<'_>| task.run(&pass);
    let parts: Vec<Vec<f32>> = match work < SERIAL_WORK {
        true => tasks.iter().map(run).collect(),
        false => tasks.par_iter().with_max_len(1).map(run).collect(),
    };
    let mut z = vec![0f32; pass.q.len()];
    for (task, part) in tasks.iter().zip(&parts) {
        task.scatter(part, sizes, &mut z);
    }
    Ok(Tensor::from_vec(z, q.shape(), q.device())?)
}

struct PastViews<'a> {
    shared: Vec<[View<'a>; 2]>,
    own: [View<'a>; 2],
    own_len: usize,
    /// Where in the cache each row of the pass stands; `None`: in order.
    places: Option<&'a [usize]>,
}

impl<'a> PastViews<'a> {
    fn new(past: &'a ChunkKv) -> Self {
        let shared = past.shared.iter().map(|(k, v)| [View::new(k), View::new(v)]).collect();
        let places = past.lead.as_ref().map(|lead| lead.places.as_slice());
        Self { shared, own: [View::new(&past.own.0), View::new(&past.own.1)], own_len: past.own_len, places }
    }

    fn tasks<'b>(&'b self, lines: ChunkLines, sizes: HeadSizes, tasks: &mut Vec<Task<'b>>) -> Result<()> {
        let [own_k, own_v] = [self.own[0].values()?, self.own[1].values()?];
        let per_head = own_k.len() / self.own[0].length(0) / sizes.n_kv_heads;
        for kv_head in 0..sizes.n_kv_heads {
            let shared = self
                .shared
                .iter()
                .map(|[k, v]| Ok(Positions { k: k.first(kv_head)?, v: v.first(kv_head)?, len: k.length(1) }))
                .collect::<Result<Vec<_>>>()?;
            let own = |row: usize, len: usize| {
                let place = self.places.map_or(row, |places| places[row]);
                let start = (place * sizes.n_kv_heads + kv_head) * per_head;
                Positions { k: &own_k[start..start + per_head], v: &own_v[start..start + per_head], len }
            };
            let task = |rows: std::ops::Range<usize>, queries: std::ops::Range<usize>| {
                let seen = self.own_len - lines.t + queries.end;
                let own = rows.clone().map(|row| own(row, seen)).collect();
                Task { lines, kv_head, rows, queries, shared: shared.clone(), own }
            };
            if lines.t == 1 {
                tasks.push(task(0..lines.rows, 0..1));
                continue;
            }
            for row in 0..lines.rows {
                let blocks = (0..lines.t).step_by(BLOCK_QUERIES);
                tasks.extend(blocks.map(|first| task(row..row + 1, first..(first + BLOCK_QUERIES).min(lines.t))));
            }
        }
        Ok(())
    }
}

impl Task<'_> {
    fn n_lines(&self, sizes: HeadSizes) -> usize {
        self.rows.len() * self.queries.len() * sizes.repeat()
    }

    fn n_keys(&self) -> usize {
        self.n_shared() + self.own.first().map_or(0, |own| own.len)
    }

    fn n_shared(&self) -> usize {
        self.shared.iter().map(|shared| shared.len).sum()
    }

    /// The packed line and the query of each (row, query) of the task, in order.
    fn tokens(&self) -> impl Iterator<Item = (usize, usize)> {
        let ChunkLines { start, t, .. } = self.lines;
        let queries = self.queries.clone();
        self.rows.clone().flat_map(move |row| queries.clone().map(move |query| (start + row * t + query, query)))
    }

    /// z of (rows, queries, heads of this key head), each head_dim wide.
    fn run(&self, pass: &Pass<'_>) -> Vec<f32> {
        let (dim, n) = (pass.sizes.head_dim, self.n_lines(pass.sizes));
        let (n_keys, n_shared) = (self.n_keys(), self.n_shared());
        let q = self.gather(pass);
        let mut scores = vec![0f32; n * n_keys];
        let mut start = 0;
        for &Positions { k, len, .. } in &self.shared {
            dot_products(&q, &k[..len * dim], dim, &mut scores[start..], n_keys);
            start += len;
        }
        let n_row = n / self.rows.len();
        for (q, (scores, own)) in
            q.chunks_exact(n_row * dim).zip(scores.chunks_exact_mut(n_row * n_keys).zip(&self.own))
        {
            dot_products(q, &own.k[..own.len * dim], dim, &mut scores[n_shared..], n_keys);
        }
        self.normalise(&mut scores, n_keys, pass);
        let mut z = vec![0f32; n * dim];
        let weighted = |weights, rows| WeightedRows { weights, stride: n_keys, rows, width: dim };
        let mut start = 0;
        for &Positions { v, len, .. } in &self.shared {
            weighted(&scores[start..], &v[..len * dim]).add_to(&mut z);
            start += len;
        }
        for (z, (scores, own)) in
            z.chunks_exact_mut(n_row * dim).zip(scores.chunks_exact(n_row * n_keys).zip(&self.own))
        {
            weighted(&scores[n_shared..], &own.v[..own.len * dim]).add_to(z);
        }
        z
    }

    /// The task's queries, rotated and scaled.
    fn gather(&self, pass: &Pass<'_>) -> Vec<f32> {
        let HeadSizes { n_heads, head_dim: dim, .. } = pass.sizes;
        let (repeat, half, scale) = (pass.sizes.repeat(), pass.half, pass.sizes.scale);
        let mut q = Vec::with_capacity(self.n_lines(pass.sizes) * dim);
        for (line, _) in self.tokens() {
            let tables = (&pass.cos[line * half..][..half], &pass.sin[line * half..][..half]);
            let heads = &pass.q[(line * n_heads + self.kv_head * repeat) * dim..][..repeat * dim];
            let first = q.len();
            q.extend_from_slice(heads);
            q[first..].chunks_exact_mut(dim).for_each(|head| rotate_head(head, tables, 1.0, scale));
        }
        q
    }

    /// Softmax over what each query sees; the rest becomes 0.
    fn normalise(&self, scores: &mut [f32], n_keys: usize, pass: &Pass<'_>) {
        let mut lines = scores.chunks_exact_mut(n_keys);
        for (_, query) in self.tokens() {
            let end = n_keys - (self.queries.end - 1 - query);
            let start = end.saturating_sub(pass.window);
            for line in lines.by_ref().take(pass.sizes.repeat()) {
                let seen = &mut line[start..end];
                if let Some(cap) = pass.sizes.softcap {
                    seen.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
                }
                softmax(seen);
                line[..start].fill(0.0);
                line[end..].fill(0.0);
            }
        }
    }

    fn scatter(&self, part: &[f32], sizes: HeadSizes, z: &mut [f32]) {
        let width = sizes.repeat() * sizes.head_dim;
        for ((line, _), part) in self.tokens().zip(part.chunks_exact(width)) {
            z[line * sizes.n_heads * sizes.head_dim + self.kv_head * width..][..width].copy_from_slice(part);
        }
    }
}
