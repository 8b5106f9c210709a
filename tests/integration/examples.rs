//! The examples run to their end.

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
example!(scan, "../../examples/scan.rs");
example!(save_a_vector, "../../examples/save_a_vector.rs");
example!(sweep_and_fit, "../../examples/sweep_and_fit.rs");
example!(train_a_tiny_aligner, "../../examples/train_a_tiny_aligner.rs");
