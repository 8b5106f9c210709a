//! `redline inspect`: what a file holds, and what works with it.

use std::path::Path;
use std::process::ExitCode;

use redline::lab::directions::{LayerCosine, layer_cosines, read_directions};
use redline::lab::quality::PolicyTest;
use redline::model::gguf::GgufFile;
use redline::model::summary::{ModelSummary, has_only_gguf};
use redline::model::train::export::formats_of;
use redline::model::{Adapter, Error as ModelError};
use redline::probe::Reading;
use redline::probe::artifact::Training;
use redline::profile::Profile;
use redline::steer::InsideFile;
use redline::steer::control_file::read_control_vector;
use serde_json::{Value, json};

use crate::cli::inspect::InspectArgs;
use crate::failure::hinted;
use crate::output;
use crate::visible::visible;

/// A description: what the file is, and its properties, each a name and a text.
struct Description {
    kind: &'static str,
    json: Value,
    lines: Vec<(&'static str, String)>,
}

pub fn run(args: &InspectArgs, json: bool) -> anyhow::Result<ExitCode> {
    let Description { kind, json: value, mut lines } = describe(&args.path)?;
    let cosines = args.against.as_deref().map(|other| cosines(&args.path, other)).transpose()?;
    if json {
        let mut found = json!({ "schema": "redline.inspect.v1", "path": args.path, "kind": kind, "content": value });
        if let Some(cosines) = &cosines {
            found["against"] = json!({ "path": args.against, "cosines": cosines });
        }
        output::json(&found)?;
    } else {
        lines.extend(
            cosines
                .iter()
                .flatten()
                .map(|LayerCosine { layer, cosine }| ("cosine", format!("layer {layer}: {}", output::number(*cosine)))),
        );
        output::line(&format!("{}: {kind}", visible(&args.path.to_string_lossy())))?;
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines.iter().try_for_each(|(name, text)| output::line(&format!("  {name:<width$}  {}", visible(text))))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How alike two vectors are, layer by layer.
fn cosines(path: &Path, other: &Path) -> anyhow::Result<Vec<LayerCosine>> {
    let read = |path: &Path| {
        let needs =
            || hinted(format!("{}: --against compares vectors", path.display()), "give .safetensors or .gguf vectors");
        read_directions(path)?.ok_or_else(needs)
    };
    Ok(layer_cosines(&read(path)?, &read(other)?)?)
}

fn describe(path: &Path) -> anyhow::Result<Description> {
    let metadata = std::fs::metadata(path).map_err(|error| ModelError::io(path, error))?;
    if metadata.is_dir() {
        return match () {
            () if path.join("adapter_config.json").is_file() => adapter(path),
            () if path.join("config.json").is_file() || has_only_gguf(path)? => model(path),
            () => Err(hinted(
                format!("{}: neither config.json nor adapter_config.json is in it", path.display()),
                "give a model's folder, an adapter's folder, or a file",
            )),
        };
    }
    // whatever its name ends with: blobs of other programs have none
    if GgufFile::is_one(path)? {
        return if is_control_vector(path)? { control_vector(path) } else { model(path) };
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("gguf") => model(path),
        Some("safetensors") if InsideFile::is_one(path) => inside(path),
        Some("safetensors") => reading(path),
        Some("json") => profile(path),
        _ => Err(hinted(
            format!("{}: no kind of file that is known here", path.display()),
            "give a folder, a .gguf, .safetensors or profile file; `redline fit` reads sweeps, `redline ratio` triples",
        )),
    }
}

fn is_control_vector(path: &Path) -> anyhow::Result<bool> {
    Ok(GgufFile::open(path)?.str("general.architecture") == Some("controlvector"))
}

fn model(path: &Path) -> anyhow::Result<Description> {
    let summary = ModelSummary::read(path)?;
    let config = &summary.config;
    let types: Vec<String> = summary
        .types
        .iter()
        .map(|(name, stored)| format!("{name} × {} ({})", stored.count, size(stored.bytes)))
        .collect();
    let heads = format!("{} ({} for keys and values), {} wide", config.n_heads, config.n_kv_heads, config.head_dim);
    let mut lines = vec![
        ("family", config.architecture.clone()),
        ("parameters", format!("{:.1} million", summary.n_parameters as f64 / 1e6)),
        ("layers", format!("{} of width {}, MLP {}", config.n_layers, config.hidden_size, config.intermediate_size)),
        ("heads", heads),
        ("attention", attention(&summary)),
        ("factors", factors(&summary)),
        ("context", format!("{} tokens", config.context)),
        ("stored", types.join(", ")),
        ("memory", memory(&summary)),
    ];
    match &summary.tokenizer {
        None => lines.push(("tokenizer", "none: put tokenizer.json into the folder".into())),
        Some(Err(problem)) => lines.push(("tokenizer", format!("cannot be used: {problem}"))),
        Some(Ok(tokenizer)) => {
            let bos = tokenizer.bos.as_ref().map_or("no begin token".into(), |bos| format!("begins with {bos}"));
            let stop = tokenizer.stop.join(" ");
            lines.push(("tokenizer", format!("{} tokens, {bos}, ends at {stop}", tokenizer.vocab_size)));
            let chat = if tokenizer.has_chat_template { "yes" } else { "no" };
            lines.push(("chat template", format!("{chat}; Aligner prompts go by --template")));
        }
    }
    lines.retain(|(_, text)| !text.is_empty());
    lines.push(("works", works(&summary)));
    lines.extend(summary.warnings.iter().map(|warning| ("warning", warning.clone())));
    let mut value = serde_json::to_value(&summary)?;
    value["tokenizer"] = match &summary.tokenizer {
        None => Value::Null,
        Some(Ok(tokenizer)) => serde_json::to_value(tokenizer)?,
        Some(Err(problem)) => json!({ "problem": problem }),
    };
    Ok(Description { kind: "model", json: value, lines })
}

fn attention(summary: &ModelSummary) -> String {
    let config = &summary.config;
    let windowed: Vec<usize> = (0..config.n_layers).filter(|&layer| config.windows[layer].is_some()).collect();
    let mut parts = vec![match windowed.first().and_then(|&layer| config.windows[layer]) {
        None => "all positions".into(),
        Some(window) if windowed.len() == config.n_layers => format!("a window of {window}"),
        Some(window) => format!("a window of {window} in {} of {} layers", windowed.len(), config.n_layers),
    }];
    parts.push(format!("rotary base {}", config.rope_theta));
    if !config.unrotated_layers.is_empty() {
        parts.push(format!("no rotation in {} of {} layers", config.unrotated_layers.len(), config.n_layers));
    }
    if config.qk_norm {
        parts.push("queries and keys normalised".into());
    }
    if let Some(cap) = config.attention_softcap {
        parts.push(format!("scores capped at {cap}"));
    }
    parts.join(", ")
}

/// What embeddings, outputs of attention and MLP, and logits are multiplied with; empty where nothing is.
fn factors(summary: &ModelSummary) -> String {
    let config = &summary.config;
    let named = [
        ("embeddings ×", config.embedding_scale),
        ("outputs of attention and MLP ×", config.residual_scale),
        ("logits ÷", config.logit_divisor),
    ];
    let other = named.into_iter().filter(|(_, factor)| *factor != 1.0);
    other.map(|(name, factor)| format!("{name} {factor}")).collect::<Vec<_>>().join(", ")
}

fn memory(summary: &ModelSummary) -> String {
    let thousand = 1000 * summary.cache_bytes_per_token;
    format!("{} of weights, {} for each 1,000 tokens of a row", size(summary.memory_bytes), size(thousand))
}

/// What can be done with a model, and what cannot.
fn works(summary: &ModelSummary) -> String {
    match &summary.tokenizer {
        None => "check --reference only: without a tokenizer there are no prompts".into(),
        Some(Err(_)) => "nothing, as long as the tokenizer cannot be used".into(),
        Some(Ok(_)) => {
            let formats = formats_of(&summary.config, summary.format == "safetensors");
            format!("scan, extract, sweep, correct, check; train, with export to {}", formats.join(" and "))
        }
    }
}

fn adapter(path: &Path) -> anyhow::Result<Description> {
    let adapter = Adapter::open(path)?;
    let layers: Vec<&str> = adapter.layers().collect();
    let mut targets: Vec<&str> = layers.iter().filter_map(|layer| layer.rsplit('.').next()).collect();
    targets.sort_unstable();
    targets.dedup();
    let apart = match adapter.n_layers_apart() {
        0 => String::new(),
        n => format!("; others in {n} layers"),
    };
    let lines = vec![
        ("rank", format!("{}, scale {}{apart}", adapter.rank(), adapter.scale())),
        ("parameters", adapter.n_parameters().to_string()),
        ("adapts", format!("{} linear layers: {}", layers.len(), targets.join(", "))),
        ("base model", adapter.base_model().unwrap_or("not named").into()),
        ("works", "--adapter beside --model, merged as it is loaded".into()),
    ];
    let value = json!({
        "rank": adapter.rank(),
        "scale": adapter.scale(),
        "n_parameters": adapter.n_parameters(),
        "layers": layers,
        "base_model": adapter.base_model(),
        "fingerprint": adapter.fingerprint(),
    });
    Ok(Description { kind: "LoRA adapter", json: value, lines })
}

fn reading(path: &Path) -> anyhow::Result<Description> {
    let reading = Reading::load(path)?;
    let provenance = &reading.provenance;
    let layers: Vec<usize> = reading.layers.iter().map(|vector| vector.layer).collect();
    let best = reading.layers.iter().max_by(|a, b| (a.gap / a.score_std).total_cmp(&(b.gap / b.score_std)));
    let hash: String = provenance.model_hash.chars().take(12).collect();
    let mut lines = vec![
        (
            "model",
            format!(
                "{} ({}, {} layers of {}), {hash}…",
                provenance.model_name, provenance.architecture, provenance.n_layers, provenance.hidden_size
            ),
        ),
        ("site", format!("{}, layers {}", provenance.site, ranges(&layers))),
        (
            "method",
            format!(
                "{}, {} pairs ({}), read at {}",
                provenance.extract.method, provenance.n_pairs, provenance.design, provenance.read
            ),
        ),
        ("template", provenance.template.clone()),
        (
            "widest gap",
            best.map_or_else(String::new, |v| {
                format!("layer {}, {:.2} standard deviations", v.layer, v.gap / v.score_std)
            }),
        ),
        (
            "calibration",
            if reading.calibration.is_some() { "yes: scans and gates work" } else { "none: no scans" }.into(),
        ),
    ];
    if let Some(training) = &provenance.training {
        let Training { goal, range, n_rows, best_step, start_loss, best_loss, .. } = training;
        let text = format!(
            "for {goal} over the positions {range}, on {n_rows} rows, {best_step} steps: {start_loss:.4} → {best_loss:.4} nats a token"
        );
        lines.insert(3, ("trained", text));
    }
    // a direction a layer, scales folded in
    let n_parameters: usize = reading.layers.iter().map(|vector| vector.direction.len()).sum();
    lines.push(("parameters", n_parameters.to_string()));
    let value = json!({
        "provenance": provenance,
        "layers": layers,
        "is_calibrated": reading.calibration.is_some(),
        "n_parameters": n_parameters,
    });
    Ok(Description { kind: "reading vector", json: value, lines })
}

fn inside(path: &Path) -> anyhow::Result<Description> {
    let InsideFile { control, origin } = InsideFile::load(path)?;
    let hash: String = origin.model_hash.chars().take(12).collect();
    let Training { goal, range, n_rows, best_step, start_loss, best_loss, .. } = &origin.training;
    let lines = vec![
        (
            "model",
            format!(
                "{} ({}, {} layers of {}), {hash}…",
                origin.model_name, origin.architecture, origin.n_layers, origin.hidden_size
            ),
        ),
        (
            "networks",
            format!(
                "rank {}, {}, at {}, layers {}",
                origin.rank,
                origin.activation,
                origin.site,
                ranges(&origin.layers)
            ),
        ),
        ("parameters", control.n_parameters().to_string()),
        (
            "trained",
            format!(
                "for {goal} over the positions {range}, on {n_rows} rows, {best_step} steps: {start_loss:.4} → {best_loss:.4} nats a token"
            ),
        ),
        ("template", origin.template.clone()),
        ("works", "--vector, wherever steering is by addition; no scans, gates or GGUF".into()),
    ];
    let value = json!({ "provenance": origin, "n_parameters": control.n_parameters(), "norms": control.norms() });
    Ok(Description { kind: "Aligner inside a model", json: value, lines })
}

fn control_vector(path: &Path) -> anyhow::Result<Description> {
    let file = read_control_vector(path)?;
    let norms = file.vector.norms();
    let layers: Vec<usize> = norms.keys().copied().collect();
    let width = file.vector.layers.values().next().map_or(0, Vec::len);
    let (low, high) = norms.values().fold((f64::MAX, 0f64), |(low, high), norm| (low.min(*norm), high.max(*norm)));
    let note = match layers.contains(&0) {
        true => "llama.cpp does not steer layer 0",
        false => "files of llama.cpp's own generator need --from-llama-cpp-generator: they number layers one too high",
    };
    let lines = vec![
        ("made for", file.model_hint.clone().unwrap_or_else(|| "not named".into())),
        ("layers", format!("{} of width {width}", ranges(&layers))),
        ("norms", format!("{low:.3} to {high:.3}, scales included")),
        ("note", note.into()),
    ];
    let value = json!({ "model_hint": file.model_hint, "width": width, "norms": norms });
    Ok(Description { kind: "control vector", json: value, lines })
}

fn profile(path: &Path) -> anyhow::Result<Description> {
    let profile = Profile::load(path)?;
    let fit = &profile.fit;
    let (coefficient, reach) = (profile.coefficient_interval, fit.coherent_range);
    let is_unchanged = profile.check_vector(path).map_or_else(|error| error.to_string(), |()| "unchanged".into());
    let mut lines = vec![
        ("model", format!("{} ({})", profile.model.name, profile.model.architecture)),
        ("vector", format!("{}, {is_unchanged}", profile.vector_path(path).display())),
        ("layers", format!("{}, {} at {}", ranges(&profile.layers), profile.operator, profile.range)),
        (
            "coefficient",
            format!(
                "{:.3} [{:.3}, {:.3}], unit {}",
                profile.coefficient, coefficient.low, coefficient.high, profile.unit
            ),
        ),
        ("for", format!("{} ratio {:.3}, on {} prompts", fit.variant, fit.target, fit.n_prompts)),
        ("coherent", format!("{} to {}", reach.low, reach.high)),
        ("template", profile.template.name.clone()),
    ];
    if let Some(policy) = &profile.policy {
        let PolicyTest { line, n_test, difference, .. } = &policy.tested;
        let layers = ranges(&policy.scale.layers);
        let coefficients: Vec<String> = line.coefficients.iter().map(ToString::to_string).collect();
        lines.push((
            "policy",
            format!(
                "a coefficient for each answer: the nearest of {} to {:.3} + {:.3} · score at layers {layers}; better than the best constant by \
                 [{:.3}, {:.3}] on {n_test} other questions",
                coefficients.join(", "),
                line.intercept,
                line.slope,
                difference.low,
                difference.high
            ),
        ));
    }
    if let Some(verified) = &profile.verified {
        let (steered, unsteered) = (verified.steered.edit_ratio, verified.unsteered.edit_ratio);
        lines.push(("verified", format!("{steered:.3}, unsteered {unsteered:.3}, on {} prompts", verified.n_prompts)));
    }
    Ok(Description { kind: "steering profile", json: serde_json::to_value(&profile)?, lines })
}

/// `0-4, 7` for 0, 1, 2, 3, 4 and 7.
fn ranges(layers: &[usize]) -> String {
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for &layer in layers {
        match runs.last_mut() {
            Some([_, end]) if *end + 1 == layer => *end = layer,
            _ => runs.push([layer, layer]),
        }
    }
    let text = |[first, last]: &[usize; 2]| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Bytes in the largest fitting unit.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
