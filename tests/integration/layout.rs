//! The house rules: which crate may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::program::repository;

/// Crates that belong to the program and to no library.
const PROGRAM_ONLY: [&str; 9] =
    ["clap", "clap_complete", "clap_mangen", "anyhow", "indicatif", "plotters", "ctrlc", "tokio", "axum"];

/// Names of the dependencies of each workspace member, those of tests and builds included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_string()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_string(), names(package))).collect()
}

#[test]
fn arrows_point_one_way() {
    let dependencies = dependencies();
    let order = ["redline-model", "redline-probe", "redline-steer", "redline"];
    for (rank, name) in order.iter().enumerate() {
        let used = &dependencies[*name];
        for above in &order[rank..] {
            assert!(!used.contains(*above), "{name} uses {above}");
        }
        if rank > 0 {
            assert!(used.contains(order[rank - 1]), "{name} does not use {}", order[rank - 1]);
        }
    }
}

#[test]
fn libraries_know_nothing_of_the_program() {
    let dependencies = dependencies();
    for (name, used) in dependencies.iter().filter(|(name, _)| name.starts_with("redline-")) {
        for forbidden in PROGRAM_ONLY {
            assert!(!used.contains(forbidden), "{name} uses {forbidden}");
        }
    }
    for expected in ["clap", "anyhow", "indicatif", "plotters", "ctrlc"] {
        assert!(dependencies["redline"].contains(expected), "the program no longer uses {expected}");
    }
}
