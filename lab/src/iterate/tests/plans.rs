use super::fake::Folder;
use crate::iterate::{IterateKind, Plan, TrainedBy, Work, quoted};

fn names(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn every_step_reads_what_is_given_or_what_a_step_before_it_writes() {
    let folder = Folder::new();
    for kind in IterateKind::ALL {
        for method in TrainedBy::ALL {
            let mut options = folder.options(kind, "out");
            options.training.method = method;
            options.export = true;
            if kind == IterateKind::Preference {
                options.control = Some(folder.path("data.jsonl"));
            }
            let mut written = Vec::new();
            for step in &Plan::new(&options).steps {
                for input in &step.inputs {
                    assert!(
                        !input.starts_with(&options.out) || written.contains(input),
                        "{}: {}",
                        step.name,
                        input.display()
                    );
                }
                written.extend(step.outputs.clone());
                let inside = |path: &std::path::Path| path.starts_with(&options.out);
                assert!(step.outputs.iter().all(|path| inside(path)), "{}", step.name);
            }
        }
    }
}

#[test]
fn rounds_follow_each_other_from_policy_to_policy() {
    let folder = Folder::new();
    let plan = Plan::new(&folder.options(IterateKind::Preference, "out"));
    let round = ["draws", "pairs", "policy", "held-out", "closeness", "measure"];
    let of_rounds = (1..=2).flat_map(|number| round.map(|name| format!("round-{number}/{name}")));
    let first = ["rows", "round-0/held-out", "round-0/measure"].map(str::to_owned);
    let expected: Vec<String> = first.into_iter().chain(of_rounds).chain(["summary".to_owned()]).collect();
    assert_eq!(names(&plan), expected);
    let of = |name: &str| plan.steps.iter().find(|step| step.name == name).unwrap();
    let first = of("round-1/policy").outputs[0].clone();
    assert!(of("round-2/draws").inputs.contains(&first) && of("round-2/policy").inputs.contains(&first));
    let Work::Verb { arguments, .. } = &of("round-1/policy").work else { panic!("a verb") };
    assert!(quoted(arguments).starts_with("train --objective dpo --data "), "{arguments:?}");
}

#[test]
fn the_plan_can_be_run_by_hand() {
    let folder = Folder::new();
    let mut options = folder.options(IterateKind::Distil, "out");
    options.passes = 3;
    let plan = Plan::new(&options);
    let own = ["iterate", "--out", "a folder"].map(str::to_owned);
    let commands = plan.commands(&own);
    assert_eq!(commands.len(), plan.steps.len());
    assert_eq!(commands[0], "redline iterate --out 'a folder' --step rows");
    assert_eq!(commands[1].matches("--aligner embedded").count(), 3, "{}", commands[1]);
    assert_eq!(quoted(&["it's".to_owned(), String::new(), "a=b".to_owned()]), "'it'\\''s' '' a=b");
}

#[test]
fn a_given_weak_aligner_is_not_trained() {
    let folder = Folder::new();
    let mut options = folder.options(IterateKind::WeakToStrong, "out");
    assert!(names(&Plan::new(&options)).contains(&"seed-2/aligner"));
    options.aligner = Some("embedded".into());
    let plan = Plan::new(&options);
    assert!(!names(&plan).contains(&"seed-2/aligner") && names(&plan).contains(&"seed-2/weak"));
    options.weak_upstream = options.weak.take();
    assert!(!names(&Plan::new(&options)).contains(&"seed-2/weak"));
}
