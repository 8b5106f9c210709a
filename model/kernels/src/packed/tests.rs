use candle_core::quantized::{GgmlDType, QTensor};

use super::panel::PanelFormat;
use super::*;

/// SplitMix64: a hash of a number.
fn mix(count: u64) -> u64 {
    let z = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Deterministic values in [−1, 1).
fn values(n: usize, seed: u64) -> Vec<f32> {
    let value = |i: usize| mix(seed + i as u64) as f32 / u64::MAX as f32 * 2.0 - 1.0;
    (0..n).map(value).collect()
}

/// A matrix in a format of files, `None` being f32, as its dequantised values.
fn dense(format: Option<FileFormat>, rows: usize, columns: usize) -> Vec<f32> {
    let matrix = values(rows * columns, 7);
    let Some(format) = format else { return matrix };
    let quantised = quantised(format, &Tensor::from_vec(matrix, (rows, columns), &Device::Cpu).unwrap());
    quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn quantised(format: FileFormat, matrix: &Tensor) -> QTensor {
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
    QTensor::quantize(matrix, ggml).unwrap()
}

/// The same as it lies in memory: in groups of rows, and in panels for every kernel of them, with wide scales too.
fn in_every_way(format: Option<FileFormat>, rows: usize, columns: usize) -> Vec<PackedMatrix> {
    let matrix = Tensor::from_vec(values(rows * columns, 7), (rows, columns), &Device::Cpu).unwrap();
    let Some(format) = format else { return vec![PackedMatrix::from_tensor(&matrix).unwrap()] };
    let quantised = quantised(format, &matrix);
    let bytes = quantised.data().unwrap();
    let converted = |panels| PackedMatrix::converted(format, &bytes, (rows, columns), panels);
    let mut ways = vec![converted(None)];
    for panels in PanelKernel::all_of_this_machine().into_iter().filter_map(|k| PanelFormat::with(k, format, &bytes)) {
        ways.extend(panels.is_short.then(|| converted(Some(panels))));
        ways.push(converted(Some(PanelFormat { is_short: false, ..panels })));
    }
    ways
}

/// `None` is f32.
fn formats() -> impl Iterator<Item = Option<FileFormat>> {
    std::iter::once(None).chain(FileFormat::ALL.map(Some))
}

#[test]
fn every_kernel_multiplies_as_the_dequantised_matrix_does() {
    let (n_rows, columns) = (37, 512);
    for format in formats() {
        let dense = dense(format, n_rows, columns);
        let matrix = in_every_way(format, n_rows, columns).remove(0);
        let bytes = match &matrix.bytes {
            Bytes::Own(bytes) => bytes.clone(),
            _ => as_bytes(&dense).to_vec(),
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

/// The sum of w x with every x rounded to fixed point, and how far it may be from the sum without.
fn rounded_product(weights: &[f32], x: &[f32]) -> (f64, f64) {
    let lines = Lines { x, n: 1, columns: x.len() };
    let kernel = PanelKernel::all_of_this_machine()[0];
    assert!(!kernel.wants_bytes_apart(), "integers stand one after the other");
    let blocks = fixed::fixed(lines, kernel);
    let value = |i: usize| {
        let block = &blocks[i / format::BLOCK];
        let integer = i16::from_ne_bytes(block.integers.as_chunks().0[i % format::BLOCK]);
        f64::from(block.scale) * f64::from(integer)
    };
    let half_step = |i: usize| 0.5 * f64::from(blocks[i / format::BLOCK].scale);
    let terms = weights.iter().enumerate().map(|(i, w)| (f64::from(*w) * value(i), f64::from(w.abs()) * half_step(i)));
    terms.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1))
}

#[test]
fn panels_multiply_as_the_dequantised_matrix_with_inputs_of_sixteen_bits() {
    let (n_rows, columns) = (37, 512);
    for format in FileFormat::ALL {
        let dense = dense(Some(format), n_rows, columns);
        let panels = in_every_way(Some(format), n_rows, columns).split_off(1);
        if panels.is_empty() {
            eprintln!("SKIPPED: no panels of {format:?} on this machine");
        }
        for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 27] {
            let x = values(n * columns, 99);
            let lines = Lines { x: &x, n, columns };
            let products: Vec<_> = panels.iter().map(|matrix| multiply(lines, &[matrix]).unwrap().remove(0)).collect();
            assert!(
                products.iter().all(|y| *y == products[0]),
                "{format:?} {n}: every kernel, short scales and wide ones"
            );
            let Some(y) = products.first() else { continue };
            for (row, weights) in dense.chunks_exact(columns).enumerate() {
                for (line, x) in x.chunks_exact(columns).enumerate() {
                    let (expected, bound) = rounded_product(weights, x);
                    let exact: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                    let got = f64::from(y[line * n_rows + row]);
                    // what adding in f32 costs
                    let in_f32 = 2e-7 * weights.iter().map(|w| f64::from(w.abs())).sum::<f64>();
                    assert!((got - expected).abs() < in_f32, "{format:?} {n}: {got} for {expected}");
                    assert!((got - exact).abs() < bound + in_f32, "{format:?} {n}: {got} for {exact} ± {bound}");
                }
            }
        }
    }
}

#[test]
fn scales_are_short_where_none_is_changed_by_it() {
    let block = |scale: f32| [&half::f16::from_f32(scale).to_le_bytes()[..], &[0x31; 16]].concat();
    let bytes = [block(1.5), block(8190.0)].concat();
    let shorts = [FileFormat::Q4_0, FileFormat::Q4_1, FileFormat::Q5_0, FileFormat::Q8_0];
    assert!(shorts.iter().all(|format| format.has_short_numbers(&bytes[..18])));
    assert!(!FileFormat::Q4K.has_short_numbers(&[0; 144]));
    // the minimum is −8 times the scale, which sixteen bits do not hold
    assert!(!FileFormat::Q4_0.has_short_numbers(&bytes));
    let panels =
        PanelKernel::all_of_this_machine().first().and_then(|k| PanelFormat::with(*k, FileFormat::Q4_0, &bytes));
    let matrix = PackedMatrix::converted(FileFormat::Q4_0, &bytes, (2, 32), panels);
    assert_eq!(matrix.first_not_finite(), None);
    let widened: Vec<f32> = matrix.widened().unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(widened[32..50], [[-7.0 * 8192.0; 16].as_slice(), &[-5.0 * 8192.0; 2]].concat());
}

#[test]
fn a_line_has_the_same_bits_alone_and_among_others() {
    for format in formats() {
        for matrix in in_every_way(format, 303, 768) {
            let product = |x| multiply(x, &[&matrix]).unwrap().remove(0);
            let n = Lines { x: &[], n: 0, columns: 768 }.block() + 11;
            let x = values(n * 768, 5);
            let together = product(Lines { x: &x, n, columns: 768 });
            for (line, x) in x.chunks_exact(768).enumerate() {
                let alone = product(Lines { x, n: 1, columns: 768 });
                assert_eq!(alone, together[line * 303..(line + 1) * 303], "{format:?}");
            }
        }
    }
}

#[test]
fn an_input_that_is_no_number_is_seen() {
    for matrix in in_every_way(Some(FileFormat::Q4_1), 20, 64) {
        for odd in [f32::NAN, f32::INFINITY] {
            let mut x = values(2 * 64, 5);
            x[70] = odd;
            let y = multiply(Lines { x: &x, n: 2, columns: 64 }, &[&matrix]).unwrap().remove(0);
            assert!(y[..20].iter().all(|y| y.is_finite()) && y[20..].iter().all(|y| !y.is_finite()));
        }
    }
}

#[test]
fn a_delta_is_added() {
    let (matrix, dense) =
        (in_every_way(Some(FileFormat::Q8_0), 20, 64).remove(0), dense(Some(FileFormat::Q8_0), 20, 64));
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
        let dense = dense(format, 19, 256);
        for matrix in in_every_way(format, 19, 256) {
            let rows: Vec<f32> = matrix.select(&[18, 0, 18]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(rows, [&dense[18 * 256..], &dense[..256], &dense[18 * 256..]].concat());
            assert_eq!(matrix.widened().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), dense);
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_found() {
    let mut block = [0u8; 20];
    let bytes = |block: &[u8; 20]| [[0; 20], *block, [0; 20], [0; 20]].concat();
    let first = |block: &[u8; 20], panels| {
        PackedMatrix::converted(FileFormat::Q4_1, &bytes(block), (2, 64), panels).first_not_finite()
    };
    let kernels = PanelKernel::all_of_this_machine();
    let panels = kernels.into_iter().filter_map(|k| PanelFormat::with(k, FileFormat::Q4_1, &[]));
    let wide = |panels| [panels, PanelFormat { is_short: false, ..panels }];
    for in_panels in panels.flat_map(wide).map(Some).chain([None]) {
        block[2..4].copy_from_slice(&half::f16::ZERO.to_le_bytes());
        assert_eq!(first(&block, in_panels), None);
        block[2..4].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
        assert_eq!(first(&block, in_panels), Some((32, f32::INFINITY)));
    }
}

#[test]
fn bytes_of_another_size_are_refused() {
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20 * 6], (2, 96), Inputs::Floats).is_some());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20 * 6 - 1], (2, 96), Inputs::Floats).is_none());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[0; 20], (1, 33), Inputs::Floats).is_none());
    assert!(PackedMatrix::new(FileFormat::Q4_1, &[], (0, 32), Inputs::Floats).is_none());
}
