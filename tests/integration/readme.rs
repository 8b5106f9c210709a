//! The README says what the program really prints: its `console` blocks run here.

use crate::program::{BINARY, repository};

#[test]
fn console_blocks_of_the_readme() {
    trycmd::TestCases::new().register_bin("redline", std::path::Path::new(BINARY)).case(repository().join("README.md"));
}
