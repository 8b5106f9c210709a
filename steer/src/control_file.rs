//! Control vectors as GGUF, the format of llama.cpp and repeng.
//!
//! - `general.architecture` MUST be `controlvector`.
//! - `controlvector.layer_count` is written, and not asked for; `controlvector.model_hint` names the architecture and MAY be missing.
//! - `redline.made_by` is written, and not asked for: only a file that has it is replaced without being asked.
//! - `direction.N` MUST be one-dimensional and finite; it is added to the output of block N, counted from 0. Scales
//!   are part of the tensors.
//!
//! llama.cpp never steers block 0, and its own generator writes the output of block 0 as `direction.1`, one block
//! late: [`shift_back`] mends such a file, never silently.

use std::collections::BTreeMap;
use std::path::Path;

use redline_model::Site;
use redline_model::gguf::{GgufFile, GgufTensor, GgufValue, write_gguf};

use crate::{ControlVector, Error, Result};

const ARCHITECTURE: &str = "controlvector";
/// Highest block number believed; real models have at most some hundreds.
const MAX_LAYER: usize = 4096;

/// A control vector file.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlFile {
    /// The vectors, as they stand in the file.
    pub vector: ControlVector,
    /// Architecture the vector was made for, `llama` for one.
    pub model_hint: Option<String>,
}

/// Reads a control vector.
///
/// # Errors
/// The file is missing or damaged, or breaks a rule of the format.
pub fn read_control_vector(path: &Path) -> Result<ControlFile> {
    let file = GgufFile::open(path)?;
    let refuse = |rule: String| Error::NotAControlVector { path: path.into(), rule };
    match file.str("general.architecture") {
        Some(ARCHITECTURE) => {}
        Some(other) => return Err(refuse(format!("general.architecture is `{other}`, expected `{ARCHITECTURE}`"))),
        None => return Err(refuse("general.architecture is missing".into())),
    }
    let mut layers = BTreeMap::new();
    for name in file.tensor_names() {
        let layer = name.strip_prefix("direction.").and_then(|layer| layer.parse::<usize>().ok());
        let Some(layer) = layer.filter(|layer| *layer <= MAX_LAYER) else {
            return Err(refuse(format!("tensor `{name}` is not named direction.N")));
        };
        let tensor = file.tensor_f32(name)?;
        if tensor.rank() != 1 {
            return Err(refuse(format!("tensor `{name}` has shape {:?}, expected one dimension", tensor.dims())));
        }
        if layers.insert(layer, tensor.to_vec1().map_err(redline_model::Error::from)?).is_some() {
            return Err(refuse(format!("two tensors are the direction of block {layer}, `{name}` is one of them")));
        }
    }
    let model_hint = file.str("controlvector.model_hint").map(str::to_string);
    Ok(ControlFile { vector: ControlVector::new(layers)?, model_hint })
}

/// Writes a control vector; the file appears under its name only when complete.
///
/// # Errors
/// A vector for another site than block outputs; the folder cannot be written.
pub fn write_control_vector(path: &Path, vector: &ControlVector, model_hint: &str) -> Result<()> {
    vector.check_is_direction("a GGUF control vector")?;
    if vector.site != Site::ResidPost {
        return Err(Error::SiteNotWritten { site: vector.site.to_string() });
    }
    let metadata = [
        ("general.architecture", GgufValue::String(ARCHITECTURE.into())),
        ("controlvector.model_hint", GgufValue::String(model_hint.into())),
        ("controlvector.layer_count", GgufValue::U32(vector.layers.len() as u32)),
        (redline_model::gguf::MADE_BY, GgufValue::String(redline_model::gguf::REDLINE.into())),
    ];
    let names: Vec<String> = vector.layers.keys().map(|layer| format!("direction.{layer}")).collect();
    let dims: Vec<[usize; 1]> = vector.layers.values().map(|values| [values.len()]).collect();
    let tensors: Vec<GgufTensor<'_>> = names
        .iter()
        .zip(&dims)
        .zip(vector.layers.values())
        .map(|((name, dims), data)| GgufTensor { name, dims, data })
        .collect();
    Ok(write_gguf(path, &metadata, &tensors)?)
}

/// Moves every direction one block earlier, as files of llama.cpp's generator need it.
///
/// # Errors
/// The vector steers block 0, so it is not such a file.
pub fn shift_back(vector: &ControlVector) -> Result<ControlVector> {
    vector.check_is_direction("--from-llama-cpp-generator")?;
    if vector.layers.contains_key(&0) {
        return Err(Error::ShiftBelowZero);
    }
    ControlVector::new(vector.layers.iter().map(|(layer, values)| (layer - 1, values.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/control_vector.gguf")
    }

    #[test]
    fn golden_file_is_written_byte_for_byte_but_for_the_mark() {
        let file = read_control_vector(&golden()).unwrap();
        assert_eq!(file.model_hint.as_deref(), Some("llama"));
        assert_eq!(file.vector.layers.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.gguf");
        write_control_vector(&path, &file.vector, "llama").unwrap();
        let (mut ours, theirs) = (std::fs::read(&path).unwrap(), std::fs::read(golden()).unwrap());
        let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        // type 8 is text
        let mark =
            [text(redline_model::gguf::MADE_BY), 8u32.to_le_bytes().to_vec(), text(redline_model::gguf::REDLINE)]
                .concat();
        let at = ours.windows(mark.len()).position(|bytes| bytes == mark).unwrap();
        ours.drain(at..at + mark.len());
        // the number of metadata entries
        ours[16] -= 1;
        // padding before the tensors depends on what stands before it
        let parts = |bytes: &[u8]| {
            let (head, tensors) = bytes.split_at(bytes.len() - 3 * 64 * size_of::<f32>());
            let end = head.iter().rposition(|byte| *byte != 0).unwrap();
            (head[..=end].to_vec(), tensors.to_vec())
        };
        assert_eq!(parts(&ours), parts(&theirs));
    }

    #[test]
    fn generator_files_shift_once() {
        let vector = read_control_vector(&golden()).unwrap().vector;
        let shifted = shift_back(&vector).unwrap();
        assert_eq!(shifted.layers[&0], vector.layers[&1]);
        assert!(matches!(shift_back(&shifted), Err(Error::ShiftBelowZero)));
    }

    #[test]
    fn two_directions_of_one_block_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("twice.gguf");
        let tensor = |name| GgufTensor { name, dims: &[2], data: &[1.0, 2.0] };
        let metadata = [("general.architecture", GgufValue::String(ARCHITECTURE.into()))];
        write_gguf(&path, &metadata, &[tensor("direction.1"), tensor("direction.01")]).unwrap();
        let error = read_control_vector(&path).unwrap_err().to_string();
        assert!(error.contains("block 1, `direction.01`"), "{error}");
    }

    #[test]
    fn other_gguf_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        write_gguf(&path, &[("general.architecture", GgufValue::String("llama".into()))], &[]).unwrap();
        assert!(matches!(read_control_vector(&path), Err(Error::NotAControlVector { .. })));
    }
}
