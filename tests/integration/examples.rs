//! The examples run to their end.

use super::program::succeed;

/// An example as a module, with a test that runs it.
macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        mod $name;

        #[test]
        fn $name() {
            $name::main().unwrap();
        }
    };
}

example!(correct_with_a_dial, "../../examples/correct_with_a_dial.rs");
example!(figure_4, "../../examples/figure_4.rs");
example!(scan, "../../examples/scan.rs");
example!(save_a_vector, "../../examples/save_a_vector.rs");
example!(sweep_and_fit, "../../examples/sweep_and_fit.rs");
example!(train_a_tiny_aligner, "../../examples/train_a_tiny_aligner.rs");

#[test]
fn the_experiment_is_the_same_by_library_and_by_verb() {
    let folder = tempfile::tempdir().unwrap();
    let [library, verb] = ["library", "verb"].map(|name| folder.path().join(name));
    figure_4::figure_4(&library).unwrap();
    let words = "reproduce --pairs 48 --prompts 12 --coefficients=-1,0,1 --max-new-tokens 48 --random-generated 1 --shuffled-generated 2 \
                 --random-propensity 2 --control-prompts 4 --out verb";
    succeed(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    let summary = |folder: &std::path::Path| std::fs::read_to_string(folder.join("summary.json")).unwrap();
    assert_eq!(summary(&library), summary(&verb));
}
