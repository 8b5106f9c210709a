//! `redline layers`: at which layers, at which tokens, correction can be read on held-out pairs.

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{LayerProfiles, PlaceProfile, places, profile_layers, skipped_in_words};
use redline::figures::{onset_curves, place_heatmap};
use redline::model::Qac;
use redline::plot::write_both;
use redline::probe::stats::Estimate;
use serde_json::json;

use crate::cli::LayersArgs;
use crate::failure::hinted;
use crate::models;
use crate::output;
use crate::outputs::make_folder;
use crate::progress::Progress;
use crate::rows::read_triples;

pub fn run(args: &LayersArgs, json: bool) -> anyhow::Result<ExitCode> {
    let settings = args.pair.reading_settings(args.seed)?;
    if args.tokens > 200 || args.around > 100 {
        let message = format!("--tokens is {}, --around is {}", args.tokens, args.around);
        return Err(hinted(message, "give at most 200 tokens and 100 places around the first difference"));
    }
    let triples = read_triples(&args.data, args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let triples: Vec<(usize, &Qac)> = triples.iter().enumerate().take(args.pairs).collect();
    let places = places(args.tokens, args.around);

    let mut progress = Progress::new("reading pairs", triples.len());
    let found = profile_layers(&aligner.model, &aligner.template, &triples, &places, &settings, &mut |done, total| {
        progress.set(done, total)
    });
    let found = found.with_context(|| args.data.display().to_string())?;
    progress.finish();
    skipped_in_words(&found.skipped).iter().for_each(|note| output::note!("{note}"));
    let result = json!({
        "schema": "redline.layers.v1",
        "model_hash": aligner.model.fingerprint,
        "template": aligner.template.source(),
        "data": args.data,
        "settings": settings,
        "n_train": found.n_pairs[0],
        "n_held_out": found.n_pairs[1],
        "n_skipped": found.skipped.len(),
        "places": found.places,
    });
    make_folder(&args.out)?;
    output::json_file(&args.out.join("layers.json"), &result)?;
    draw(args, &found)?;
    if json {
        output::json(&result)?;
    } else {
        output::line(&table(&found.places))?;
        output::note!("wrote {}", args.out.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn draw(args: &LayersArgs, found: &LayerProfiles) -> anyhow::Result<()> {
    let (aligned, output): (Vec<&PlaceProfile>, Vec<&PlaceProfile>) =
        found.places.iter().partition(|place| place.place.starts_with("at-difference"));
    let title = |what: &str| format!("Held-out AUROC of {} pairs, {what}", args.pair.design);
    for (name, what, places) in [
        ("auroc-output", "from the last prompt token on", output),
        ("auroc-difference", "around the first difference", aligned),
    ] {
        if let Some(heatmap) = place_heatmap(&places, &title(what)) {
            write_both(&heatmap, &args.out.join(name))?;
        }
    }
    if let Some(curves) = onset_curves(&found.places) {
        write_both(&curves, &args.out.join("onset"))?;
    }
    Ok(())
}

/// A line a place.
fn table(places: &[PlaceProfile]) -> String {
    let shown = |estimate: &Estimate, digits: usize| match &estimate.interval {
        Some(at) => format!("{:.digits$} [{:.digits$}, {:.digits$}]", estimate.value, at.low, at.high),
        None => format!("{:.digits$}", estimate.value),
    };
    let row = |place: &PlaceProfile| {
        let pairs = format!("{}+{}", place.n_train, place.n_held_out);
        let mut cells = vec![place.place.clone(), pairs];
        match &place.depth {
            None => cells.extend(std::iter::repeat_n("–".to_owned(), 6)),
            Some(depth) => {
                cells.extend(depth.auroc_by_third.iter().map(|third| format!("{:.3}", third.value)));
                cells.push(shown(&depth.early_minus_middle, 3));
                cells.push(shown(&depth.standardised_peak, 0));
                cells.push(shown(&depth.raw_peak, 0));
            }
        }
        cells
    };
    let header =
        ["place", "pairs", "early", "middle", "late", "early − middle [95 %]", "d′ peak layer", "raw peak layer"];
    output::table(&header, &places.iter().map(row).collect::<Vec<_>>())
}
