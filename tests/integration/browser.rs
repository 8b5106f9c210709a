//! Scripts that look at a page in headless Chromium, where node and a browser are there.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::program::repository;

/// What is said where there is no browser.
pub const NO_BROWSER: &str =
    "node, playwright-core, axe-core or Chromium is missing; scripts/install-browser.sh installs them";

/// Node's modules and a browser.
pub struct Browser {
    modules: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// Where `scripts/install-browser.sh` or the system put them.
    pub fn find() -> Option<Self> {
        let runs =
            |name: &str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
        let modules = repository().join("build/browser/node_modules");
        if !runs("node") || !["playwright-core", "axe-core"].iter().all(|module| modules.join(module).exists()) {
            return None;
        }
        let known = ["chromium", "google-chrome", "chromium-browser"];
        let folders = std::env::split_paths(&std::env::var_os("PATH")?).collect::<Vec<_>>();
        let installed = known.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let asked = std::env::var_os("CHROMIUM").map(PathBuf::from);
        let chromium = asked.into_iter().chain(installed).find(|path| path.exists())?;
        Some(Self { modules, chromium })
    }

    /// Runs a script of `tests/browser`, which prints what does not hold.
    pub fn holds(&self, script: &str, arguments: &[&OsStr]) {
        let output = Command::new("node")
            .arg(repository().join("tests/browser").join(script))
            .args(arguments)
            .env("NODE_PATH", &self.modules)
            .env("CHROMIUM", &self.chromium)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} {arguments:?}:\n{said}");
    }
}
