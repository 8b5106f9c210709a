//! `redline scan`: LAT scans of triples, correction and copy.

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::scan_pair;
use redline::figures::{heatmap, scan_title};
use redline::lab::reproduce::ScanLine;
use redline::model::Qac;
use redline::model::files::write_atomically;
use redline::plot::{ascii, write_both};
use redline::probe::{Error as ProbeError, LatScan, PairBuilder, PairDesign, Reading};
use redline::report::{Example, Examples, Report, ScanPart, SettingsGroup, flattened};

use serde_json::json;

use crate::cli::ScanArgs;
use crate::failure::hinted;
use crate::models;
use crate::output;
use crate::outputs::make_folder;
use crate::progress::Progress;
use crate::provenance::program;
use crate::rows;
use redline::lab::steering::check_reading;

pub fn run(args: &ScanArgs, json: bool) -> anyhow::Result<ExitCode> {
    let reading = Reading::load(&args.vector)?;
    if reading.calibration.is_none() {
        return Err(anyhow::Error::from(ProbeError::NoCalibration).context(args.vector.display().to_string()));
    }
    let triples = rows::triples(&args.data)?;
    if let Some(row) = args.row.iter().find(|row| **row >= triples.len()) {
        let message = format!("{}: there is no row {row}", args.data.display());
        return Err(hinted(message, format!("rows go from 0 to {}", triples.len() - 1)));
    }
    let page = args.report.clone().or_else(|| args.out.as_ref().map(|folder| folder.join("index.html")));
    let aligner = models::open(&args.model)?;
    check_reading(&reading, &args.vector, &aligner.model, args.any_model)?;
    let builder = PairBuilder::new(&aligner.model, &aligner.template, PairDesign::Forced, args.max_tokens)?;
    let mut scans = Vec::new();
    let mut progress = Progress::new("scanning", args.row.len());
    for (done, &row) in args.row.iter().enumerate() {
        let pair = builder.pair(row, &triples[row]).with_context(|| args.data.display().to_string())?;
        scans.extend(scan_pair(&aligner.model, &reading, &pair, args.tokens)?);
        progress.set(done + 1, args.row.len())?;
    }
    progress.finish();
    if let Some(folder) = &args.out {
        make_folder(folder)?;
        for scan in &scans {
            write_both(&heatmap(scan, &scan_title(scan)), &folder.join(format!("scan-{}-{}", scan.row, scan.label)))?;
        }
        write_atomically(&folder.join("scans.jsonl"), scans_as_lines(&scans)?.as_bytes())?;
        output::note!("wrote {}", folder.display());
    }
    if let Some(page) = &page {
        report(args, &reading, &triples, &scans).write(page)?;
        output::note!("wrote {}", page.display());
    }
    if json {
        output::json_text(scans_as_lines(&scans)?.trim_end())?;
    } else {
        for scan in &scans {
            output::coloured(&ascii::heatmap(&heatmap(scan, &scan_title(scan)), &output::ascii_options())?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The scans with the texts they are of.
fn report(args: &ScanArgs, reading: &Reading, triples: &[Qac], scans: &[LatScan]) -> Report {
    let provenance = &reading.provenance;
    let lead = format!(
        "{} rows of {}, read with {}: {} of {} pairs at {}.",
        args.row.len(),
        args.data.display(),
        args.vector.display(),
        provenance.extract.method,
        provenance.n_pairs,
        provenance.site,
    );
    let mut report = Report::new("Redline: where correction is decided", lead);
    report.scans = scans.iter().map(|scan| ScanPart::new(scan, &scan_title(scan))).collect();
    let examples = args.row.iter().map(|&row| Example::of_triple(row, &triples[row])).collect();
    let note = "Marked is what the correction takes from the answer and what it adds.";
    report.examples = Examples::of("The texts", note, examples);
    let mut provenance = json!(provenance);
    if let Some(fields) = provenance.as_object_mut() {
        fields.remove("questions");
    }
    report.settings = vec![
        program([("model hash (SHA-256)", reading.provenance.model_hash.clone())]),
        SettingsGroup::new("Reading vector", flattened(&provenance)),
    ];
    report
}

/// One JSON line a scan.
fn scans_as_lines(scans: &[LatScan]) -> anyhow::Result<String> {
    let line = |scan| Ok(serde_json::to_string(&ScanLine::new(scan))? + "\n");
    scans.iter().map(line).collect()
}
