//! Devices by name: the CPU, and graphics processors that the program was built for.

use candle_core::Device;

use crate::{Error, Result};

/// The device of a name as PyTorch writes it: `cpu`, `cuda`, `cuda:1`, `metal` (or `mps`).
///
/// # Errors
/// Another name, a device that is not there, or one that this program was not built for (features `cuda` and `metal`).
pub fn device(name: &str) -> Result<Device> {
    let (kind, number) = match name.split_once(':') {
        None => (name, Some(0)),
        Some((kind, number)) => (kind, number.parse().ok()),
    };
    let unknown =
        || Error::Request { what: "device", got: name.into(), expected: "cpu, cuda, cuda:N, metal or metal:N".into() };
    let refused = |error: candle_core::Error| {
        let problem = error.to_string().lines().next().unwrap_or_default().to_owned();
        Error::Device { name: name.into(), problem }
    };
    match (kind, number.ok_or_else(unknown)?) {
        ("cpu", 0) => Ok(Device::Cpu),
        ("cuda", number) => Device::new_cuda(number).map_err(refused),
        ("metal" | "mps", number) => Device::new_metal(number).map_err(refused),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_pytorch() {
        assert!(device("cpu").unwrap().is_cpu());
        for name in ["", "gpu", "cuda:", "cuda:x", "cpu:1", "metal:-1"] {
            assert!(matches!(device(name), Err(Error::Request { .. })), "{name}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_device_that_the_program_was_not_built_for_is_refused() {
        for name in ["cuda", "cuda:1", "metal", "mps"] {
            let error = device(name).unwrap_err();
            assert!(error.to_string().contains(name) && error.hint().unwrap().contains("--features"), "{error}");
        }
    }
}
