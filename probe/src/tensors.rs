//! Values of tensors in files.

use safetensors::tensor::TensorView;

/// The values of an f32 tensor; else the place of the first that is not finite, and what stands there.
///
/// # Errors
/// A value that is NaN or infinite.
pub fn finite_values(view: &TensorView<'_>) -> Result<Vec<f32>, (usize, f32)> {
    let (words, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|raw| f32::from_le_bytes(*raw)).collect();
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => Err((index, values[index])),
    }
}
