//! Answers of several files as those of one: the baseline once, and systems that share a name by the names of their files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redline::lab::Error;
use redline::lab::judge::record::{AnswerRecord, read_records};

use crate::failure::hinted;
use crate::output;

/// The answers of all files.
pub fn read(paths: &[PathBuf], baseline: &str) -> anyhow::Result<Vec<AnswerRecord>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let records = read_records::<AnswerRecord>(path).map_err(Error::from)?;
        records.note(path).into_iter().for_each(|note| output::note!("{note}"));
        files.push((path.as_path(), records.rows));
    }
    joined(files, baseline)
}

fn joined(mut files: Vec<(&Path, Vec<AnswerRecord>)>, baseline: &str) -> anyhow::Result<Vec<AnswerRecord>> {
    if files.len() < 2 {
        return Ok(files.pop().map(|(_, rows)| rows).unwrap_or_default());
    }
    check_questions(&files)?;
    let labels = labels(&files);
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (_, rows) in &files {
        let mut names: Vec<String> = rows.iter().map(AnswerRecord::name).collect();
        names.sort();
        names.dedup();
        names.into_iter().for_each(|name| *owners.entry(name).or_default() += 1);
    }
    let mut of_baseline: BTreeMap<usize, (String, &Path)> = BTreeMap::new();
    let mut all = Vec::new();
    for ((path, rows), label) in files.into_iter().zip(labels) {
        for record in rows {
            let name = record.name();
            if name != baseline {
                let is_shared = owners.get(&name).is_some_and(|n| *n > 1);
                let name = if is_shared { format!("{name} ({label})") } else { name };
                // the coefficient stands in the name
                all.push(AnswerRecord { system: name, coefficient: None, ..record });
                continue;
            }
            match of_baseline.get(&record.row) {
                None => {
                    of_baseline.insert(record.row, (record.output.clone(), path));
                    all.push(record);
                }
                Some((output, _)) if *output == record.output => {}
                Some((_, other)) => {
                    return Err(hinted(
                        format!(
                            "{} and {}: row {} has two answers of the baseline `{baseline}`",
                            other.display(),
                            path.display(),
                            record.row
                        ),
                        "give files whose systems were given the same answers, or another --against",
                    ));
                }
            }
        }
    }
    Ok(all)
}

/// A row has one question in all files.
fn check_questions(files: &[(&Path, Vec<AnswerRecord>)]) -> anyhow::Result<()> {
    let mut questions: BTreeMap<usize, (&str, &Path)> = BTreeMap::new();
    for (path, rows) in files {
        for record in rows {
            let (question, other) = *questions.entry(record.row).or_insert((record.question.as_str(), *path));
            if question != record.question {
                return Err(hinted(
                    format!("{} and {}: row {} has two questions", other.display(), path.display(), record.row),
                    "give answers to the same rows",
                ));
            }
        }
    }
    Ok(())
}

/// What tells the files apart: their names without ending, or, where two share one, the paths.
fn labels(files: &[(&Path, Vec<AnswerRecord>)]) -> Vec<String> {
    let stem = |path: &Path| path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let stems: Vec<String> = files.iter().map(|(path, _)| stem(path)).collect();
    let is_shared = |name: &String| stems.iter().filter(|other| *other == name).count() > 1;
    let label = |(name, (path, _)): (&String, &(&Path, _))| match is_shared(name) {
        true => path.display().to_string(),
        false => name.clone(),
    };
    stems.iter().zip(files).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(system: &str, row: usize, output: &str) -> AnswerRecord {
        AnswerRecord {
            row,
            system: system.into(),
            coefficient: None,
            question: format!("q{row}"),
            answer: "a".into(),
            output: output.into(),
            n_tokens: Some(1),
            passes: 1,
            context: 0,
            seconds: 0.0,
            made_by: String::new(),
            is_unread: false,
        }
    }

    #[test]
    fn systems_of_one_name_are_told_apart_by_their_files_and_the_baseline_is_one() {
        let file = |output: &str| vec![answer("upstream", 0, "u"), answer("aligner", 0, output)];
        let files = vec![(Path::new("runs/step-200.jsonl"), file("x")), (Path::new("runs/step-400.jsonl"), file("y"))];
        let names: Vec<String> = joined(files, "upstream").unwrap().iter().map(AnswerRecord::name).collect();
        assert_eq!(names, ["upstream", "aligner (step-200)", "aligner (step-400)"]);
        let own = |system: &str| vec![answer("upstream", 0, "u"), answer(system, 0, "x")];
        let files = vec![(Path::new("a/answers.jsonl"), own("one")), (Path::new("b/answers.jsonl"), own("two"))];
        let names: Vec<String> = joined(files, "upstream").unwrap().iter().map(AnswerRecord::name).collect();
        assert_eq!(names, ["upstream", "one", "two"], "names that differ stay");
    }

    #[test]
    fn files_of_other_rows_or_baselines_are_refused() {
        let file = |output: &str| vec![answer("upstream", 0, output)];
        let files = vec![(Path::new("a"), file("u")), (Path::new("b"), file("v"))];
        assert!(joined(files, "upstream").unwrap_err().to_string().contains("two answers of the baseline `upstream`"));
        let other = vec![AnswerRecord { question: "another".into(), ..answer("upstream", 0, "u") }];
        let files = vec![(Path::new("a"), file("u")), (Path::new("b"), other)];
        assert_eq!(joined(files, "upstream").unwrap_err().to_string(), "a and b: row 0 has two questions");
    }
}
