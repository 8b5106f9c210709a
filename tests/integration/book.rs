//! The book in `docs/`: links lead somewhere, every page is in the summary, and what stands behind `$` really happens.

mod console;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::program::repository;

/// Pages of the repository outside of the book.
const OTHER_PAGES: [&str; 5] =
    ["README.md", "CHANGELOG.md", "notebooks/README.md", "assets/aligner/README.md", "assets/smollm2/README.md"];

/// Every page of the book, relative to the repository.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => found.push(path.strip_prefix(repository()).unwrap().into()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn text(page: &Path) -> String {
    std::fs::read_to_string(repository().join(page)).unwrap()
}

/// A page without its code, in which brackets mean something else.
fn prose(page: &Path) -> String {
    let text = text(page);
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            kept.extend(line.split('`').step_by(2));
            kept.push('\n');
        }
    }
    kept
}

/// Targets of links and pictures, with their anchor: what stands in `](…)`.
fn links(page: &Path) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_string()).collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>().replace(' ', "-")
}

#[test]
fn links_and_pictures_lead_somewhere() {
    let mut n_checked = 0;
    for page in pages().into_iter().chain(OTHER_PAGES.map(PathBuf::from)) {
        let folder = repository().join(&page).parent().unwrap().to_path_buf();
        for link in links(&page).iter().filter(|link| !link.contains("://")) {
            let (path, at) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { repository().join(&page) } else { folder.join(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if page.starts_with("docs") {
                let target = target.canonicalize().unwrap();
                assert!(
                    target.starts_with(repository().join("docs")),
                    "{}: {link} leads out of the book",
                    page.display()
                );
            }
            if !at.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let anchors: Vec<String> = text
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .map(|l| anchor(l.trim_start_matches('#')))
                    .collect();
                assert!(anchors.contains(&at.to_string()), "{}: {link} has no such heading", page.display());
            }
            n_checked += 1;
        }
    }
    assert!(n_checked > 40, "only {n_checked} links were found");
}

#[test]
fn every_page_is_in_the_summary_once() {
    let listed: Vec<String> = links(Path::new("docs/SUMMARY.md"));
    let unique: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a page stands twice in the summary");
    for page in pages() {
        let name = page.strip_prefix("docs").unwrap().to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || unique.contains(&name), "docs/SUMMARY.md does not list {name}");
    }
}

#[test]
fn every_verb_has_its_row_and_is_in_the_book() {
    let help = crate::program::succeed(Path::new("."), &["--help"]).stdout;
    let verbs = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let verbs = verbs.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|v| !v.is_empty());
    let rows = text(Path::new("docs/verbs.md"));
    let book: String = pages().iter().map(|page| text(page)).collect();
    for verb in verbs.filter(|verb| *verb != "help") {
        assert!(rows.contains(&format!("`{verb}`")), "docs/verbs.md has no row for {verb}");
        assert!(book.contains(&format!("redline {verb}")), "the book never says `redline {verb}`");
    }
}

#[test]
fn console_blocks_of_the_book() {
    let mut n_commands = 0;
    for page in pages() {
        n_commands += console::run_page(&page, &text(&page));
    }
    assert!(n_commands > 10, "only {n_commands} commands ran");
}
