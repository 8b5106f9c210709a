//! Heads of attention: how many, how wide, and their rotation.

/// Heads, their width, and how scores are made.
#[derive(Debug, Clone, Copy)]
pub struct HeadSizes {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; their number divides that of the query heads.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Scores s become cap · tanh(s / cap).
    pub softcap: Option<f32>,
}

impl HeadSizes {
    /// Query heads of a key head.
    pub fn repeat(self) -> usize {
        self.n_heads / self.n_kv_heads
    }
}

/// Rotates the halves of a head's first dimensions, as many as there are angles, by the angles times `direction`; scales all.
pub fn rotate_head(head: &mut [f32], (cos, sin): (&[f32], &[f32]), direction: f32, scale: f32) {
    let (rotated, rest) = head.split_at_mut(2 * cos.len());
    rest.iter_mut().for_each(|x| *x *= scale);
    let (first, second) = rotated.split_at_mut(cos.len());
    for ((first, second), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
        let (c, s) = (scale * cos, scale * direction * sin);
        (*first, *second) = (*first * c - *second * s, *first * s + *second * c);
    }
}
