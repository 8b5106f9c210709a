use candle_core::quantized::{GgmlDType, QTensor};

use super::*;

/// Deterministic values in [−1, 1).
fn values(n: usize, seed: u64) -> Vec<f32> {
    let value = |i: usize| crate::layers::mix(seed + i as u64) as f32 / u64::MAX as f32 * 2.0 - 1.0;
    (0..n).map(value).collect()
}

/// A matrix and its dequantised values.
fn packed(format: Option<FileFormat>, rows: usize, columns: usize) -> (PackedMatrix, Vec<f32>) {
    let matrix = Tensor::from_vec(values(rows * columns, 7), (rows, columns), &Device::Cpu).unwrap();
    let Some(format) = format else {
        let dense = matrix.flatten_all().unwrap().to_vec1().unwrap();
        return (PackedMatrix::from_tensor(&matrix).unwrap(), dense);
    };
    let ggml = match format {
        FileFormat::Q4_0 => GgmlDType::Q4_0,
        FileFormat::Q4_1 => GgmlDType::Q4_1,
        FileFormat::Q5_0 => GgmlDType::Q5_0,
        FileFormat::Q5_1 => GgmlDType::Q5_1,
        FileFormat::Q8_0 => GgmlDType::Q8_0,
        FileFormat::Q2K => GgmlDType::Q2K,
        FileFormat::Q3K => GgmlDType::Q3K,
        FileFormat::Q4K => GgmlDType::Q4K,
        FileFormat::Q5K => GgmlDType::Q5K,
        FileFormat::Q6K => GgmlDType::Q6K,
    };
    let quantised = QTensor::quantize(&matrix, ggml).unwrap();
    let dense = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (PackedMatrix::new(format, &quantised.data().unwrap(), rows, columns).unwrap(), dense)
}

/// `None` is f32.
fn formats() -> impl Iterator<Item = Option<FileFormat>> {
    std::iter::once(None).chain(FileFormat::ALL.map(Some))
}

#[test]
fn every_kernel_multiplies_as_the_dequantised_matrix_does() {
    let (n_rows, columns) = (37, 512);
    for format in formats() {
        let (matrix, dense) = packed(format, n_rows, columns);
        let bytes = match &matrix.bytes {
            Bytes::Own(bytes) => bytes.clone(),
            Bytes::Tensor(_) => as_bytes(&dense).to_vec(),
        };
        for n in [1, 2, 3, 7, 12] {
            let x = values(n * columns, 99);
            for kernel in Kernel::all_of_this_machine() {
                let mut y = vec![f32::NAN; n_rows * n];
                let target = Target { values: y.as_mut_ptr(), width: n_rows };
                let lines = Lines { x: &x, n, columns };
                kernel.run(&Task { format: matrix.format, weights: &bytes, n_rows, lines, target });
                for (row, weights) in dense.chunks_exact(columns).enumerate() {
                    for (line, x) in x.chunks_exact(columns).enumerate() {
                        let expected: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                        let got = f64::from(y[line * n_rows + row]);
                        assert!((got - expected).abs() < 1e-4, "{kernel:?} {format:?} {n}: {got} for {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_line_has_the_same_bits_alone_and_among_others() {
    for format in formats() {
        let (matrix, _) = packed(format, 303, 768);
        let product = |x| multiply(&[Product { matrix: &matrix, lines: x }]).unwrap().remove(0);
        let n = Lines { x: &[], n: 0, columns: 768 }.block() + 11;
        let x = values(n * 768, 5);
        let together = product(Lines { x: &x, n, columns: 768 });
        for (line, x) in x.chunks_exact(768).enumerate() {
            let alone = product(Lines { x, n: 1, columns: 768 });
            assert_eq!(alone, together[line * 303..(line + 1) * 303], "{format:?}");
        }
    }
}

#[test]
fn a_delta_is_added() {
    let (matrix, dense) = packed(Some(FileFormat::Q8_0), 20, 64);
    let tensor = |n: usize, m: usize, seed| Tensor::from_vec(values(n * m, seed), (n, m), &Device::Cpu).unwrap();
    let (a, b, x) = (tensor(3, 64, 1), tensor(20, 3, 2), tensor(5, 64, 3));
    let packed = Packed::new(matrix).with_delta(&a, &b, 0.5).unwrap().unwrap();
    let weight = Tensor::from_vec(dense, (20, 64), &Device::Cpu).unwrap();
    let merged = (weight + (b.matmul(&a).unwrap() * 0.5).unwrap()).unwrap();
    let largest = |x: Tensor| x.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(largest((packed.widened().unwrap() - &merged).unwrap()) < 1e-6);
    let [got] = products(&x, [&packed]).unwrap();
    assert!(largest((got - x.matmul(&merged.t().unwrap()).unwrap()).unwrap()) < 2e-5);
}

#[test]
fn rows_are_selected_as_from_the_dequantised_table() {
    for format in formats() {
        let (matrix, dense) = packed(format, 9, 256);
        let rows: Vec<f32> = matrix.select(&[8, 0, 8]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(rows, [&dense[8 * 256..], &dense[..256], &dense[8 * 256..]].concat());
        assert_eq!(matrix.widened().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), dense);
    }
}

#[test]
fn numbers_that_are_not_finite_are_found() {
    let mut block = [0u8; 20];
    let matrix = |block: &[u8; 20]| PackedMatrix::new(FileFormat::Q4_1, &[[0; 20], *block].concat(), 1, 64).unwrap();
    assert_eq!(matrix(&block).first_not_finite(), None);
    block[2..4].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    assert_eq!(matrix(&block).first_not_finite(), Some((32, f32::INFINITY)));
}

#[test]
fn bytes_of_another_size_are_refused() {
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20 * 6], 2, 96).is_some());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20 * 6 - 1], 2, 96).is_none());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20], 1, 33).is_none());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[], 0, 32).is_none());
}
