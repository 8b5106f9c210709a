//! Every kernel against the composition it stands for: the same values, the same gradients.

use std::sync::Arc;

use candle_core::{D, Device, Tensor, Var};

use super::*;
use crate::activation::Activation;
use crate::heads::HeadSizes;

/// Factor of attention scores.
const SCALE: f32 = 0.4;

/// Fixed values between about −1 and 1.
fn variable(shape: &[usize], phase: f32) -> Var {
    let n = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..n).map(|i| ((i as f32 + 1.0) * 0.7 + phase).sin()).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn assert_close(got: &Tensor, expected: &Tensor, what: &str) {
    let scalar = |x: Tensor| x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    let difference = scalar((got - expected).unwrap()) / scalar(expected.clone()).max(1e-6);
    assert!(difference < 1e-5, "{what}: {difference}");
}

/// Both results, and the gradients of a sum with uneven weights.
fn compare(variables: &[Var], fused: &Tensor, composed: &Tensor) {
    assert_close(fused, composed, "value");
    let weights = variable(composed.dims(), 0.3).detach();
    let gradients = |y: &Tensor| (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let (got, expected) = (gradients(fused), gradients(composed));
    for (i, variable) in variables.iter().enumerate() {
        assert_close(got.get(variable).unwrap(), expected.get(variable).unwrap(), &format!("gradient {i}"));
    }
}

#[test]
fn linear() {
    let (x, w) = (variable(&[7, 5], 0.0), variable(&[3, 5], 1.0));
    let composed = x.matmul(&w.t().unwrap()).unwrap();
    compare(&[x.clone(), w.clone()], &x.apply_op2(&w, TrainedLinear).unwrap(), &composed);
    let frozen = FrozenLinear { weight: w.detach() };
    compare(std::slice::from_ref(&x), &x.apply_op1(frozen).unwrap(), &composed);
}

#[test]
fn lora() {
    let (n, input, out, rank, scale) = (7, 5, 6, 2, 1.5);
    let x = variable(&[n, input], 0.0);
    let (a, b) = (variable(&[rank, input], 1.0), variable(&[out, rank], 2.0));
    let weight = variable(&[out, input], 3.0).detach();
    let delta = x.matmul(&a.t().unwrap()).unwrap().matmul(&b.t().unwrap()).unwrap();
    let composed = (x.matmul(&weight.t().unwrap()).unwrap() + (delta * scale).unwrap()).unwrap();
    let kernel = || LoraLinear { weight: weight.clone(), scale: scale as f32 };
    compare(&[x.clone(), a.clone(), b.clone()], &x.apply_op3(&a, &b, kernel()).unwrap(), &composed);
    // an input without gradient, as that of the first block
    let fused = x.detach().apply_op3(&a, &b, kernel()).unwrap();
    compare(&[a, b], &fused, &composed);
}

#[test]
fn norm() {
    // more lines than one task holds
    let (x, w) = (variable(&[70, 1000], 0.0), variable(&[1000], 1.0));
    let root = (x.sqr().unwrap().mean_keepdim(D::Minus1).unwrap() + 1e-3).unwrap().sqrt().unwrap();
    let composed = x.broadcast_div(&root).unwrap().broadcast_mul(&w).unwrap();
    compare(&[x.clone(), w.clone()], &x.apply_op2(&w, RmsNormKernel { eps: 1e-3 }).unwrap(), &composed);
}

#[test]
fn gated_products() {
    let (gate, up) = (variable(&[9, 6], 0.0), variable(&[9, 6], 1.0));
    let gate = Var::from_tensor(&(gate.as_tensor() * 3.0).unwrap()).unwrap();
    for (activation, function) in
        [(Activation::Silu, Tensor::silu as fn(&Tensor) -> Result<Tensor>), (Activation::GeluTanh, Tensor::gelu)]
    {
        let composed = (function(&gate).unwrap() * up.as_tensor()).unwrap();
        let fused = gate.apply_op2(&up, GatedProduct { activation }).unwrap();
        compare(&[gate.clone(), up.clone()], &fused, &composed);
    }
}

#[test]
fn attention() {
    let (n_heads, n_kv_heads, dim) = (4, 2, 6);
    let spans: Arc<[Span]> = [Span { start: 0, len: 5 }, Span { start: 5, len: 1 }, Span { start: 6, len: 9 }].into();
    let n = 15;
    let (q, k) = (variable(&[n, n_heads * dim], 0.0), variable(&[n, n_kv_heads * dim], 1.0));
    let v = variable(&[n, n_kv_heads * dim], 2.0);
    let (cos, sin) = (variable(&[n, dim / 2], 3.0).detach(), variable(&[n, dim / 2], 4.0).detach());
    let rows: Vec<Tensor> = spans.iter().map(|span| composed_row([&q, &k, &v, &cos, &sin], *span, dim)).collect();
    let composed = Tensor::cat(&rows, 0).unwrap();
    let sizes = HeadSizes { n_heads, n_kv_heads, head_dim: dim, scale: SCALE, softcap: None };
    let kernel = RopeAttention { spans, cos, sin, sizes };
    compare(&[q.clone(), k.clone(), v.clone()], &q.apply_op3(&k, &v, kernel).unwrap(), &composed);
}

/// One row by elementary operations.
fn composed_row(all: [&Tensor; 5], span: Span, dim: usize) -> Tensor {
    let [q, k, v, cos, sin] = all.map(|x| x.narrow(0, span.start, span.len).unwrap());
    let t = span.len;
    let (cos, sin) = (cos.unsqueeze(1).unwrap(), sin.unsqueeze(1).unwrap());
    let heads = |x: &Tensor| x.reshape((t, x.dim(1).unwrap() / dim, dim)).unwrap();
    let rotate = |x: &Tensor| {
        let x = heads(x);
        let (a, b) = (x.narrow(2, 0, dim / 2).unwrap(), x.narrow(2, dim / 2, dim / 2).unwrap());
        let times = |x: &Tensor, y: &Tensor| x.broadcast_mul(y).unwrap();
        let first = (times(&a, &cos) - times(&b, &sin)).unwrap();
        let second = (times(&a, &sin) + times(&b, &cos)).unwrap();
        Tensor::cat(&[first, second], 2).unwrap()
    };
    let (q, k, v) = (rotate(&q), rotate(&k), heads(&v));
    let repeat = q.dim(1).unwrap() / k.dim(1).unwrap();
    let outputs: Vec<Tensor> = (0..q.dim(1).unwrap())
        .map(|head| {
            let part =
                |x: &Tensor, head: usize| x.narrow(1, head, 1).unwrap().squeeze(1).unwrap().contiguous().unwrap();
            let scores = part(&q, head).matmul(&part(&k, head / repeat).t().unwrap()).unwrap();
            let mask: Vec<f32> = (0..t * t).map(|i| if i % t > i / t { f32::NEG_INFINITY } else { 0.0 }).collect();
            let mask = Tensor::from_vec(mask, (t, t), &Device::Cpu).unwrap();
            let scores = ((scores * f64::from(SCALE)).unwrap() + mask).unwrap();
            candle_nn::ops::softmax(&scores, 1).unwrap().matmul(&part(&v, head / repeat)).unwrap()
        })
        .collect();
    Tensor::cat(&outputs, 1).unwrap()
}

#[test]
fn kernels_refuse_what_they_cannot_read() {
    let (x, w) = (variable(&[4, 4], 0.0), variable(&[4], 1.0));
    assert!(x.t().unwrap().apply_op2(&w, RmsNormKernel { eps: 1e-3 }).is_err());
}
